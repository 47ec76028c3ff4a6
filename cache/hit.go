package cache

import (
	"net/http"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// Hit is a fresh stored response that answers a request as it is, for who reads
// and writes a protocol by itself: request view in, ready bytes and content
// out. Engine.Find fills it. It is used by one goroutine at a time and may be
// used again for the next request; the zero value is ready.
type Hit struct {
	steps
	e        *Engine
	encoding *Encoding

	object   *Object
	prepared *prepared
	decision Decision

	traced bool
	looked time.Time // when it was found, of a request that is traced
}

// Glancer is what a Store may be beside: Glance returns at once what sel
// selects among the variants of k, and counts that as Get would. When nothing
// is selected, or to say so would take a wait, it returns nil and leaves no
// trace.
type Glancer interface {
	Glance(k key.Key, sel Selector) *Object
}

// Find looks whether a fresh stored response answers the request q exactly as
// ServeHTTP would, steps 1 to 5 being the same code, and fills h with it. When
// it reports false nothing has happened, and q is for ServeHTTP: it is no plain
// hit. When it reports true the caller sends h, once, and then calls Answered.
//
// Of q, its strings and its lines nothing is kept but in h. Find allocates
// nothing for an Object that it has prepared before.
func (e *Engine) Find(h *Hit, q *Request, encoding *Encoding) bool {
	h.e, h.encoding, h.req, h.traced = e, encoding, *q, false
	h.plan, h.now = e.plan.Load(), e.now()
	if !q.read() || q.has("Range") || q.has("Veneer-Debug") || q.has("Upgrade") {
		return false
	}
	if h.route = nil; h.resolve().status != 0 || h.origin.Refuse {
		return false
	}
	store, ok := h.route.Store.(Glancer)
	if !ok || h.uncacheable() != cachestatus.None {
		return false
	}
	h.primaryKey()
	if h.object = store.Glance(h.key, h); h.object == nil {
		return false
	}
	h.decision = Decision{Route: h.route, Result: ResultHit, Status: h.prepared.status, Start: h.now}
	return true
}

// Select implements Selector: what it selects is sent.
func (h *Hit) Select(variants []*Object) int {
	i, _ := selectVariant(variants, &h.seen, h.authorized, h.now)
	if i < 0 {
		return -1
	}
	o := variants[i]
	if reuse, _ := o.decide(h.directives, h.now); reuse != rfc9111.UseFresh {
		return -1
	}
	notModified := satisfied(&h.steps, o)
	if h.prepared = o.prepare(h, notModified); h.prepared == nil {
		return -1
	}
	if h.route.Limit != nil {
		// Last of all: it counts. A request that it refuses costs its client
		// nothing, so ServeHTTP may ask it again.
		if _, ok := h.route.Limit(&h.req); !ok {
			return -1
		}
	}
	return i
}

// satisfied reports whether a conditional request is answered with 304 (RFC
// 9111 §4.3.2).
func satisfied(s *steps, o *Object) bool {
	return !s.origin.Full && rfc9111.Evaluate(s.req.Method, s.req.Fields, &o.Meta, o.Status) == rfc9111.NotModified
}

// Status is the response's status code.
func (h *Hit) Status() int { return h.prepared.status }

// Fixed is what the Encoding made of the status and of those fields that are
// the same for every such hit: all but Age, our line of Cache-Status, and
// OriginFields. Nobody changes it.
func (h *Hit) Fixed() []byte { return h.prepared.fixed }

// Age is the value of the Age field (RFC 9111 §5.1), in seconds.
func (h *Hit) Age() int64 { return ageSeconds(h.object.Age(h.now)) }

// AppendCacheStatus appends the value of the last line of the Cache-Status
// field, ours (RFC 9211).
func (h *Hit) AppendCacheStatus(dst []byte) []byte {
	s := cachestatus.Status{Hit: true, HasTTL: true, TTL: h.object.TTL(h.now)}
	return s.Append(dst)
}

// OriginFields are the names of the fields that the response has beside, and
// whose value is the request's Origin, and that Origin.
func (h *Hit) OriginFields() (names []string, origin string) {
	return h.prepared.reflected, h.origin.Bucket
}

// Body is the content to send: nothing for HEAD and 304. Nobody changes it, and
// it may be kept for as long as one likes.
func (h *Hit) Body() []byte {
	if h.req.Method == http.MethodHead || h.prepared.status == http.StatusNotModified {
		return nil
	}
	return h.object.body
}

// Now is when the request began, by the Engine's clock.
func (h *Hit) Now() time.Time { return h.now }

// Answered is step 8 for a Hit that was sent, or was found out to be no use to
// its client: it counts it, once. unsent is how many of the last bytes of the
// response its client did not take, 0 when it took all.
func (h *Hit) Answered(unsent int) {
	h.decision.Delivery = Delivery{Sent: int64(max(0, len(h.Body())-unsent)), Served: h.object, Left: unsent > 0}
	h.route.CORS.Count(h.req.Method, h.req.Fields.Values("Origin"), h.origin)
	var s *span
	if h.traced {
		s = h.beginTrace()
		h.decision.Span = s.Span
	}
	h.decision.Took = h.e.since(h.now)
	if h.e.recorder != nil {
		h.e.recorder.Record(&h.req, &h.decision)
	}
	if s != nil {
		h.endTrace(s)
	}
}

// Reset forgets everything but the buffers, so that h holds no request's bytes.
func (h *Hit) Reset() { *h = Hit{steps: steps{keyBuf: kept(h.keyBuf)}} }
