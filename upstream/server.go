package upstream

import (
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// ServerState is what a Pool knows about one server.
type ServerState struct {
	URL      string // scheme, host and base path
	Healthy  bool   // not set aside
	Fails    int    // connection failures in a row
	InFlight int    // requests under way, content that is still being read included
}

// server is one server of a Pool.
type server struct {
	url      *url.URL
	base     string  // escaped path to put in front, without the last "/"
	direct   *direct // nil: only by the transport
	inFlight atomic.Int64
	health   health // guarded by group.mu
}

// health is what failed attempts say about a server.
type health struct {
	fails    int
	lastFail time.Time // zero: never
	out      bool      // set aside, until
	until    time.Time
	trial    bool // an attempt on a server that was set aside is under way
}

// group is the servers of a Pool with their health.
type group struct {
	servers     []*server
	balancer    Balancer
	maxFails    int
	failTimeout time.Duration

	mu         sync.Mutex  // guards every server's health, and candidates
	candidates []Candidate // scratch of pick
}

// pick returns a server for an attempt and counts the attempt as under way, or
// nil when the balancer wants none. A server that was set aside gets one
// attempt once its time is over, and the others only if that one succeeds. When
// all are set aside the one whose last failure is longest ago is tried all the
// same, so that a lone server that is back is noticed at once. not, which may
// be nil, is passed over if there is another one.
func (g *group) pick(now time.Time, not *server) *server {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.candidates = g.candidates[:0]
	var oldest *server
	for i, s := range g.servers {
		if s == not && len(g.servers) > 1 {
			continue
		}
		if h := &s.health; !h.out || !h.trial && !now.Before(h.until) {
			g.candidates = append(g.candidates, Candidate{Server: i, InFlight: int(s.inFlight.Load())})
		} else if oldest == nil || h.lastFail.Before(oldest.health.lastFail) {
			oldest = s
		}
	}
	s := oldest
	if len(g.candidates) > 0 {
		i := g.balancer.Pick(g.candidates)
		if i < 0 || i >= len(g.candidates) {
			return nil
		}
		s = g.servers[g.candidates[i].Server]
	}
	s.health.trial = s.health.out
	s.inFlight.Add(1)
	return s
}

// take counts an attempt on s, which somebody else has picked, as under way.
func (g *group) take(s *server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.health.trial = s.health.out
	s.inFlight.Add(1)
}

// outcome is what an attempt says about the health of its server.
type outcome uint8

const (
	neutral outcome = iota // nothing
	success
	failure
)

// report takes an attempt's outcome into the health of s.
func (g *group) report(s *server, now time.Time, o outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := &s.health
	switch o {
	case success:
		*h = health{}
	case failure:
		if !h.out && now.Sub(h.lastFail) > g.failTimeout {
			h.fails = 0
		}
		h.fails++
		h.lastFail = now
		if h.fails >= g.maxFails {
			h.out, h.until = true, now.Add(g.failTimeout)
		}
	}
	h.trial = false
}

// states returns the state of every server, in the order of the Config.
func (g *group) states() []ServerState {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]ServerState, len(g.servers))
	for i, s := range g.servers {
		out[i] = ServerState{
			URL:      s.url.Scheme + "://" + s.url.Host + s.base,
			Healthy:  !s.health.out,
			Fails:    s.health.fails,
			InFlight: int(s.inFlight.Load()),
		}
	}
	return out
}
