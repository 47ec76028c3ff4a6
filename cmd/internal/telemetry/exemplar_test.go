package telemetry

import (
	"encoding/hex"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cmd/internal/telemetry/collectortest"
)

// A traced request leaves its ids in the bucket that it fell into, for
// OpenMetrics and for a collector; the newest one stays.
func TestExemplars(t *testing.T) {
	c := collectortest.New(t)
	t.Setenv(envMetricsExporter, "")
	tel, err := New(Config{Prometheus: true, Metrics: &MetricsConfig{Endpoint: c.URL}})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := parseParent([]string{sampledParent})
	newest := trace.NewSpanContext(trace.SpanContextConfig{TraceID: p.trace, SpanID: p.span, TraceFlags: trace.FlagsSampled})
	older := newest.WithTraceID(trace.TraceID{1})
	counters := tel.Route("r")
	counters.ObserveTraced(3*time.Millisecond, older)
	counters.ObserveTraced(4*time.Millisecond, newest)
	counters.Observe(2 * time.Second)
	for accept, want := range map[string]int{"application/openmetrics-text; version=1.0.0": 1, "text/plain": 0} {
		r, w := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
		r.Header.Set("Accept", accept)
		tel.Handler().ServeHTTP(w, r)
		n := 0
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "http_server_request_duration_seconds_bucket") && strings.Contains(line, `trace_id="`+sampledParent[3:35]) && strings.Contains(line, " 0.004 ") {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d exemplars\n%s", accept, n, w.Body)
		}
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	metrics, _ := c.Metrics()
	points := metrics["http.server.request.duration"].GetHistogram().GetDataPoints()
	if len(points) != 1 || len(points[0].GetExemplars()) != 1 || hex.EncodeToString(points[0].GetExemplars()[0].GetTraceId()) != sampledParent[3:35] {
		t.Errorf("points %v", points)
	}
}
