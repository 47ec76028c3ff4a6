package memory

import "veneer/cache"

// tagLink is one entry's place in the list of one of its tags. A link never
// moves: entry.tags is made once, at its full length.
type tagLink struct {
	entry      *entry
	prev, next *tagLink
}

// tagIndex lists entries by tag. Store.mu guards it.
type tagIndex map[string]*tagLink // the newest link of each tag that is in use

// add lists e under its Object's tags. Tags without duplicates are the
// caller's business (cache/tag); one that stands twice is listed twice.
func (t tagIndex) add(e *entry) {
	if len(e.obj.Tags) == 0 {
		return
	}
	e.tags = make([]tagLink, len(e.obj.Tags))
	for i, name := range e.obj.Tags {
		l := &e.tags[i]
		l.entry, l.next = e, t[name]
		if l.next != nil {
			l.next.prev = l
		}
		t[name] = l
	}
}

// remove takes e out of all lists.
func (t tagIndex) remove(e *entry) {
	for i, name := range e.obj.Tags {
		l := &e.tags[i]
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
	}
	e.tags = nil
}

// entries returns the entries that have the tag, newest first.
func (t tagIndex) entries(tag string) []*entry {
	var all []*entry
	for l := t[tag]; l != nil; l = l.next {
		if n := len(all); n == 0 || all[n-1] != l.entry {
			all = append(all, l.entry)
		}
	}
	return all
}

// objects returns the Objects of es.
func objects(es []*entry) []*cache.Object {
	objs := make([]*cache.Object, len(es))
	for i, e := range es {
		objs[i] = e.obj
	}
	return objs
}
