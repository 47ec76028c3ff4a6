package collector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// sink is the exporter at the end of the pipelines: it keeps what comes.
type sink struct {
	traces  consumertest.TracesSink
	metrics consumertest.MetricsSink
	logs    consumertest.LogsSink
}

// factory makes exporters of the type "sink" that all lead to s.
func (s *sink) factory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("sink"), func() component.Config { return new(struct{}) },
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			return struct {
				component.StartFunc
				component.ShutdownFunc
				*consumertest.TracesSink
			}{TracesSink: &s.traces}, nil
		}, component.StabilityLevelStable),
		exporter.WithMetrics(func(context.Context, exporter.Settings, component.Config) (exporter.Metrics, error) {
			return struct {
				component.StartFunc
				component.ShutdownFunc
				*consumertest.MetricsSink
			}{MetricsSink: &s.metrics}, nil
		}, component.StabilityLevelStable),
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) {
			return struct {
				component.StartFunc
				component.ShutdownFunc
				*consumertest.LogsSink
			}{LogsSink: &s.logs}, nil
		}, component.StabilityLevelStable),
	)
}

// spans returns the spans by their names, the last of a name.
func (s *sink) spans() (byName map[string]ptrace.Span, about pcommon.Resource) {
	byName, about = make(map[string]ptrace.Span), pcommon.NewResource()
	for _, all := range s.traces.AllTraces() {
		for _, of := range all.ResourceSpans().All() {
			about = of.Resource()
			for _, scope := range of.ScopeSpans().All() {
				for _, one := range scope.Spans().All() {
					byName[one.Name()] = one
				}
			}
		}
	}
	return byName, about
}

// newest returns the metrics of the last push by their names.
func (s *sink) newest() (byName map[string]pmetric.Metric, about pcommon.Resource) {
	byName, about = make(map[string]pmetric.Metric), pcommon.NewResource()
	for _, all := range s.metrics.AllMetrics() {
		for _, of := range all.ResourceMetrics().All() {
			about = of.Resource()
			for _, scope := range of.ScopeMetrics().All() {
				for _, one := range scope.Metrics().All() {
					byName[one.Name()] = one
				}
			}
		}
	}
	return byName, about
}

// records returns the records of logs by their text.
func (s *sink) records() (byText map[string]plog.LogRecord, about pcommon.Resource) {
	byText, about = make(map[string]plog.LogRecord), pcommon.NewResource()
	for _, all := range s.logs.AllLogs() {
		for _, of := range all.ResourceLogs().All() {
			about = of.Resource()
			for _, scope := range of.ScopeLogs().All() {
				for _, one := range scope.LogRecords().All() {
					byText[one.Body().AsString()] = one
				}
			}
		}
	}
	return byText, about
}
