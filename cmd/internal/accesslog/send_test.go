package accesslog

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
)

// Lines that are written are sent as well, where the Config says so: with the
// time, the span, and without their end.
func TestSend(t *testing.T) {
	span := trace.SpanFromContext(trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})))
	for _, c := range []struct {
		name   string
		edit   func(*Config)
		status int
		sent   bool
	}{
		{"sent", func(c *Config) { c.OTLP = true }, 200, true},
		{"combined", func(c *Config) { c.OTLP, c.Format, c.Fields = true, Combined, nil }, 200, true},
		{"not asked for", func(*Config) {}, 200, false},
		{"not picked", func(c *Config) { c.OTLP, c.Sample, c.Errors = true, 0, true }, 200, false},
		{"picked", func(c *Config) { c.OTLP, c.Sample, c.Errors = true, 0, true }, 500, true},
	} {
		cfg := testConfig(t)
		c.edit(&cfg)
		var sent []string
		l, err := New(cfg, Options{Peer: peer, Send: func(began time.Time, of trace.SpanContext, line []byte) {
			if !began.Equal(at) || !of.Equal(span.SpanContext()) {
				t.Errorf("%s: began %v, span %v", c.name, began, of)
			}
			sent = append(sent, string(line)+"\n")
		}})
		if err != nil {
			t.Fatal(err)
		}
		l.Record(request(), &cache.Decision{Start: at, Status: c.status, Span: span})
		closeLog(t, l)
		written := read(t, cfg.Path)
		if got := strings.Join(sent, ""); c.sent && (got != written || got == "") || !c.sent && got != "" {
			t.Errorf("%s: sent %q, written %q", c.name, got, written)
		}
	}
}
