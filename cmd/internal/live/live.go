// Package live keeps what an operator looks at while it happens: how each route
// and origin is answered, how that went over time, and the newest requests. It is
// what the admin page and veneer stats show; what is kept for longer, and
// aggregated over instances, are the metrics.
//
// All of it is bounded: the origins of a route, the text of a request, the
// requests that are kept a second.
package live

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"veneer/cache"
)

// Results is how many kinds of results there are.
const Results = int(cache.ResultPreflight) + 1

// maxOrigins is how many origins of a route have counters of their own.
const maxOrigins = 32

// others stands for the origins that have none. It cannot be an Origin.
const others = "(others)"

// Options are what a Live needs of others.
type Options struct {
	// Scheme returns the scheme that the client of a request used, nil: what
	// the connection says.
	Scheme func(*cache.Request) string
	// Query appends to dst what may be shown of a query; nil: all of it.
	Query func(dst []byte, query string) []byte
	Now   func() time.Time // nil: time.Now
}

// Live counts requests and keeps the newest. Make it with New. Its methods are
// safe for concurrent use; Record waits for nobody but for the short moment in
// which one of the few requests is written that are kept.
type Live struct {
	opt     Options
	routes  atomic.Pointer[map[string]*routeCounts]
	hits    ring // of hits, of which there may be very many
	rest    ring // of everything else
	fine    series
	day     series
	lastID  atomic.Uint64 // of a kept request: those of both rings are shown in one list
	started time.Time

	mu   sync.Mutex // one change of routes at a time; guards last, fine and day
	last Counts
}

// New returns a Live without routes, which has one for requests that no route
// takes.
func New(opt Options) *Live {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Scheme == nil {
		opt.Scheme = func(q *cache.Request) string {
			if q.Secure {
				return "https"
			}
			return "http"
		}
	}
	if opt.Query == nil {
		opt.Query = func(dst []byte, query string) []byte { return append(dst, query...) }
	}
	l := &Live{opt: opt, started: opt.Now()}
	l.hits.init(keptHits, hitsASecond)
	l.rest.init(keptRest, restASecond)
	l.fine.init(FineStep, finePoints)
	l.day.init(DayStep, dayPoints)
	l.routes.Store(&map[string]*routeCounts{"": newRouteCounts()})
	return l
}

// Started is when New was called.
func (l *Live) Started() time.Time { return l.started }

// Add makes counters for routes. Those of routes that are gone stay: their
// requests may be under way, and the sums must not shrink.
func (l *Live) Add(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := maps.Clone(*l.routes.Load())
	for _, n := range names {
		if next[n] == nil {
			next[n] = newRouteCounts()
		}
	}
	l.routes.Store(&next)
}

// Record counts a request and perhaps keeps it. It is made for the rules of
// cache.Recorder: nothing of q and d stays but copies.
func (l *Live) Record(q *cache.Request, d *cache.Decision) {
	name := ""
	if d.Route != nil {
		name = d.Route.Name
	}
	route := (*l.routes.Load())[name]
	if route == nil { // of a plan that nobody told about
		route = (*l.routes.Load())[""]
	}
	route.of(q, d).add(d)
	r := &l.rest
	if d.Result == cache.ResultHit {
		r = &l.hits
	}
	if r.takes(d.Start) {
		l.keep(r, q, d)
	}
}

// Counts are sums since the start, or of some time.
type Counts struct {
	Results [Results]int64 // requests by cache.Result
	Sent    int64          // bytes of content that clients got
	Saved   int64          // those of Sent that no upstream had to send for them
}

// Requests is how many there were.
func (c *Counts) Requests() (n int64) {
	for _, r := range c.Results {
		n += r
	}
	return n
}

func (c *Counts) add(o *Counts, factor int64) {
	for i := range c.Results {
		c.Results[i] += factor * o.Results[i]
	}
	c.Sent += factor * o.Sent
	c.Saved += factor * o.Saved
}

// counts are Counts that grow.
type counts struct {
	results     [Results]atomic.Int64
	sent, saved atomic.Int64
}

func (c *counts) add(d *cache.Decision) {
	if int(d.Result) < Results {
		c.results[d.Result].Add(1)
	}
	if d.Sent == 0 {
		return
	}
	c.sent.Add(d.Sent)
	switch d.Result {
	case cache.ResultHit, cache.ResultStale, cache.ResultRevalidated, cache.ResultCollapsed:
		c.saved.Add(d.Sent)
	}
}

func (c *counts) load() (sum Counts) {
	for i := range c.results {
		sum.Results[i] = c.results[i].Load()
	}
	sum.Sent, sum.Saved = c.sent.Load(), c.saved.Load()
	return sum
}

// routeCounts are those of one route, by origin.
type routeCounts struct {
	none    counts // requests without Origin
	rest    counts // of origins that have no counters
	origins atomic.Pointer[map[string]*counts]
	mu      sync.Mutex // one change of origins at a time
}

func newRouteCounts() *routeCounts {
	r := new(routeCounts)
	r.origins.Store(&map[string]*counts{})
	return r
}

// of returns the counters of a request's origin.
func (r *routeCounts) of(q *cache.Request, d *cache.Decision) *counts {
	if q.Fields == nil {
		return &r.none
	}
	lines := q.Fields.Values("Origin")
	switch {
	case len(lines) == 0:
		return &r.none
	case len(lines) > 1 || len(lines[0]) > maxOriginText:
		return &r.rest
	}
	known := *r.origins.Load()
	if c := known[lines[0]]; c != nil {
		return c
	}
	if len(known) >= maxOrigins || !ofItsOwn(d.Route, lines) {
		return &r.rest
	}
	return r.enter(lines[0])
}

// ofItsOwn reports whether the route keys an origin by itself. Those that a
// policy refuses share one bucket, so that nobody fills the list with names that
// he made up.
func ofItsOwn(route *cache.Route, lines []string) bool {
	if route == nil || route.CORS == nil {
		return false
	}
	return route.CORS.Judge(http.MethodGet, lines).Bucket == lines[0]
}

// enter makes the counters of an origin, unless there are too many.
func (r *routeCounts) enter(origin string) *counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := *r.origins.Load()
	switch c := known[origin]; {
	case c != nil:
		return c
	case len(known) >= maxOrigins:
		return &r.rest
	}
	next := maps.Clone(known)
	c := new(counts)
	next[strings.Clone(origin)] = c
	r.origins.Store(&next)
	return c
}

// sum is of all origins.
func (r *routeCounts) sum() Counts {
	sum, rest := r.none.load(), r.rest.load()
	sum.add(&rest, 1)
	for _, c := range *r.origins.Load() {
		of := c.load()
		sum.add(&of, 1)
	}
	return sum
}

// Total is of all requests.
func (l *Live) Total() (sum Counts) {
	for _, r := range *l.routes.Load() {
		of := r.sum()
		sum.add(&of, 1)
	}
	return sum
}

// Origin is how the requests of one origin went.
type Origin struct {
	Origin string // "" without an Origin field; "(others)" all that are not listed
	Counts
}

// Route returns what is counted of a route, "" is of requests that none takes:
// its sum, and its origins in no order. more: there are origins that are not
// listed. Unknown names have nothing.
func (l *Live) Route(name string) (sum Counts, origins []Origin, more bool) {
	r := (*l.routes.Load())[name]
	if r == nil {
		return Counts{}, nil, false
	}
	some := func(origin string, c *counts) {
		of := c.load()
		if of.Requests() == 0 {
			return
		}
		sum.add(&of, 1)
		origins = append(origins, Origin{origin, of})
	}
	some("", &r.none)
	for origin, c := range *r.origins.Load() {
		some(origin, c)
	}
	listed := len(origins)
	some(others, &r.rest)
	return sum, origins, len(origins) > listed
}
