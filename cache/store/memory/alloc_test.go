//go:build !race

package memory

import (
	"testing"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

// firstOf selects without looking, to measure the store alone.
type firstOf struct{}

func (firstOf) Select(variants []*cache.Object) int { return 0 }

func TestGetAllocatesNothing(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	varying := key.Selecting{Names: []string{"Accept"}, Values: []string{"a"}}
	for _, o := range []*cache.Object{object(1, 1000), storetest.Object(uriKey(2), varying, "content")} {
		if err := put(t, s, o); err != nil {
			t.Fatal(err)
		}
	}
	var sel cache.Selector = firstOf{}
	for _, c := range []struct {
		name string
		key  key.Key
		hit  bool
	}{{"hit", uriKey(1), true}, {"hit of a variant", uriKey(2), true}, {"miss", uriKey(3), false}} {
		var got *cache.Object
		if n := testing.AllocsPerRun(2000, func() { got, _ = s.Get(ctx, c.key, sel) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
		if n := testing.AllocsPerRun(2000, func() { s.Glance(c.key, sel) }); n != 0 {
			t.Errorf("%s at a glance: %v allocations", c.name, n)
		}
		if (got != nil) != c.hit {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
	uri := uriKey(1).URI()
	if n := testing.AllocsPerRun(100, func() { s.Epoch(uri) }); n != 0 {
		t.Errorf("Epoch: %v allocations", n)
	}
}

// Popular Objects survive a flood of others: the point of the policy. Not
// under -race, where ristretto loses the uses.
func TestPopularObjectsSurviveAFlood(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	const popular = 100
	for i := range popular {
		if err := put(t, s, object(i, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		for i := range popular {
			get(t, s, i)
		}
	}
	for i := range 5000 {
		if err := put(t, s, object(1000+i, 1000)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			get(t, s, i/10%popular)
		}
	}
	kept := 0
	for i := range popular {
		if get(t, s, i) != nil {
			kept++
		}
	}
	if kept < popular*8/10 {
		t.Errorf("%d of %d popular objects are left", kept, popular)
	}
}
