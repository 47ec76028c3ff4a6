package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry/collectortest"
)

// traced is an App that sends its traces to a collector.
type traced struct {
	*running
	collector *collectortest.Collector
}

func runTraced(t *testing.T, upstream string, sample float64, edit func(*config.Config)) *traced {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
	} {
		t.Setenv(name, "")
	}
	c := collectortest.New(t)
	return &traced{run(t, testConfig(t, upstream, func(cfg *config.Config) {
		cfg.Telemetry.Traces = &config.Traces{Endpoint: c.URL, Sample: sample}
		if edit != nil {
			edit(cfg)
		}
	})), c}
}

// spans ends the App, which sends everything, and returns the spans.
func (r *traced) spans() []collectortest.Span {
	r.t.Helper()
	if err := r.Drain(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.collector.Spans()
}

// tree writes spans as lines, those of a trace together and below their parent,
// with the named attributes.
func tree(spans []collectortest.Span, names ...string) string {
	var b strings.Builder
	var below func(parent, indent string)
	below = func(parent, indent string) {
		for _, s := range spans {
			if s.Parent != parent {
				continue
			}
			b.WriteString(indent + s.Kind + " " + s.Name)
			for _, n := range names {
				if v, ok := s.Attributes[n]; ok {
					b.WriteString(" " + n + "=" + v)
				}
			}
			if s.Error {
				b.WriteString(" ERROR")
			}
			b.WriteString("\n")
			below(s.ID, indent+"  ")
		}
	}
	below("", "")
	return b.String()
}

// A miss, then the hit of what it stored, the lane being on: a request that is
// sampled is the handler's.
func TestTraceMissAndHit(t *testing.T) {
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 1, nil)
	r.get("/a", "Origin: "+originApp)
	r.get("/a", "Origin: "+originApp)
	spans := r.spans()
	const want = `server GET */ http.response.status_code=200 cache.result=miss cache.stored=true
  internal cache.lookup cache.found=false
  client upstream.fetch http.response.status_code=200
  internal cache.store cache.stored=true
server GET */ http.response.status_code=200 cache.result=hit cache.stored=false
  internal cache.lookup cache.found=true
`
	if diff := cmp.Diff(want, tree(spans, "http.response.status_code", "cache.result", "cache.stored", "cache.found")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_ = http.MethodGet
}
