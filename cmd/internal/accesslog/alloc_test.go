//go:build !race

package accesslog

import (
	"testing"

	"veneer/cache"
)

// discard logs into nothing.
func discard(tb testing.TB, format Format, sample float64) (*Log, *cache.Request, *cache.Decision) {
	cfg := testConfig(tb)
	cfg.Path, cfg.Format, cfg.Sample = "/dev/null", format, sample
	if format == Combined {
		cfg.Fields = []Field{Cache, Reason}
	}
	l := newLog(tb, cfg)
	tb.Cleanup(func() { closeLog(tb, l) })
	return l, request(), hit()
}

func TestRecordAllocatesNothing(t *testing.T) {
	for _, format := range []Format{JSON, Combined} {
		l, q, d := discard(t, format, 1)
		if n := testing.AllocsPerRun(2000, func() { l.Record(q, d) }); n != 0 {
			t.Errorf("format %d: %v allocations", format, n)
		}
	}
}

// However it is encoded: what a query is decoded into stands where it is written.
func TestRedactionAllocatesNothing(t *testing.T) {
	const query = "page=2&next=https%3A%2F%2Fa.example%2F%3Fpage%3D2&to%256ben=x&back=https%253A%252F%252Fme%253Apw%2540a.example%252F&access_token=x"
	e := entry{scratch: new(scratch)}
	e.query(query)
	if n := testing.AllocsPerRun(2000, func() { e.query(query) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name   string
		format Format
		sample float64
	}{{"json", JSON, 1}, {"combined", Combined, 1}, {"sampled out", JSON, 0}, {"one in a hundred", JSON, 0.01}} {
		b.Run(c.name, func(b *testing.B) {
			l, q, d := discard(b, c.format, c.sample)
			b.ReportAllocs()
			for b.Loop() {
				l.Record(q, d)
			}
			slow, _ := l.Lost()
			b.ReportMetric(float64(slow)/float64(b.N), "lost/op")
		})
	}
	b.Run("parallel", func(b *testing.B) {
		l, _, _ := discard(b, JSON, 1)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			q, d := request(), hit()
			for pb.Next() {
				l.Record(q, d)
			}
		})
	})
}
