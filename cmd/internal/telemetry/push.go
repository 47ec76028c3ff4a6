package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
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

// wantsPush says whether metrics are sent, given that the configuration wants
// that or not. OTEL_METRICS_EXPORTER is a list; /metrics is not its business: it
// is no exporter but a page that somebody may ask for.
func wantsPush(configured bool, log *slog.Logger) bool {
	if disabled() {
		return false
	}
	text := os.Getenv(envMetricsExporter)
	if text == "" {
		return configured
	}
	names := strings.Split(text, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if !slices.Contains([]string{"otlp", "prometheus", "none"}, names[i]) {
			warnVariable(log, envMetricsExporter)
			return configured
		}
	}
	return slices.Contains(names, "otlp")
}

// newPush returns the reader that sends the metrics of t in the background, nil
// when none are to be sent.
func (t *Telemetry) newPush(cfg *MetricsConfig, log *slog.Logger) (sdkmetric.Reader, error) {
	if !wantsPush(cfg != nil, log) {
		return nil, nil
	}
	if cfg == nil {
		cfg = new(MetricsConfig)
	}
	quieten(log)
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
	spans, pushes := Sample{Labels: [2]string{"traces"}}, Sample{Labels: [2]string{"metrics"}}
	if t.traces != nil {
		spans.Value = t.traces.exporter.dropped.Load()
	}
	if t.push != nil {
		pushes.Value = t.push.dropped.Load()
	}
	return []Sample{spans, pushes}
}
