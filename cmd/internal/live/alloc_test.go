//go:build !race

package live

import (
	"testing"

	"veneer/cache"
)

// To be counted costs no allocation, and to be kept none either once every place
// was used.
func TestRecordAllocates(t *testing.T) {
	l := New(Options{})
	l.Add([]string{"a/"})
	q, d := request("https://x.own"), decision(cache.ResultHit, 1)
	for range keptHits {
		l.keep(&l.hits, q, d)
	}
	if n := testing.AllocsPerRun(1000, func() { l.Record(q, d); l.keep(&l.hits, q, d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
