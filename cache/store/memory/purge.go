package memory

import (
	"context"

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
	for _, e := range r.entries {
		if e.obj == o {
			s.admission.release(e)
			s.admission.policy.settle()
			s.drop(e)
			return nil
		}
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
	g := sh.group(hash, string(uri))
	if g == nil {
		return 0, nil
	}
	n := s.dropGroup(sh, g)
	s.admission.policy.settle()
	return n, nil
}

// dropGroup takes a target URI with all its entries out and returns how many
// there were. The caller settles the policy.
func (s *Store) dropGroup(sh *shard, g *group) int {
	sh.removeGroup(g)
	n := 0
	for r := g.newest; r != nil; r = r.older {
		for _, e := range r.entries {
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
		for _, g := range s.shards[i].groups {
			for g != nil {
				next := g.next
				s.dropGroup(&s.shards[i], g)
				g = next
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
	e := &entry{obj: o, cost: o.Cost(), id: s.hash.variant(id, o.Selecting)}
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
	if i < 0 || r.objs[i] != old {
		return false, nil
	}
	err := s.admitLocked(sh, e, r.entries[i], hash, id)
	return err == nil, err
}
