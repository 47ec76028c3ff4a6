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

// What hitter takes for a share: no telemetry at all, and metrics alone.
const (
	telemetryOff = -2
	metricsOnly  = -1
)

// hitEngine returns an engine that answers http://a.example/a with a hit, counts
// it, and samples that share.
func hitEngine(tb testing.TB, sample float64) (*cache.Engine, *telemetry.Telemetry) {
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
	var counts cache.Recorder
	if sample != telemetryOff {
		r := newRecorder(tel)
		r.add([]string{"all"})
		counts = r
	}
	engine := cache.New(cache.Config{
		Trace: engineTracer(tel.Traces()), Recorder: counts,
		Plan: &cache.Plan{Router: anyRoute{&cache.Route{
			Name: "all", CORS: nobodys{}, Upstream: up, Store: store, MaxObject: 1 << 20, Variants: 1,
		}}},
	})
	tb.Cleanup(func() {
		_ = engine.Close(endedContext())
		store.Close()
		_ = tel.Shutdown(endedContext())
	})
	return engine, tel
}

// hitter returns a function that is answered with a hit by the handler.
func hitter(tb testing.TB, sample float64, traceparent string) func() {
	engine, _ := hitEngine(tb, sample)
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

// A hit that gets no trace allocates as little as without telemetry: nothing.
func TestUntracedHitAllocatesNothing(t *testing.T) {
	for _, sample := range []float64{telemetryOff, metricsOnly, 0} {
		for _, parent := range []string{"", unsampledParent} {
			if n := testing.AllocsPerRun(500, hitter(t, sample, parent)); n != 0 {
				t.Errorf("sample %v, traceparent %q: %v allocations", sample, parent, n)
			}
		}
	}
}

// BenchmarkTelemetry is a hit through the handler. The collector never answers,
// so that no export takes time from it.
func BenchmarkTelemetry(b *testing.B) {
	for _, c := range []struct {
		name   string
		sample float64
		parent string
	}{
		{"off", telemetryOff, ""},
		{"metrics only", metricsOnly, ""},
		{"unsampled parent", 0, unsampledParent},
		{"traces 1%", 0.01, ""},
		{"traces 100%", 1, ""},
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
