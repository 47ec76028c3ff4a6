package cache

import (
	"net/http"
	"strings"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// exchange is one request on its way through the steps. It is pooled: nothing
// of it may be kept by anybody after ServeHTTP returned, and its buffers never
// reach a header map or a writer (net/http may read those later).
type exchange struct {
	e    *Engine
	plan *Plan
	w    http.ResponseWriter
	r    *http.Request
	now  time.Time // when the request began, for every decision alike

	route  *Route
	target key.Target
	origin Origin
	seen   requestView

	bypass     bool // neither look up nor collapse
	authorized bool // the request has Authorization
	directives rfc9111.RequestDirectives
	key        key.Key
	keyBuf     []byte
	flightBuf  []byte

	object  *Object     // the selected stored response, fresh or not
	names   []string    // selecting names that the stored variants have, when none was selected
	started bool        // a final status was sent, so that an error can only cut the connection
	abort   bool        // the content ended early: cut the connection
	left    bool        // the client took less than the whole
	late    bool        // the flight had its head when the request joined
	arrived bool        // and all its content
	asked   bool        // the request went to the upstream, or waits for one that did
	raced   bool        // the target URI was invalidated while the request was under way
	marked  bool        // the key has a hit-for-miss mark
	epoch   uint64      // of the target URI when the request went forward
	own     http.Header // fields for this client that are not stored

	decision Decision
}

func (x *exchange) begin(e *Engine, w http.ResponseWriter, r *http.Request) {
	x.e, x.w, x.r = e, w, r
	x.plan = e.plan.Load()
	x.now = e.now()
	x.decision.Start = x.now
	x.seen = requestView{header: r.Header}
}

// end forgets everything but the buffers.
func (x *exchange) end() {
	*x = exchange{keyBuf: x.keyBuf[:0], flightBuf: x.flightBuf[:0]}
	if cap(x.keyBuf) > 16<<10 {
		x.keyBuf = nil
	}
	if cap(x.flightBuf) > 16<<10 {
		x.flightBuf = nil
	}
}

// requestView shows a request's fields as the upstream sees them. What is
// hidden from the upstream cannot select a response.
type requestView struct {
	header                  http.Header
	hideOrigin, hideRequest bool // Origin, Access-Control-Request-*
}

// Values returns the lines of the named field.
func (v *requestView) Values(name string) []string {
	if v.hides(name) {
		return nil
	}
	return v.header[name]
}

func (v *requestView) hides(name string) bool {
	switch name {
	case "Origin":
		return v.hideOrigin
	case "Access-Control-Request-Method", "Access-Control-Request-Headers", "Access-Control-Request-Private-Network":
		return v.hideRequest
	}
	return false
}

// routeStep is step 1: the target URI in canonical form, and its route.
func (x *exchange) routeStep() (answered bool) {
	r := x.r
	if r.Method == http.MethodConnect {
		return x.fail(http.StatusNotImplemented, cachestatus.NotImplemented, "CONNECT is not supported: this is a reverse proxy.")
	}
	plain := key.Query{}
	scheme := x.scheme()
	path := key.EscapedPath(r.URL)
	target, err := plain.Canonical(scheme, r.Host, path, r.URL.RawQuery)
	if err != nil {
		return x.fail(http.StatusBadRequest, cachestatus.BadRequest, "The request target is malformed: "+err.Error()+".")
	}
	route, ok := x.plan.Router.Lookup(target.Host, target.Path)
	if !ok {
		return x.fail(http.StatusNotFound, cachestatus.NoRoute, "No route matches this host and path.")
	}
	x.route, x.decision.Route = route, route
	x.origin = route.CORS.Decide(r.Method, r.Header["Origin"]) // errors too are for the client at hand
	x.origin.Full = x.origin.Full || x.origin.FullWithCookie && r.Header["Cookie"] != nil
	if other, escapes := x.resolvesElsewhere(target); other || escapes {
		return x.fail(http.StatusBadRequest, cachestatus.BadRequest, "The path has dot segments that lead to another route: send it resolved (RFC 3986 §5.2.4).")
	}
	q := &route.Key.Query
	if q.Sort || q.AllowSet || len(q.Ignore) > 0 || len(q.Allow) > 0 {
		if target, err = q.Canonical(scheme, r.Host, path, r.URL.RawQuery); err != nil {
			return x.fail(http.StatusBadRequest, cachestatus.BadRequest, "The query is malformed: "+err.Error()+".")
		}
	}
	x.target = target
	if safe(r.Method) && !isUpgrade(r) {
		x.seen.hideOrigin, x.seen.hideRequest = !x.origin.Forward, !x.origin.ForwardRequest
	}
	return false
}

// scheme returns the scheme that the client used.
func (x *exchange) scheme() string {
	if x.plan.Scheme != nil {
		return x.plan.Scheme(x.r)
	}
	if x.r.TLS != nil {
		return "https"
	}
	return "http"
}

// safe reports whether a method's requests may hide Origin from the upstream:
// the others always show it, because CSRF checks live there.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// isUpgrade reports whether the request asks to change protocol.
func isUpgrade(r *http.Request) bool {
	if r.Header["Upgrade"] == nil {
		return false
	}
	for _, line := range r.Header["Connection"] {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(member), "upgrade") {
				return true
			}
		}
	}
	return false
}

// refuse ends a request that must not go further. A preflight has been answered
// before: it has its own way of being refused.
func (x *exchange) refuse() (answered bool) {
	r := x.r
	if x.origin.Refuse {
		return x.fail(http.StatusForbidden, cachestatus.OriginRefused, "The route's CORS policy refuses requests from this origin.")
	}
	if x.route.Limit != nil {
		if wait, ok := x.route.Limit(r); !ok {
			return x.tooMany(wait)
		}
	}
	if r.Method == http.MethodTrace {
		x.w.Header()["Allow"] = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
		return x.fail(http.StatusMethodNotAllowed, cachestatus.Method, "TRACE is not forwarded: it would show what Veneer adds to a request.")
	}
	if limit := x.plan.BodyLimit; limit > 0 && r.Body != nil && r.Body != http.NoBody {
		if r.ContentLength > limit {
			return x.tooLarge()
		}
		// Without the writer: it would change the response's fields from
		// whatever goroutine reads the content.
		r.Body = http.MaxBytesReader(nil, r.Body, limit)
	}
	return false
}

// preflightStep is step 2: a CORS preflight is answered from the policy, never
// cached and never forwarded.
func (x *exchange) preflightStep() (answered bool) {
	if x.r.Method != http.MethodOptions {
		return false
	}
	if !x.deliverPreflight() {
		return false
	}
	x.decision.Result = ResultPreflight
	return true
}

// keyStep is step 3: the primary key and the request's directives. It reports
// false when the request cannot be answered from the store at all; then it
// goes on with the fill step.
func (x *exchange) keyStep() bool {
	if reason := x.uncacheable(); reason != cachestatus.None {
		x.bypass = true
		x.note(reason)
		x.unstored(reason)
		x.decision.Forward = cachestatus.Bypass
		if reason == cachestatus.Method {
			x.decision.Forward = cachestatus.ByMethod
		} else if reason == cachestatus.RequestNoStore {
			x.decision.Forward = cachestatus.ByRequest
		}
		return false
	}
	x.authorized = x.r.Header["Authorization"] != nil
	x.key = x.route.Key.Append(x.keyBuf[:0], x.r.Method, x.target, x.origin.Bucket, &x.seen)
	x.keyBuf = x.key.Bytes
	return true
}

// uncacheable says why the request is outside the cache, or None. It parses
// the request's directives on the way.
func (x *exchange) uncacheable() cachestatus.Reason {
	r := x.r
	if !x.route.IgnoreDirectives {
		x.directives = rfc9111.ParseRequest(r.Header)
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return cachestatus.Method
	case x.route.Store == nil:
		return cachestatus.CachingOff
	case x.origin.NoStore:
		return cachestatus.BadOrigin
	case isUpgrade(r):
		return cachestatus.Upgrade
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return cachestatus.RequestBody
	case rfc9111.ForOrigin(r.Header):
		// Preconditions on the upstream's current representation are not for
		// a cache to evaluate (RFC 9111 §4.3.2).
		return cachestatus.Precondition
	}
	if x.directives.NoStore {
		return cachestatus.RequestNoStore
	}
	return cachestatus.None
}
