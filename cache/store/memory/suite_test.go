package memory

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"veneer/cache"
	"veneer/cache/key"
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
	a := &audit{Store: s.Store}
	a.ordered()
	for i := range s.shards {
		sh := &s.shards[i]
		for id, r := range sh.records {
			for ; r != nil; r = r.next {
				a.record(id, r)
			}
		}
		for hash, r := range sh.uris {
			for ; r != nil; r = r.nextURI {
				a.uri(hash, r)
			}
		}
	}
	a.sums()
	return errors.Join(a.errs...)
}

// audit is what Check finds on its way.
type audit struct {
	*Store
	errs []error

	records, grouped, uris, inOrder, objects, policies, windows, tagged int
	bytes, policyBytes, windowBytes                                     int64
}

func (a *audit) expect(ok bool, format string, args ...any) {
	if !ok {
		a.errs = append(a.errs, fmt.Errorf(format, args...))
	}
}

// ordered looks at the list of target URIs.
func (a *audit) ordered() {
	n, last := 0, ""
	for _, b := range a.order.blocks {
		a.expect(len(b) > 0 && len(b) <= blockSize && cap(b) == blockSize, "a block of %d URIs, with room for %d", len(b), cap(b))
		for _, r := range b {
			a.expect(n == 0 || key.CompareURIs(last, r.uri()) < 0, "URI %q follows %q", r.uri(), last)
			hash := a.hash.uri([]byte(r.uri()))
			a.expect(a.shard(hash).newest(hash, r.uri()) == r, "URI %q: not its newest record stands in the order", r.uri())
			n, last = n+1, r.uri()
		}
	}
	a.inOrder = n
}

func (a *audit) record(id uint64, r *record) {
	a.records++
	a.expect(r.id == id && r.len() == len(r.all()) && (r.only == nil) == (r.len() > 1), "record %q: id or variants", r.key)
	for i, e := range r.all() {
		o := e.obj()
		a.expect(e == r.entry(i) && o == r.objects()[i] && e.rec == r && o.Key() == r.key && e.cost == o.Cost(), "record %q: entry %d", r.key, i)
		a.entry(e)
	}
}

func (a *audit) entry(e *entry) {
	a.objects++
	a.bytes += e.obj().Cost()
	for l := e.links; l != nil; l = l.sibling {
		a.tagged++
	}
	switch e.place {
	case inPolicy:
		a.policies++
		a.policyBytes += e.cost
		got, _ := a.policy.cache.Get(e.id)
		a.expect(got == e, "record %q: the policy holds another under its id", e.rec.key)
	case inWindow:
		a.windows++
		a.windowBytes += e.cost
	default:
		a.expect(false, "record %q: accounted nowhere", e.rec.key)
	}
}

func (a *audit) uri(hash uint64, newest *record) {
	n := 0
	a.expect(newest.newer == nil, "URI %q: not its newest record stands for it", newest.uri())
	for r := newest; r != nil; r = r.older {
		n++
		own, _ := a.hash.strings(r.key, len(r.uri()))
		a.expect(own == hash && r.uri() == newest.uri(), "URI %q: record %q", newest.uri(), r.key)
		a.expect(r.older == nil || r.older.newer == r, "URI %q: what is older than %q does not know it", newest.uri(), r.key)
	}
	a.grouped += n
	a.uris++
	a.expect(n == int(newest.n), "URI %q: %d records, not %d", newest.uri(), n, newest.n)
}

// sums compares what was found with what the Store keeps count of.
func (a *audit) sums() {
	w := &a.admission.window
	linked, links, held := 0, 0, 0
	for e := w.root.next; e != &w.root; e = e.next {
		linked++
	}
	for _, l := range a.tags {
		for ; l != nil; l = l.next {
			links++
		}
	}
	c := a.policy.cache
	c.IterValues(func(*entry) bool { held++; return false })
	used := c.MaxCost() - c.RemainingCost()
	a.expect(a.records == a.grouped, "%d records, %d under URIs", a.records, a.grouped)
	a.expect(a.objects == a.Store.objects && a.bytes == a.Store.bytes, "%d objects of %d bytes, and the sums say %d and %d",
		a.objects, a.bytes, a.Store.objects, a.Store.bytes)
	a.expect(a.windows == linked && a.windowBytes == w.bytes && w.bytes <= w.size, "window: %d of %d bytes, linked %d, sum %d",
		a.windows, a.windowBytes, linked, w.bytes)
	a.expect(a.policies == held && a.policyBytes == used && used <= c.MaxCost(), "policy: %d of %d bytes, and it holds %d of %d",
		a.policies, a.policyBytes, held, used)
	a.expect(a.uris == a.inOrder, "%d URIs, %d in order", a.uris, a.inOrder)
	a.expect(links == a.tagged, "%d tag links, not %d", links, a.tagged)
	a.expect(a.bytes <= a.size, "%d bytes of %d", a.bytes, a.size)
	a.expect(len(a.admission.losers) == 0, "%d losers are left", len(a.admission.losers))
}
