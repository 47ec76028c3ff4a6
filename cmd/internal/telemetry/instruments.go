package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// instruments puts observable instruments in front of the counters.
func (t *Telemetry) instruments(meter metric.Meter) error {
	for m := range metricCount {
		if err := t.registered(meter, m); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name, help, label string
		each              func(c *RouteCounters, emit func(value string, n int64))
	}{
		{"veneer.cache.requests", "Requests by route and by how the cache answered them.", "result", (*RouteCounters).eachResult},
		{"veneer.cache.not.stored", "Responses that were not stored, by route and reason.", "reason", (*RouteCounters).eachNotStored},
		{"veneer.http.responses", "Responses by route and class of status code.", "status", (*RouteCounters).eachClass},
	} {
		observe := func(_ context.Context, o metric.Int64Observer) error {
			t.routes.each(func(route string, counters *RouteCounters) {
				c.each(counters, func(value string, n int64) {
					o.Observe(n, metric.WithAttributes(attribute.String("route", route), attribute.String(c.label, value)))
				})
			})
			return nil
		}
		if _, err := meter.Int64ObservableCounter(c.name, metric.WithDescription(c.help), metric.WithInt64Callback(observe)); err != nil {
			return err
		}
	}
	return nil
}

// registered makes the instrument of a metric that other packages count.
func (t *Telemetry) registered(meter metric.Meter, m Metric) error {
	d := definitions[m]
	observe := metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		for values, n := range t.collect(m) {
			attributes := make([]attribute.KeyValue, len(d.labels))
			for i, name := range d.labels {
				attributes[i] = attribute.String(name, values[i])
			}
			o.Observe(n, metric.WithAttributes(attributes...))
		}
		return nil
	})
	var err error
	if d.counter {
		_, err = meter.Int64ObservableCounter(d.name, metric.WithUnit(d.unit), metric.WithDescription(d.help), observe)
	} else {
		_, err = meter.Int64ObservableGauge(d.name, metric.WithUnit(d.unit), metric.WithDescription(d.help), observe)
	}
	return err
}

// eachResult visits all results, also those at zero: a rate needs the zero
// before the first one.
func (c *RouteCounters) eachResult(emit func(string, int64)) {
	for i := range c.results {
		emit(results[i], c.results[i].n.Load())
	}
}

// eachNotStored visits the reasons that have occurred: there are many.
func (c *RouteCounters) eachNotStored(emit func(string, int64)) {
	for i := range c.notStored {
		if n := c.notStored[i].Load(); n > 0 {
			emit(reasonLabels[i], n)
		}
	}
}

// eachClass visits the classes that have occurred.
func (c *RouteCounters) eachClass(emit func(string, int64)) {
	for i := range c.classes {
		if n := c.classes[i].n.Load(); n > 0 {
			emit(classes[i], n)
		}
	}
}

// histograms is the metric.Producer of the durations: OpenTelemetry has no
// observable histogram, and its own costs the hot path ten times as much.
type histograms struct{ t *Telemetry }

// Produce implements sdkmetric.Producer.
func (h histograms) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	var server, client []metricdata.HistogramDataPoint[float64]
	now := time.Now()
	h.t.routes.each(func(route string, c *RouteCounters) {
		server = append(server, c.duration.point("http.route", route, h.t.began, now))
	})
	h.t.upstreams.each(func(upstream string, d *Histogram) {
		client = append(client, d.point("upstream", upstream, h.t.began, now))
	})
	out := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: scope}}
	for _, m := range []struct {
		name, help string
		points     []metricdata.HistogramDataPoint[float64]
	}{
		{"http.server.request.duration", "Duration of requests, by route.", server},
		{"http.client.request.duration", "Duration of requests to an upstream until the head of its response.", client},
	} {
		if len(m.points) == 0 {
			continue
		}
		out.Metrics = append(out.Metrics, metricdata.Metrics{
			Name: m.name, Description: m.help, Unit: "s",
			Data: metricdata.Histogram[float64]{DataPoints: m.points, Temporality: metricdata.CumulativeTemporality},
		})
	}
	return []metricdata.ScopeMetrics{out}, nil
}

var _ sdkmetric.Producer = histograms{}

// boundSeconds are the bounds in the unit of the metric.
var boundSeconds = func() []float64 {
	seconds := make([]float64, len(bounds))
	for i, b := range bounds {
		seconds[i] = b.Seconds()
	}
	return seconds
}()

// point reads the histogram. Count is the sum of the buckets that were read, so
// that the two agree while others count.
func (h *Histogram) point(key, value string, began, now time.Time) metricdata.HistogramDataPoint[float64] {
	p := metricdata.HistogramDataPoint[float64]{
		Attributes:   attribute.NewSet(attribute.String(key, value)),
		StartTime:    began,
		Time:         now,
		Bounds:       boundSeconds,
		BucketCounts: make([]uint64, len(h.buckets)),
		Sum:          time.Duration(h.sum.Load()).Seconds(),
	}
	for i := range h.buckets {
		n := uint64(h.buckets[i].Load())
		p.BucketCounts[i] = n
		p.Count += n
		if e := h.traced[i].Load(); e != nil {
			p.Exemplars = append(p.Exemplars, metricdata.Exemplar[float64]{
				Time: e.at, Value: e.took.Seconds(), SpanID: e.span[:], TraceID: e.trace[:],
			})
		}
	}
	return p
}
