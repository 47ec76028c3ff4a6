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

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"veneer/cmd/internal/telemetry/collectortest"
)

// logging returns a Telemetry that sends logs, in an environment that says
// nothing but for pairs of names and values; the log that is sent, and what is
// written of that and of the export. The caller shuts it down.
func logging(t *testing.T, cfg *LogsConfig, environment ...string) (tel *Telemetry, sent *slog.Logger, written, export *syncBuffer) {
	t.Helper()
	clearEnvironment(t, environment)
	written, export = new(syncBuffer), new(syncBuffer)
	tel, err := New(Config{Logs: cfg, Log: slog.New(slog.NewTextHandler(export, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return tel, tel.Logger(slog.New(slog.NewTextHandler(written, nil))), written, export
}

// Records arrive with their severity, their attributes and the ids of the trace
// that their context has, over both protocols, and are written as before.
func TestLogs(t *testing.T) {
	p, _ := parseParent([]string{sampledParent})
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: p.trace, SpanID: p.span, TraceFlags: p.flags,
	}))
	for _, c := range []struct {
		name      string
		collector *collectortest.Collector
		grpc      bool
	}{
		{"http", collectortest.New(t), false},
		{"grpc", collectortest.NewGRPC(t, nil), true},
	} {
		tel, log, written, _ := logging(t, &LogsConfig{Endpoint: c.collector.URL, GRPC: c.grpc})
		log.With("route", "api").ErrorContext(traced, "one", "n", 3)
		log.Info("two", "why", errors.New("because"))
		log.Debug("not on this level")
		log.Warn("long", "stack", strings.Repeat("x", maxRecord+1))
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(c.name, err)
		}
		want := []collectortest.Record{
			{Severity: "ERROR", Body: "one", Trace: sampledParent[3:35], Span: sampledParent[36:52], Attributes: map[string]string{"route": "api", "n": "3"}},
			{Severity: "INFO", Body: "two", Attributes: map[string]string{"exception.type": "*errors.errorString", "exception.message": "because"}},
			{Severity: "WARN", Body: "long", Attributes: map[string]string{"stack": strings.Repeat("x", maxRecord)}},
		}
		if diff := cmp.Diff(want, c.collector.Records()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if r := c.collector.Resource(); r["service.name"] != "veneer" || r["telemetry.sdk.language"] != "go" {
			t.Errorf("%s: resource %v", c.name, r)
		}
		if text := written.String(); strings.Count(text, "\n") != 3 || !strings.Contains(text, `level=ERROR msg=one route=api n=3`) {
			t.Errorf("%s: written:\n%s", c.name, text)
		}
	}
}

// The environment decides whether logs are sent, where to and how.
func TestLogsByEnvironment(t *testing.T) {
	overHTTP, overGRPC := collectortest.New(t), collectortest.NewGRPC(t, nil)
	const own = "OTEL_EXPORTER_OTLP_LOGS_"
	for _, c := range []struct {
		name        string
		cfg         *LogsConfig
		http, grpc  int // records
		environment []string
	}{
		{"nothing", nil, 0, 0, nil},
		{"switched on", nil, 1, 0, []string{envLogsExporter, "otlp", envEndpoint, overHTTP.URL}},
		{"switched off", &LogsConfig{Endpoint: overHTTP.URL}, 0, 0, []string{envLogsExporter, "none"}},
		{"no SDK", &LogsConfig{Endpoint: overHTTP.URL}, 0, 0, []string{envDisabled, "true"}},
		{"nonsense", &LogsConfig{Endpoint: overHTTP.URL}, 1, 0, []string{envLogsExporter, "word", envLogsQueue, "-1", own + "PROTOCOL", "word"}},
		{"elsewhere", &LogsConfig{Endpoint: overHTTP.URL}, 0, 1, []string{own + "ENDPOINT", overGRPC.URL, own + "PROTOCOL", "grpc", envEndpoint, overHTTP.URL}},
	} {
		http, grpc := len(overHTTP.Records()), len(overGRPC.Records())
		tel, log, _, export := logging(t, c.cfg, c.environment...)
		log.Info("one")
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Error(c.name, err)
		}
		http, grpc = len(overHTTP.Records())-http, len(overGRPC.Records())-grpc
		if http != c.http || grpc != c.grpc {
			t.Errorf("%s: %d records over HTTP, %d over gRPC\n%s", c.name, http, grpc, export)
		}
	}
}

// A collector that hangs: what does not fit is counted, nobody waits, nothing of
// it is said in the log that is sent, and the end is bounded.
func TestLogsToSilence(t *testing.T) {
	overHTTP, came := collectortest.Silent(t)
	arrived := make(chan struct{}, 100)
	overGRPC := collectortest.NewGRPC(t, func(ctx context.Context) error {
		arrived <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	for _, c := range []struct {
		cfg  LogsConfig
		came <-chan struct{}
	}{
		{LogsConfig{Endpoint: overHTTP}, came},
		{LogsConfig{Endpoint: overGRPC.URL, GRPC: true}, arrived},
	} {
		tel, log, written, export := logging(t, &c.cfg, envLogsQueue, "8", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4")
		for range 4 {
			log.Info("first")
		}
		<-c.came
		for range 1000 { // the four that are being sent count among the eight
			log.Info("more")
		}
		if n := tel.dropped()[2].Value; n != 996 {
			t.Errorf("gRPC %v: %d records are said to be dropped, not 996", c.cfg.GRPC, n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := tel.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
		if n := tel.dropped()[2].Value; n != 1004 {
			t.Errorf("gRPC %v: %d records are said to be dropped in the end, not 1004\n%s", c.cfg.GRPC, n, export)
		}
		if n := strings.Count(written.String(), "\n"); n != 1004 {
			t.Errorf("%d lines are written, not 1004", n)
		}
		log.Info("behind the end") // goes nowhere, and does no harm
	}
}

// A collector that refuses, or is not there: it is said once in a while, not in
// its words, and not to it.
func TestLogsRefused(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "sesame is no key")
	}))
	defer refuses.Close()
	denies := collectortest.NewGRPC(t, func(context.Context) error { return status.Error(codes.PermissionDenied, "sesame is no key") })
	for _, c := range []struct {
		cfg  LogsConfig
		want string
	}{
		{LogsConfig{Endpoint: refuses.URL}, "401 Unauthorized"},
		{LogsConfig{Endpoint: denies.URL, GRPC: true}, `error="gRPC: PermissionDenied"`},
		{LogsConfig{Endpoint: "http://127.0.0.1:1"}, `error="dial tcp 127.0.0.1:1: connect: connection refused"`},
	} {
		tel, log, written, export := logging(t, &c.cfg, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1")
		for range 3 {
			log.Info("one")
		}
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		text := export.String()
		if strings.Contains(text, "sesame") || strings.Count(text, "logs cannot be exported") != 1 || !strings.Contains(text, c.want) {
			t.Errorf("log of the export:\n%s", text)
		}
		if n := tel.dropped()[2].Value; n != 3 || strings.Contains(written.String(), "exported") {
			t.Errorf("%d records are said to be dropped, not 3; written:\n%s", n, written)
		}
	}
}

// Lines of the access log arrive as they are, in their trace, and do not take the
// operational log's place while the collector hangs. One that is too long is
// counted.
func TestLines(t *testing.T) {
	p, _ := parseParent([]string{sampledParent})
	of := trace.NewSpanContext(trace.SpanContextConfig{TraceID: p.trace, SpanID: p.span, TraceFlags: p.flags})
	c := collectortest.New(t)
	tel, _, written, _ := logging(t, &LogsConfig{Endpoint: c.URL})
	send := tel.Lines()
	line := []byte(`{"path":"/a"}`)
	send(time.Unix(1, 0), of, line)
	line[2] = 'P' // a copy was kept
	send(time.Unix(1, 0), trace.SpanContext{}, line)
	send(time.Unix(1, 0), of, make([]byte, maxLine+1))
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []collectortest.Record{
		{Severity: "INFO", Body: `{"path":"/a"}`, Trace: sampledParent[3:35], Span: sampledParent[36:52], Attributes: map[string]string{}},
		{Severity: "INFO", Body: `{"Path":"/a"}`, Attributes: map[string]string{}},
	}
	if diff := cmp.Diff(want, c.Records()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := tel.dropped()[3].Value; n != 1 || written.String() != "" {
		t.Errorf("%d lines are said to be dropped, not the long one; written: %s", n, written)
	}

	base, came := collectortest.Silent(t)
	tel, log, _, _ := logging(t, &LogsConfig{Endpoint: base}, envLogsQueue, "8", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4")
	send = tel.Lines()
	for range 1000 {
		send(time.Unix(1, 0), of, line)
	}
	<-came
	log.Info("the one that matters")
	if lines, logs := tel.dropped()[3].Value, tel.dropped()[2].Value; lines != 992 || logs != 0 {
		t.Errorf("%d lines are said to be dropped, not 992, and %d records of the log", lines, logs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}

	clearEnvironment(t, nil)
	if tel, err := New(Config{}); err != nil || tel.Lines() != nil {
		t.Errorf("lines are sent to nobody, %v", err)
	}
}
