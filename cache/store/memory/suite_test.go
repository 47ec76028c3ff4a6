package memory

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"veneer/cache"
	"veneer/cache/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a Store that is closed at the end of the test.
func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) cache.Store {
		return checked{open(t, Config{Size: 8 << 20})}
	})
}

// The same with two bits of hash: everything collides with everything.
func TestSuiteColliding(t *testing.T) {
	storetest.Run(t, func(t *testing.T) cache.Store {
		s := open(t, Config{Size: 32 << 20})
		s.hash.mask = 3
		return checked{s}
	})
}

// The same with so little room that a random test makes it evict.
func TestSuiteSmall(t *testing.T) {
	storetest.Run(t, func(t *testing.T) cache.Store {
		return checked{open(t, Config{Size: 1 << 20, Shards: 1})}
	})
}

// checked is a storetest.Checker.
type checked struct{ *Store }

// Check compares everything that the Store says twice. Nothing may be under
// way.
func (s checked) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	var objects, policies, windows, linked, tagged, groups int
	var bytes, policyBytes, windowBytes int64
	for i := range s.shards {
		sh := &s.shards[i]
		for id, r := range sh.records {
			for ; r != nil; r = r.next {
				groups++
				expect(r.id == id && len(r.objs) == len(r.entries) && len(r.objs) > 0, "record %q: id or variants", r.key)
				for j, e := range r.entries {
					objects++
					bytes += e.obj.Cost()
					tagged += len(e.tags)
					expect(e.obj == r.objs[j] && e.rec == r && e.obj.Key() == r.key && e.cost == e.obj.Cost(), "record %q: entry %d", r.key, j)
					switch e.place {
					case inPolicy:
						policies++
						policyBytes += e.cost
						got, _ := s.policy.cache.Get(e.id)
						expect(got == e, "record %q: the policy holds another under its id", r.key)
					case inWindow:
						windows++
						windowBytes += e.cost
					default:
						expect(false, "record %q: accounted nowhere", r.key)
					}
				}
			}
		}
		for hash, g := range sh.groups {
			for ; g != nil; g = g.next {
				n := 0
				for r := g.newest; r != nil; r = r.older {
					n++
					groups--
					expect(r.group == g && r.entries[0].obj.URI() == g.uri(), "group %q: record %q", g.uri(), r.key)
				}
				expect(g.hash == hash && n == g.n, "group %q: %d records, not %d", g.uri(), n, g.n)
			}
		}
	}
	w := &s.admission.window
	for e := w.root.next; e != &w.root; e = e.next {
		linked++
	}
	links := 0
	for _, l := range s.tags {
		for ; l != nil; l = l.next {
			links++
		}
	}
	held := 0
	s.policy.cache.IterValues(func(*entry) bool { held++; return false })
	used := s.policy.cache.MaxCost() - s.policy.cache.RemainingCost()
	expect(groups == 0, "%d records are in no group", groups)
	expect(objects == s.objects && bytes == s.bytes, "%d objects of %d bytes, and the sums say %d and %d", objects, bytes, s.objects, s.bytes)
	expect(windows == linked && windowBytes == w.bytes && w.bytes <= w.size, "window: %d of %d bytes, linked %d, sum %d", windows, windowBytes, linked, w.bytes)
	expect(policies == held && policyBytes == used && used <= s.policy.cache.MaxCost(), "policy: %d of %d bytes, and it holds %d of %d", policies, policyBytes, held, used)
	expect(links == tagged, "%d tag links, not %d", links, tagged)
	expect(bytes <= s.size, "%d bytes of %d", bytes, s.size)
	expect(len(s.admission.losers) == 0, "%d losers are left", len(s.admission.losers))
	return errors.Join(errs...)
}
