package app

import (
	"maps"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cmd/internal/telemetry"
)

// unmatched is the route label of requests that no route takes. No route can
// have this name: those have a "/" in them.
const unmatched = "unmatched"

// recorder turns the engine's Decisions into counters. It finds them by the
// route's name, so that a request that ends after a reload is counted where it
// began. Record allocates nothing and takes no lock.
type recorder struct {
	telemetry *telemetry.Telemetry
	routes    atomic.Pointer[map[string]*telemetry.RouteCounters]
	none      *telemetry.RouteCounters
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
func (c *recorder) Record(_ *cache.Request, d *cache.Decision) {
	counters := c.none
	if d.Route != nil {
		if known := (*c.routes.Load())[d.Route.Name]; known != nil {
			counters = known
		}
	}
	counters.Add(telemetry.Result(d.Result))
	counters.AddStatus(d.Status)
	counters.Observe(d.Took)
	if reason := notStored(d); reason != cachestatus.None {
		counters.AddNotStored(reason)
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
