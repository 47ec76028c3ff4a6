package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/status"
)

// outlet is what the exporters of all signals have in common: their exports can
// be cut, and a log says, now and then, what was lost. To the SDK they report no
// error: that would print it, and a collector's words are not ours to print.
type outlet struct {
	signal, unit string // as in "traces" and "spans"
	log          *slog.Logger
	now          func() time.Time
	ctx          context.Context // of all exports
	cut          context.CancelFunc
	dropped      atomic.Int64 // units, in all
	held         atomic.Int64 // units that wait or are being sent, of a signal that has a queue
	most         int64        // of held

	mu   sync.Mutex // guards what follows
	told time.Time
	lost int // units, since it was told
}

func newOutlet(signal, unit string, log *slog.Logger) *outlet {
	o := &outlet{signal: signal, unit: unit, log: log, now: time.Now}
	o.ctx, o.cut = context.WithCancel(context.Background())
	return o
}

// admit takes one more unit into the queue, or counts it as dropped. The export
// that ends takes it out of held.
func (o *outlet) admit() bool {
	if o.held.Add(1) > o.most {
		o.held.Add(-1)
		o.dropped.Add(1)
		return false
	}
	return true
}

// send exports n units.
func (o *outlet) send(ctx context.Context, n int, export func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)()
	err := o.ctx.Err()
	if err == nil {
		err = export(ctx)
	}
	if err != nil {
		o.failed(rejected(err, n), err)
	}
}

// tellAgain is how long nothing more is said of a collector that fails.
const tellAgain = time.Minute

func (o *outlet) failed(n int, err error) {
	o.dropped.Add(int64(n))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost += n
	if now := o.now(); o.told.IsZero() || now.Sub(o.told) >= tellAgain {
		o.log.Warn(o.signal+" cannot be exported", o.unit, o.lost, "error", words(err))
		o.told, o.lost = now, 0
	}
}

// last tells of what was lost since it was told.
func (o *outlet) last() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost > 0 {
		o.log.Warn(o.signal+" could not be exported", o.unit, o.lost)
		o.lost = 0
	}
}

// end sends what is left, by the shutdown of a provider. When ctx ends first the
// rest is dropped.
func (o *outlet) end(ctx context.Context, shutdown func(context.Context) error) error {
	stop := context.AfterFunc(ctx, o.cut)
	defer o.cut()
	defer stop()
	// The context ends the exports, and with them the wait: a provider that
	// stops waiting by itself would leave its goroutine behind.
	err := shutdown(context.WithoutCancel(ctx))
	o.last()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("cannot send all %s: %w", o.unit, err)
	}
	return nil
}

// exporter sends spans.
type exporter struct {
	*outlet
	inner sdktrace.SpanExporter
}

func newExporter(inner sdktrace.SpanExporter, log *slog.Logger) *exporter {
	return &exporter{newOutlet("traces", "spans", log), inner}
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	defer e.held.Add(-int64(len(spans)))
	e.send(ctx, len(spans), func(ctx context.Context) error { return e.inner.ExportSpans(ctx, spans) })
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(ctx context.Context) error { return e.inner.Shutdown(ctx) }

// queue is a batch processor that counts what does not fit: the SDK's own drops
// it and tells nobody how much.
type queue struct {
	sdktrace.SpanProcessor
	exporter *exporter
}

// OnEnd implements sdktrace.SpanProcessor. It never waits.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.exporter.admit() {
		q.SpanProcessor.OnEnd(s)
	}
}

// pusher sends metrics. What one push loses the next one has: the sums go on.
type pusher struct {
	*outlet
	sdkmetric.Exporter
}

// Export implements sdkmetric.Exporter.
func (p *pusher) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	p.send(ctx, 1, func(ctx context.Context) error { return p.Exporter.Export(ctx, m) })
	return nil
}

// partial is how the error begins of a collector that took some and not all.
const partial = "OTLP partial success: "

// rejected says how many of n units an export lost that ended with err.
func rejected(err error, n int) int {
	text := err.Error()
	at := strings.LastIndexByte(text, '(')
	if !strings.Contains(text, partial) || at < 0 {
		return n
	}
	count, _, _ := strings.Cut(text[at+1:], " ")
	some, bad := strconv.Atoi(count)
	if bad != nil {
		return n
	}
	return max(0, min(some, n))
}

// words says why an export failed, without the collector's address, which may
// hold a secret, and without its answer, which may repeat one.
func words(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the collector did not answer in time"
	}
	if errors.Is(err, context.Canceled) {
		return "there was no time left"
	}
	if strings.Contains(err.Error(), partial) {
		return "the collector did not take all"
	}
	// The text of a gRPC status may be the collector's.
	if s, ok := status.FromError(err); ok {
		return "gRPC: " + s.Code().String()
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "body: ")
	const most = 200
	text = strings.TrimRight(text, " (:")
	return strings.ToValidUTF8(text[:min(len(text), most)], "\uFFFD")
}

// quieten gives the OpenTelemetry library its logger, of which there is one for
// the process. It tells of environment variables by their values, and of a
// collector's answers, and some are secrets.
func quieten(log *slog.Logger) {
	otel.SetLogger(logr.New(quiet{log}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { log.Warn("opentelemetry: an error, not shown for it may hold a secret") }))
}

// quiet logs what the OpenTelemetry library has to say without the values.
type quiet struct{ log *slog.Logger }

// Init implements logr.LogSink.
func (quiet) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink: warnings and errors.
func (quiet) Enabled(level int) bool { return level <= 1 }

// Info implements logr.LogSink.
func (q quiet) Info(_ int, msg string, _ ...any) { q.log.Warn("opentelemetry: " + msg) }

// Error implements logr.LogSink.
func (q quiet) Error(_ error, msg string, _ ...any) { q.log.Error("opentelemetry: " + msg) }

// WithValues implements logr.LogSink.
func (q quiet) WithValues(...any) logr.LogSink { return q }

// WithName implements logr.LogSink.
func (q quiet) WithName(string) logr.LogSink { return q }
