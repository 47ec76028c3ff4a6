// Package telemetry keeps the numbers of the process and writes them out as
// Prometheus metrics, and sends them, the traces of some requests and the
// operational log to a collector. It is the only package that imports the
// OpenTelemetry SDK.
//
// Nothing here is asked for a number while a request is served: the hot path
// adds to plain atomics (RouteCounters, Histogram), other packages keep counts
// of their own and are asked for a snapshot at a scrape (Register). No global
// state of OpenTelemetry or Prometheus is used.
//
// Labels are bounded: their values are names from the configuration and words
// from enums, never a URL or an Origin, and past a limit they become "other".
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Config says how the process names itself and where its metrics go.
type Config struct {
	ServiceName string // service.name; "" means veneer. OTEL_SERVICE_NAME wins
	Version     string // service.version; "" leaves it out
	Prometheus  bool   // false: nothing is exported, counting goes on

	Metrics *MetricsConfig // where metrics are sent to as well; nil: nowhere
	Traces  *TracesConfig  // nil: none
	Logs    *LogsConfig    // where what Logger returns is sent to as well; nil: nowhere
	Log     *slog.Logger   // what becomes of what is sent; nil: nothing is logged
}

// Telemetry owns the counters of the process. They live as long as it does, so
// a reload of the configuration loses none. Its methods are safe for
// concurrent use.
type Telemetry struct {
	provider *sdkmetric.MeterProvider
	handler  http.Handler
	traces   *Traces  // nil: none
	push     *pusher  // nil: metrics are not sent
	logs     *records // nil: neither is sent
	access   *records
	began    time.Time

	routes    table[RouteCounters]
	upstreams table[Histogram]

	mu       sync.Mutex // guards families, also while snapshots are taken
	families [metricCount]family
}

// scope is the instrumentation scope of our instruments. It is not exported.
const scope = "veneer"

// New makes a Telemetry. The caller owns it and ends it with Shutdown.
func New(cfg Config) (*Telemetry, error) {
	t := &Telemetry{handler: http.NotFoundHandler(), began: time.Now()}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	} else {
		quieten(log) // before the library reads the environment
	}
	t.routes.make = newRouteCounters
	t.upstreams.make = newHistogram
	res, err := describe(cfg)
	if err != nil {
		return nil, err
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithCardinalityLimit(0)} // the bounds are ours
	if cfg.Prometheus {
		reader, err := t.exporter()
		if err != nil {
			return nil, err
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	push, err := t.newPush(cfg.Metrics, log)
	if err != nil {
		return nil, err
	}
	if push != nil {
		options = append(options, sdkmetric.WithReader(push))
	}
	t.provider = sdkmetric.NewMeterProvider(options...)
	if err := t.instruments(t.provider.Meter(scope)); err != nil {
		return nil, fmt.Errorf("cannot make the instruments: %w", err)
	}
	if cfg.Traces != nil {
		t.traces, err = newTraces(*cfg.Traces, res, log)
	}
	if err == nil {
		err = t.newLogs(cfg.Logs, res, log)
	}
	if err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = t.Shutdown(ended) // nothing was counted yet
		return nil, err
	}
	t.Register(TelemetryDropped, t.dropped)
	return t, nil
}

// describe returns the resource of all signals, which is in target_info as well.
// What the environment says wins (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
func describe(cfg Config) (*resource.Resource, error) {
	name := cfg.ServiceName
	if name == "" {
		name = "veneer"
	}
	own := []attribute.KeyValue{attribute.String("service.name", name)}
	if cfg.Version != "" {
		own = append(own, attribute.String("service.version", cfg.Version))
	}
	res, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(own...))
	if err == nil {
		res, err = resource.Merge(res, resource.Environment())
	}
	if err != nil {
		return nil, fmt.Errorf("cannot describe the service: %w", err)
	}
	return res, nil
}

// exporter makes the Prometheus side: a registry of our own with the process's
// and the Go runtime's metrics beside ours.
func (t *Telemetry) exporter() (sdkmetric.Reader, error) {
	registry := prometheus.NewRegistry()
	err := errors.Join(
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot register the process's metrics: %w", err)
	}
	reader, err := otelprom.New(
		otelprom.WithRegisterer(registry),
		otelprom.WithoutScopeInfo(),
		otelprom.WithProducer(histograms{t}),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot make the Prometheus exporter: %w", err)
	}
	t.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		// One bad metric must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true, // exemplars have no place in the older format
	})
	return reader, nil
}

// Handler answers a scrape with the Prometheus text format (or OpenMetrics,
// when it is asked for). Without Config.Prometheus it answers 404.
func (t *Telemetry) Handler() http.Handler { return t.handler }

// MeterProvider lets other packages make instruments through the OpenTelemetry
// API.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.provider }

// Traces returns the traces of requests, nil when there are none.
func (t *Telemetry) Traces() *Traces { return t.traces }

// Shutdown ends the export: what is left is sent until ctx ends,
// and it returns soon after that. Counting goes on, unseen.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var metrics, traces, logs, access error
	var all sync.WaitGroup // a collector that takes no metrics takes no time from the spans
	all.Go(func() {
		metrics = t.provider.Shutdown(ctx)
		if t.push != nil {
			t.push.cut()
			t.push.last()
		}
	})
	all.Go(func() { logs = t.logs.shutdown(ctx) })
	all.Go(func() { access = t.access.shutdown(ctx) })
	if t.traces != nil {
		traces = t.traces.shutdown(ctx)
	}
	all.Wait()
	return errors.Join(metrics, traces, logs, access)
}
