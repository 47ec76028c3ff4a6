package cache

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"

	"veneer/cache/cachestatus"
)

// What a fetch that is to be stored does not ask the upstream for: it wants
// the whole representation, whatever the client has or wants of it.
var conditionalFields = [...]string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"}

// addedFields is how many fields a request gets on its way, for the size of its
// map: User-Agent, Via, CDN-Loop, Forwarded and three X-Forwarded-*.
const addedFields = 7

// noAgent is shared by requests, as what Edits set is.
var noAgent = []string{""}

// outgoing returns the request for the upstream: the canonical target URI that
// was keyed, and the client's fields without those that the route hides. Its
// header map is the caller's own; the lines are the client's request's, which
// nobody changes in place. RemoteAddr and TLS say who the client is, for the
// fields that a proxy adds.
func (x *exchange) outgoing(ctx context.Context) *http.Request {
	r := x.r
	h := make(http.Header, len(r.Header)+addedFields)
	for name, lines := range r.Header {
		if !x.seen.hides(name) {
			h[name] = lines[:len(lines):len(lines)]
		}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = noAgent // keeps net/http from adding its own
	}
	x.route.Request.apply(h)
	out := &http.Request{
		Method: r.Method, URL: x.target.URL(), Host: x.target.Host,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: h, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		Trailer: r.Trailer,
	}
	if r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
		out.Body, out.ContentLength = r.Body, r.ContentLength
	}
	return out.WithContext(ctx)
}

// outgoingWhole is outgoing for a fetch that may be stored: a GET for the whole
// representation, without content.
func (x *exchange) outgoingWhole(ctx context.Context) *http.Request {
	out := x.outgoing(ctx)
	out.Method, out.Body, out.ContentLength, out.Trailer = http.MethodGet, nil, 0, nil
	for _, name := range conditionalFields {
		delete(out.Header, name)
	}
	for name := range out.Header {
		if strings.HasPrefix(name, "Content-") { // there is no content, and they are not in the key
			delete(out.Header, name)
		}
	}
	x.route.Request.apply(out.Header)
	return out
}

// withInformational returns a context that hands interim responses to f.
func withInformational(ctx context.Context, f func(code int, h http.Header)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if relayed(code) {
				f(code, http.Header(h))
			}
			return nil
		},
	})
}

// Veneer's member of the Via field of a response (RFC 9110 §7.6.3), by the
// version of the protocol that it was received with. The lines are shared.
var via10, via11, via2 = []string{"1.0 " + cachestatus.CacheName}, []string{"1.1 " + cachestatus.CacheName}, []string{"2 " + cachestatus.CacheName}

func addVia(res *http.Response) {
	own := via11
	if res.ProtoMajor >= 2 {
		own = via2
	} else if res.ProtoMajor == 1 && res.ProtoMinor == 0 {
		own = via10
	}
	if before := res.Header["Via"]; len(before) > 0 {
		own = append(before[:len(before):len(before)], own...)
	}
	res.Header["Via"] = own
}

// receive makes an upstream response ready to be looked at: the CORS fields of
// another authority go first, before anything can be stored or freshened.
func receive(route *Route, res *http.Response, o Origin, safe bool) cachestatus.Reason {
	route.CORS.Strip(res.Header, safe)
	addVia(res)
	reason := route.CORS.Observe(res.Header, o)
	if u, ok := res.Body.(unstorable); ok && reason == cachestatus.None {
		if reason, ok = cachestatus.ParseReason(u.NotStored()); !ok {
			reason = cachestatus.Internal // BUG: a token that is none
		}
	}
	return reason
}

// unstorable is what the Body of a RoundTripper's response may be: the response
// must not be stored whatever its fields say, for the reason that the token
// names.
type unstorable interface{ NotStored() string }
