package memory

import "veneer/cache"

// tagLink is one entry's place in the list of one of its tags.
type tagLink struct {
	entry      *entry
	prev, next *tagLink
	sibling    *tagLink // of the same entry's next tag
}

// tagIndex lists entries by tag. Store.mu guards it.
type tagIndex map[string]*tagLink // the newest link of each tag that is in use

// add lists e under its Object's tags. Tags without duplicates are the
// caller's business (cache/tag); one that stands twice is listed twice.
func (t tagIndex) add(e *entry) {
	names := e.obj().Tags
	if len(names) == 0 {
		return
	}
	links := make([]tagLink, len(names))
	e.links = &links[0]
	for i, name := range names {
		l := &links[i]
		if i > 0 {
			links[i-1].sibling = l
		}
		l.entry, l.next = e, t[name]
		if l.next != nil {
			l.next.prev = l
		}
		t[name] = l
	}
}

// remove takes e out of all lists.
func (t tagIndex) remove(e *entry) {
	l := e.links
	for _, name := range e.obj().Tags {
		if l.next != nil {
			l.next.prev = l.prev
		}
		switch {
		case l.prev != nil:
			l.prev.next = l.next
		case l.next != nil:
			t[name] = l.next
		default:
			delete(t, name)
		}
		l = l.sibling
	}
	e.links = nil
}

// each yields the entries that have the tag, each once, newest first.
func (t tagIndex) each(tag string, yield func(*entry) bool) {
	for l := t[tag]; l != nil; l = l.next {
		if l.prev != nil && l.prev.entry == l.entry { // it stands twice
			continue
		}
		if !yield(l.entry) {
			return
		}
	}
}

// objects returns the Objects of es.
func objects(es []*entry) []*cache.Object {
	objs := make([]*cache.Object, len(es))
	for i, e := range es {
		objs[i] = e.obj()
	}
	return objs
}
