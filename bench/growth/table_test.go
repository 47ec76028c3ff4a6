package growth

import (
	"flag"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"veneer/bench/internal/measure"
)

var (
	full            = flag.Bool("full", false, "run TestTable at all sizes and write growth.svg")
	mostObjects     = flag.Int("objects", slices.Max(objects), "the largest store of the full form")
	mostConnections = flag.Int("connections", slices.Max(connections), "the most open connections of the full form")
)

// rounds is how often each size is timed in the full form.
const rounds = 51

// TestTable measures all: some minutes.
func TestTable(t *testing.T) {
	if !*full {
		t.Skip("takes minutes and many GiB: run with -full")
	}
	report := &Report{}
	for _, f := range families {
		tabulate(t, report, f, f.sizes)
	}
	tabulateStores(t, report, upTo(objects, *mostObjects))
	tabulateConnections(t, report, upTo(connections, *mostConnections))
	if err := report.WriteText(os.Stdout); err != nil {
		t.Fatal(err)
	}
	svg, err := os.Create("growth.svg")
	if err != nil {
		t.Fatal(err)
	}
	defer svg.Close()
	if err := report.WriteSVG(svg); err != nil {
		t.Fatal(err)
	}
}

func upTo(sizes []int, most int) []int {
	return slices.DeleteFunc(slices.Clone(sizes), func(n int) bool { return n > most })
}

// tabulate times a family, all sizes in turns.
func tabulate(t *testing.T, report *Report, f family, sizes []int) {
	t.Run(f.panel.Title+"/"+f.series, func(t *testing.T) {
		var steps []func()
		for _, n := range sizes {
			steps = append(steps, f.open(t, n))
		}
		for i, times := range measure.Interleaved(rounds, steps...) {
			report.Add(f.panel, f.series, Point{sizes[i], times.Least()})
		}
	})
}

// tabulateStores measures stores, the least first, so that each is alone with
// smaller ones, which make a ninth of it, and then all of them in turns.
func tabulateStores(t *testing.T, report *Report, sizes []int) {
	t.Run("stores", func(t *testing.T) {
		defer debug.SetGCPercent(debug.SetGCPercent(20)) // memory that waits for the collector would double the largest
		var lookups, handlers, lanes []func()
		for _, n := range sizes {
			s := newShelf(t, n)
			lookups = append(lookups, s.lookup(t))
			report.Add(perObject, "Object.Cost", Point{n, s.cost})
			tabulateShelf(t, report, "stored", s)
			t.Logf("%d objects: %.0f bytes of its own each", n, s.own)
			if n > handled {
				continue
			}
			handler, lane := s.answers(t)
			s.use(lane)
			tabulateShelf(t, report, "after a hit, lane", s)
			s.use(handler)
			tabulateShelf(t, report, "and one, net/http", s)
			handlers, lanes = append(handlers, s.random(handler)), append(lanes, s.random(lane))
		}
		for _, c := range []struct {
			series string
			steps  []func()
		}{{"lookup", lookups}, {"hit, lane", lanes}, {"hit, handler", handlers}} {
			for i, times := range measure.Interleaved(rounds, c.steps...) {
				report.Add(byObjects, c.series, Point{sizes[i], times.Least()})
			}
		}
	})
}

// tabulateShelf reports what an Object takes in the state that is named.
func tabulateShelf(t *testing.T, report *Report, state string, s *shelf) {
	report.Add(perObject, state, Point{s.n, s.beyond})
	report.Add(living, state, Point{s.n, s.alive})
	report.Add(perCycle, state, Point{s.n, collect(t)})
}

func tabulateConnections(t *testing.T, report *Report, sizes []int) {
	t.Run("connections", func(t *testing.T) {
		all := crowds(t, sizes)
		cpu := hitsAmong(t, all, 9, 2000)
		for _, n := range sizes {
			if p := all[n]; p != nil {
				report.Add(hitAmong, "hit", Point{n, cpu[n]})
				if n > 1 {
					report.Add(perConnection, "idle, kept", Point{n, p.memory(t)})
				}
			}
		}
	})
}
