package app

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/server"
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
	"veneer/corslayer/origin"
)

func (a *App) tracesConfig(cfg *config.Config) *telemetry.TracesConfig {
	t := cfg.Telemetry.Traces
	if t == nil {
		return &telemetry.TracesConfig{Off: true, Known: a.knows}
	}
	return &telemetry.TracesConfig{Endpoint: t.Endpoint, GRPC: t.GRPC, Sample: t.Sample, Parents: parents(t.Parents), Known: a.knows}
}

// parents is what telemetry calls it.
func parents(p config.Parents) telemetry.Parents {
	switch p {
	case config.ParentsAll:
		return telemetry.ParentsAll
	case config.ParentsTrusted:
		return telemetry.ParentsTrusted
	case config.ParentsNone:
		return telemetry.ParentsNone
	default:
		return telemetry.ParentsBounded
	}
}

// knows reports whether the current plan trusts peer.
func (a *App) knows(peer string) bool {
	trusted := a.trusted.Load()
	return trusted != nil && *trusted != nil && (*trusted)(peer)
}

func metricsConfig(cfg *config.Config) *telemetry.MetricsConfig {
	p := cfg.Telemetry.Push
	if p == nil {
		return nil
	}
	return &telemetry.MetricsConfig{Endpoint: p.Endpoint, GRPC: p.GRPC, Interval: p.Interval}
}

func logsConfig(cfg *config.Config) *telemetry.LogsConfig {
	l := cfg.Telemetry.Logs
	if l == nil {
		return nil
	}
	return &telemetry.LogsConfig{Endpoint: l.Endpoint, GRPC: l.GRPC}
}

// laneSample tells the lane which requests get a trace; nil where there are no
// traces.
func laneSample(t *telemetry.Traces) func(*cache.Request) bool {
	if t == nil {
		return nil
	}
	return func(q *cache.Request) bool { return t.Sample(q.Fields.Values("Traceparent"), q.Peer) }
}

// tracer begins the spans of the engine.
type tracer struct{ traces *telemetry.Traces }

// engineTracer returns nil where there are no traces.
func engineTracer(t *telemetry.Traces) cache.Tracer {
	if t == nil {
		return nil
	}
	return tracer{t}
}

// Sample implements cache.Tracer. What the lane was told stands: to draw again
// would sample twice.
func (t tracer) Sample(ctx context.Context, q *cache.Request) bool {
	if sampled, decided := server.Sampled(ctx); decided {
		return sampled
	}
	return t.traces.Sample(q.Fields.Values("Traceparent"), q.Peer)
}

// Start implements cache.Tracer.
func (t tracer) Start(ctx context.Context, q *cache.Request, at time.Time) (context.Context, trace.Span) {
	return t.traces.Start(ctx, q.Fields.Values, at)
}

// Decided is the word for the span of a request that has an Origin, as in
// veneer_cors_decisions_total. Of a refused preflight under a policy with debug
// the span says more already.
func (l *layer) Decided(preflight *http.Request, o cache.Origin) string {
	d := decision(o)
	if preflight != nil {
		v, _ := l.policy.JudgePreflight(preflight, d)
		if l.debug != nil && v.Step != corslayer.Granted {
			return ""
		}
		return decisionLabel(v.Step)
	}
	switch {
	case d.Class == origin.None, l.mode == corslayer.ModeOff:
		return ""
	case d.Class != origin.Valid:
		return d.Class.String()
	case d.Allowed:
		return "allowed"
	}
	return "refused"
}
