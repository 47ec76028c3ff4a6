package hitratio

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/memory"
	"veneer/cache/store/storetest"
)

// storeCache is the memory store, as the engine uses it.
type storeCache struct {
	t testing.TB
	s *memory.Store
}

var (
	plain   = storetest.Select(key.Selecting{})
	content = strings.Repeat("x", maxSize)
)

func newStore(t testing.TB, size int64) Cache {
	s, err := memory.New(memory.Config{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &storeCache{t, s}
}

func objectKey(object uint32) key.Key {
	return storetest.Key(fmt.Sprintf("https://a.example/objects/%08d", object), "")
}

// overhead is what an Object costs beside its content.
var overhead = storetest.Object(objectKey(0), key.Selecting{}, "").Cost()

func (c *storeCache) Request(object uint32, cost int64) bool {
	k := objectKey(object)
	if c.s.Glance(k, plain) != nil { // the lane
		return true
	}
	o, err := c.s.Get(context.Background(), k, plain)
	if err != nil {
		c.t.Fatal(err)
	}
	if o != nil {
		return true
	}
	o = storetest.Object(k, key.Selecting{}, content[:cost-overhead])
	err = c.s.Put(context.Background(), o, cache.PutOptions{Epoch: c.s.Epoch(k.URI())})
	if err != nil && err != cache.ErrNotAdmitted {
		c.t.Fatal(err)
	}
	return false
}
