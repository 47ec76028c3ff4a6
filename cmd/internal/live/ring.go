package live

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
	"veneer/cache/cachestatus"
)

// How many requests are kept, and how many are looked at in a second: what is
// beyond is counted only.
const (
	keptHits    = 128
	hitsASecond = 16
	keptRest    = 512
	restASecond = 64
)

// Bounds of the text that is kept of a request, in bytes.
const (
	maxMethodText = 32
	maxHostText   = 256
	maxURLText    = 1024
	maxOriginText = 255
)

// Request is one that was kept.
type Request struct {
	ID        uint64 // grows from one to the next
	At        time.Time
	Took      time.Duration
	Method    string
	URL       string // without what may be a secret in its query, perhaps cut
	Origin    string
	Route     string
	Status    int // 0: the client left before there was one
	Result    cache.Result
	Reason    cachestatus.Reason
	NotStored cachestatus.Reason
	Forward   cachestatus.Forward
	Upstream  int // status of the upstream's response, 0: there was none
	Stored    bool
	Left, Cut bool
	Bytes     int64
	Trace     trace.TraceID // zero: it was not traced
}

// slot is a Request whose texts are one after the other in text: its memory is
// used again.
type slot struct {
	Request
	text        []byte
	method, url int // where they end
}

// ring is the newest requests of one kind.
type ring struct {
	limit uint32
	spent atomic.Uint64 // the current second, and how many were taken in it: 32 bits each

	mu    sync.Mutex
	slots []slot
	next  int
}

func (r *ring) init(n int, limit uint32) { r.slots, r.limit = make([]slot, n), limit }

// takes reports whether a request that began at that time is to be kept. While
// there are many it costs one load of memory that nobody writes.
func (r *ring) takes(at time.Time) bool {
	second := uint64(uint32(at.Unix())) << 32
	for {
		spent := r.spent.Load()
		next := second | 1
		if spent&^uint64(1<<32-1) == second {
			if uint32(spent) >= r.limit {
				return false
			}
			next = spent + 1
		}
		if r.spent.CompareAndSwap(spent, next) {
			return true
		}
	}
}

// keep writes a request into the place of the oldest.
func (l *Live) keep(r *ring, q *cache.Request, d *cache.Decision) {
	scheme := l.opt.Scheme(q)
	id := l.lastID.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[r.next]
	r.next = (r.next + 1) % len(r.slots)
	s.Request = Request{
		ID: id, At: d.Start, Took: d.Took, Status: d.Status, Result: d.Result, Reason: d.Reason, NotStored: d.NotStored,
		Forward: d.Forward, Upstream: d.Upstream, Stored: d.Stored && !d.Collapsed, Left: d.Left, Cut: d.Cut, Bytes: d.Sent,
	}
	if d.Route != nil {
		s.Route = d.Route.Name
	}
	if d.Span != nil {
		s.Trace = d.Span.SpanContext().TraceID()
	}
	b := s.text[:0]
	b = append(b, clip(q.Method, maxMethodText)...)
	s.method = len(b)
	b = append(append(append(b, scheme...), "://"...), clip(q.Host, maxHostText)...)
	b = append(b, clip(q.Path, maxURLText)...)
	if q.Query != "" {
		b = l.opt.Query(append(b, '?'), clip(q.Query, maxURLText))
	}
	s.url = len(b)
	if q.Fields != nil {
		if lines := q.Fields.Values("Origin"); len(lines) > 0 {
			b = append(b, clip(lines[0], maxOriginText)...)
		}
	}
	s.text = b
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// list appends copies of what is kept.
func (r *ring) list(dst []Request) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.slots {
		s := &r.slots[i]
		if s.ID == 0 {
			continue
		}
		q, text := s.Request, string(s.text)
		q.Method, q.URL, q.Origin = text[:s.method], text[s.method:s.url], text[s.url:]
		dst = append(dst, q)
	}
	return dst
}

// Newest returns what is kept of the newest requests, the newest first, n at the
// most. They are in the order in which they ended.
func (l *Live) Newest(n int) []Request {
	all := l.rest.list(l.hits.list(nil))
	slices.SortFunc(all, func(a, b Request) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), n)]
}
