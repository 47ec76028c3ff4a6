package memory

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

// purgeTag is a hard purge.
func purgeTag(s *Store, tag string) (int, error) {
	return s.Purge(ctx, &cache.Purge{Kind: cache.PurgeTag, Tag: tag, Hard: true})
}

// tagged makes an Object of URI i with tags.
func tagged(i int, tags ...string) *cache.Object {
	return cache.NewObject(cache.ObjectSpec{Key: uriKey(i), Status: 200, Tags: tags})
}

// keys returns the keys of objs in their order.
func keys(objs []*cache.Object) []string {
	var all []string
	for _, o := range objs {
		all = append(all, o.Key())
	}
	return all
}

func TestByTag(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	a, b, twice := tagged(1, "x", "y"), tagged(2, "y"), tagged(3, "z", "z", "y")
	for _, o := range []*cache.Object{a, b, twice, tagged(4)} {
		if err := put(t, s, o); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want map[string][]*cache.Object) {
		t.Helper()
		got := map[string][]string{}
		wantKeys := map[string][]string{}
		for _, tag := range []string{"x", "y", "z", ""} {
			got[tag], wantKeys[tag] = keys(s.ByTag(tag)), keys(want[tag])
		}
		if diff := cmp.Diff(wantKeys, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		check(t, s)
	}
	expect(map[string][]*cache.Object{"x": {a}, "y": {twice, b, a}, "z": {twice}})

	// A replacement has its own tags.
	if err := put(t, s, tagged(2, "x")); err != nil {
		t.Fatal(err)
	}
	expect(map[string][]*cache.Object{"x": {b, a}, "y": {twice, a}, "z": {twice}})

	if err := s.Delete(ctx, a); err != nil {
		t.Fatal(err)
	}
	expect(map[string][]*cache.Object{"x": {b}, "y": {twice}, "z": {twice}})

	for _, c := range []struct {
		tag  string
		want int
	}{{"z", 1}, {"z", 0}, {"nobody has it", 0}, {"x", 1}} {
		if n, err := purgeTag(s, c.tag); n != c.want || err != nil {
			t.Errorf("a purge of %q: got %d, %v; want %d", c.tag, n, err, c.want)
		}
	}
	expect(nil)
	if len(s.tags) != 0 {
		t.Errorf("%d tags are left", len(s.tags))
	}
	if get(t, s, 4) == nil {
		t.Error("an Object without the tag is gone")
	}
}

// A purge that names no target URI refuses what it concerns of what is being
// fetched.
func TestWidePurgesRefuseWhatIsUnderWay(t *testing.T) {
	for name, purge := range map[string]func(*Store) (int, error){
		"Tag":   func(s *Store) (int, error) { return purgeTag(s, "all") },
		"Clear": func(s *Store) (int, error) { return s.Clear(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{Size: 1 << 20, Shards: 4})
			for i := range 50 {
				for _, sel := range []key.Selecting{plain, {Names: []string{"Accept"}, Values: []string{"a"}}} {
					if err := put(t, s, storetest.Object(uriKey(i), sel, "content")); err != nil {
						t.Fatal(err)
					}
				}
			}
			late := object(99, 1)
			before := s.Epoch([]byte(late.URI()))
			if n, err := purge(s); n != 100 || err != nil {
				t.Fatalf("got %d, %v; want 100", n, err)
			}
			check(t, s)
			if err := s.Put(ctx, late, cache.PutOptions{Epoch: before}); err != cache.ErrPurged {
				t.Errorf("Put with an epoch of before: got %v, want ErrPurged", err)
			}
			if diff := cmp.Diff(Stats{Size: 1 << 20}, s.Stats()); diff != "" {
				t.Errorf("stats: -want +got\n%s", diff)
			}
			if err := put(t, s, late); err != nil {
				t.Errorf("Put with an epoch of now: %v", err)
			}
		})
	}
}

func TestClearWithCollisions(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	s.hash.mask = 1
	for i := range 30 {
		if err := put(t, s, object(i, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Clear(ctx); n != 30 || err != nil {
		t.Errorf("got %d, %v; want 30", n, err)
	}
	check(t, s)
}

func TestAll(t *testing.T) {
	s := open(t, Config{Size: 1 << 20, Shards: 4})
	var want []string
	for i := range 40 {
		o := object(i, i)
		want = append(want, o.Key())
		if err := put(t, s, o); err != nil {
			t.Fatal(err)
		}
	}
	// Deleting what comes by is allowed, and stopping early is.
	n := 0
	for range s.All() {
		if n++; n == 3 {
			break
		}
	}
	var got []string
	for o := range s.All() {
		got = append(got, o.Key())
		if err := s.Delete(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if st := s.Stats(); n != 3 || st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("after %d, and then all: %+v", n, st)
	}
}
