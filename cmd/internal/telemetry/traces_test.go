package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"veneer/cmd/internal/telemetry/collectortest"
)

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// clearEnvironment makes the environment say nothing but pairs of names and
// values, until the test ends.
func clearEnvironment(t *testing.T, pairs []string) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

// tracing returns a Telemetry with traces that the environment does not change,
// but for pairs of names and values, and its log. The caller shuts it down.
func tracing(t *testing.T, cfg TracesConfig, environment ...string) (*Telemetry, *syncBuffer) {
	t.Helper()
	clearEnvironment(t, environment)
	log := new(syncBuffer)
	tel, err := New(Config{Version: "1.2.3", Traces: &cfg, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))})
	if err != nil {
		t.Fatal(err)
	}
	return tel, log
}

// one begins and ends a span.
func one(tel *Telemetry, fields http.Header) {
	_, s := tel.Traces().Start(context.Background(), func(name string) []string { return fields[name] }, time.Unix(1, 0))
	s.End()
}

func TestExport(t *testing.T) {
	c := collectortest.New(t)
	tel, _ := tracing(t, TracesConfig{Endpoint: c.URL})
	one(tel, http.Header{"Traceparent": {sampledParent}, "Tracestate": {"a=1", "b=2"}})
	one(tel, http.Header{"Traceparent": {sampledParent}, "Tracestate": {"a=1,,=x"}})
	one(tel, http.Header{"Traceparent": {"nonsense"}, "Tracestate": {"a=1"}})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	type seen struct{ Kind, Trace, Parent, State string }
	var got []seen
	for _, s := range c.Spans() {
		if s.Parent == "" {
			s.Trace = "new"
		}
		got = append(got, seen{s.Kind, s.Trace, s.Parent, s.State})
	}
	want := []seen{
		{"server", sampledParent[3:35], sampledParent[36:52], "a=1,b=2"},
		{"server", sampledParent[3:35], sampledParent[36:52], ""},
		{"server", "new", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := c.Resource()
	if r["service.name"] != "veneer" || r["service.version"] != "1.2.3" || r["telemetry.sdk.language"] != "go" {
		t.Errorf("resource %v", r)
	}
	if got := c.Requests()[0].URL.Path; got != "/v1/traces" {
		t.Errorf("sent to %s", got)
	}
}

// What the environment says wins over the configuration.
func TestExportByEnvironment(t *testing.T) {
	c := collectortest.New(t)
	const nowhere = "http://127.0.0.1:1"
	for _, e := range []struct {
		name, path  string
		environment []string
	}{
		{"endpoint", "/base/v1/traces", []string{envEndpoint, c.URL + "/base"}},
		{"traces endpoint", "/as/it/is", []string{envTracesEndpoint, c.URL + "/as/it/is", envEndpoint, nowhere}},
		{"nonsense", "/v1/traces", []string{envEndpoint, "word word"}},
		{"gRPC by its scheme", "/v1/traces", []string{envEndpoint, "grpc://h:4317"}},
		{"service", "/v1/traces", []string{"OTEL_SERVICE_NAME", "edge", "OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=other"}},
	} {
		configured := c.URL
		if e.path != "/v1/traces" {
			configured = nowhere
		}
		before := len(c.Requests())
		tel, log := tracing(t, TracesConfig{Endpoint: configured + "/"}, e.environment...)
		one(tel, nil)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		requests := c.Requests()[before:]
		if len(requests) != 1 || requests[0].URL.Path != e.path {
			t.Errorf("%s: %d requests %v\n%s", e.name, len(requests), requests, log)
		}
	}
	if r := c.Resource(); r["service.name"] != "edge" || r["a"] != "b" {
		t.Errorf("resource %v", r)
	}
	// What the configuration leaves off the environment switches on.
	before := len(c.Requests())
	tel, log := tracing(t, TracesConfig{Off: true, Random: func() uint64 { return 0 }}, envExporter, "otlp", envEndpoint, c.URL, envPropagators, "b3")
	if tel.Traces() == nil || !tel.Traces().Sample(nil, "") || !strings.Contains(log.String(), "variable="+envPropagators) {
		t.Fatalf("no traces:\n%s", log)
	}
	one(tel, nil)
	if err := tel.Shutdown(t.Context()); err != nil || len(c.Requests()) != before+1 {
		t.Errorf("%v, %d requests\n%s", err, len(c.Requests())-before, log)
	}
	for _, silent := range [][]string{nil, {envDisabled, "true", envExporter, "otlp"}} {
		if tel, log := tracing(t, TracesConfig{Off: true}, silent...); tel.Traces() != nil || log.String() != "" {
			t.Errorf("%v: %v\n%s", silent, tel.Traces(), log)
		}
	}
	for _, off := range [][]string{{envDisabled, "TRUE"}, {envExporter, "none"}} {
		tel, log := tracing(t, TracesConfig{Endpoint: c.URL, Sample: 1}, off...)
		if tel.Traces() != nil || !strings.Contains(log.String(), "switches traces off") {
			t.Errorf("%v: %v\n%s", off, tel.Traces(), log)
		}
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The values of environment variables, which hold secrets, are in no log, and
// neither is what a collector answers. A header of theirs is sent.
func TestNoSecretInTheLog(t *testing.T) {
	answer := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer <- r.Header.Get("Api-Key")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "sesame is no key")
	}))
	defer s.Close()
	tel, log := tracing(t, TracesConfig{Endpoint: s.URL},
		envEndpoint, "http://user:sesame@[bad", envSampler, "sesame",
		"OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame,sesame,x=%sesame",
		"OTEL_EXPORTER_OTLP_TIMEOUT", "sesame", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/sesame")
	one(tel, nil)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "sesame" {
		t.Errorf("the key is not sent: %q", got)
	}
	const failed = `level=WARN msg="traces cannot be exported" spans=1 error="traces export: failed to send to`
	if text := log.String(); strings.Contains(text, "sesame") || !strings.Contains(text, failed) || !strings.Contains(text, "401 Unauthorized") {
		t.Errorf("log:\n%s", text)
	}
}

// A collector that never answers: spans are dropped and nobody waits, and the
// end is bounded.
func TestSilentCollector(t *testing.T) {
	base, came := collectortest.Silent(t)
	tel, log := tracing(t, TracesConfig{Endpoint: base}, "OTEL_BSP_MAX_QUEUE_SIZE", "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
	for range 4 {
		one(tel, nil)
	}
	<-came
	for range 1000 { // a full queue would hold the first of them that waits for ever
		one(tel, nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if text := log.String(); strings.Count(text, "traces cannot be exported") != 1 || !strings.Contains(text, "there was no time left") {
		t.Errorf("log:\n%s", text)
	}
}

// A collector that is not there: it is said once in a while.
func TestNoCollector(t *testing.T) {
	tel, log := tracing(t, TracesConfig{Endpoint: "http://127.0.0.1:1"}, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	for range 3 {
		one(tel, nil)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `level=INFO msg="traces are exported" collector=127.0.0.1:1
level=WARN msg="traces cannot be exported" spans=1 error="dial tcp 127.0.0.1:1: connect: connection refused"
level=WARN msg="traces could not be exported" spans=2
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failing is an exporter that fails.
type failing struct{ err error }

func (f failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return f.err }
func (failing) Shutdown(context.Context) error                               { return nil }

func TestLossesAreToldOnceAMinute(t *testing.T) {
	log := new(bytes.Buffer)
	e := newExporter(failing{errors.New("no")}, slog.New(slog.NewTextHandler(log, nil)))
	defer e.cut()
	now := time.Unix(1, 0)
	e.now = func() time.Time { return now }
	for range 5 {
		if err := e.ExportSpans(t.Context(), make([]sdktrace.ReadOnlySpan, 2)); err != nil {
			t.Error(err)
		}
		now = now.Add(tellAgain / 4)
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "spans=2 ") || !strings.Contains(text, "spans=8 ") {
		t.Errorf("log:\n%s", text)
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("x: %w", context.DeadlineExceeded), "the collector did not answer in time"},
		{&url.Error{Op: "Post", URL: "http://u:sesame@h", Err: errors.New("EOF")}, "EOF"},
		{errors.New("failed to send to http://h: 500 (body: sesame)"), "failed to send to http://h: 500"},
		{errors.New("retry-able request failure: body: sesame"), "retry-able request failure"},
		{errors.New(strings.Repeat("é", 300)), strings.Repeat("é", 100)},
	} {
		if got := words(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// BenchmarkSpan is what one span costs whoever begins and ends it, with a
// collector that never answers.
func BenchmarkSpan(b *testing.B) {
	base, _ := collectortest.Silent(b)
	tel, err := New(Config{Traces: &TracesConfig{Endpoint: base}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, s := tel.Traces().Start(context.Background(), nil, time.Unix(1, 0))
		s.SetAttributes(attribute.String("a", "b"))
		s.End(trace.WithTimestamp(time.Unix(2, 0)))
	}
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_ = tel.Shutdown(ctx)
}
