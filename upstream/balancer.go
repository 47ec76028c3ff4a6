package upstream

import "sync/atomic"

// Candidate is a server that a Balancer may pick.
type Candidate struct {
	Server   int // its index in Config.Servers
	InFlight int // its requests under way, content that is still being read included
}

// Balancer picks a server for a request. Pick returns an index into
// candidates, of which there is at least one, or -1 for none of them, which
// fails the request. It does not keep the slice and does not call the Pool,
// whose lock is held; a Balancer that serves one Pool needs no lock of its own.
type Balancer interface {
	Pick(candidates []Candidate) int
}

// RoundRobin picks one server after the other. The zero value is ready, and it
// is safe for concurrent use.
type RoundRobin struct{ next atomic.Int64 }

// Pick returns the candidate after the one that was picked last: by server and
// not by place in the list, which changes while one is set aside.
func (b *RoundRobin) Pick(candidates []Candidate) int {
	next := b.next.Load()
	best := 0
	for i, c := range candidates {
		if int64(c.Server) >= next {
			best = i
			break
		}
	}
	b.next.Store(int64(candidates[best].Server) + 1)
	return best
}
