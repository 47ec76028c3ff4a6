//go:build !race

package telemetry

import (
	"testing"
	"time"

	"veneer/cache/cachestatus"
)

// What a hit pays for being counted.
func TestHotPathAllocatesNothing(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	c, u := tel.Route("api"), tel.Upstream("users")
	n := testing.AllocsPerRun(1000, func() {
		c.Add(Hit)
		c.AddNotStored(cachestatus.NoStore)
		c.AddStatus(200)
		c.Observe(3 * time.Millisecond)
		u.Observe(time.Second)
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkRecordHit(b *testing.B) {
	c := fresh(b, Config{}).Route("api")
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c.Add(Hit)
			c.AddStatus(200)
			c.Observe(30 * time.Microsecond)
		}
	})
}

// What a request pays that gets no trace.
func TestSampleAllocatesNothing(t *testing.T) {
	s := newSampler(0.01, nil)
	for name, lines := range unsampledLines {
		if n := testing.AllocsPerRun(1000, func() { s.sample(lines, "") }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

var unsampledLines = map[string][]string{
	"no parent":        nil,
	"unsampled parent": {unsampledParent},
	"malformed parent": {unsampledParent[:54] + "x"},
}

func BenchmarkSample(b *testing.B) {
	s := newSampler(0.01, nil)
	for name, lines := range unsampledLines {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.sample(lines, "")
			}
		})
	}
}
