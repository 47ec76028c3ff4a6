package telemetry

import (
	"sync/atomic"
	"time"
)

// Parents says whose traceparent decides whether a request gets a trace. A
// client writes that field itself, and a span costs a hundred times what a hit
// does; so by default strangers are heeded, as OpenTelemetry has it, up to a rate.
type Parents uint8

// Whose traceparent is heeded. Where it is not, the ratio decides by a random
// draw: not by the trace id, which a stranger chooses too. That holds for
// OTEL_TRACES_SAMPLER=traceidratio as well, which decides by the ids of those
// who are trusted here. The trace goes on below its parent either way.
const (
	ParentsBounded Parents = iota // everybody's, but of strangers only StrangersPerSecond that are sampled
	ParentsAll                    // everybody's
	ParentsTrusted                // that of trusted peers
	ParentsNone                   // nobody's
)

// StrangersPerSecond is how many sampled parents of strangers are heeded in a
// second, and how many at once.
const StrangersPerSecond = 100

// pace lets StrangersPerSecond pass. It takes no lock. Its zero value is ready.
type pace struct {
	next atomic.Int64 // Unix nanoseconds: when all that have passed are paid for
}

// take reports whether one more may pass.
func (p *pace) take(now time.Time) bool {
	const each = int64(time.Second / StrangersPerSecond)
	at := now.UnixNano()
	for {
		next := p.next.Load()
		if next-at > int64(time.Second)-each {
			return false
		}
		if p.next.CompareAndSwap(next, max(next, at)+each) {
			return true
		}
	}
}

// trusts reports whether what peer sends may decide without a bound.
func (s *sampler) trusts(peer string) bool {
	return s.parents == ParentsAll || s.parents != ParentsNone && s.known != nil && s.known(peer)
}

// heeds reports whether the traceparent of a request from peer decides.
func (s *sampler) heeds(p parent, peer string) bool {
	switch {
	case !s.parent || s.parents == ParentsNone:
		return false
	case s.trusts(peer):
		return true
	case s.parents == ParentsTrusted:
		return false
	}
	return !p.flags.IsSampled() || s.strangers.take(s.now())
}
