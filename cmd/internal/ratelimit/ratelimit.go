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

// longest is a life without end: a large burst that fills slowly would take
// longer than a time.Duration can say.
const longest = 100 * 365 * 24 * time.Hour

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
		life: time.Duration(min(float64(r.Burst)/perSecond*float64(time.Second), float64(longest))),
	}
	for i := range t.shards {
		t.shards[i].most = max(1, clients/len(t.shards)/2)
		t.shards[i].newer = make(map[netip.Addr]*rate.Limiter)
	}
	return t
}

// Take counts one request of a client. When it is one too many, ok is false,
// nothing is counted, and wait says how long until the client may send one. An
// IPv6 client is its /64, since one machine has all of it (RFC 6177), but for
// one that stands for an IPv4 address; what is no address is one client.
func (t *Table) Take(client netip.Addr) (wait time.Duration, ok bool) {
	now := t.now()
	b := t.bucket(owner(client), now)
	if b.AllowN(now, 1) {
		return 0, true
	}
	// A reservation that is taken back would not do: behind it others may have
	// been made, and then nothing comes back.
	missing := 1 - b.TokensAt(now)
	return max(time.Duration(missing/float64(t.limit)*float64(time.Second)), 1), false
}

// translated is how IPv4 clients look behind a translator (RFC 6052 §2.1).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// owner returns the address that stands for all that one client has.
func owner(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); !a.Is6() {
		return a
	}
	if translated.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	p, _ := a.Prefix(64) // 64 is within bounds
	return p.Addr()
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
