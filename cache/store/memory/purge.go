package memory

import (
	"context"
	"iter"
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
		s.dropAll([]*entry{r.entry(i)})
	}
	return nil
}

// Invalidate removes every Object of the target URI uri, as cache.Store says.
// It costs what it removes, and readers see all of it or nothing.
func (s *Store) Invalidate(ctx context.Context, uri []byte) (int, error) {
	return s.Purge(ctx, &cache.Purge{Kind: cache.PurgeURL, URI: string(uri), Hard: true})
}

// Purge implements cache.Purger. A soft one sets a mark on each Object that it
// concerns, which readers that look at this moment see or do not see; it keeps
// none of them waiting, and writers as long as it takes.
//
// Purges of one URL and of everything are remembered in epochs, exactly and for
// ever; those that may concern anything in the log.
func (s *Store) Purge(_ context.Context, p *cache.Purge) (touched int, err error) {
	hash := s.hash.uri([]byte(p.URI))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	switch p.Kind {
	case cache.PurgeURL:
		s.epochs[hash%epochStripes].Add(1)
	case cache.PurgePrefix, cache.PurgeTag:
		s.log.Append(p)
	default:
		s.epochAll.Add(1)
	}
	concerned := s.concerned(p, hash)
	if !p.Hard {
		for e := range concerned {
			e.obj().Purge(p.At)
			touched++
		}
		return touched, nil
	}
	if p.Kind == cache.PurgeURL {
		return s.dropURI(hash, p.URI), nil
	}
	es := slices.Collect(concerned)
	s.dropAll(es)
	return len(es), nil
}

// concerned iterates over the entries that p is about, each once. The index
// does not change meanwhile.
func (s *Store) concerned(p *cache.Purge, hash uint64) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		switch p.Kind {
		case cache.PurgeURL:
			s.shard(hash).newest(hash, p.URI).entriesOfURI(yield)
		case cache.PurgePrefix:
			for r := range s.order.within(p.Prefix) {
				if !r.entriesOfURI(yield) {
					return
				}
			}
		case cache.PurgeTag:
			s.tags.each(p.Tag, yield)
		default:
			for r := range s.order.all() {
				if !r.entriesOfURI(yield) {
					return
				}
			}
		}
	}
}

// entriesOfURI yields all entries of the target URI whose newest record is r,
// none where r is nil, and reports whether more are wanted.
func (r *record) entriesOfURI(yield func(*entry) bool) bool {
	for ; r != nil; r = r.older {
		for i := range r.len() {
			if !yield(r.entry(i)) {
				return false
			}
		}
	}
	return true
}

// dropAll takes entries out of everything.
func (s *Store) dropAll(es []*entry) {
	for _, e := range es {
		s.admission.release(e)
		s.drop(e)
	}
	s.admission.policy.settle()
}

// dropURI takes a target URI with all its entries out, at once for readers, and
// returns how many there were.
func (s *Store) dropURI(hash uint64, uri string) (n int) {
	sh := s.shard(hash)
	newest := sh.newest(hash, uri)
	if newest == nil {
		return 0
	}
	sh.removeURI(newest, hash)
	newest.entriesOfURI(func(e *entry) bool {
		e.rec = nil
		s.admission.release(e)
		s.forget(e)
		n++
		return true
	})
	s.admission.policy.settle()
	return n
}

// Clear removes every Object and returns how many: a hard purge of everything.
func (s *Store) Clear(ctx context.Context) (int, error) {
	return s.Purge(ctx, &cache.Purge{Kind: cache.PurgeAll, Hard: true})
}

// Epoch implements cache.Purger.
func (s *Store) Epoch(uri []byte) cache.Epoch {
	return cache.Epoch{URI: s.epoch(s.hash.uri(uri)), Log: s.log.Last()}
}

// epoch reads two counters that only grow. If a sum that was read is the sum
// of now, then neither has changed since the reading ended.
func (s *Store) epoch(hash uint64) uint64 {
	return s.epochs[hash%epochStripes].Load() + s.epochAll.Load()
}

// Purged implements cache.Purger.
func (s *Store) Purged(o *cache.Object, from, to cache.Epoch) bool {
	return from.URI < to.URI || s.log.Concerns(o, from.Log, to.Log)
}
