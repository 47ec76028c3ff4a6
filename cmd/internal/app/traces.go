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

func tracesConfig(cfg *config.Config) *telemetry.TracesConfig {
	t := cfg.Telemetry.Traces
	if t == nil {
		return nil
	}
	return &telemetry.TracesConfig{Endpoint: t.Endpoint, Sample: t.Sample}
}

// laneSample tells the lane which requests to leave to the engine's handler;
// nil where there are no traces.
func laneSample(t *telemetry.Traces) func(*cache.Request) bool {
	if t == nil {
		return nil
	}
	return func(q *cache.Request) bool { return t.Sample(q.Fields.Values("Traceparent")) }
}

// engineTrace begins the spans of requests; nil where there are no traces. What
// the lane was told stands: to draw again would sample twice.
func engineTrace(t *telemetry.Traces) func(*http.Request, time.Time) (context.Context, trace.Span) {
	if t == nil {
		return nil
	}
	return func(r *http.Request, at time.Time) (context.Context, trace.Span) {
		sampled, decided := server.Sampled(r.Context())
		if !decided {
			sampled = t.Sample(r.Header["Traceparent"])
		}
		if !sampled {
			return nil, nil
		}
		return t.Start(r.Context(), r.Header, at)
	}
}

// Decided is the word for the span of a request that has an Origin, as in
// veneer_cors_decisions_total. Of a refused preflight under a policy with debug
// the span says more already.
func (l *layer) Decided(r *http.Request, o cache.Origin, preflight bool) string {
	d := decision(o)
	if preflight {
		v, _ := l.policy.JudgePreflight(r, d)
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
