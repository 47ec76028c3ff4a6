package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// List goes through what is stored page by page, whole target URIs at a time, in
// their order, and neither misses nor repeats one.
func TestList(t *testing.T) {
	s := open(t, Config{Size: 64 << 20})
	want := make(map[string]int)
	for i := range 300 {
		for origin := range 1 + i%3 {
			uri := fmt.Sprintf("https://a.example/%02d/%03d", i%20, i)
			if err := put(t, s, storetest.Object(storetest.Key(uri, fmt.Sprint(origin)), plain, "content")); err != nil {
				t.Fatal(err)
			}
			want[uri]++
		}
	}
	for _, c := range []struct {
		prefix string
		limit  int
	}{{"", 7}, {"", 1}, {"", 10000}, {"/07/", 4}, {"/1", 9}, {"/99", 5}, {"/00/000", 5}} {
		var prefix *key.Prefix
		if c.prefix != "" {
			p, err := key.NewPrefix("https", "a.example", c.prefix, "", false)
			if err != nil {
				t.Fatal(err)
			}
			prefix = &p
		}
		seen, last, after, pages := make(map[string]int), "", "", 0
		for {
			objs, next := s.List(prefix, after, c.limit)
			if pages++; len(objs) > c.limit+2 {
				t.Fatalf("%d objects, limit %d", len(objs), c.limit)
			}
			for _, o := range objs {
				parts, _ := key.Parse([]byte(o.URI()))
				seen[parts.Target.String()]++
				if key.CompareURIs(last, o.URI()) > 0 && last != "" {
					t.Fatalf("%q comes behind %q", o.URI(), last)
				}
				last = o.URI()
			}
			if after = next; after == "" {
				break
			}
		}
		for uri, n := range want {
			if wanted := prefix == nil || strings.HasPrefix(uri, "https://a.example"+c.prefix); wanted && seen[uri] != n || !wanted && seen[uri] != 0 {
				t.Errorf("prefix %q, limit %d: %s is listed %d times in %d pages, stored %d times", c.prefix, c.limit, uri, seen[uri], pages, n)
			}
		}
	}
	if objs, next := s.List(nil, "no key at all", 5); len(objs) != 0 || next != "" {
		t.Errorf("behind what is no key there are %d", len(objs))
	}
}
