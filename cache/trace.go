package cache

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"veneer/cache/cachestatus"
	"veneer/cache/flight"
)

// Spans of a request that is traced:
//
//	the request (server)          begun by Config.Trace, in the context of the request
//	├── cache.lookup              a look-up in the store
//	├── cache.wait                for another request's fetch; linked to that request
//	├── upstream.fetch (client)   up to the head of the upstream's response
//	└── cache.store               a Put
//
// A fetch outlives the request that began it when its client leaves, and so do
// the spans below. A span holds no query, no cookie and no credentials: of the
// request's fields it has User-Agent and Host.

// span is a span of a request that is traced. Nil is that of every other
// request: its methods do nothing, and cost a comparison.
type span struct {
	trace.Span
	tracer trace.Tracer
	now    func() time.Time
}

// beginTrace asks whether the request is traced.
func (x *exchange) beginTrace() {
	ctx, s := x.e.trace(x.r, x.now)
	if s == nil {
		return
	}
	x.span = &span{Span: s, tracer: s.TracerProvider().Tracer("veneer/cache"), now: x.e.now}
	x.r = x.r.WithContext(ctx)
}

// child begins a span below s.
func (s *span) child(name string, options ...trace.SpanStartOption) *span {
	if s == nil {
		return nil
	}
	// Not the request's context: a fetch does not end with it.
	ctx := trace.ContextWithSpan(context.Background(), s.Span)
	_, c := s.tracer.Start(ctx, name, append(options, trace.WithTimestamp(s.now()))...)
	return &span{Span: c, tracer: s.tracer, now: s.now}
}

// end ends the span.
func (s *span) end() { s.End(trace.WithTimestamp(s.now())) }

// abandon ends the span of a request whose handler panics; after endTrace it
// does nothing.
func (s *span) abandon() {
	s.SetStatus(codes.Error, "panic")
	s.end()
}

// lookedUp ends cache.lookup.
func (s *span) lookedUp(o *Object, err error) {
	if s == nil {
		return
	}
	s.SetAttributes(attribute.Bool("cache.found", o != nil))
	if err != nil {
		s.SetStatus(codes.Error, "the store cannot answer")
	}
	s.end()
}

// leads says on the flight which request leads it, and returns s.
func (s *span) leads(f *flight.Flight[*fillHead]) *span {
	if s != nil {
		f.SetNote(s.SpanContext())
	}
	return s
}

// waited ends cache.wait and links it to the request that leads the flight, if
// that one is traced too.
func (s *span) waited(f *flight.Flight[*fillHead]) {
	if s == nil {
		return
	}
	if leader, ok := f.Note().(trace.SpanContext); ok {
		s.AddLink(trace.Link{SpanContext: leader})
	}
	s.end()
}

// waitFor is the flight's Wait, with a span where somebody else leads it.
func (x *exchange) waitFor(f *flight.Flight[*fillHead], leader bool) (flight.Outcome[*fillHead], error) {
	if x.span == nil || leader {
		return f.Wait(x.r.Context())
	}
	s := x.span.child("cache.wait")
	defer s.waited(f)
	return f.Wait(x.r.Context())
}

// stored ends cache.store.
func (s *span) stored(o *Object, refused cachestatus.Reason) {
	if s == nil {
		return
	}
	s.SetAttributes(attribute.Bool("cache.stored", refused == cachestatus.None), attribute.Int("cache.size", len(o.body)))
	if refused != cachestatus.None {
		s.SetAttributes(attribute.String("cache.reason", refused.String()))
	}
	s.end()
}

// roundTrip asks the upstream of a route. Below a span it is a span of its own,
// which the upstream is told of, up to the head of the response. The header map
// of r is taken over.
func (s *span) roundTrip(route *Route, r *http.Request) (*http.Response, error) {
	if s == nil {
		return route.Upstream.RoundTrip(r)
	}
	c := s.child("upstream.fetch", trace.WithSpanKind(trace.SpanKindClient))
	var to dialled
	ctx := httptrace.WithClientTrace(trace.ContextWithSpan(r.Context(), c.Span), to.trace())
	r = r.WithContext(ctx)
	delete(r.Header, "Tracestate") // Inject leaves it where there is none
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	route.Request.apply(r.Header) // what the route sets or removes is not ours to say
	res, err := route.Upstream.RoundTrip(r)
	c.SetAttributes(to.attributes([]attribute.KeyValue{semconv.HTTPRequestMethodKey.String(knownMethod(r.Method))})...)
	c.answered(res, err)
	c.end()
	return res, err
}

// told reports whether a response varies on what its request had of the trace:
// it is nobody else's then, since no client has sent that.
func (s *span) told(vary []string) bool {
	return s != nil && (slices.Contains(vary, "Traceparent") || slices.Contains(vary, "Tracestate"))
}

// answered says what became of an upstream.fetch.
func (s *span) answered(res *http.Response, err error) {
	var known upstreamError
	what := ""
	switch {
	case errors.As(err, &known):
		what = known.Token()
	case errors.Is(err, context.Canceled):
		what = "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		what = "timeout"
	case err != nil:
		what = "_OTHER"
	default:
		s.SetAttributes(semconv.HTTPResponseStatusCode(res.StatusCode))
		if res.StatusCode >= 400 {
			what = strconv.Itoa(res.StatusCode)
		}
	}
	s.failed(what)
}

// failed marks a span as failed for a reason from a bounded list; "" is none.
func (s *span) failed(what string) {
	if what == "" {
		return
	}
	s.SetAttributes(semconv.ErrorTypeKey.String(what))
	s.SetStatus(codes.Error, "")
}

// dialled is what net/http says of the connections of a round trip. Its hooks
// may run on other goroutines.
type dialled struct {
	asked atomic.Int64           // how often for a connection: once an attempt
	at    atomic.Pointer[string] // host:port, of the last one
}

func (d *dialled) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GetConn: func(at string) {
		d.asked.Add(1)
		d.at.Store(&at)
	}}
}

func (d *dialled) attributes(out []attribute.KeyValue) []attribute.KeyValue {
	at := d.at.Load()
	if at == nil {
		return out
	}
	out = serverAttributes(out, *at)
	if n := d.asked.Load(); n > 1 {
		out = append(out, semconv.HTTPRequestResendCount(int(n-1)))
	}
	return out
}

// decider is a CORS that has a word for what it decided about a request, and
// whether it answered it as a preflight; "" is nothing to say.
type decider interface {
	Decided(r *http.Request, o Origin, preflight bool) string
}

// endTrace is step 8 for a request that is traced.
func (x *exchange) endTrace() {
	s, d := x.span, &x.decision
	if s == nil {
		return
	}
	out := make([]attribute.KeyValue, 0, 20)
	method := knownMethod(x.r.Method)
	name := method
	if method == otherMethod {
		name = "HTTP"
		out = append(out, semconv.HTTPRequestMethodOriginal(text(x.r.Method, 32)))
	}
	if x.route != nil {
		name += " " + x.route.Name
		out = append(out, semconv.HTTPRoute(x.route.Name))
		if c, ok := x.route.CORS.(decider); ok {
			if word := c.Decided(x.r, x.origin, d.Result == ResultPreflight); word != "" {
				s.AddEvent("cors.decision", trace.WithTimestamp(x.now), trace.WithAttributes(attribute.String("cors.decision", word)))
			}
		}
	}
	s.SetName(name)
	out = append(out, semconv.HTTPRequestMethodKey.String(method))
	s.SetAttributes(x.cacheAttributes(x.requestAttributes(out))...)
	s.failed(x.failure())
	s.end()
}

// failure says why the answer was none, "" where it was one.
func (x *exchange) failure() string {
	d := &x.decision
	switch {
	case x.abort && x.started:
		return "incomplete"
	case d.Status < 500:
		return ""
	case d.Result == ResultError:
		return d.Reason.String()
	}
	return strconv.Itoa(d.Status)
}

// Bounds of what a client chooses, in bytes.
const (
	maxPath  = 512
	maxAgent = 256
	maxHost  = 255
)

// requestAttributes are those of the HTTP conventions.
func (x *exchange) requestAttributes(out []attribute.KeyValue) []attribute.KeyValue {
	out = append(serverAttributes(out, x.req.Host),
		semconv.URLPath(text(x.req.Path, maxPath)),
		semconv.URLScheme(x.scheme()),
		semconv.NetworkProtocolVersion(protocolVersion(x.r)),
	)
	if agent := x.r.Header["User-Agent"]; len(agent) > 0 {
		out = append(out, semconv.UserAgentOriginal(text(agent[0], maxAgent)))
	}
	if x.decision.Status > 0 {
		out = append(out, semconv.HTTPResponseStatusCode(x.decision.Status))
	}
	return out
}

// cacheAttributes are our own: there are no conventions for caches.
func (x *exchange) cacheAttributes(out []attribute.KeyValue) []attribute.KeyValue {
	d := &x.decision
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
	if x.served != nil {
		out = append(out, attribute.Int64("cache.ttl", int64(x.served.ttl(x.now)/time.Second)))
	}
	return out
}

// serverAttributes are those of an authority.
func serverAttributes(out []attribute.KeyValue, authority string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		return append(out, semconv.ServerAddress(text(authority, maxHost)))
	}
	out = append(out, semconv.ServerAddress(text(host, maxHost)))
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		out = append(out, semconv.ServerPort(int(n)))
	}
	return out
}

func protocolVersion(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return strconv.Itoa(r.ProtoMajor)
	}
	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

const otherMethod = "_OTHER"

var methods = [...]string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY",
}

// knownMethod bounds the values of http.request.method. It returns none of the
// request's bytes, like text.
func knownMethod(method string) string {
	for _, known := range methods {
		if method == known {
			return known
		}
	}
	return otherMethod
}

// text is what a span has of s: at most that many bytes, a copy, since s may be
// a small part of something large and the span waits to be sent, and valid
// UTF-8, without which its whole batch could not be.
func text(s string, most int) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), most)]), "\uFFFD")
}
