package collectortest

import (
	"context"
	"net"
	"testing"

	collectorlogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
)

// NewGRPC starts a Collector that speaks OTLP over gRPC. What answer returns
// for a call is what the call gets: nil takes it. A nil answer takes all.
func NewGRPC(t testing.TB, answer func(context.Context) error) *Collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{URL: "http://" + l.Addr().String()}
	if answer == nil {
		answer = func(context.Context) error { return nil }
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, call any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if err := answer(ctx); err != nil {
			return nil, err
		}
		return handle(ctx, call)
	}))
	collectorpb.RegisterTraceServiceServer(s, spansOverGRPC{c: c})
	collectormetricspb.RegisterMetricsServiceServer(s, metricsOverGRPC{c: c})
	collectorlogspb.RegisterLogsServiceServer(s, logsOverGRPC{c: c})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l) // it ends with Stop
	}()
	t.Cleanup(func() { s.Stop(); <-served })
	return c
}

type spansOverGRPC struct {
	collectorpb.UnimplementedTraceServiceServer
	c *Collector
}

// Export implements collectorpb.TraceServiceServer.
func (s spansOverGRPC) Export(_ context.Context, all *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	s.c.takeSpans(all)
	return new(collectorpb.ExportTraceServiceResponse), nil
}

type metricsOverGRPC struct {
	collectormetricspb.UnimplementedMetricsServiceServer
	c *Collector
}

// Export implements collectormetricspb.MetricsServiceServer.
func (m metricsOverGRPC) Export(_ context.Context, all *collectormetricspb.ExportMetricsServiceRequest) (*collectormetricspb.ExportMetricsServiceResponse, error) {
	m.c.takeMetrics(all)
	return new(collectormetricspb.ExportMetricsServiceResponse), nil
}

func (c *Collector) takeMetrics(all *collectormetricspb.ExportMetricsServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes++
	c.metrics = make(map[string]*metricspb.Metric)
	for _, of := range all.GetResourceMetrics() {
		c.resource = attributes(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				c.metrics[m.GetName()] = m
			}
		}
	}
}

// Metrics returns the metrics of the newest push by their names, which nobody
// may change, and how many pushes there were.
func (c *Collector) Metrics() (byName map[string]*metricspb.Metric, pushes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics, c.pushes
}
