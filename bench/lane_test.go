package bench

import (
	"testing"

	"veneer/bench/internal/fixture"
	"veneer/bench/internal/measure"
)

// laneHead is the request of NewRequest as a browser sends it.
const laneHead = "GET /path/of/some/length?q=1 HTTP/1.1\r\nHost: " + fixture.Host + "\r\nOrigin: " + fixture.Web + "\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Accept: */*\r\nAccept-Language: en-GB,en;q=0.9\r\nReferer: " + fixture.Web + "/\r\nSec-Fetch-Mode: cors\r\n\r\n"

// laneHit is the same hit as deliver's, from the bytes of its request to those
// of its answer.
func laneHit(tb testing.TB) func() {
	e := fixture.NewEngine(tb, fixture.NewStore(tb, 8<<20), fixture.Page("Accept-Encoding"))
	fixture.Warm(tb, e, fixture.NewRequest())
	l, head := fixture.NewLane(e), []byte(laneHead)
	return func() {
		if n := l.Serve(tb, head); n < 1024 {
			tb.Fatalf("%d bytes", n)
		}
	}
}

// BenchmarkLane has the processor's time beside the wall clock's, which says
// little on a machine that others use too.
func BenchmarkLane(b *testing.B) {
	hit := laneHit(b)
	b.ReportAllocs()
	b.ResetTimer()
	began, ok := measure.Processor()
	for range b.N {
		hit()
	}
	if ended, _ := measure.Processor(); ok {
		b.ReportMetric(float64(ended-began)/float64(b.N), "cpu-ns/op")
	}
}
