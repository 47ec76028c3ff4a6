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
//	the request (server)          begun by the Tracer, in the context of the request
//	├── cache.lookup              a look-up in the store
//	├── cache.wait                for another request's fetch; linked to that request
//	├── upstream.fetch (client)   up to the head of the upstream's response
//	└── cache.store               a Put
//
// Those of a Hit are made when its client has the answer.
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

// Tracer begins the spans of requests. Its methods are safe for concurrent use,
// and keep nothing of a Request but copies.
type Tracer interface {
	// Sample decides whether q gets a trace; ctx is the context of the request.
	// ServeHTTP asks it once for every request.
	Sample(ctx context.Context, q *Request) bool
	// Start begins the span of a request that gets a trace, at that time, and
	// returns it with a context below ctx that has it.
	Start(ctx context.Context, q *Request, at time.Time) (context.Context, trace.Span)
}

// beginTrace asks whether the request is traced.
func (x *exchange) beginTrace() {
	if !x.e.trace.Sample(x.r.Context(), &x.req) {
		return
	}
	ctx, s := x.e.trace.Start(x.r.Context(), &x.req, x.now)
	x.span = x.e.spanOf(s)
	x.r = x.r.WithContext(ctx)
}

// spanOf returns the span of a request, as the steps use it.
func (e *Engine) spanOf(s trace.Span) *span {
	return &span{Span: s, tracer: s.TracerProvider().Tracer("veneer/cache"), now: e.now}
}

// context returns a context that has s and nothing else: a fetch does not end
// with its request.
func (s *span) context() context.Context {
	if s == nil {
		return context.Background()
	}
	return trace.ContextWithSpan(context.Background(), s.Span)
}

// child begins a span below s.
func (s *span) child(name string, options ...trace.SpanStartOption) *span {
	if s == nil {
		return nil
	}
	return s.childAt(s.now(), name, options...)
}

// childAt begins a span below s, which is not nil, at that time.
func (s *span) childAt(at time.Time, name string, options ...trace.SpanStartOption) *span {
	_, c := s.tracer.Start(s.context(), name, append(options, trace.WithTimestamp(at))...)
	return &span{Span: c, tracer: s.tracer, now: s.now}
}

// end ends the span.
func (s *span) end() { s.endAt(s.now()) }

func (s *span) endAt(at time.Time) { s.End(trace.WithTimestamp(at)) }

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
	s.found(o != nil)
	if err != nil {
		s.SetStatus(codes.Error, "the store cannot answer")
	}
	s.end()
}

func (s *span) found(any bool) { s.SetAttributes(attribute.Bool("cache.found", any)) }

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

// protocolVersion is what the conventions call one. It returns none of the
// request's bytes but copies, like text.
func protocolVersion(protocol string) string {
	switch protocol {
	case "HTTP/1.0":
		return "1.0"
	case "HTTP/1.1":
		return "1.1"
	case "HTTP/2.0":
		return "2"
	case "HTTP/3.0":
		return "3"
	}
	return text(strings.TrimPrefix(protocol, "HTTP/"), maxVersion)
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
