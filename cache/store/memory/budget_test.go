package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

var (
	ctx   = context.Background()
	plain = key.Selecting{}
	first = storetest.Select(plain)
)

// object makes an Object of URI i whose content is size bytes.
func object(i, size int) *cache.Object {
	return storetest.Object(uriKey(i), plain, strings.Repeat("x", size))
}

func uriKey(i int) key.Key { return storetest.Key(fmt.Sprintf("https://a.example/%d", i), "") }

func put(t testing.TB, s *Store, o *cache.Object) error {
	t.Helper()
	return s.Put(ctx, o, cache.PutOptions{Epoch: s.Epoch([]byte(o.URI()))})
}

func get(t testing.TB, s *Store, i int) *cache.Object {
	t.Helper()
	o, err := s.Get(ctx, uriKey(i), first)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func check(t testing.TB, s *Store) {
	t.Helper()
	if err := (checked{s}).Check(); err != nil {
		t.Fatal(err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"defaults", Config{Size: MinSize}, ""},
		{"all said", Config{Size: 1 << 20, Window: 0.5, MaxObject: 1 << 20, Shards: 3}, ""},
		{"all wrong", Config{Size: 1, Window: 2, MaxObject: 2, Shards: -1}, "cannot make a memory store: " +
			"size 1 is below 65536 bytes\nwindow 2 is not between 0.01 and 0.5\n" +
			"largest object 2 is not between 1 and size\n-1 shards are not between 1 and 4096"},
		{"negative", Config{Size: 1 << 20, Window: -1, MaxObject: -1}, "cannot make a memory store: " +
			"window -1 is not between 0.01 and 0.5\nlargest object -1 is not between 1 and size"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.cfg)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				s.Close()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Whatever is put: it is there afterwards, and the budget is kept.
func TestPutIsVisibleInAFullStore(t *testing.T) {
	s := open(t, Config{Size: 256 << 10})
	for i := range 2000 {
		o := object(i, i*37%4000)
		if err := put(t, s, o); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, i); got != o {
			t.Fatalf("object %d is not there", i)
		}
		if i%100 == 0 {
			check(t, s)
		}
	}
	check(t, s)
	st := s.Stats()
	if st.Objects+int(st.Evictions) != 2000 || st.Bytes < st.Size/2 || st.Hits != 2000 || st.Misses != 0 || st.Rejections != 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t, Config{Size: 1 << 20, MaxObject: 10 << 10})
	small := object(1, 100)
	if err := put(t, s, small); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		size int
		want error
	}{
		{10<<10 - int(object(1, 0).Cost()), nil},
		{10<<10 - int(object(1, 0).Cost()) + 1, cache.ErrNotAdmitted},
	} {
		stored := get(t, s, 1)
		o := object(1, c.size)
		if err := put(t, s, o); err != c.want {
			t.Errorf("%d bytes: got %v, want %v", o.Cost(), err, c.want)
		}
		if c.want == nil {
			stored = o
		}
		if get(t, s, 1) != stored {
			t.Errorf("%d bytes: the wrong object is stored", o.Cost())
		}
	}
	if st := s.Stats(); st.Rejections != 1 {
		t.Errorf("stats: %+v", st)
	}
	check(t, s)
}

// An Object too large for the window that the policy refuses leaves the one
// that it would have replaced. The policy is made to refuse by popularity of
// what is stored, so under -race, where ristretto loses uses, the Object may
// be admitted instead.
func TestRefusedReplacementLeavesTheOld(t *testing.T) {
	s := open(t, Config{Size: 128 << 10, Window: 0.05, MaxObject: 128 << 10})
	old := object(0, 100)
	if err := put(t, s, old); err != nil {
		t.Fatal(err)
	}
	n := 1
	for s.Stats().Window == 0 && n < 1000 {
		if err := put(t, s, object(n, 1000)); err != nil {
			t.Fatal(err)
		}
		for range 64 {
			get(t, s, n)
		}
		n++
	}
	refused := 0
	for size := 8 << 10; size < 100<<10; size += 10 << 10 {
		before := get(t, s, 0)
		o := object(0, size)
		err := put(t, s, o)
		switch after := get(t, s, 0); {
		case err == nil && after != o, err != nil && after != before:
			t.Fatalf("%d bytes: %v, and the wrong object is stored", size, err)
		case err != nil && !errors.Is(err, cache.ErrNotAdmitted):
			t.Fatal(err)
		case err != nil:
			refused++
		}
		check(t, s)
	}
	t.Logf("%d refused", refused)
}

// An id that belongs to another Object cannot go to the policy.
func TestCollidingIDs(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	s.hash.mask = 0
	var objs []*cache.Object
	for i := range 20 {
		objs = append(objs, object(i, 100*i))
		if err := put(t, s, objs[i]); err != nil {
			t.Fatal(err)
		}
		check(t, s)
	}
	for i, o := range objs {
		if get(t, s, i) != o {
			t.Errorf("object %d is not there", i)
		}
	}
	// The one in the policy goes; the next takes its place there.
	if err := s.Delete(ctx, objs[0]); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Window != st.Bytes {
		t.Errorf("something is left in the policy: %+v", st)
	}
	if err := put(t, s, object(3, 5)); err != nil {
		t.Fatal(err)
	}
	check(t, s)
	if st := s.Stats(); st.Window == st.Bytes {
		t.Errorf("nothing went to the policy: %+v", st)
	}
}

// Random changes, with everything checked after each.
func TestAccountsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, err := New(Config{Size: MinSize, Shards: 2, MaxObject: 40 << 10})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		s.hash.mask = rapid.SampledFrom([]uint64{0, 7, ^uint64(0)}).Draw(rt, "mask")
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			i := rapid.IntRange(0, 15).Draw(rt, "uri")
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				if _, err := s.Invalidate(ctx, uriKey(i).URI()); err != nil {
					rt.Fatal(err)
				}
			case 1:
				if o, _ := s.Get(ctx, uriKey(i), first); o != nil {
					if err := s.Delete(ctx, o); err != nil {
						rt.Fatal(err)
					}
				}
			case 2, 3:
				if _, err := s.Get(ctx, uriKey(i), first); err != nil {
					rt.Fatal(err)
				}
			default:
				o := object(i, rapid.SampledFrom([]int{0, 500, 5000, 20000, 38000}).Draw(rt, "size"))
				err := s.Put(ctx, o, cache.PutOptions{Epoch: s.Epoch([]byte(o.URI()))})
				if err != nil && !errors.Is(err, cache.ErrNotAdmitted) {
					rt.Fatal(err)
				}
				if got, _ := s.Get(ctx, uriKey(i), first); (got == o) != (err == nil) {
					rt.Fatalf("Put said %v, Get %p of %p", err, got, o)
				}
			}
			if err := (checked{s}).Check(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// Eight writers with large Objects, and somebody who looks at the sums all
// the time.
func TestBudgetUnderConcurrentWriters(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	var writers, watcher sync.WaitGroup
	stop := make(chan struct{})
	watcher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for o := range s.All() { // no sum of one moment: shards are read one after another
				if o.Cost() > s.maxObject {
					t.Errorf("an object of %d bytes", o.Cost())
				}
			}
			if st := s.Stats(); st.Bytes > st.Size || st.Bytes < 0 || st.Window > st.Bytes {
				t.Errorf("stats: %+v", st)
				return
			}
		}
	})
	for w := range 8 {
		writers.Go(func() {
			for i := range 300 {
				n := (w*7 + i*13) % 60
				if err := put(t, s, object(n, (i*7919)%(100<<10))); err != nil && !errors.Is(err, cache.ErrPurged) {
					t.Errorf("Put: %v", err)
				}
				get(t, s, (n+1)%60)
				if i%50 == 0 {
					if _, err := purgeTag(s, storetest.TagOf(fmt.Sprintf("https://a.example/%d", n))); err != nil {
						t.Errorf("purge: %v", err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	watcher.Wait()
	check(t, s)
}

// Close beside everything else harms nobody.
func TestCloseUnderLoad(t *testing.T) {
	for range 20 {
		s := open(t, Config{Size: 1 << 20})
		var users sync.WaitGroup
		started := make(chan struct{}, 4)
		for w := range 4 {
			users.Go(func() {
				for i := 0; ; i++ {
					o := object(i%50, 1000)
					err := put(t, s, o)
					if i == 0 {
						started <- struct{}{}
					}
					if errors.Is(err, ErrClosed) {
						return
					}
					switch w {
					case 0:
						_, _ = s.Invalidate(ctx, []byte(o.URI()))
					case 1:
						_ = s.Delete(ctx, o)
					default:
						_, _ = s.Get(ctx, uriKey(i%50), first)
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		s.Close()
		users.Wait()
	}
}

func TestClosed(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	o := object(1, 10)
	if err := put(t, s, o); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	_, getErr := s.Get(ctx, uriKey(1), first)
	_, invalidateErr := s.Invalidate(ctx, uriKey(1).URI())
	_, tagErr := purgeTag(s, "all")
	_, clearErr := s.Clear(ctx)
	for name, err := range map[string]error{
		"Get": getErr, "Put": put(t, s, o), "Delete": s.Delete(ctx, o), "Invalidate": invalidateErr,
		"Purge": tagErr, "Clear": clearErr,
	} {
		if err != ErrClosed {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	for o := range s.All() {
		t.Errorf("All: got %q", o.Key())
	}
	if got := s.ByTag("all"); len(got) != 0 {
		t.Errorf("ByTag: got %d objects", len(got))
	}
	if diff := cmp.Diff(Stats{Size: 1 << 20}, s.Stats()); diff != "" {
		t.Errorf("stats: -want +got\n%s", diff)
	}
}
