//go:build !race

package app

import (
	"net/http"
	"testing"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
)

// TestNoAllocation: what is done for every hit allocates nothing.
func TestNoAllocation(t *testing.T) {
	l := testLayer(t, corslayer.ModeOwn, key.OriginBucket)
	request := http.Header{"Origin": {originPartner}}
	h := make(http.Header, 8)
	tel, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(tel)
	rec.add([]string{"*/"})
	d := &cache.Decision{Route: &cache.Route{Name: "*/"}, Result: cache.ResultHit, Status: 200}
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"Judge, Count and Apply", func() {
			clear(h)
			o := l.Judge("GET", request["Origin"])
			l.Count("GET", request["Origin"], o)
			l.Apply(h, request, o)
		}},
		{"Record", func() { rec.Record(nil, d) }},
	} {
		if n := testing.AllocsPerRun(100, c.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.name, n)
		}
	}
}
