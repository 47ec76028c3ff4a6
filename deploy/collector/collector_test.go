package collector

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
)

// patience is how long a program may take to begin, and to end.
const patience = 60 * time.Second

// Everything that one request leaves arrives at a collector that is configured
// as deploy/compose has it, over both protocols: spans below one another, metrics
// with an exemplar that names the trace, the log, all of one resource.
func TestCollector(t *testing.T) {
	program := build(t)
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			endpoints, got, stop := collect(t)
			serve(t, program, protocol, endpoints[protocol])
			stop()
			check(t, got)
		})
	}
}

func check(t *testing.T, got *sink) {
	spans, ofSpans := got.spans()
	server, fetch := spans["GET */"], spans["upstream.fetch"]
	if len(spans) != 4 || server.TraceID().IsEmpty() || fetch.ParentSpanID() != server.SpanID() || fetch.TraceID() != server.TraceID() {
		t.Fatalf("%d names of spans: %v", len(spans), spans)
	}
	metrics, ofMetrics := got.newest()
	for _, c := range []struct {
		name string
		span pcommon.SpanID
	}{
		{"http.server.request.duration", server.SpanID()},
		{"http.client.request.duration", fetch.SpanID()},
	} {
		m := metrics[c.name]
		if m.Type() != pmetric.MetricTypeHistogram {
			t.Fatalf("%s is a %s among %d metrics", c.name, m.Type(), len(metrics))
		}
		var found []string
		for _, point := range m.Histogram().DataPoints().All() { // one a route, also of those that nobody asked
			for _, e := range point.Exemplars().All() {
				found = append(found, fmt.Sprint(point.Count(), e.TraceID(), e.SpanID()))
			}
		}
		if want := fmt.Sprint(1, server.TraceID(), c.span); len(found) != 1 || found[0] != want {
			t.Errorf("%s leads to %q, want %q", c.name, found, want)
		}
	}
	records, ofLogs := got.records()
	if r := records["listening"]; r.SeverityText() != "INFO" {
		t.Errorf("the log has %d texts, without the one that it listens", len(records))
	}
	if r, ok := records[`{"method":"GET","path":"/","cache":"miss"}`]; !ok || r.TraceID() != server.TraceID() || r.SpanID() != server.SpanID() {
		t.Errorf("%d texts are logged, and no line of the request in its trace", len(records))
	}
	if name, _ := ofSpans.Attributes().Get("service.name"); name.AsString() != "edge" || !ofSpans.Attributes().Equal(ofMetrics.Attributes()) || !ofSpans.Attributes().Equal(ofLogs.Attributes()) {
		t.Errorf("the resources differ, or are another's:\n%v\n%v\n%v", ofSpans.Attributes().AsRaw(), ofMetrics.Attributes().AsRaw(), ofLogs.Attributes().AsRaw())
	}
}

// collect runs a collector. stop ends it, behind what it has taken.
func collect(t *testing.T) (endpoints map[string]string, got *sink, stop func()) {
	t.Helper()
	got = new(sink)
	overHTTP, overGRPC, health := free(t), free(t), free(t)
	own := []string{ // over the file
		"receivers::otlp::protocols::http::endpoint: " + overHTTP,
		"receivers::otlp::protocols::grpc::endpoint: " + overGRPC,
		"extensions::health_check::endpoint: " + health,
		"exporters::sink: {}",
		"service::telemetry::metrics::level: none",
		"service::telemetry::logs::level: error",
	}
	for _, signal := range []string{"traces", "metrics", "logs"} {
		own = append(own, "service::pipelines::"+signal+"::exporters: [debug, sink]")
	}
	uris := []string{"file:../compose/otel-collector.yaml"}
	for _, o := range own {
		uris = append(uris, "yaml:"+o)
	}
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories: func() (f otelcol.Factories, err error) {
			f.Telemetry = otelconftelemetry.NewFactory()
			f.Receivers, err = otelcol.MakeFactoryMap(otlpreceiver.NewFactory())
			if err == nil {
				f.Processors, err = otelcol.MakeFactoryMap(batchprocessor.NewFactory(), memorylimiterprocessor.NewFactory())
			}
			if err == nil {
				f.Exporters, err = otelcol.MakeFactoryMap(debugexporter.NewFactory(), got.factory())
			}
			if err == nil {
				f.Extensions, err = otelcol.MakeFactoryMap(healthcheckextension.NewFactory())
			}
			return f, err
		},
		BuildInfo:               component.NewDefaultBuildInfo(),
		DisableGracefulShutdown: true, // signals are the test's
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: uris, ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- c.Run(context.WithoutCancel(t.Context())) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		c.Shutdown()
		if err := <-ran; err != nil {
			t.Errorf("the collector: %v", err)
		}
	}
	await(t, "http://"+health, ran)
	t.Cleanup(stop)
	return map[string]string{"http": "http://" + overHTTP, "grpc": "http://" + overGRPC}, got, stop
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await asks the collector's health until it is good.
func await(t *testing.T, health string, ran <-chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if res, err := http.Get(health); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ran:
			t.Fatalf("the collector ended: %v", err)
		case <-ctx.Done():
			t.Fatal("the collector is not ready")
		case <-again.C:
		}
	}
}

// build makes the program, of the module two folders up.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "veneer")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/veneer")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the program: %v\n%s", err, out)
	}
	return path
}

// serve runs the program for one request, and until it has sent everything.
func serve(t *testing.T, program, protocol, endpoint string) {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "hello")
	}))
	defer up.Close()
	to := fmt.Sprintf("endpoint: %q, protocol: %s", endpoint, protocol)
	file := filepath.Join(t.TempDir(), "veneer.yaml")
	src := fmt.Sprintf(`
server: { http: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams: { app: { servers: %q } }
routes: [{ upstream: app }]
telemetry: { service_name: edge, traces: { %s, sample: 1 }, metrics: { otlp: { %s } }, logs: { otlp: { %s } }, access_log: { path: /dev/null, otlp: true, fields: [method, path, cache] } }
`, up.URL, to, to, to)
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "-c", file)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "OTEL_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // which ends all waiting below
	defer late.Stop()
	var log strings.Builder
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if _, address, ok := strings.Cut(lines.Text(), "msg=listening address="); ok {
			ask(t, "http://"+address)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "be exported") {
		t.Fatalf("veneer: %v\n%s", err, log.String())
	}
}

func ask(t *testing.T, url string) {
	res, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("status %d, error %v", res.StatusCode, err)
	}
}
