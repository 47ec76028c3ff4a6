package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// LogsConfig says where the operational log is sent to. What the environment
// says wins: OTEL_SDK_DISABLED, OTEL_LOGS_EXPORTER, and all OTEL_EXPORTER_OTLP_*,
// OTEL_BLRP_* and OTEL_LOGRECORD_* that the library knows.
type LogsConfig struct {
	Endpoint string // base URL of an OTLP receiver; "" means DefaultHTTP or DefaultGRPC
	GRPC     bool   // else OTLP over HTTP
}

// records sends records of a log in the background: a collector that is slow, or
// not there, costs records and nothing else.
type records struct {
	provider *sdklog.LoggerProvider
	exporter *logExporter
}

// maxRecord is how long a value in a record may be, in bytes: the stack of a
// panic fits.
const maxRecord = 16 << 10

// newLogs begins what sends the operational log and lines of the access log, each
// with a queue of its own: clients decide how many lines there are. It does
// nothing when no logs are to be sent. What becomes of them is said in log, which
// must not be sent itself.
func (t *Telemetry) newLogs(cfg *LogsConfig, about *resource.Resource, log *slog.Logger) (err error) {
	if !wants(envLogsExporter, cfg != nil, log, "otlp", "none") {
		return nil
	}
	if cfg == nil {
		cfg = new(LogsConfig)
	}
	to := newReceiver("logs", cfg.Endpoint, cfg.GRPC, log)
	if t.logs, err = newRecords(newOutlet("logs", "records", log), to, about); err != nil {
		return err
	}
	t.access, err = newRecords(newOutlet("lines of the access log", "lines", log), to, about)
	return err
}

func newRecords(out *outlet, to receiver, about *resource.Resource) (*records, error) {
	inner, err := recordExporter(to)
	if err != nil {
		return nil, fmt.Errorf("cannot make the exporter of logs: %w", err)
	}
	const most = 2048 // as the SDK has it
	out.most = int64(positive(envLogsQueue, most, out.log))
	l := &records{exporter: &logExporter{out, inner}}
	batches := sdklog.NewBatchProcessor(l.exporter, sdklog.WithMaxQueueSize(int(out.most)))
	options := []sdklog.LoggerProviderOption{sdklog.WithResource(about), sdklog.WithProcessor(&logQueue{batches, l.exporter})}
	if os.Getenv(envValueLength) == "" {
		options = append(options, sdklog.WithAttributeValueLengthLimit(maxRecord))
	}
	l.provider = sdklog.NewLoggerProvider(options...)
	return l, nil
}

// shutdown sends what is left. When ctx ends first the rest is dropped.
func (l *records) shutdown(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.exporter.end(ctx, l.provider.Shutdown)
}

// dropped says how many records no collector took.
func (l *records) dropped() int64 {
	if l == nil {
		return 0
	}
	return l.exporter.dropped.Load()
}

func recordExporter(to receiver) (sdklog.Exporter, error) {
	if to.grpc {
		var options []otlploggrpc.Option
		if to.url != "" {
			options = append(options, otlploggrpc.WithEndpointURL(to.url))
		}
		return otlploggrpc.New(context.Background(), options...)
	}
	var options []otlploghttp.Option
	if to.url != "" {
		options = append(options, otlploghttp.WithEndpointURL(to.url))
	}
	return otlploghttp.New(context.Background(), options...)
}

// Logger returns a log that goes to log and, from Info on, to the collector, with
// the ids of the trace that the context of a record has. It never waits for the
// collector. Without Config.Logs it is log itself.
//
// What becomes of the export is in Config.Log only: a collector that fails would
// be sent the news of it.
func (t *Telemetry) Logger(log *slog.Logger) *slog.Logger {
	if t.logs == nil {
		return log
	}
	return slog.New(slog.NewMultiHandler(log.Handler(), otelslog.NewHandler(scope, otelslog.WithLoggerProvider(t.logs.provider))))
}

// maxLine is how long a line of the access log may be to be sent, in bytes.
// Clients choose most of it, and a whole queue of lines may wait.
const maxLine = 8 << 10

// Lines returns what sends lines of the access log, of which it keeps a copy: at is
// when the request began, and of its span, if it has one. It never waits for the
// collector. It is nil without Config.Logs.
func (t *Telemetry) Lines() func(at time.Time, of trace.SpanContext, line []byte) {
	if t.access == nil {
		return nil
	}
	out, logger := t.access.exporter, t.access.provider.Logger(scope+"/access")
	return func(at time.Time, of trace.SpanContext, line []byte) {
		if len(line) > maxLine {
			out.dropped.Add(1)
			return
		}
		var r otellog.Record
		r.SetTimestamp(at)
		r.SetSeverity(otellog.SeverityInfo)
		r.SetSeverityText("INFO")
		r.SetBody(attribute.StringValue(string(line)))
		logger.Emit(trace.ContextWithSpanContext(context.Background(), of), r)
	}
}

// logExporter sends records.
type logExporter struct {
	*outlet
	inner sdklog.Exporter
}

// Export implements sdklog.Exporter.
func (e *logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	defer e.held.Add(-int64(len(records)))
	e.send(ctx, len(records), func(ctx context.Context) error { return e.inner.Export(ctx, records) })
	return nil
}

// Shutdown implements sdklog.Exporter.
func (e *logExporter) Shutdown(ctx context.Context) error { return e.inner.Shutdown(ctx) }

// ForceFlush implements sdklog.Exporter.
func (e *logExporter) ForceFlush(ctx context.Context) error { return e.inner.ForceFlush(ctx) }

// logQueue is a batch processor that counts what does not fit, as queue does. It
// loses the newest: how a trouble began is told by the oldest.
type logQueue struct {
	sdklog.Processor
	exporter *logExporter
}

// Enabled implements sdklog.Processor.
func (*logQueue) Enabled(_ context.Context, p sdklog.EnabledParameters) bool {
	return p.Severity >= otellog.SeverityInfo
}

// OnEmit implements sdklog.Processor. It never waits.
func (q *logQueue) OnEmit(ctx context.Context, r *sdklog.Record) error {
	if !q.exporter.admit() {
		return nil
	}
	return q.Processor.OnEmit(ctx, r)
}
