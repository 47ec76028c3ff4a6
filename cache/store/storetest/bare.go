package storetest

import (
	"context"
	"strings"

	"veneer/cache"
)

// TB is what Bare needs of a test.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Bare wraps a Store so that the test fails when an Object with an
// Access-Control-* field is put into it: what is stored belongs to no client
// (the second invariant of the engine). The Object is stored all the same. The
// wrapper is used no longer than the test runs.
func Bare(t TB, s cache.Store) cache.Store { return &bare{s, t} }

type bare struct {
	cache.Store
	t TB
}

// Foresee implements cache.Foreseer for a Store that does.
func (b *bare) Foresee(o *cache.Object, opt cache.PutOptions) error {
	if f, ok := b.Store.(cache.Foreseer); ok {
		return f.Foresee(o, opt)
	}
	return nil
}

func (b *bare) Put(ctx context.Context, o *cache.Object, opt cache.PutOptions) error {
	const prefix = "access-control-"
	for name := range o.Fields() {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			b.t.Helper()
			b.t.Errorf("an Object with %s is stored under %q", name, o.Key())
		}
	}
	return b.Store.Put(ctx, o, opt)
}
