package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

// LogsConfig says where the operational log is sent to. What the environment
// says wins: OTEL_SDK_DISABLED, OTEL_LOGS_EXPORTER, and all OTEL_EXPORTER_OTLP_*,
// OTEL_BLRP_* and OTEL_LOGRECORD_* that the library knows.
type LogsConfig struct {
	Endpoint string // base URL of an OTLP receiver; "" means DefaultHTTP or DefaultGRPC
	GRPC     bool   // else OTLP over HTTP
}

// logs sends records of the log in the background: a collector that is slow, or
// not there, costs records and nothing else.
type logs struct {
	provider *sdklog.LoggerProvider
	exporter *logExporter
}

// maxRecord is how long a value in a record may be, in bytes: the stack of a
// panic fits.
const maxRecord = 16 << 10

// newLogs returns nil when no logs are to be sent. What becomes of them is said
// in log, which must not be sent itself. The caller ends it with shutdown.
func newLogs(cfg *LogsConfig, about *resource.Resource, log *slog.Logger) (*logs, error) {
	if !wants(envLogsExporter, cfg != nil, log, "otlp", "none") {
		return nil, nil
	}
	if cfg == nil {
		cfg = new(LogsConfig)
	}
	inner, err := recordExporter(newReceiver("logs", cfg.Endpoint, cfg.GRPC, log))
	if err != nil {
		return nil, fmt.Errorf("cannot make the exporter of logs: %w", err)
	}
	l := &logs{exporter: &logExporter{newOutlet("logs", "records", log), inner}}
	const most = 2048 // as the SDK has it
	l.exporter.most = int64(positive(envLogsQueue, most, log))
	batches := sdklog.NewBatchProcessor(l.exporter, sdklog.WithMaxQueueSize(int(l.exporter.most)))
	options := []sdklog.LoggerProviderOption{sdklog.WithResource(about), sdklog.WithProcessor(&logQueue{batches, l.exporter})}
	if os.Getenv(envValueLength) == "" {
		options = append(options, sdklog.WithAttributeValueLengthLimit(maxRecord))
	}
	l.provider = sdklog.NewLoggerProvider(options...)
	return l, nil
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
