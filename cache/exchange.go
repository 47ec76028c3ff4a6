package cache

import (
	"net/http"

	"veneer/cache/cachestatus"
)

// exchange is one request on its way through the steps. It is pooled: nothing
// of it may be kept by anybody after ServeHTTP returned, and its buffers never
// reach a header map or a writer (net/http may read those later).
type exchange struct {
	steps
	e *Engine
	w http.ResponseWriter
	r *http.Request

	bypass    bool // neither look up nor collapse
	flightBuf []byte

	span *span // nil: the request is not traced

	object  *Object     // the selected stored response, fresh or not
	names   []string    // selecting names that the stored variants have, when none was selected
	started bool        // a final status was sent, so that an error can only cut the connection
	abort   bool        // the content ended early: cut the connection
	late    bool        // the flight had its head when the request joined
	arrived bool        // and all its content
	counted bool        // it has been recorded
	asked   bool        // the request went to the upstream, or waits for one that did
	raced   bool        // the target URI was invalidated while the request was under way
	marked  bool        // the key has a hit-for-miss mark
	epoch   Epoch       // of the target URI when the request joined a flight or went forward
	apart   uint64      // where it is not 0, the flight of others was begun before this purge
	own     http.Header // fields for this client that are not stored

	decision Decision
}

func (x *exchange) begin(e *Engine, w http.ResponseWriter, r *http.Request) {
	x.e, x.w, x.r = e, w, r
	x.plan = e.plan.Load()
	x.now = e.now()
	x.decision.Start = x.now
	x.req = requestOf(r)
	x.seen = requestView{fields: x.req.Fields}
	if e.trace != nil {
		x.beginTrace()
	}
}

// end forgets everything but the buffers.
func (x *exchange) end() {
	*x = exchange{steps: steps{keyBuf: kept(x.keyBuf)}, flightBuf: kept(x.flightBuf)}
}

// routeStep is step 1: the target URI in canonical form, and its route.
func (x *exchange) routeStep() (answered bool) {
	no := x.resolve()
	if x.decision.Route = x.route; x.route != nil {
		x.route.CORS.Count(x.req.Method, x.req.Fields.Values("Origin"), x.origin)
	}
	if no.status != 0 {
		return x.fail(no.status, no.reason, no.detail)
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
		if wait, ok := x.route.Limit(&x.req); !ok {
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
	x.primaryKey()
	return true
}
