package memory

import (
	"context"

	"veneer/cache"
	"veneer/cache/key"
)

// Peek implements cache.Peeker: it returns the variants of k as they stand, and
// neither counts as a use of k nor as a hit or miss. Nobody changes the slice.
func (s *Store) Peek(_ context.Context, k key.Key) ([]*cache.Object, error) {
	hash, id := s.hash.bytes(k)
	sh := s.shard(hash)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if sh.closed {
		return nil, ErrClosed
	}
	if r := sh.lookup(id, k.Bytes); r != nil {
		return r.objects(), nil
	}
	return nil, nil
}
