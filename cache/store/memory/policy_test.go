package memory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newTestPolicy returns a policy that is full with entries of 100 bytes, of the
// ids 1 to n.
func newTestPolicy(t *testing.T, n int) (*policy, []*entry) {
	t.Helper()
	p, err := newPolicy(int64(n) * 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	es := entries(n)
	for _, e := range es {
		if !p.offer(e) {
			t.Fatal("an empty policy refused")
		}
	}
	return p, es
}

func TestHand(t *testing.T) {
	for _, c := range []struct {
		name    string
		used    []int // by id
		cost    int64
		victims []uint64
		left    []uint64 // in the hand's order
	}{
		{"the oldest is idle", nil, 100, []uint64{1}, []uint64{2, 3, 4, 5}},
		{"a small one takes one place", nil, 1, []uint64{1}, []uint64{2, 3, 4, 5}},
		{"as many as it takes", nil, 250, []uint64{1, 2, 3}, []uint64{4, 5}},
		{"the oldest was used", []int{1}, 100, []uint64{2}, []uint64{3, 4, 5, 1}},
		{"two bytes are passed for one", []int{1, 2}, 100, nil, []uint64{3, 4, 5, 1, 2}},
		{"large ones pass more", []int{1, 2}, 150, []uint64{3}, []uint64{4, 5, 1, 2}},
		{"all were used", []int{1, 2, 3, 4, 5}, 200, nil, []uint64{5, 1, 2, 3, 4}},
		{"a whole round and more", []int{1, 2, 3, 4, 5}, 500, []uint64{1, 2, 3, 4, 5}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, es := newTestPolicy(t, 5)
			for _, id := range c.used {
				es[id-1].hit.Store(true)
			}
			p.retire(c.cost)
			p.settle()
			var victims []uint64
			for _, v := range p.takeVictims() {
				victims = append(victims, v.id)
			}
			want, got := [][]uint64{c.victims, c.left}, [][]uint64{victims, ids(&p.residents)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("victims and residents: -want +got\n%s", diff)
			}
			for _, id := range c.victims {
				if p.has(id) {
					t.Errorf("ristretto still has %d", id)
				}
			}
		})
	}
}

// However large an offer: the hand passes a bounded number.
func TestHandIsBounded(t *testing.T) {
	const n = 100
	p, es := newTestPolicy(t, n)
	for _, e := range es {
		e.hit.Store(true)
	}
	p.retire(n * 100)
	passed := 0
	for _, e := range es {
		if !e.hit.Load() {
			passed++
		}
	}
	if v := p.takeVictims(); passed != retireSteps || len(v) != 0 {
		t.Errorf("passed %d, want %d; %d victims", passed, retireSteps, len(v))
	}
}

// What is larger than everything moves nobody.
func TestOfferOfTooMuch(t *testing.T) {
	p, _ := newTestPolicy(t, 5)
	if p.offer(&entry{id: 9, cost: 501}) || len(p.takeVictims()) != 0 || len(ids(&p.residents)) != 5 {
		t.Errorf("residents %v", ids(&p.residents))
	}
}

func TestGhosts(t *testing.T) {
	g := &ghosts{}
	g.init(4, 300)
	take := func(want bool, ids ...uint64) {
		t.Helper()
		for _, id := range ids {
			if got := g.take(id); got != want {
				t.Errorf("%d: remembered %t, want %t", id, got, want)
			}
		}
	}
	take(false, 0, 1) // empty slots are nobody's
	g.add(1, 100)
	g.add(2, 100)
	g.add(3, 100)
	take(true, 1)
	take(false, 1) // once only
	g.add(4, 100)
	g.add(7, 100) // in the slot of 3
	take(true, 2)
	take(false, 3)
	take(true, 7, 4)
	g.add(1, 100)
	g.add(2, 301) // itself is no reason to forget itself, and the others are out of reach
	take(true, 2)
	take(false, 1)
	if len(g.slots) != 4 {
		t.Errorf("%d slots", len(g.slots))
	}
}

func TestClosedPolicyHoldsNothing(t *testing.T) {
	p, err := newPolicy(1000)
	if err != nil {
		t.Fatal(err)
	}
	p.offer(&entry{id: 1, cost: 100})
	p.close()
	if p.residents.bytes != 0 || len(ids(&p.residents)) != 0 || p.ghosts.slots != nil {
		t.Errorf("%d bytes are left", p.residents.bytes)
	}
}
