package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache/cachestatus"
)

// Result is how the cache answered a request: the result label of
// veneer_cache_requests_total.
type Result uint8

// The results, in the engine's order.
const (
	Bypass Result = iota
	Hit
	Miss
	Stale
	Revalidated
	Collapsed
	Error     // an answer of our own, 4xx or 5xx
	Preflight // a CORS preflight, answered from the policy

	resultCount // keep last
)

var results = [resultCount]string{"bypass", "hit", "miss", "stale", "revalidated", "collapsed", "error", "preflight"}

// String returns the value of the label.
func (r Result) String() string {
	if r < resultCount {
		return results[r]
	}
	return "unknown"
}

// counter is an atomic on a cache line of its own, so that two cores that count
// different things do not slow each other down.
type counter struct {
	n atomic.Int64
	_ [56]byte
}

// RouteCounters are the counters of one route. They are made by
// Telemetry.Route, cost no allocation and no lock, and may be used by any
// number of goroutines.
type RouteCounters struct {
	results   [resultCount]counter
	classes   [len(classes)]counter
	notStored []atomic.Int64 // by cachestatus.Reason; the last one is for unknown reasons
	duration  Histogram
}

// reasonLabels are the values of the reason label, in the order of
// RouteCounters.notStored.
var reasonLabels = func() []string {
	labels := []string{cachestatus.None.String()}
	for _, r := range cachestatus.Reasons() {
		labels = append(labels, r.String())
	}
	return append(labels, "unknown")
}()

// classes are the values of the status label, by status / 100.
var classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func newRouteCounters() *RouteCounters {
	return &RouteCounters{notStored: make([]atomic.Int64, len(reasonLabels))}
}

// Add counts one request by its result. A Result that is none counts nothing.
func (c *RouteCounters) Add(r Result) {
	if r < resultCount {
		c.results[r].n.Add(1)
	}
}

// AddNotStored counts one response that was not stored.
func (c *RouteCounters) AddNotStored(r cachestatus.Reason) {
	c.notStored[min(int(r), len(c.notStored)-1)].Add(1)
}

// AddStatus counts one response by the class of its status code.
func (c *RouteCounters) AddStatus(code int) {
	class := code / 100
	if class < 0 || class >= len(classes) {
		class = 0
	}
	c.classes[class].n.Add(1)
}

// Observe takes the duration of one request, from its head to the end of its
// response.
func (c *RouteCounters) Observe(d time.Duration) { c.duration.Observe(d) }

// ObserveTraced is Observe for a request that is traced.
func (c *RouteCounters) ObserveTraced(d time.Duration, of trace.SpanContext) {
	c.duration.ObserveTraced(d, of)
}

// bounds are the buckets that OpenTelemetry's semantic conventions advise for
// request durations, in nanoseconds, and below them some for hits.
var bounds = [...]time.Duration{
	100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 75 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 7500 * time.Millisecond, 10 * time.Second,
}

// Histogram counts durations in buckets. Its zero value is ready; it may be
// used by any number of goroutines.
type Histogram struct {
	sum     atomic.Int64 // nanoseconds
	buckets [len(bounds) + 1]atomic.Int64
	traced  [len(bounds) + 1]atomic.Pointer[exemplar]
}

// exemplar is the newest traced request of a bucket.
type exemplar struct {
	took  time.Duration
	trace trace.TraceID
	span  trace.SpanID
	at    time.Time
}

func newHistogram() *Histogram { return new(Histogram) }

// Observe takes one duration; a negative one counts as zero.
func (h *Histogram) Observe(d time.Duration) { h.observe(max(d, 0)) }

// ObserveTraced is Observe for a request that is traced: its ids stand beside
// its bucket until the next one's do. It allocates, as the span did.
func (h *Histogram) ObserveTraced(d time.Duration, of trace.SpanContext) {
	d = max(d, 0)
	h.traced[h.observe(d)].Store(&exemplar{d, of.TraceID(), of.SpanID(), time.Now()})
}

func (h *Histogram) observe(d time.Duration) (bucket int) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
	return i
}

// Route returns the counters of the route with that name: the same ones for
// the same name, also after a reload. Names past the limit share one set, under
// the name "other". Call it when a configuration is built, not per request.
func (t *Telemetry) Route(name string) *RouteCounters { return t.routes.get(name) }

// Upstream returns the durations of requests to the upstream with that name,
// from their head to the head of the response. It is bounded like Route.
func (t *Telemetry) Upstream(name string) *Histogram { return t.upstreams.get(name) }

// Limits of labels: how many names a table and how many series a registered
// metric may have, and how long a value may be, in bytes.
const (
	maxNames  = 1000
	maxSeries = 2000
	maxLabel  = 128
	other     = "other"
)

// label makes any text a label value: valid UTF-8 (an invalid value would fail
// the whole metric) and of bounded length.
func label(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// table keeps one value a name, for ever.
type table[T any] struct {
	make func() *T

	mu    sync.RWMutex // guards named and order
	named map[string]*T
	order []string
}

func (t *table[T]) get(name string) *T {
	name = label(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.named[name]
	if !ok && len(t.order) >= maxNames {
		name = other
		v, ok = t.named[name]
	}
	if ok {
		return v
	}
	if t.named == nil {
		t.named = make(map[string]*T)
	}
	v = t.make()
	t.named[name] = v
	t.order = append(t.order, name)
	return v
}

// each visits the values in the order in which they were made.
func (t *table[T]) each(visit func(name string, v *T)) {
	t.mu.RLock()
	order := t.order[:len(t.order):len(t.order)]
	t.mu.RUnlock()
	for _, name := range order {
		t.mu.RLock()
		v := t.named[name]
		t.mu.RUnlock()
		visit(name, v)
	}
}
