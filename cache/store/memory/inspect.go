package memory

import (
	"iter"

	"veneer/cache"
	"veneer/cache/key"
)

// Stats are a Store's figures at one moment. The counters run since New; the
// rest is what is held now.
type Stats struct {
	Objects int
	Bytes   int64 // by Object.Cost; at most Size
	Window  int64 // of Bytes, those in the window
	Size    int64 // Config.Size

	Hits, Misses uint64 // Gets that returned an Object, and that returned none
	Evictions    uint64 // Objects that made room for others
	Rejections   uint64 // Puts that were not admitted
}

// Stats returns the Store's figures.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	st := Stats{
		Objects: s.objects, Bytes: s.bytes, Window: s.admission.window.bytes, Size: s.size,
		Evictions: s.evictions,
	}
	s.mu.Unlock()
	st.Rejections = s.rejections.Load()
	for i := range s.shards {
		st.Hits += s.shards[i].hits.Load()
		st.Misses += s.shards[i].misses.Load()
	}
	return st
}

// ByTag returns the stored Objects that have the tag, the newest first.
func (s *Store) ByTag(tag string) []*cache.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var objs []*cache.Object
	s.tags.each(tag, func(e *entry) bool { objs = append(objs, e.obj()); return true })
	return objs
}

// List returns stored Objects in the order of their target URIs: those whose URI
// begins with prefix, or all where it is nil, behind the URI with the key after
// (Key.URI; "": from the first). It ends with the URI at which there are limit of
// them, whole: its other origins and variants are in it too. next is what after has
// to be to go on, "" at the end. Writers wait while it looks, which costs what it
// returns.
func (s *Store) List(prefix *key.Prefix, after string, limit int) (objs []*cache.Object, next string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records := s.order.all()
	switch {
	case after != "":
		records = s.order.from(after)
	case prefix != nil:
		records = s.order.from(prefix.First())
	}
	last := ""
	for r := range records {
		switch {
		case r.uri() == after:
			continue
		case prefix != nil && !prefix.Begins(r.uri()):
			return objs, ""
		case len(objs) >= limit:
			return objs, last
		}
		last = r.uri()
		r.entriesOfURI(func(e *entry) bool { objs = append(objs, e.obj()); return true })
	}
	return objs, ""
}

// All iterates over the stored Objects, in no order. Each shard is read at one
// moment, the shards one after another; no lock is held while an Object is
// with the caller, who may change the Store.
func (s *Store) All() iter.Seq[*cache.Object] {
	return func(yield func(*cache.Object) bool) {
		var objs []*cache.Object
		for i := range s.shards {
			objs = s.shards[i].appendObjects(objs[:0])
			for _, o := range objs {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// appendObjects appends the shard's Objects to dst.
func (sh *shard) appendObjects(dst []*cache.Object) []*cache.Object {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, r := range sh.records {
		for ; r != nil; r = r.next {
			dst = append(dst, r.objects()...)
		}
	}
	return dst
}
