package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// MetricsConfig says where metrics are sent to. What the environment says wins:
// OTEL_SDK_DISABLED, OTEL_METRICS_EXPORTER, OTEL_METRIC_EXPORT_* and all
// OTEL_EXPORTER_OTLP_* that the exporter knows. The durations of requests are
// always cumulative.
type MetricsConfig struct {
	Endpoint string        // base URL of an OTLP receiver; "" means DefaultHTTP or DefaultGRPC
	GRPC     bool          // else OTLP over HTTP
	Interval time.Duration // 0 means a minute
}

// newPush returns the reader that sends the metrics of t in the background, nil
// when none are to be sent.
func (t *Telemetry) newPush(cfg *MetricsConfig, log *slog.Logger) (sdkmetric.Reader, error) {
	// /metrics is not the variable's business: it is no exporter but a page that
	// somebody may ask for.
	if !wants(envMetricsExporter, cfg != nil, log, "otlp", "prometheus", "none") {
		return nil, nil
	}
	if cfg == nil {
		cfg = new(MetricsConfig)
	}
	to := newReceiver("metrics", cfg.Endpoint, cfg.GRPC, log)
	inner, err := metricExporter(to)
	if err != nil {
		return nil, fmt.Errorf("cannot make the exporter of metrics: %w", err)
	}
	t.push = &pusher{newOutlet("metrics", "pushes", log), inner}
	every := cfg.Interval
	if every <= 0 {
		every = time.Minute
	}
	every = time.Duration(positive(envInterval, int(every/time.Millisecond), log)) * time.Millisecond
	return sdkmetric.NewPeriodicReader(t.push, sdkmetric.WithInterval(every), sdkmetric.WithProducer(histograms{t})), nil
}

func metricExporter(to receiver) (sdkmetric.Exporter, error) {
	if to.grpc {
		var options []otlpmetricgrpc.Option
		if to.url != "" {
			options = append(options, otlpmetricgrpc.WithEndpointURL(to.url))
		}
		return otlpmetricgrpc.New(context.Background(), options...)
	}
	var options []otlpmetrichttp.Option
	if to.url != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(to.url))
	}
	return otlpmetrichttp.New(context.Background(), options...)
}

// dropped are the samples of veneer_telemetry_dropped_total: a signal that is
// off loses nothing.
func (t *Telemetry) dropped() []Sample {
	var spans, pushes int64
	if t.traces != nil {
		spans = t.traces.exporter.dropped.Load()
	}
	if t.push != nil {
		pushes = t.push.dropped.Load()
	}
	of := func(signal string, n int64) Sample { return Sample{Labels: [2]string{signal}, Value: n} }
	return []Sample{of("traces", spans), of("metrics", pushes), of("logs", t.logs.dropped()), of("access_log", t.access.dropped())}
}
