package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/key"
)

// reference is the plainest Store that is right: a slice behind a lock. Its
// faults are switched on to see that the suite finds them.
type reference struct {
	mu     sync.Mutex
	objs   []*cache.Object
	purges []cache.Purge // invalidations too
	fault  string
}

func newReference(fault string) *reference { return &reference{fault: fault} }

func (s *reference) Get(_ context.Context, k key.Key, sel cache.Selector) (*cache.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var variants []*cache.Object
	for _, o := range s.objs {
		if o.Key() == string(k.Bytes) || s.fault == "short keys" && strings.HasPrefix(o.Key(), string(k.Bytes)) {
			variants = append(variants, o)
		}
	}
	i := sel.Select(variants)
	if i < 0 {
		return nil, nil
	}
	return variants[i], nil
}

func (s *reference) Put(_ context.Context, o *cache.Object, opt cache.PutOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.purgedLocked(o, opt.Epoch, s.epochLocked(o.URI())) && s.fault != "no epoch" {
		return cache.ErrPurged
	}
	variants, keys := 0, map[string]bool{}
	for i, x := range s.objs {
		if x.URI() == o.URI() {
			keys[x.Key()] = true
		}
		if x.Key() != o.Key() {
			continue
		}
		variants++
		same := slices.Equal(x.Selecting.Names, o.Selecting.Names) && slices.Equal(x.Selecting.Values, o.Selecting.Values)
		if s.fault == "unframed values" {
			same = strings.Join(x.Selecting.Values, "") == strings.Join(o.Selecting.Values, "")
		}
		if same {
			if s.fault != "first wins" {
				s.objs[i] = o
			}
			return nil
		}
	}
	if s.fault != "no caps" {
		if opt.Variants > 0 && variants >= opt.Variants {
			return cache.ErrTooManyVariants
		}
		if opt.Origins > 0 && variants == 0 && len(keys) >= opt.Origins {
			return cache.ErrTooManyOrigins
		}
	}
	s.objs = append(s.objs, o)
	return nil
}

func (s *reference) Delete(_ context.Context, o *cache.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objs = slices.DeleteFunc(s.objs, func(x *cache.Object) bool {
		return x == o || s.fault == "delete by key" && x.Key() == o.Key()
	})
	return nil
}

func (s *reference) Invalidate(_ context.Context, uri []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purges = append(s.purges, cache.Purge{Kind: cache.PurgeURL, URI: string(uri)})
	if s.fault == "wide invalidation" {
		uri = bytes.TrimRight(uri, "\x00")
	}
	before := len(s.objs)
	s.objs = slices.DeleteFunc(s.objs, func(x *cache.Object) bool {
		if s.fault == "origins survive" && x.Key() != x.URI() {
			return false
		}
		return strings.HasPrefix(x.Key(), string(uri))
	})
	return before - len(s.objs), nil
}

func (s *reference) Purge(_ context.Context, p *cache.Purge) (touched int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purges = append(s.purges, *p)
	s.objs = slices.DeleteFunc(s.objs, func(o *cache.Object) bool {
		switch {
		case !p.Concerns(o.URI(), o.Tags):
			return false
		case s.fault == "a purge of one origin" && o.Key() != o.URI():
			return false
		case s.fault != "marks nothing":
			o.Purge(p.At)
		}
		touched++
		return p.Hard && s.fault != "hard is soft"
	})
	return touched, nil
}

func (s *reference) Epoch(uri []byte) cache.Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochLocked(string(uri))
}

func (s *reference) epochLocked(uri string) cache.Epoch {
	e := cache.Epoch{Log: uint64(len(s.purges))}
	for _, p := range s.purges {
		if (p.Kind == cache.PurgeURL || p.Kind == cache.PurgeAll) && p.Concerns(uri, nil) {
			e.URI++
		}
	}
	return e
}

func (s *reference) Purged(o *cache.Object, from, to cache.Epoch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purgedLocked(o, from, to)
}

func (s *reference) purgedLocked(o *cache.Object, from, to cache.Epoch) bool {
	if s.fault == "forgets" && to.Log > from.Log+1000 {
		from.Log = to.Log - 1000
	}
	for n := from.Log; n < to.Log; n++ {
		if s.purges[n].Concerns(o.URI(), o.Tags) || s.fault == "refuses all" {
			return true
		}
	}
	return false
}

func (s *reference) Check() error {
	if s.fault == "contradiction" {
		return fmt.Errorf("as asked")
	}
	return nil
}

func TestReferencePasses(t *testing.T) {
	Run(t, func(*testing.T) cache.Store { return newReference("") })
}

// halted is what a recorder throws to end a test, as FailNow would.
type halted struct{}

// recorder is a fataler that only remembers.
type recorder struct{ failures []string }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(halted{})
}

// failures runs one case over a faulty reference and returns what it found.
func failures(fault string, test func(*harness)) []string {
	r := &recorder{}
	func() {
		defer func() {
			if x := recover(); x != nil && x != any(halted{}) {
				panic(x)
			}
		}()
		h := &harness{r, Bare(r, newReference(fault))}
		test(h)
		h.check()
	}()
	return r.failures
}

// Every fault is found by the case that is meant to find it.
func TestFaultsAreFound(t *testing.T) {
	for fault, test := range map[string]func(*harness){
		"marks nothing":         testPurge,
		"hard is soft":          testPurge,
		"a purge of one origin": testPurge,
		"refuses all":           testPurgeOrder,
		"forgets":               testPurgeIsNotForgotten,
		"short keys":            testVisible,
		"no epoch":              testEpoch,
		"unframed values":       testVariants,
		"first wins":            testReplace,
		"no caps":               testVariantCap,
		"delete by key":         testDelete,
		"wide invalidation":     testInvalidate,
		"origins survive":       testInvalidate,
		"contradiction":         testEmpty,
	} {
		t.Run(fault, func(t *testing.T) {
			if got := failures("", test); len(got) != 0 {
				t.Errorf("without the fault: %q", got)
			}
			if len(failures(fault, test)) == 0 {
				t.Error("not found")
			}
		})
	}
	if len(failures("no caps", testOriginCap)) == 0 {
		t.Error("missing origin cap: not found")
	}
	if len(failures("no epoch", testPurgeOrder)) == 0 {
		t.Error("storing what was purged meanwhile: not found")
	}
	if len(failures("first wins", testFreshened)) == 0 {
		t.Error("freshening without effect: not found")
	}
	if len(failures("short keys", testSelectorSeesOneKey)) != 0 {
		t.Error("keys of one length are not short")
	}
}

func TestBare(t *testing.T) {
	for name, want := range map[string]int{
		"Access-Control-Allow-Origin": 1, "access-control-expose-headers": 1, "Access-Control-": 1, "Access-Control": 0, "Vary": 0,
	} {
		r := &recorder{}
		s := Bare(r, newReference(""))
		k := Key("https://a.example/", "")
		o := cache.NewObject(cache.ObjectSpec{Key: k, Status: 200, Header: http.Header{name: {"x"}}})
		if err := s.Put(context.Background(), o, cache.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if len(r.failures) != want {
			t.Errorf("%s: failures %q, want %d", name, r.failures, want)
		}
		if got, _ := s.Get(context.Background(), k, Select(key.Selecting{})); got != o {
			t.Errorf("%s: not stored", name)
		}
	}
}

// No URI's part of a key is a prefix of another URI's.
func TestKeyIsPrefixFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.StringMatching(`[a-c/]{0,5}`)
		a, b := uri.Draw(t, "a"), uri.Draw(t, "b")
		if a != b && bytes.HasPrefix(Key(a, "x").Bytes, Key(b, "").URI()) {
			t.Fatalf("%q has the prefix of %q", a, b)
		}
	})
}
