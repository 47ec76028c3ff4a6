//go:build !race

package growth

import (
	"fmt"
	"testing"

	"veneer/bench/internal/measure"
)

// attempts is how often a gate measures before it fails. A machine that does
// other things can make a shape look worse, never better.
const attempts = 5

// gateObjects is what the gates store at most: a hundred times what fits into a
// processor's cache of its own. The full form goes on to a million.
func gateObjects() int {
	if *full {
		return handled
	}
	return 100_000
}

// grows fails when large costs more than allowed says, which gets the times of
// both and of what else was measured beside them.
func grows(t *testing.T, allowed func(least []float64) float64, steps ...func()) {
	t.Helper()
	var least []float64
	for range attempts {
		least = least[:0]
		for _, times := range measure.Interleaved(15, steps...) {
			least = append(least, times.Least())
		}
		if least[1] <= allowed(least) {
			t.Logf("%.0f ns, and %.0f ns at the largest; at most %.0f", least[0], least[1], allowed(least))
			return
		}
	}
	t.Errorf("%.0f ns, and %.0f ns at the largest size: more than %.0f", least[0], least[1], allowed(least))
}

// From its least size to its largest a family costs at most so many times as
// much, and allocates nothing. Something that looks at one after the other
// would cost a thousand times as much, and is allowed for variants alone.
func TestFamilies(t *testing.T) {
	for _, f := range families {
		t.Run(f.panel.Title+"/"+f.series, func(t *testing.T) {
			small, large := f.open(t, f.sizes[0]), f.open(t, f.sizes[len(f.sizes)-1])
			grows(t, func(least []float64) float64 { return f.most * least[0] }, small, large)
			if n := testing.AllocsPerRun(1000, large); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// missedLines is how many lines of memory a lookup reads that a small store has
// in the processor's cache and a large one has not: three of the index's map,
// two of the record, one each of key and entry, three of the Object, and five
// of ristretto's map, which counts the use.
const missedLines = 15

// A lookup in a large store does the same steps as in a small one. What it
// costs more is what the processor's caches miss, and that is measured beside
// it.
func TestLookupGrowsByCacheMisses(t *testing.T) {
	small, large := newShelf(t, 1000), newShelf(t, gateObjects())
	bytes := func(s *shelf) int { return s.n * int(s.own+s.beyond) }
	grows(t, func(least []float64) float64 { return 1.5*least[0] + missedLines*(least[3]-least[2]) },
		small.lookup(t), large.lookup(t), chase(bytes(small)), chase(bytes(large)))
	if n := testing.AllocsPerRun(1000, large.lookup(t)); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What the store takes for an Object is what Object.Cost says, or the bound
// that an operator sets is not the store's: no more than that as it is stored,
// and neither a third less nor two thirds more once the lane has answered with
// it. What net/http needs of it comes on top and is bounded alone. The
// allocations that live are what a cycle of the collector has to visit.
func TestMemoryOfAnObject(t *testing.T) {
	s := newShelf(t, gateObjects())
	handler, lane := s.answers(t)
	for _, c := range []struct {
		state       string
		use         func(i int)
		least, most float64 // of Object.Cost
		alive       float64
	}{
		// Object, key, blob, entry, record, and the maps' tables.
		{"stored", nil, 0.5, 1, 5.2},
		{"after a hit of the lane", lane, 0.67, 1.67, 8},
		{"after one of the handler too", handler, 0.67, 2.2, 18},
	} {
		if c.use != nil {
			s.use(c.use)
		}
		said := fmt.Sprintf("%s: %.0f bytes beyond its own %.0f, in %.2f allocations; Object.Cost says %.0f", c.state, s.beyond, s.own, s.alive, s.cost)
		if s.beyond < c.least*s.cost || s.beyond > c.most*s.cost || s.alive > c.alive {
			t.Errorf("%s; want %.2f to %.2f times that, and %.1f allocations", said, c.least, c.most, c.alive)
			continue
		}
		t.Log(said)
	}
}

// A kept connection that waits takes a bounded piece of memory, and a hit among
// many of them costs what it costs among few.
func TestConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	const (
		many    = 500
		most    = 64  // KiB
		dearest = 3.0 // times
	)
	all := crowds(t, []int{1, many})
	if all[1] == nil || all[many] == nil {
		t.Skip("too few file descriptors")
	}
	if kib := all[many].memory(t); kib > most {
		t.Errorf("%.1f KiB a connection, more than %d", kib, most)
	} else {
		t.Logf("%.1f KiB a connection", kib)
	}
	var said string
	for range attempts {
		cpu := hitsAmong(t, all, 5, 500)
		said = fmt.Sprintf("%.1f µs a hit on one connection, %.1f µs among %d", cpu[1], cpu[many], many)
		if cpu[many] <= dearest*cpu[1] {
			t.Log(said)
			return
		}
	}
	t.Error(said)
}
