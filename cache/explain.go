package cache

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// Assumption is the upstream's response that an explanation goes by: nobody
// asks the upstream.
type Assumption struct {
	// Status of the response, a final one. Zero: the upstream confirms what is
	// validated (304), and answers everything else with 200.
	Status int
	// Header are the response's fields, in canonical form. A Date of now is
	// added where there is none. Content-Length says how much content there
	// is; without it the length is not known beforehand, and there is none.
	Header http.Header
}

// Explanation is what an Engine would do with a request at one moment, step by
// step, and what each step went by.
type Explanation struct {
	At     time.Time
	Route  *Route     // nil: none matches
	Target key.Target // as it is keyed and sent upstream; zero when no route was looked for
	// Resolved is the path with its dot segments resolved, "" when it has none.
	Resolved   string
	Origin     Origin
	Directives rfc9111.RequestDirectives
	Key        []byte // the primary key, nil when the request is not looked up

	Variants []*Object // stored under Key, in no order
	Selected *Object   // of Variants, the one that the request selects; nil: none
	// Reuse and Why are what is decided about Selected.
	Reuse  rfc9111.Reuse
	Why    cachestatus.Reason
	Marked bool // the key has a hit-for-miss mark: nobody would wait for another's fetch
	// MarkedFor is why a response was marked at last: it could not be stored.
	MarkedFor cachestatus.Reason
	InFlight  bool // the key is being fetched: the request would wait for that

	Asked []*http.Request // to the upstream, in order; no content
	// Assessed is the upstream's response as the cache weighs it: without CORS
	// fields of another authority, and after a 304 what that freshens. Nil:
	// the upstream was not asked, or the response was not to be stored anyway.
	Assessed *rfc9111.Response
	Stored   *Object // what would be stored; nil: nothing

	Outcome          // of the request
	Next    Outcome  // of the same request after it, at the same moment
	Failing *Outcome // of the request if the upstream could not be reached; nil: it is not asked
}

// Outcome is how a request ends.
type Outcome struct {
	Decision Decision    // Start, Took and Delivery are zero
	Header   http.Header // of the response, with the CORS fields for this client
	// Error and Problem are the reason and the detail (RFC 9457 §3.1.4) of an
	// error of Veneer's own; only its content has them, which HEAD does not get.
	Error   cachestatus.Reason
	Problem string
}

// Peeker is what a Store may be beside: Peek returns the Objects under a
// primary key and, other than Get, leaves no trace of it. Nobody changes the
// slice.
type Peeker interface {
	Peek(ctx context.Context, k key.Key) ([]*Object, error)
}

// Rehearser is what a CORS may be beside: Rehearse returns one that answers
// alike, and which counts, logs and remembers nothing where others could see
// it.
type Rehearser interface {
	Rehearse() CORS
}

// Passage is what a Route's Upstream may be beside: it does to the fields of a
// message, and nothing else, what RoundTrip does to those that it passes on.
type Passage interface {
	Outgoing(r *http.Request)
	Incoming(h http.Header)
}

// Explain says what would happen to r now, if the upstream answered as a says.
// It serves r, with all the steps that a real request takes, but on a stage:
// the upstream is played by a, the store and the marks keep what is written
// for the length of the rehearsal only, and nothing is recorded. So it decides
// nothing by itself and cannot disagree with what then happens, as long as
// nobody changes the store in between. Not foretold are what the store's
// admission policy makes of a new response, and a Limit: nobody is asking.
//
// The client's scheme is that of r.URL where there is one. r is not changed, and
// its content is not read: ContentLength counts. A Store that is no Peeker and
// a CORS that is no Rehearser are asked as usual, which they may count.
func (e *Engine) Explain(r *http.Request, a Assumption) *Explanation {
	now := e.now()
	s := e.rehearse(now, a, false)
	defer s.close()
	out := &Explanation{At: now}
	x := s.play(r, &out.Outcome)
	s.describe(x, out)
	s.play(r, &out.Next)
	if len(out.Asked) > 0 {
		failing := e.rehearse(now, a, true)
		defer failing.close()
		out.Failing = new(Outcome)
		failing.play(r, out.Failing)
	}
	return out
}

// describe takes what the steps left in x.
func (s *stage) describe(x *exchange, out *Explanation) {
	out.Route = out.Decision.Route
	out.Target, out.Origin, out.Directives = x.target, x.origin, x.directives
	if hasDots(x.target.Path) {
		out.Resolved, _ = resolveDots(x.target.Path)
	}
	out.Asked = slices.Clone(s.upstream.asked)
	store := s.store(x.route)
	if store != nil {
		out.Stored = store.last
	}
	if x.key.Bytes == nil {
		return
	}
	out.Key = slices.Clone(x.key.Bytes)
	if out.Marked = x.marked; out.Marked {
		why, _ := s.real.marks.Marked(x.flightBuf, x.now)
		out.MarkedFor = cachestatus.Reason(why)
	}
	out.InFlight = s.real.flights.Has(x.flightBuf)
	out.Variants, out.Selected = store.found, store.selected
	if out.Selected != nil {
		out.Reuse, out.Why = out.Selected.decide(x.directives, x.now)
	}
	if s.upstream.response != nil {
		out.Assessed = x.weighed(s.upstream.response, out.Selected)
	}
}

// weighed is the upstream's response as Assess sees it.
func (x *exchange) weighed(res *http.Response, selected *Object) *rfc9111.Response {
	seen := x.seen
	r := &rfc9111.Response{
		Method: x.r.Method, Request: &seen, RequestNoStore: x.directives.NoStore,
		Status: res.StatusCode, Header: res.Header, RequestTime: x.now, ResponseTime: x.now,
	}
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	if res.StatusCode == http.StatusNotModified && selected != nil {
		r.Status, r.Header = selected.Status, rfc9111.Freshen(selected.Header(), res.Header)
	}
	return r
}

// notepad is a ResponseWriter that keeps the head of the response, and of a
// problem the detail.
type notepad struct {
	header, sent http.Header
	problem      problem
	bytes        int
}

// maxNoted is how much content a notepad takes, in bytes. It is more than what
// a player says who may be stored (maxPlayed).
const maxNoted = 2 * maxPlayed

func (n *notepad) Header() http.Header { return n.header }

func (n *notepad) WriteHeader(status int) {
	if status >= 200 {
		n.sent = n.header.Clone()
	}
}

func (n *notepad) Write(p []byte) (int, error) {
	if n.bytes == 0 && n.header.Get("Content-Type") == problemContent {
		// Ours are written at once. An upstream's may be another's words.
		_ = json.Unmarshal(p, &n.problem)
	}
	if n.bytes += len(p); n.bytes > maxNoted {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
