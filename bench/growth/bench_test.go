package growth

import (
	"fmt"
	"testing"
)

// benchObjects are the stores that a benchmark fills.
var benchObjects = []int{1000, 100_000, 1_000_000}

// BenchmarkFamilies has each family at each size.
func BenchmarkFamilies(b *testing.B) {
	for _, f := range families {
		for _, n := range f.sizes {
			b.Run(fmt.Sprintf("%s/%s/%s", f.panel.Title, f.series, short(n)), func(b *testing.B) {
				loop(b, f.open(b, n))
			})
		}
	}
}

func loop(b *testing.B, step func()) {
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// BenchmarkStore has lookups and hits at random, what an Object takes, and a
// cycle of the collector.
func BenchmarkStore(b *testing.B) {
	for _, n := range benchObjects {
		b.Run(short(n), func(b *testing.B) {
			s := newShelf(b, n)
			b.Run("memory", func(b *testing.B) {
				measured(b, s.beyond, "B/object")
				measured(b, s.alive, "allocations/object")
			})
			b.Run("lookup", func(b *testing.B) { loop(b, s.lookup(b)) })
			b.Run("cycle", func(b *testing.B) { measured(b, collect(b), "CPU-ms/cycle") })
			handler, lane := s.answers(b)
			b.Run("lane", func(b *testing.B) { loop(b, s.random(lane)) })
			b.Run("handler", func(b *testing.B) { loop(b, s.random(handler)) })
		})
	}
}

// measured reports a figure that was taken once and is no time of a call.
func measured(b *testing.B, v float64, unit string) {
	for b.Loop() {
		break
	}
	b.ReportMetric(0, "ns/op") // leaves it out
	b.ReportMetric(v, unit)
}

// BenchmarkConnections has what a kept connection takes of the built program,
// and what a hit costs it among many.
func BenchmarkConnections(b *testing.B) {
	sizes := upTo(connections, 1000)
	for n, p := range crowds(b, sizes) {
		b.Run(short(n), func(b *testing.B) {
			calls := 0
			before := p.processor(b)
			for b.Loop() {
				p.hits(b, 1)
				calls++
			}
			b.ReportMetric(float64((p.processor(b)-before).Nanoseconds())/float64(calls), "CPU-ns/op")
			if n > 1 {
				b.ReportMetric(p.memory(b), "KiB/connection")
			}
		})
	}
}
