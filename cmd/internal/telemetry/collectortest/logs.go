package collectortest

import (
	"context"
	"encoding/hex"
	"slices"

	collectorlogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
)

// Record is a record of a log as it arrived.
type Record struct {
	Severity, Body string
	Trace, Span    string // hexadecimal; none is ""
	Attributes     map[string]string
}

type logsOverGRPC struct {
	collectorlogspb.UnimplementedLogsServiceServer
	c *Collector
}

// Export implements collectorlogspb.LogsServiceServer.
func (l logsOverGRPC) Export(_ context.Context, all *collectorlogspb.ExportLogsServiceRequest) (*collectorlogspb.ExportLogsServiceResponse, error) {
	l.c.takeLogs(all)
	return new(collectorlogspb.ExportLogsServiceResponse), nil
}

func (c *Collector) takeLogs(all *collectorlogspb.ExportLogsServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range all.GetResourceLogs() {
		c.resource = attributes(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeLogs() {
			for _, r := range scope.GetLogRecords() {
				c.records = append(c.records, Record{
					Severity: r.GetSeverityText(), Body: value(r.GetBody()),
					Trace: hex.EncodeToString(r.GetTraceId()), Span: hex.EncodeToString(r.GetSpanId()),
					Attributes: attributes(r.GetAttributes()),
				})
			}
		}
	}
}

// Records returns the records of logs that have arrived, in their order.
func (c *Collector) Records() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.records)
}
