package app

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cmd/internal/telemetry"
)

// unmatched is the route label of requests that no route takes. No route can
// have this name: those have a "/" in them.
const unmatched = "unmatched"

// recorder turns the engine's Decisions into counters, and shows them to the
// observers. It finds the counters by the route's name, so that a request that ends
// after a reload is counted where it began. Record allocates nothing and takes no
// lock; without an observer they cost one load.
type recorder struct {
	telemetry *telemetry.Telemetry
	routes    atomic.Pointer[map[string]*telemetry.RouteCounters]
	none      *telemetry.RouteCounters

	mu        sync.Mutex // guards changes of observers
	observers atomic.Pointer[[]*attached]
}

// observer is whoever else wants to see every Decision: the access log, the newest
// requests. Its Record is called as that of a cache.Recorder is, by many
// goroutines at once, and must not wait for anything: the request does.
type observer interface {
	Record(q *cache.Request, d *cache.Decision)
}

// attached is an observer in its place.
type attached struct{ observer }

// attach shows o every Decision until detach is called; a request that ends at
// the same time may be shown to o a moment longer.
func (c *recorder) attach(o observer) (detach func()) {
	at := &attached{o}
	c.change(func(observers []*attached) []*attached { return append(observers, at) })
	return func() {
		c.change(func(observers []*attached) []*attached {
			return slices.DeleteFunc(observers, func(a *attached) bool { return a == at })
		})
	}
}

// change replaces the observers by what edit makes of a copy.
func (c *recorder) change(edit func([]*attached) []*attached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var observers []*attached
	if old := c.observers.Load(); old != nil {
		observers = slices.Clone(*old)
	}
	if observers = edit(observers); len(observers) == 0 {
		c.observers.Store(nil)
		return
	}
	c.observers.Store(&observers)
}

func newRecorder(t *telemetry.Telemetry) *recorder {
	r := &recorder{telemetry: t, none: t.Route(unmatched)}
	r.routes.Store(&map[string]*telemetry.RouteCounters{})
	return r
}

// add prepares the counters of a plan's routes before the plan is used. Names
// of earlier plans stay: their requests may be under way, and the telemetry
// keeps their counters anyway. It is called by one goroutine at a time.
func (c *recorder) add(names []string) {
	next := maps.Clone(*c.routes.Load())
	for _, n := range names {
		next[n] = c.telemetry.Route(n)
	}
	c.routes.Store(&next)
}

// Record implements cache.Recorder.
func (c *recorder) Record(q *cache.Request, d *cache.Decision) {
	counters := c.none
	if d.Route != nil {
		if known := (*c.routes.Load())[d.Route.Name]; known != nil {
			counters = known
		}
	}
	counters.Add(telemetry.Result(d.Result))
	counters.AddStatus(d.Status)
	if d.Span != nil {
		counters.ObserveTraced(d.Took, d.Span.SpanContext())
	} else {
		counters.Observe(d.Took)
	}
	if reason := notStored(d); reason != cachestatus.None {
		counters.AddNotStored(reason)
	}
	if observers := c.observers.Load(); observers != nil {
		for _, o := range *observers {
			o.Record(q, d)
		}
	}
}

// NotStored implements cache.Recorder.
func (c *recorder) NotStored(route *cache.Route, reason cachestatus.Reason) {
	if known := (*c.routes.Load())[route.Name]; known != nil {
		known.AddNotStored(reason)
	}
}

// notStored says why a response of the upstream was not stored, or None where
// there was none or where somebody else's request stored it.
func notStored(d *cache.Decision) cachestatus.Reason {
	if d.Upstream == 0 || d.Stored || d.Collapsed {
		return cachestatus.None
	}
	if d.Result != cache.ResultMiss && d.Result != cache.ResultBypass {
		return cachestatus.None
	}
	return d.NotStored
}
