package memory

import (
	"context"
	"slices"

	"veneer/cache"
)

// Delete removes o if this very Object is stored.
func (s *Store) Delete(_ context.Context, o *cache.Object) error {
	hash, id := s.hash.strings(o.Key(), len(o.URI()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	r := s.shard(hash).record(id, o.Key())
	if r == nil {
		return nil
	}
	if i := slices.Index(r.objects(), o); i >= 0 {
		e := r.entry(i)
		s.admission.release(e)
		s.admission.policy.settle()
		s.drop(e)
	}
	return nil
}

// Invalidate removes every Object of the target URI uri, as cache.Store says.
// It costs what it removes, and readers see all of it or nothing.
func (s *Store) Invalidate(_ context.Context, uri []byte) (int, error) {
	hash := s.hash.uri(uri)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	s.epochs[hash%epochStripes].Add(1)
	sh := s.shard(hash)
	r := sh.newest(hash, string(uri))
	if r == nil {
		return 0, nil
	}
	n := s.dropURI(sh, r, hash)
	s.admission.policy.settle()
	return n, nil
}

// dropURI takes a target URI with all its entries out and returns how many
// there were. newest is its newest record. The caller settles the policy.
func (s *Store) dropURI(sh *shard, newest *record, hash uint64) int {
	sh.removeURI(newest, hash)
	n := 0
	for r := newest; r != nil; r = r.older {
		for i := range r.len() {
			e := r.entry(i)
			e.rec = nil
			s.admission.release(e)
			s.forget(e)
			n++
		}
	}
	return n
}

// InvalidateTag removes every Object with the tag and returns how many. As the
// tags of what is being fetched are not known yet, every Put with an Epoch
// taken before is refused, whatever its target URI.
func (s *Store) InvalidateTag(_ context.Context, tag string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	s.epochAll.Add(1)
	es := s.tags.entries(tag)
	for _, e := range es {
		s.admission.release(e)
		s.drop(e)
	}
	s.admission.policy.settle()
	return len(es), nil
}

// Epoch returns a number that grows with every invalidation of uri, and with
// some others.
func (s *Store) Epoch(uri []byte) uint64 { return s.epoch(s.hash.uri(uri)) }

// epoch reads two counters that only grow. If a sum that was read is the sum
// of now, then neither has changed since the reading ended.
func (s *Store) epoch(hash uint64) uint64 {
	return s.epochs[hash%epochStripes].Load() + s.epochAll.Load()
}

// Clear removes every Object and returns how many. Every Put with an Epoch
// taken before is refused.
func (s *Store) Clear(_ context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	s.epochAll.Add(1)
	n := s.objects
	for i := range s.shards {
		for hash, r := range s.shards[i].uris {
			for r != nil {
				next := r.nextURI
				s.dropURI(&s.shards[i], r, hash)
				r = next
			}
		}
	}
	s.admission.policy.settle()
	return n, nil
}

// Replace puts o where old is stored, if this very Object still is, and
// reports whether it did. Both have the same key and selecting fields. With
// it a purge that keeps Objects for validation (RFC 9111 §4.3) makes them
// stale without overwriting a newer response. ErrNotAdmitted leaves old
// stored: who wants it gone deletes it.
func (s *Store) Replace(_ context.Context, old, o *cache.Object) (bool, error) {
	hash, id := s.hash.strings(o.Key(), len(o.URI()))
	e := newEntry(o)
	e.id = s.hash.variant(id, o.Selecting)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	sh := s.shard(hash)
	r := sh.record(id, o.Key())
	if r == nil {
		return false, nil
	}
	i := r.variant(o.Selecting)
	if i < 0 || r.objects()[i] != old {
		return false, nil
	}
	err := s.admitLocked(sh, e, r.entry(i), hash, id)
	return err == nil, err
}
