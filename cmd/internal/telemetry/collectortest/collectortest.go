// Package collectortest is an OpenTelemetry collector for tests: it takes
// traces, metrics and logs over HTTP or gRPC as a real one does, and shows them.
package collectortest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorlogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it arrived.
type Span struct {
	Name, Kind        string // kind: internal, server, client
	Trace, ID, Parent string // hexadecimal; no parent is ""
	State             string // tracestate
	Attributes        map[string]string
	Events            []string // "name key=value …"
	Links             []string // the ids of spans
	Error             bool
	Status            string // what it says of the error
	Start, End        uint64 // Unix nanoseconds
}

// Collector is a collector that runs until the test ends. It is safe for
// concurrent use.
type Collector struct {
	URL string // base URL

	mu       sync.Mutex // guards what follows
	spans    []Span
	resource map[string]string
	requests []*http.Request
	metrics  map[string]*metricspb.Metric
	pushes   int
	records  []Record
}

// New starts a Collector.
func New(t testing.TB) *Collector {
	t.Helper()
	c := new(Collector)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("the collector got %s %s: %v", r.Method, r.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		// Nothing of the client that sent it stays behind.
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

func (c *Collector) take(r *http.Request) error {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("not OTLP over HTTP: content of type %q", r.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if strings.HasSuffix(r.URL.Path, "/v1/metrics") {
		var all collectormetricspb.ExportMetricsServiceRequest
		if err := proto.Unmarshal(b, &all); err != nil {
			return err
		}
		c.takeMetrics(&all)
		return nil
	}
	if strings.HasSuffix(r.URL.Path, "/v1/logs") {
		var all collectorlogspb.ExportLogsServiceRequest
		if err := proto.Unmarshal(b, &all); err != nil {
			return err
		}
		c.takeLogs(&all)
		return nil
	}
	var all collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &all); err != nil {
		return err
	}
	c.mu.Lock()
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	c.takeSpans(&all)
	return nil
}

func (c *Collector) takeSpans(all *collectorpb.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range all.GetResourceSpans() {
		c.resource = attributes(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, spanOf(s))
			}
		}
	}
}

func spanOf(s *tracepb.Span) Span {
	out := Span{
		Name: s.GetName(), Kind: strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")),
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		State: s.GetTraceState(), Attributes: attributes(s.GetAttributes()),
		Error: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, Status: s.GetStatus().GetMessage(),
		Start: s.GetStartTimeUnixNano(), End: s.GetEndTimeUnixNano(),
	}
	for _, e := range s.GetEvents() {
		text := e.GetName()
		for _, a := range e.GetAttributes() {
			text += " " + a.GetKey() + "=" + value(a.GetValue())
		}
		out.Events = append(out.Events, text)
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, hex.EncodeToString(l.GetSpanId()))
	}
	return out
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	out := make(map[string]string, len(list))
	for _, a := range list {
		out[a.GetKey()] = value(a.GetValue())
	}
	return out
}

func value(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return fmt.Sprint(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return fmt.Sprint(v.IntValue)
	}
	return v.String()
}

// Spans returns the spans that have arrived, in the order of their ends. All
// that have ended are there when the telemetry was shut down.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.spans)
	slices.SortStableFunc(out, func(a, b Span) int {
		switch {
		case a.End < b.End:
			return -1
		case a.End > b.End:
			return 1
		}
		return 0
	})
	return out
}

// Named returns the spans of that name.
func (c *Collector) Named(name string) []Span {
	return slices.DeleteFunc(c.Spans(), func(s Span) bool { return s.Name != name })
}

// Resource returns the attributes of the resource.
func (c *Collector) Resource() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resource
}

// Requests returns the requests that brought spans.
func (c *Collector) Requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Silent starts a collector that takes connections and never answers, until the
// test ends. It returns its base URL, and a channel that is closed when the
// first request has come.
func Silent(t testing.TB) (baseURL string, came <-chan struct{}) {
	t.Helper()
	first, end := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(first) })
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not seen
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	t.Cleanup(func() { close(end); s.Close() })
	return s.URL, first
}
