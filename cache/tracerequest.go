package cache

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"veneer/cache/cachestatus"
)

// decider is a CORS that has a word for what it decided about a request; "" is
// nothing to say. preflight is the request where the policy answered it as one,
// else nil.
type decider interface {
	Decided(preflight *http.Request, o Origin) string
}

// told is what the span of a request says, whoever has answered it.
type told struct {
	*steps
	decision  *Decision
	preflight *http.Request
}

// endTrace is step 8 for a request that is traced.
func (x *exchange) endTrace() {
	if x.span == nil {
		return
	}
	t := told{&x.steps, &x.decision, nil}
	if x.decision.Result == ResultPreflight {
		t.preflight = x.r
	}
	x.span.tell(&t)
	if x.abort && x.started {
		x.span.failed("incomplete")
	} else {
		x.span.failed(x.decision.failure())
	}
	x.span.end()
}

// Traced says that the request gets a trace, which Answered will emit: spans
// like those of ServeHTTP, made when the client has its answer. It is for a Hit
// that Find has just filled, of an Engine that has a Tracer.
func (h *Hit) Traced() { h.traced, h.looked = h.e.trace != nil, h.e.now() }

// beginTrace begins the span of a Hit that is traced.
func (h *Hit) beginTrace() *span {
	_, s := h.e.trace.Start(context.Background(), &h.req, h.now)
	return h.e.spanOf(s)
}

// endTrace emits the spans of a Hit that is traced.
func (h *Hit) endTrace(s *span) {
	lookup := s.childAt(h.now, "cache.lookup")
	lookup.found(true)
	lookup.endAt(h.looked)
	s.tell(&told{&h.steps, &h.decision, nil})
	s.failed(h.decision.failure())
	s.endAt(h.now.Add(h.decision.Took))
}

// tell writes what is known of a request, at its end.
func (s *span) tell(t *told) {
	out := make([]attribute.KeyValue, 0, 20)
	method := knownMethod(t.req.Method)
	name := method
	if method == otherMethod {
		name = "HTTP"
		out = append(out, semconv.HTTPRequestMethodOriginal(text(t.req.Method, 32)))
	}
	if t.route != nil {
		name += " " + t.route.Name
		out = append(out, semconv.HTTPRoute(t.route.Name))
		if c, ok := t.route.CORS.(decider); ok {
			if word := c.Decided(t.preflight, t.origin); word != "" {
				s.AddEvent("cors.decision", trace.WithTimestamp(t.now), trace.WithAttributes(attribute.String("cors.decision", word)))
			}
		}
	}
	s.SetName(name)
	out = append(out, semconv.HTTPRequestMethodKey.String(method))
	s.SetAttributes(t.cacheAttributes(t.requestAttributes(out))...)
}

// failure says why the answer was none, "" where it was one.
func (d *Decision) failure() string {
	switch {
	case d.Status < 500:
		return ""
	case d.Result == ResultError:
		return d.Reason.String()
	}
	return strconv.Itoa(d.Status)
}

// Bounds of what a client chooses, in bytes.
const (
	maxPath    = 512
	maxAgent   = 256
	maxHost    = 255
	maxVersion = 16
)

// requestAttributes are those of the HTTP conventions.
func (t *told) requestAttributes(out []attribute.KeyValue) []attribute.KeyValue {
	out = append(serverAttributes(out, t.req.Host),
		semconv.URLPath(text(t.req.Path, maxPath)),
		semconv.URLScheme(t.scheme()),
		semconv.NetworkProtocolVersion(protocolVersion(t.req.Protocol)),
	)
	if agent := t.req.Fields.Values("User-Agent"); len(agent) > 0 {
		out = append(out, semconv.UserAgentOriginal(text(agent[0], maxAgent)))
	}
	if t.decision.Status > 0 {
		out = append(out, semconv.HTTPResponseStatusCode(t.decision.Status))
	}
	return out
}

// cacheAttributes are our own: there are no conventions for caches.
func (t *told) cacheAttributes(out []attribute.KeyValue) []attribute.KeyValue {
	d := t.decision
	out = append(out,
		attribute.String("cache.result", d.Result.String()),
		attribute.Bool("cache.stored", d.Stored && !d.Collapsed),
		attribute.Bool("cache.collapsed", d.Collapsed),
	)
	if d.Forward != cachestatus.NotForwarded {
		out = append(out, attribute.String("cache.forward", d.Forward.String()))
	}
	if d.Reason != cachestatus.None {
		out = append(out, attribute.String("cache.reason", d.Reason.String()))
	}
	if _, ttl, ok := d.Freshness(); ok {
		out = append(out, attribute.Int64("cache.ttl", int64(ttl/time.Second)))
	}
	return out
}
