//go:build !race

package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"veneer/cache"
	"veneer/cache/store/memory"
	"veneer/cmd/internal/telemetry"
	"veneer/cmd/internal/telemetry/collectortest"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// hitter returns a function that is answered with a hit, by an engine that
// samples that share; below zero it has no traces at all.
func hitter(tb testing.TB, sample float64, traceparent string) func() {
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	cfg := telemetry.Config{}
	if sample >= 0 {
		base, _ := collectortest.Silent(tb)
		cfg.Traces = &telemetry.TracesConfig{Endpoint: base, Sample: sample}
	}
	tel, err := telemetry.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	up := roundTripper(func(*http.Request) *http.Response {
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprint(w, "hello")
		return w.Result()
	})
	engine := cache.New(cache.Config{
		Trace: engineTracer(tel.Traces()),
		Plan: &cache.Plan{Router: anyRoute{&cache.Route{
			Name: "all", CORS: nobodys{}, Upstream: up, Store: store, MaxObject: 1 << 20, Variants: 1,
		}}},
	})
	tb.Cleanup(func() {
		_ = engine.Close(endedContext())
		store.Close()
		_ = tel.Shutdown(endedContext())
	})
	r := httptest.NewRequest("GET", "http://a.example/a", nil)
	if traceparent != "" {
		r.Header.Set("Traceparent", traceparent)
	}
	w := &sink{make(http.Header)}
	hit := func() { clear(w.header); engine.ServeHTTP(w, r) }
	hit()
	if hit(); w.header.Get("Cache-Status") != "veneer; hit; ttl=600" && w.header.Get("Cache-Status") != "veneer; hit; ttl=599" {
		tb.Fatalf("no hit: %q", w.header)
	}
	return hit
}

// A hit that gets no trace allocates as little as without traces: nothing.
func TestUntracedHitAllocatesNothing(t *testing.T) {
	for _, parent := range []string{"", unsampledParent} {
		if n := testing.AllocsPerRun(500, hitter(t, 0, parent)); n != 0 {
			t.Errorf("traceparent %q: %v allocations", parent, n)
		}
	}
}

func BenchmarkTracedHit(b *testing.B) {
	for _, c := range []struct {
		name   string
		sample float64
		parent string
	}{
		{"no traces", -1, ""},
		{"no traces, a parent", -1, unsampledParent},
		{"unsampled", 0, ""},
		{"unsampled parent", 0, unsampledParent},
		{"sampled", 1, ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			hit := hitter(b, c.sample, c.parent)
			b.ReportAllocs()
			for b.Loop() {
				hit()
			}
		})
	}
}
