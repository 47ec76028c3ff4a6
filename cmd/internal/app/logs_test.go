package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/memory"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/cmd/internal/telemetry/collectortest"
)

// What the App logs, and what its owner does through Log, goes to the collector
// as well. What becomes of the export is in Options.Log only.
func TestLogsAreSent(t *testing.T) {
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"} {
		t.Setenv(name, "")
	}
	c := collectortest.New(t)
	r := run(t, testConfig(t, upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}), func(cfg *config.Config) {
		cfg.Telemetry.Logs = &config.Logs{Endpoint: c.URL}
	}))
	r.get("/")
	r.Log().Info("said by its owner")
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, record := range c.Records() {
		said = append(said, record.Severity+" "+record.Attributes["upstream"]+" "+record.Body)
	}
	if text := strings.Join(said, "\n"); len(said) != 2 || !strings.HasPrefix(said[0], "WARN up the upstream sends CORS fields") || said[1] != "INFO  said by its owner" {
		t.Errorf("the collector has:\n%s", text)
	}
	if text := r.log.String(); !strings.Contains(text, "logs are exported") || !strings.Contains(text, "there are two CORS layers") || !strings.Contains(text, "said by its owner") {
		t.Errorf("written:\n%s", text)
	}
}

// Lines of the access log go the same way where that is asked for, with the trace
// of their request.
func TestAccessLogIsSent(t *testing.T) {
	logs := collectortest.New(t)
	path := filepath.Join(t.TempDir(), "access.log")
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 1, func(cfg *config.Config) {
		cfg.Telemetry.Logs = &config.Logs{Endpoint: logs.URL}
		cfg.Telemetry.AccessLog = config.NewAccessLog()
		cfg.Telemetry.AccessLog.Path, cfg.Telemetry.AccessLog.OTLP = path, true
	})
	r.get("/a")
	servers := slices.DeleteFunc(r.spans(), func(s collectortest.Span) bool { return s.Kind != "server" })
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(logs.Records(), func(r collectortest.Record) bool { return !strings.HasPrefix(r.Body, "{") })
	if len(lines) != 1 || len(servers) != 1 || lines[0].Body+"\n" != string(written) || lines[0].Trace != servers[0].Trace || lines[0].Span != servers[0].ID {
		t.Errorf("sent %v, spans %v, written:\n%s", lines, servers, written)
	}
}

// faulty is a store that answers nothing.
type faulty struct{ *memory.Store }

var errFaulty = errors.New("faulty")

func (faulty) Get(context.Context, key.Key, cache.Selector) (*cache.Object, error) {
	return nil, errFaulty
}
func (faulty) Put(context.Context, *cache.Object, cache.PutOptions) error { return errFaulty }
func (faulty) Invalidate(context.Context, []byte) (int, error)            { return 0, errFaulty }

// What is said of a fault of ours is said in the trace of the request that met
// it, also by a fetch, which does not end with it.
func TestFaultsAreSaidInTheirTrace(t *testing.T) {
	base, _ := collectortest.Silent(t)
	tel, err := telemetry.New(telemetry.Config{Traces: &telemetry.TracesConfig{Endpoint: base, Sample: 1, Parents: telemetry.ParentsAll}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards said
	var said []string
	engine := cache.New(cache.Config{
		Trace: engineTracer(tel.Traces()),
		Log: func(ctx context.Context, msg string, _ any) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, trace.SpanContextFromContext(ctx).TraceID().String()+" "+msg)
		},
		Plan: &cache.Plan{Router: anyRoute{&cache.Route{
			Name: "all", CORS: nobodys{}, Store: faulty{store}, MaxObject: 1 << 20, Variants: 1,
			Upstream: roundTripper(func(*http.Request) *http.Response {
				w := httptest.NewRecorder()
				w.Header().Set("Cache-Control", "max-age=600")
				return w.Result()
			}),
		}}},
	})
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r := httptest.NewRequest(method, "http://a.example/a", nil)
		r.Header.Set("Traceparent", "00-"+traceID+"-b7ad6b7169203331-01")
		engine.ServeHTTP(httptest.NewRecorder(), r)
	}
	_ = engine.Close(t.Context()) // which waits for the fetch
	store.Close()
	_ = tel.Shutdown(endedContext())
	want := []string{
		traceID + " cache: store cannot answer a lookup",
		traceID + " cache: store cannot invalidate",
		traceID + " cache: store cannot take a response",
	}
	slices.Sort(said)
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
