package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"veneer/cmd/internal/telemetry/collectortest"
)

// pushing returns a Telemetry that sends metrics, in an environment that says
// nothing but for pairs of names and values, and its log. The caller shuts it
// down.
func pushing(t *testing.T, cfg *MetricsConfig, environment ...string) (*Telemetry, *syncBuffer) {
	t.Helper()
	clearEnvironment(t, environment)
	log := new(syncBuffer)
	tel, err := New(Config{Metrics: cfg, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return tel, log
}

// All metrics arrive, the histograms of our own with them, over both protocols,
// also those of the last moment.
func TestPush(t *testing.T) {
	for _, c := range []struct {
		name      string
		collector *collectortest.Collector
		grpc      bool
	}{
		{"http", collectortest.New(t), false},
		{"grpc", collectortest.NewGRPC(t, nil), true},
	} {
		tel, log := pushing(t, &MetricsConfig{Endpoint: c.collector.URL, GRPC: c.grpc}, "OTEL_RESOURCE_ATTRIBUTES", "zone=a,sesame")
		counters := tel.Route("r")
		counters.Add(Hit)
		counters.Observe(3 * time.Millisecond)
		counters.Observe(time.Minute)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(c.name, err)
		}
		metrics, pushes := c.collector.Metrics()
		about := c.collector.Resource()
		if pushes != 1 || about["service.name"] != "veneer" || about["telemetry.sdk.language"] != "go" || about["zone"] != "a" || !strings.Contains(log.String(), "opentelemetry: an error, not shown") {
			t.Errorf("%s: %d pushes of %v\n%s", c.name, pushes, about, log)
		}
		points := metrics["http.server.request.duration"].GetHistogram().GetDataPoints()
		if len(points) != 1 || points[0].GetCount() != 2 || points[0].GetSum() != 60.003 || points[0].GetStartTimeUnixNano() == 0 ||
			points[0].GetBucketCounts()[4] != 1 || points[0].GetBucketCounts()[len(bounds)] != 1 {
			t.Errorf("%s: durations %v", c.name, points)
		}
		hits := int64(0)
		for _, p := range metrics["veneer.cache.requests"].GetSum().GetDataPoints() {
			hits += p.GetAsInt()
		}
		if hits != 1 {
			t.Errorf("%s: %v", c.name, metrics["veneer.cache.requests"])
		}
	}
}

// The environment decides whether metrics are sent, where to and how.
func TestPushByEnvironment(t *testing.T) {
	overHTTP, overGRPC := collectortest.New(t), collectortest.NewGRPC(t, nil)
	const own = "OTEL_EXPORTER_OTLP_METRICS_"
	for _, c := range []struct {
		name        string
		cfg         *MetricsConfig
		http, grpc  int // pushes
		environment []string
	}{
		{"nothing", nil, 0, 0, nil},
		{"switched on", nil, 1, 0, []string{envMetricsExporter, "otlp, prometheus", envEndpoint, overHTTP.URL}},
		{"switched off", &MetricsConfig{Endpoint: overHTTP.URL}, 0, 0, []string{envMetricsExporter, "none"}},
		{"no SDK", &MetricsConfig{Endpoint: overHTTP.URL}, 0, 0, []string{envDisabled, "true", envMetricsExporter, "otlp"}},
		{"nonsense", &MetricsConfig{Endpoint: overHTTP.URL}, 1, 0, []string{envMetricsExporter, "word", envInterval, "-1", own + "PROTOCOL", "word"}},
		{"elsewhere", &MetricsConfig{Endpoint: overHTTP.URL}, 0, 1, []string{own + "ENDPOINT", overGRPC.URL, own + "PROTOCOL", "grpc", envEndpoint, overHTTP.URL, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}},
		{"the protocol of all", &MetricsConfig{Endpoint: overGRPC.URL}, 0, 1, []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
	} {
		_, http := overHTTP.Metrics()
		_, grpc := overGRPC.Metrics()
		tel, log := pushing(t, c.cfg, c.environment...)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Error(c.name, err)
		}
		_, http2 := overHTTP.Metrics()
		_, grpc2 := overGRPC.Metrics()
		if http2-http != c.http || grpc2-grpc != c.grpc {
			t.Errorf("%s: %d pushes over HTTP, %d over gRPC\n%s", c.name, http2-http, grpc2-grpc, log)
		}
	}
}

// Spans go over gRPC as well, and what a collector says of them is in no log.
func TestSpansOverGRPC(t *testing.T) {
	c := collectortest.NewGRPC(t, nil)
	tel, _ := tracing(t, TracesConfig{Endpoint: c.URL, GRPC: true})
	one(tel, nil)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spans := c.Spans(); len(spans) != 1 {
		t.Errorf("spans %v", spans)
	}
	c = collectortest.NewGRPC(t, func(context.Context) error { return status.Error(codes.PermissionDenied, "sesame is no key") })
	tel, log := tracing(t, TracesConfig{Endpoint: c.URL, GRPC: true})
	one(tel, nil)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Contains(text, "sesame") || !strings.Contains(text, `spans=1 error="gRPC: PermissionDenied"`) {
		t.Errorf("log:\n%s", text)
	}
	if n := tel.dropped()[0].Value; n != 1 {
		t.Errorf("%d spans are said to be dropped", n)
	}
}

// A collector over gRPC that never answers, for both signals: spans that do not
// fit are counted, nobody waits, and the end is bounded.
func TestSilentCollectorOverGRPC(t *testing.T) {
	came := make(chan struct{}, 100)
	c := collectortest.NewGRPC(t, func(ctx context.Context) error {
		came <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	t.Setenv(envMetricsExporter, "")
	log := new(syncBuffer)
	t.Setenv(envQueue, "8")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
	tel, err := New(Config{
		Metrics: &MetricsConfig{Endpoint: c.URL, GRPC: true}, Traces: &TracesConfig{Endpoint: c.URL, GRPC: true},
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		one(tel, nil)
	}
	<-came
	for range 1000 { // the four that are being sent count among the eight
		one(tel, nil)
	}
	if n := tel.dropped()[0].Value; n != 996 {
		t.Errorf("%d spans are said to be dropped, not 996", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if n := tel.dropped()[0].Value; n != 1004 {
		t.Errorf("%d spans are said to be dropped in the end, not 1004\n%s", n, log)
	}
}

// A collector that is not there costs pushes, which are counted.
func TestPushToNobody(t *testing.T) {
	tel, log := pushing(t, &MetricsConfig{Endpoint: "http://127.0.0.1:1"})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `msg="metrics cannot be exported" pushes=1 error="dial tcp 127.0.0.1:1: connect: connection refused"`
	if text := log.String(); !strings.Contains(text, want) || tel.dropped()[1].Value != 1 {
		t.Errorf("dropped %v, log:\n%s", tel.dropped(), text)
	}
}

// What a collector rejects of a batch is lost, the rest is not, and its words
// are not told.
func TestPartialSuccess(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		b, err := proto.Marshal(&collectorpb.ExportTraceServiceResponse{PartialSuccess: &collectorpb.ExportTracePartialSuccess{
			RejectedSpans: 2, ErrorMessage: "sesame (9 is no key",
		}})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Header().Set("Connection", "close")
		_, _ = w.Write(b)
	}))
	defer s.Close()
	tel, log := tracing(t, TracesConfig{Endpoint: s.URL})
	for range 3 {
		one(tel, nil)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Contains(text, "sesame") || !strings.Contains(text, `spans=2 error="the collector did not take all"`) {
		t.Errorf("log:\n%s", text)
	}
	if n := tel.dropped()[0].Value; n != 2 {
		t.Errorf("%d spans are said to be dropped", n)
	}
}

func TestRejected(t *testing.T) {
	for _, c := range []struct {
		err  string
		want int
	}{
		{"refused", 5},
		{"x: " + partial + "y (3 spans rejected)", 3},
		{partial + "y (0 spans rejected)", 0},
		{partial + "y (99 spans rejected)", 5},
		{partial + "y (-1 spans rejected)", 0},
		{partial + "y (z)", 5},
		{partial, 5},
	} {
		if got := rejected(fmt.Errorf("%s", c.err), 5); got != c.want {
			t.Errorf("%s: %d, want %d", c.err, got, c.want)
		}
	}
}
