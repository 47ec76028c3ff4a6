// Package ratelimit bounds how many requests one client may send in a time: a
// token bucket for every client address, in a table that does not grow with
// what clients do.
package ratelimit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is what one client may do: Requests in every Per, evenly spread, and up
// to Burst of them at once. All three are positive.
type Rate struct {
	Requests int
	Per      time.Duration
	Burst    int
}

// DefaultClients is how many clients a Table remembers.
const DefaultClients = 64 << 10

// Table holds the buckets of many clients. It is safe for concurrent use.
//
// A client that was quiet for as long as a bucket takes to fill is forgotten:
// it is as good as new. At the bound of the table clients are forgotten sooner,
// longest quiet first, which lets them have more rather than less.
type Table struct {
	limit  rate.Limit
	burst  int
	life   time.Duration // a bucket is full again after it
	seed   maphash.Seed
	shards [16]shard
	now    func() time.Time
}

// shard is a part of a Table with two generations of buckets: what is used
// moves to the newer one, and a turn drops what is left in the older.
type shard struct {
	mu     sync.Mutex // guards what follows
	newer  map[netip.Addr]*rate.Limiter
	older  map[netip.Addr]*rate.Limiter
	turned time.Time
	most   int // entries of one generation
}

// New returns a Table for about so many clients at once; now is its clock, nil
// means time.Now.
func New(r Rate, clients int, now func() time.Time) *Table {
	if now == nil {
		now = time.Now
	}
	perSecond := float64(r.Requests) / r.Per.Seconds()
	t := &Table{
		limit: rate.Limit(perSecond), burst: r.Burst, seed: maphash.MakeSeed(), now: now,
		life: time.Duration(float64(r.Burst) / perSecond * float64(time.Second)),
	}
	for i := range t.shards {
		t.shards[i].most = max(1, clients/len(t.shards)/2)
		t.shards[i].newer = make(map[netip.Addr]*rate.Limiter)
	}
	return t
}

// Take counts one request of a client. When it is one too many, ok is false,
// nothing is counted, and wait says how long until the client may send one. An
// IPv6 client is its /64, since one machine has all of it (RFC 6177); what is
// no address is one client.
func (t *Table) Take(client netip.Addr) (wait time.Duration, ok bool) {
	client = client.Unmap()
	if client.Is6() {
		p, _ := client.WithZone("").Prefix(64) // 64 is within bounds
		client = p.Addr()
	}
	now := t.now()
	r := t.bucket(client, now).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait <= 0 {
		return 0, true
	}
	r.CancelAt(now)
	return wait, false
}

func (t *Table) bucket(client netip.Addr, now time.Time) *rate.Limiter {
	s := &t.shards[maphash.Comparable(t.seed, client)%uint64(len(t.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.newer[client]; b != nil {
		return b
	}
	if len(s.newer) >= s.most || now.Sub(s.turned) > t.life {
		s.older, s.newer = s.newer, make(map[netip.Addr]*rate.Limiter)
		s.turned = now
	}
	b := s.older[client]
	if b == nil {
		b = rate.NewLimiter(t.limit, t.burst)
	}
	delete(s.older, client)
	s.newer[client] = b
	return b
}
