package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter is an exporter whose exports can be cut, and that says in a log, now
// and then, what was lost. To the SDK it reports no error: that would print it,
// and a collector's words are not ours to print.
type exporter struct {
	inner sdktrace.SpanExporter
	log   *slog.Logger
	now   func() time.Time
	ctx   context.Context // of all exports
	cut   context.CancelFunc

	mu   sync.Mutex // guards what follows
	told time.Time
	lost int // spans, since it was told
}

func newExporter(inner sdktrace.SpanExporter, log *slog.Logger) *exporter {
	e := &exporter{inner: inner, log: log, now: time.Now}
	e.ctx, e.cut = context.WithCancel(context.Background())
	return e
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	err := e.ctx.Err()
	if err == nil {
		err = e.inner.ExportSpans(ctx, spans)
	}
	if err != nil {
		e.failed(len(spans), err)
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(ctx context.Context) error { return e.inner.Shutdown(ctx) }

// tellAgain is how long nothing more is said of a collector that fails.
const tellAgain = time.Minute

func (e *exporter) failed(spans int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += spans
	if now := e.now(); e.told.IsZero() || now.Sub(e.told) >= tellAgain {
		e.log.Warn("traces cannot be exported", "spans", e.lost, "error", words(err))
		e.told, e.lost = now, 0
	}
}

// last tells of what was lost since it was told.
func (e *exporter) last() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lost > 0 {
		e.log.Warn("traces could not be exported", "spans", e.lost)
		e.lost = 0
	}
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
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "body: ")
	const most = 200
	text = strings.TrimRight(text, " (:")
	return strings.ToValidUTF8(text[:min(len(text), most)], "\uFFFD")
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
