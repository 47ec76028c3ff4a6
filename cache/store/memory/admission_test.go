package memory

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache/key"
)

// entries makes entries with the ids 1 to n, of 100 bytes each.
func entries(n int) []*entry {
	es := make([]*entry, n)
	for i := range es {
		es[i] = &entry{id: uint64(i + 1), cost: 100}
	}
	return es
}

// newAdmission returns an admission with room for so many bytes.
func newAdmission(t *testing.T, policySize, windowSize int64) *admission {
	t.Helper()
	p, err := newPolicy(policySize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	a := &admission{policy: p}
	a.window.init(windowSize)
	return a
}

// The policy is closed to all by collisions here, so that the window's part is
// seen alone: every id is taken.
func TestWindowIsFirstInFirstOut(t *testing.T) {
	a := newAdmission(t, 10_000, 300)
	for _, e := range entries(10) {
		if !a.policy.offer(e) {
			t.Fatal("an empty policy refused")
		}
	}
	es := entries(10)
	for i, e := range es {
		if !a.admit(e, nil) || e.place != inWindow {
			t.Fatalf("entry %d is not in the window", i)
		}
		losers := a.takeLosers()
		switch {
		case i < 3 && len(losers) == 0:
		case i >= 3 && len(losers) == 1 && losers[0] == es[i-3] && losers[0].place == nowhere:
		default:
			t.Fatalf("entry %d: losers %v", i, losers)
		}
		if a.window.bytes > a.window.size {
			t.Fatalf("%d bytes in the window", a.window.bytes)
		}
	}
}

// What was used in the window goes round once more, and then no more.
func TestWindowGivesASecondChance(t *testing.T) {
	a := newAdmission(t, 10_000, 300)
	for _, e := range entries(5) {
		a.policy.offer(e)
	}
	es := entries(5)
	for _, e := range es[:3] {
		a.admit(e, nil)
	}
	es[0].hit.Store(true)
	a.admit(es[3], nil)
	if l := a.takeLosers(); len(l) != 1 || l[0] != es[1] || es[0].place != inWindow || es[0].hit.Load() {
		t.Fatalf("losers %v, want the second; the first is at %v", l, es[0].place)
	}
	for i, want := range []*entry{es[2], es[0], es[3]} {
		a.admit(&entry{id: uint64(i + 1), cost: 100}, nil)
		if l := a.takeLosers(); len(l) != 1 || l[0] != want {
			t.Fatalf("round %d: losers %v, want %v", i, l, want)
		}
	}
}

// An entry on its way out of the window that the policy has room for stays.
func TestPromotionFromTheWindow(t *testing.T) {
	a := newAdmission(t, 10_000, 200)
	taken := &entry{id: 1, cost: 100}
	a.policy.offer(taken)
	taken.place = inPolicy
	e := &entry{id: 1, cost: 100}
	a.admit(e, nil) // a collision
	e.hit.Store(true)
	a.release(taken)
	for i, x := range entries(3)[1:] {
		a.window.add(x)
		a.window.size += int64(i) * 100 // both fit
	}
	a.push(&entry{id: 9, cost: 100})
	if l := a.takeLosers(); len(l) != 0 || e.place != inPolicy {
		t.Fatalf("losers %v, promoted entry at %v", l, e.place)
	}
}

// One Put does a bounded number of promotions, however many were used.
func TestPromotionsOfOnePutAreBounded(t *testing.T) {
	const n = 50
	a := newAdmission(t, 100*n, 100*n)
	for _, e := range entries(n) {
		a.policy.offer(e)
	}
	es := entries(n)
	for _, e := range es {
		a.admit(e, nil)
		e.hit.Store(true)
	}
	a.admit(&entry{id: 1, cost: 100 * n / 2}, nil)
	if a.window.bytes > a.window.size {
		t.Errorf("%d bytes in the window", a.window.bytes)
	}
	again := 0
	for _, e := range es {
		if !e.hit.Load() {
			again++
		}
	}
	if l := a.takeLosers(); again != secondChances || len(l) != n/2 {
		t.Errorf("%d were offered again, want %d; %d lost, want %d", again, secondChances, len(l), n/2)
	}
}

// Growing in place would exceed the policy's budget for good: an entry that
// grows is offered anew.
func TestGrowingReplacementsKeepTheBudget(t *testing.T) {
	s := open(t, Config{Size: MinSize, MaxObject: 20 << 10, Window: 0.4})
	for size := 0; size <= 18<<10; size += 1 << 10 {
		for i := range 10 {
			if err := put(t, s, object(i, size)); err != nil {
				t.Fatal(err)
			}
			check(t, s)
		}
	}
}

// A policy with room for old has room for it again after it refused more.
func TestReplacementOfAPolicyEntryRefused(t *testing.T) {
	a := newAdmission(t, 1000, 100)
	old := &entry{id: 1, cost: 300}
	if !a.admit(old, nil) || old.place != inPolicy {
		t.Fatal("an empty policy refused")
	}
	if a.admit(&entry{id: 1, cost: 5000}, old) {
		t.Fatal("admitted what is larger than everything")
	}
	if l := a.takeLosers(); old.place != inPolicy || !a.policy.has(1) || len(l) != 0 {
		t.Errorf("the old one is at %v, losers %v", old.place, l)
	}
}

// ids returns the ids in a queue, the oldest first.
func ids(q *fifo) []uint64 {
	var all []uint64
	for e := q.root.next; e != &q.root; e = e.next {
		all = append(all, e.id)
	}
	return all
}

// What is new goes to the policy while that has room, then through the window,
// and to the policy at once when it was thrown out a moment ago.
func TestWhereNewcomersGo(t *testing.T) {
	a := newAdmission(t, 300, 200)
	for _, e := range entries(5) {
		if !a.admit(e, nil) {
			t.Fatalf("%d was refused", e.id)
		}
	}
	if diff := cmp.Diff([][]uint64{{1, 2, 3}, {4, 5}}, [][]uint64{ids(&a.policy.residents), ids(&a.window)}); diff != "" {
		t.Errorf("policy and window: -want +got\n%s", diff)
	}
	a.admit(&entry{id: 6, cost: 100}, nil)
	if l := a.takeLosers(); len(l) != 1 || l[0].id != 4 {
		t.Fatalf("losers %v, want 4", l)
	}
	again := &entry{id: 4, cost: 100}
	a.admit(again, nil)
	if again.place != inPolicy {
		t.Errorf("what was remembered is at %v", again.place)
	}
	if l := a.takeLosers(); len(l) == 0 || slices.Contains(l, again) {
		t.Errorf("losers %v, want one of the policy", l)
	}
}

// What is stored anew under the same key counts as used when its forerunner
// was.
func TestReplacementsInheritUse(t *testing.T) {
	a := newAdmission(t, 300, 300)
	for _, e := range entries(5) {
		a.admit(e, nil)
	}
	for i, q := range []*fifo{&a.policy.residents, &a.window} {
		for _, used := range []bool{true, false} {
			before := len(ids(q))
			old := q.oldest()
			old.hit.Store(used)
			e := &entry{id: old.id, cost: old.cost}
			if !a.admit(e, old) || e.hit.Load() != used || old.place != nowhere || len(ids(q)) != before {
				t.Errorf("queue %d, used %t: replacement %v, old at %v, queue %v", i, used, e.hit.Load(), old.place, ids(q))
			}
		}
	}
	if diff := cmp.Diff([]uint64{1, 2, 3}, ids(&a.policy.residents)); diff != "" {
		t.Errorf("the hand's order changed: -want +got\n%s", diff)
	}
}

// Whatever is done: policy, hand and ristretto hold the same, and nobody is in
// two places or in none.
func TestPlacesAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, err := newPolicy(2000)
		if err != nil {
			rt.Fatal(err)
		}
		defer p.close()
		a := &admission{policy: p}
		a.window.init(500)
		stored := map[uint64]*entry{}
		for range rapid.IntRange(1, 100).Draw(rt, "steps") {
			id := rapid.Uint64Range(1, 30).Draw(rt, "id")
			old := stored[id]
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				a.release(old)
				a.policy.settle()
				delete(stored, id)
			case 1, 2:
				p.touch(id)
				if old != nil {
					old.hit.Store(true)
				}
			default:
				e := &entry{id: id, cost: int64(rapid.SampledFrom([]int{1, 90, 400, 700, 2100}).Draw(rt, "cost"))}
				if a.admit(e, old) {
					stored[id] = e
				}
			}
			for _, l := range a.takeLosers() {
				if stored[l.id] != l {
					rt.Fatalf("%d lost a place that it had not", l.id)
				}
				delete(stored, l.id)
			}
			checkPlaces(rt, a, stored)
		}
	})
}

func checkPlaces(t interface{ Fatalf(string, ...any) }, a *admission, stored map[uint64]*entry) {
	n := 0
	for q, place := range map[*fifo]place{&a.policy.residents: inPolicy, &a.window: inWindow} {
		sum := int64(0)
		for e := q.oldest(); e != &q.root; e = e.next {
			n++
			sum += e.cost
			if stored[e.id] != e || e.place != place || a.policy.has(e.id) != (place == inPolicy) {
				t.Fatalf("%d is at %v and in the queue of %v", e.id, e.place, place)
			}
		}
		if sum != q.bytes || sum > q.size {
			t.Fatalf("%d bytes of %d, and the queue says %d", sum, q.size, q.bytes)
		}
	}
	c := a.policy.cache
	if used := c.MaxCost() - c.RemainingCost(); n != len(stored) || used != a.policy.residents.bytes {
		t.Fatalf("%d places for %d entries; %d bytes, and ristretto says %d", n, len(stored), a.policy.residents.bytes, used)
	}
}

// Variants have ids of their own, and a key has the same one however it comes.
func TestIDs(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	seen := map[uint64]bool{}
	uri, id := s.hash.bytes(uriKey(1))
	for _, sel := range []key.Selecting{
		{},
		{Names: []string{"A"}, Values: []string{""}},
		{Names: []string{"A"}, Values: []string{key.Absent}},
		{Names: []string{"A"}, Values: []string{"B"}},
		{Names: []string{"B"}, Values: []string{"A"}},
		{Names: []string{"A", "B"}, Values: []string{"bc", "d"}},
		{Names: []string{"A", "B"}, Values: []string{"b", "cd"}},
	} {
		v := s.hash.variant(id, sel)
		if seen[v] {
			t.Errorf("%q has the id of another", sel)
		}
		seen[v] = true
	}
	o := object(1, 0)
	if u, i := s.hash.strings(o.Key(), len(o.URI())); u != uri || i != id || s.hash.uri(uriKey(1).URI()) != uri {
		t.Error("strings and bytes differ")
	}
}
