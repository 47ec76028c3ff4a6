package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

// filed makes a record of a target URI for the order alone.
func filed(path string) *record {
	k := storetest.Key("https://a.example/"+path, "rest")
	return &record{key: string(k.Bytes), group: uint32(k.Group)}
}

// The order is that of a sorted list, through all splits and joins, however
// URIs come and go.
func TestOrder(t *testing.T) {
	const n = 6 * blockSize
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]*record, n)
	for i := range all {
		all[i] = filed(fmt.Sprintf("%02d/%05d", i%20, i))
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *record) int { return key.CompareURIs(a.uri(), b.uri()) })
	shuffled := slices.Clone(sorted)
	random.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	backwards := slices.Clone(sorted)
	slices.Reverse(backwards)
	for name, way := range map[string]struct {
		in, out []*record
		blocks  int // at most, when all are in
	}{
		"ascending, and out at random": {sorted, shuffled, 6},
		"descending, and out so":       {backwards, backwards, 12},
		"at random, and out in order":  {shuffled, sorted, 12},
	} {
		t.Run(name, func(t *testing.T) {
			var l byURI
			for i, r := range way.in {
				l.add(r)
				if i%97 == 0 {
					compareOrder(t, &l, way.in[:i+1])
				}
			}
			compareOrder(t, &l, way.in)
			if len(l.blocks) > way.blocks {
				t.Errorf("%d blocks for %d URIs, more than %d", len(l.blocks), n, way.blocks)
			}
			for i, r := range way.out {
				l.remove(r.uri())
				if i%97 == 0 {
					compareOrder(t, &l, way.out[i+1:])
				}
			}
			if len(l.blocks) != 0 {
				t.Errorf("%d blocks are left", len(l.blocks))
			}
		})
	}
}

// compareOrder compares what the order says with a list.
func compareOrder(t *testing.T, l *byURI, has []*record) {
	t.Helper()
	compare := func(a, b *record) int { return key.CompareURIs(a.uri(), b.uri()) }
	want := slices.SortedFunc(slices.Values(has), compare)
	if got := slices.Collect(l.all()); !slices.Equal(got, want) {
		t.Fatalf("%d records, or another order; want %d", len(got), len(want))
	}
	for _, path := range []string{"/07/", "/1", "/", "/none"} {
		p, err := key.NewPrefix("https", "a.example", path, "", false)
		if err != nil {
			t.Fatal(err)
		}
		some := slices.DeleteFunc(slices.Clone(want), func(r *record) bool { return !p.Begins(r.uri()) })
		if got := slices.Collect(l.within(p)); !slices.Equal(got, some) {
			t.Fatalf("%s: %d records, want %d", p, len(got), len(some))
		}
	}
	for _, b := range l.blocks {
		if cap(b) != blockSize || len(b) == 0 {
			t.Fatalf("a block of %d with room for %d", len(b), cap(b))
		}
	}
}
