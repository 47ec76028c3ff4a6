package app

import (
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"veneer/corslayer"
	"veneer/corslayer/origin"
)

// What an operator asks a CORS layer to say: how a shadow policy differs, and
// why a preflight was refused. Neither changes an answer.

// shadow is a policy that is tried out beside a layer's own.
type shadow struct {
	*corslayer.Shadow
	said atomic.Bool
}

// differs tells the operator the first difference of a route. The Origin is
// not in it: a log is no place for what strangers send.
func (l *layer) differs(d corslayer.Difference) {
	if d == corslayer.Same || l.shadow.said.Swap(true) {
		return
	}
	l.log.Warn("the shadow CORS policy would have answered a request otherwise; see veneer_cors_shadow_total for how often",
		"route", l.route, "difference", d.String())
}

// tell says why a preflight was refused (case P2, debug): to the log at most
// once a second, since strangers decide how often they ask, and to the span of
// the request.
func (l *layer) tell(r *http.Request, d corslayer.Decision) {
	v, _ := l.policy.JudgePreflight(r, d)
	if v.Step == corslayer.Granted {
		return
	}
	if unsaid, ok := l.debug.now(time.Now()); ok {
		l.log.InfoContext(r.Context(), "preflight refused", "route", l.route, "reason", v.String(), "unsaid", unsaid)
	}
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.String("cors.decision", decisionLabel(v.Step)), attribute.String("cors.reason", v.String()),
	}
	if lines := r.Header["Origin"]; d.Class == origin.Valid && len(lines) == 1 {
		attributes = append(attributes, attribute.String("cors.origin", lines[0][:min(len(lines[0]), maxOriginAttribute)]))
	}
	span.AddEvent("cors.decision", trace.WithAttributes(attributes...))
}

// maxOriginAttribute bounds what of an Origin a span has, in bytes.
const maxOriginAttribute = 100

// decisionLabel is the word for a preflight in veneer_cors_decisions_total.
func decisionLabel(s corslayer.Step) string {
	switch s {
	case corslayer.RefusedOrigin:
		return "preflight_refused_origin"
	case corslayer.RefusedMethod:
		return "preflight_refused_method"
	case corslayer.Granted:
		return "preflight_ok"
	}
	return "preflight_refused_header"
}

// sometimes lets something through at most once a second. It is safe for
// concurrent use, and the zero value is ready.
type sometimes struct {
	last   atomic.Int64 // Unix time in nanoseconds
	unsaid atomic.Int64
}

// now reports whether it may be said at t, and how much was not since the last
// time.
func (s *sometimes) now(t time.Time) (unsaid int64, ok bool) {
	last, at := s.last.Load(), t.UnixNano()
	// A clock that was set back must not silence it for long.
	if since := at - last; since >= 0 && since < int64(time.Second) || !s.last.CompareAndSwap(last, at) {
		s.unsaid.Add(1)
		return 0, false
	}
	return s.unsaid.Swap(0), true
}
