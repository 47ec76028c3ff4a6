package growth

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

var (
	perConnection = Panel{Title: "Resident memory", Over: "open connections", Unit: "KiB a connection"}
	hitAmong      = Panel{Title: "CPU of one hit, whole program", Over: "open connections", Unit: "µs"}
)

// connections are the sizes; the largest is for the full form alone.
var connections = []int{1, 100, 1000, 10_000}

// crowds are running programs with so many idle connections each, as far as the
// system allows.
func crowds(tb testing.TB, sizes []int) map[int]*program {
	tb.Helper()
	if runtime.GOOS != "linux" {
		tb.Skip("what a process uses is read from /proc, which only Linux has")
	}
	const others = 200 // descriptors for all else
	want := others
	for _, n := range sizes {
		want += n
	}
	room := descriptors(want)
	binary, all := build(tb), make(map[int]*program)
	for _, n := range sizes {
		if room -= n; room < others {
			tb.Logf("%d connections are left out: no more than %d descriptors may be open", n, room+n)
			continue
		}
		all[n] = start(tb, binary)
		all[n].connect(tb, n)
	}
	return all
}

// memory is what a connection takes, in KiB. One alone cannot be told from what
// the program does besides.
func (p *program) memory(tb testing.TB) float64 {
	return (p.resident(tb) - p.before) / float64(len(p.idle)) / 1024
}

// hits returns the processor time of one hit, in microseconds, over so many on
// connections at random.
func (p *program) hits(tb testing.TB, n int) float64 {
	before := p.processor(tb)
	for range n {
		hit(tb, p.idle[rand.IntN(len(p.idle))])
	}
	return float64((p.processor(tb) - before).Microseconds()) / float64(n)
}

// hitsAmong is hits of all programs, which take turns; the least of each.
func hitsAmong(tb testing.TB, all map[int]*program, rounds, n int) map[int]float64 {
	least := make(map[int]float64)
	for range rounds {
		for size, p := range all {
			if v := p.hits(tb, n); least[size] == 0 || v < least[size] {
				least[size] = v
			}
		}
	}
	return least
}
