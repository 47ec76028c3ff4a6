package cache

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// Origin is what the route's CORS policy says of one request's Origin. It is
// computed once a request: the key takes Bucket, deliver takes the rest.
type Origin struct {
	// Bucket is the origin part of the primary key: "" for a request without
	// Origin, the Origin itself, or a word that no Origin can be ("other").
	Bucket string
	// Class belongs to the policy that made it; the engine only carries it.
	Class uint8
	// Capped: the Origin was let in by a rule that lets in many, so that the
	// number of origins under one target URI must be bounded.
	Capped bool
	// Forward and ForwardRequest: the upstream may see the Origin, and the
	// Access-Control-Request fields, of a GET or HEAD request.
	Forward, ForwardRequest bool
	// Full: a conditional request is answered in full, never with 304, because
	// a 304 lets the browser go on using a response that it may no longer read.
	Full bool
	// FullWithCookie: the same for a request that has cookies, whose response
	// the policy does not let the page read although another one may have.
	FullWithCookie bool
	// NoStore: the Origin cannot be keyed; neither look up nor store.
	NoStore bool
	// Refuse: the policy answers requests from this Origin with 403.
	Refuse bool
}

// CORS is a route's policy for cross-origin requests (Fetch, "CORS protocol").
// The engine calls Judge once a request, Preflight for OPTIONS, Strip on every
// upstream response before anything else looks at it, and Apply on every
// response, errors too, right before the first byte. All methods are safe for
// concurrent use.
type CORS interface {
	// Judge classifies the request's Origin lines. It leaves no trace.
	Judge(method string, origin []string) Origin
	// Count counts a request that is answered, once; o is what Judge said of
	// its method and Origin lines.
	Count(method string, origin []string, o Origin)
	// Preflight answers a CORS preflight and reports whether it did.
	Preflight(w http.ResponseWriter, r *http.Request, o Origin) bool
	// Strip removes the CORS fields of another authority from an upstream
	// response. With safe, the request was a GET or HEAD, and what its Vary
	// says of fields that the upstream never saw is removed too.
	Strip(h http.Header, safe bool)
	// Observe sees a stripped upstream response before it is stored, may mend
	// it, and returns why it must not be stored, or None.
	Observe(h http.Header, o Origin) cachestatus.Reason
	// Apply adds the CORS fields for the client at hand. It may put slices
	// into h that it shares between requests; their capacity is their length.
	//
	// What it does depends on h, on o and on Version alone, and of o.Bucket,
	// within one Version and with all else of o alike, only in that the value
	// of a field may be those bytes.
	Apply(h, request http.Header, o Origin)
	// Version changes whenever Apply would do something else than before.
	Version() uint64
}

// notModifier is a CORS with fields of its own for a 304 that came from the
// upstream, which has but a few of the response's fields: those that it has
// replace the browser's (RFC 9111 §3.2).
type notModifier interface {
	NotModified(h, request http.Header, o Origin)
}

// Edits are changes that a route makes to a message's fields. Names are in
// canonical form. Immutable.
type Edits struct {
	Set    map[string][]string
	Remove []string
}

func (e *Edits) apply(h http.Header) {
	for _, name := range e.Remove {
		delete(h, name)
	}
	for name, v := range e.Set {
		h[name] = v[:len(v):len(v)]
	}
}

// Route is what the engine needs to know to serve the requests of one route.
// It is compiled from configuration and immutable.
type Route struct {
	Name     string
	Key      key.Spec
	CORS     CORS // never nil
	Upstream http.RoundTripper
	Store    Store // nil: nothing is stored, looked up or collapsed

	Policy           rfc9111.Policy
	MaxObject        int64 // bytes of content; larger responses are not stored
	Variants         int   // at most so many stored responses under one primary key
	Origins          int   // at most so many capped origins under one target URI
	IgnoreDirectives bool  // a client's cache directives are not honoured
	NoCollapse       bool
	// ThirdParty: the upstream is not the operator's. What its responses name
	// (RFC 9111 §4.4) invalidates stored responses of this route only.
	ThirdParty bool
	// FetchTimeout bounds a fetch that is stored, from request to the end of
	// the content. Zero: ten minutes.
	FetchTimeout time.Duration

	Request, Response Edits

	// Limit counts a request, and reports false with the time to wait when its
	// client has sent too many; nil: nobody counts. Preflights are not counted:
	// the page whose preflight fails never learns why.
	Limit func(*Request) (wait time.Duration, ok bool)
}

// Router finds the route of a request. Host is in canonical form, path is the
// escaped path. It is safe for concurrent use.
type Router interface {
	Lookup(host, path string) (*Route, bool)
}

// Plan is all that a reload replaces, as one value. Immutable once given to
// the engine.
type Plan struct {
	Router Router
	// Scheme returns the scheme that the client used, "http" or "https", which
	// a trusted peer may have to say. Nil: what the connection says.
	Scheme func(*Request) string
	// Trusted reports whether the peer (host:port) may ask for debug fields.
	Trusted func(remoteAddr string) bool
	// BodyLimit bounds the content of a request in bytes; 0 means no bound.
	BodyLimit int64

	generation uint64 // tells plans apart; set once by Swap, before anybody sees it
}

// Result is the outcome of a request in one word, the result label of
// veneer_cache_requests_total.
type Result uint8

// The results.
const (
	ResultBypass Result = iota
	ResultHit
	ResultMiss
	ResultStale
	ResultRevalidated
	ResultCollapsed
	ResultError
	ResultPreflight
)

var results = [...]string{"bypass", "hit", "miss", "stale", "revalidated", "collapsed", "error", "preflight"}

// String returns the label's text.
func (r Result) String() string {
	if int(r) < len(results) {
		return results[r]
	}
	return "unknown"
}

// Decision is what the engine did with one request and why: the input of
// counters, span, log and explain.
type Decision struct {
	Route     *Route // nil when none matched
	Result    Result
	Status    int // of the response; 0 when there was none, because the client left
	Forward   cachestatus.Forward
	Upstream  int // status of the upstream's response, 0 when there was none
	Stored    bool
	Collapsed bool
	// Reason says why the response was not stored, or the stored response not
	// reused; the first that applied.
	Reason cachestatus.Reason
	// NotStored says why the upstream's response was not stored, which Reason
	// does not where the look-up had a reason of its own (vary-mismatch, then
	// no-store). None when it was stored; where none came, why it would not
	// have been, or None.
	NotStored cachestatus.Reason
	Start     time.Time
	Took      time.Duration
	Span      trace.Span // of a request that is traced, else nil

	Delivery
}

// Delivery is what became of an answer on its way to the client.
type Delivery struct {
	// Sent is how many bytes of content were written for the client: none for
	// HEAD and 304; of a connection that changed protocol, all behind the head.
	Sent int64
	// Served is the stored response that answered, or the one that was stored
	// while it was sent; nil when the answer was no stored one's.
	Served *Object
	// Left: the client has left before all of the answer was written. Cut: the
	// answer ended early because the upstream's did, or could not be given.
	Left, Cut bool
}

// Freshness returns the age of the stored response that answered (RFC 9111
// §4.2.3) and the freshness that was left of it, below zero once it was stale,
// both when the request began. ok is false where Served is nil.
func (d *Decision) Freshness() (age, ttl time.Duration, ok bool) {
	if d.Served == nil {
		return 0, 0, false
	}
	return d.Served.Age(d.Start), d.Served.TTL(d.Start), true
}

// Recorder receives every Decision, once, after the response has ended. It
// keeps nothing of q and d but copies: the strings of a Request are the lane's
// buffers. It is called on the request's own goroutine.
type Recorder interface {
	Record(q *Request, d *Decision)
	// NotStored is called on any goroutine when a response was not stored
	// although its head had said that it would be: it ended early, grew too
	// large, or the store refused it.
	NotStored(route *Route, reason cachestatus.Reason)
}
