package hitratio

import (
	"testing"

	"github.com/Yiling-J/theine-go"
	"github.com/maypok86/otter/v2"
)

// otterCache is otter, with its upkeep done before each request returns.
type otterCache struct{ c *otter.Cache[uint32, int64] }

func newOtter(t testing.TB, size int64) Cache {
	c := otter.Must(&otter.Options[uint32, int64]{
		MaximumWeight: uint64(size),
		Weigher:       func(_ uint32, cost int64) uint32 { return uint32(cost) },
		Executor:      func(f func()) { f() },
	})
	t.Cleanup(func() { c.StopAllGoroutines() })
	return otterCache{c}
}

func (c otterCache) Request(object uint32, cost int64) bool {
	_, ok := c.c.GetIfPresent(object)
	if !ok {
		c.c.Set(object, cost)
		c.c.CleanUp()
	}
	return ok
}

// theineCache is theine, which is waited for after each Set.
type theineCache struct{ c *theine.Cache[uint32, int64] }

func newTheine(t testing.TB, size int64) Cache {
	c, err := theine.NewBuilder[uint32, int64](size).Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return theineCache{c}
}

func (c theineCache) Request(object uint32, cost int64) bool {
	_, ok := c.c.Get(object)
	if !ok {
		c.c.Set(object, cost, cost)
		c.c.Wait()
	}
	return ok
}
