package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"veneer/cache"
)

// testConcurrent runs writers, readers and purgers over a few URIs. An
// upstream's resource has a version that grows; it is raised before the old
// one is purged, as a purge is sent after the change. A reader that starts
// after the purge returned must never see what is older, unless it is marked.
func testConcurrent(h *harness) {
	const (
		uris    = 3
		writers = 3
		rounds  = 300
	)
	var (
		group    sync.WaitGroup
		resource [uris]struct {
			version, purged atomic.Int64
		}
	)
	each := func(n int, f func(round, i int)) {
		for range n {
			group.Go(func() {
				for round := range rounds {
					f(round, round%uris)
				}
			})
		}
	}
	ctx := context.Background()
	uri := func(i int) string { return fmt.Sprint(base, i) }

	purges := func(i int) []cache.Purge {
		return []cache.Purge{
			{Kind: cache.PurgeURL, URI: string(Key(uri(i), "").URI()), Hard: true},
			{Kind: cache.PurgeTag, Tag: TagOf(uri(i)), At: purgedAt},
			{Kind: cache.PurgePrefix, Prefix: prefixOf(h, uri(i)), Hard: i == 0, At: purgedAt},
			{Kind: cache.PurgeAll, At: purgedAt},
		}
	}
	each(writers, func(round, i int) {
		k := Key(uri(i), fmt.Sprint(round%2))
		opt := cache.PutOptions{Epoch: h.store.Epoch(k.URI()), Variants: 2, Origins: 2}
		body := fmt.Sprintf("%d %s", resource[i].version.Load(), strings.Repeat("x", round%5*100))
		err := h.store.Put(ctx, Object(k, distinct[round/2%2], body), opt)
		if err != nil && !errors.Is(err, cache.ErrPurged) && !errors.Is(err, cache.ErrNotAdmitted) {
			h.Errorf("Put: %v", err)
		}
	})
	each(1, func(round, i int) {
		now := resource[i].version.Add(1)
		p := purges(i)[round/uris%4]
		_, err := h.store.Purge(ctx, &p)
		if errors.Is(err, errors.ErrUnsupported) {
			_, err = h.store.Invalidate(ctx, Key(uri(i), "").URI())
		}
		if err != nil {
			h.Errorf("Purge: %v", err)
		}
		resource[i].purged.Store(now)
	})
	each(2, func(round, i int) {
		k, s := Key(uri(i), fmt.Sprint(round%2)), distinct[round/2%2]
		oldest := resource[i].purged.Load()
		o, err := h.store.Get(ctx, k, Select(s))
		if err != nil {
			h.Errorf("Get: %v", err)
		}
		if o == nil {
			return
		}
		version, _, _ := strings.Cut(string(o.Body()), " ")
		_, marked := o.PurgedAt()
		if v, err := strconv.ParseInt(version, 10, 64); err != nil || v < oldest && !marked || o.Key() != string(k.Bytes) {
			h.Errorf("Get(%q): got %q of version %q, and %d was purged", k.Bytes, o.Key(), version, oldest-1)
		}
		if round%7 == 0 {
			if err := h.store.Delete(ctx, o); err != nil {
				h.Errorf("Delete: %v", err)
			}
		}
	})
	group.Wait()
}
