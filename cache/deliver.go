package cache

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/flight"
	"veneer/cache/key"
)

// Step 7, deliver: the only code besides preflight that touches the
// ResponseWriter. Everything that belongs to one client is put on here.

// deliverPreflight lets the route's policy answer a CORS preflight.
func (x *exchange) deliverPreflight() bool {
	h := x.w.Header()
	h["Cache-Status"] = preflightStatus
	w := &statusWriter{ResponseWriter: x.w, status: http.StatusOK}
	if x.route.CORS.Preflight(w, x.r, x.origin) {
		x.decision.Status, x.decision.Sent = w.status, w.sent
		return true
	}
	delete(h, "Cache-Status")
	return false
}

// statusWriter remembers the status that a policy answers with, and counts its
// content.
type statusWriter struct {
	http.ResponseWriter
	status int
	sent   int64
}

func (w *statusWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

var preflightStatus = []string{(&cachestatus.Status{Detail: cachestatus.Preflight}).String()}

// unsniffed keeps net/http from guessing a Content-Type: a response without
// one is passed on without one.
func unsniffed(h http.Header) {
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil
	}
}

// deliverStored answers with a stored response, whole, in part, or with 304.
func (x *exchange) deliverStored(o *Object) {
	x.decision.Served = o
	h := x.w.Header()
	for _, f := range o.headerFields() {
		h[f.name] = f.lines
	}
	unsniffed(h)
	x.route.Response.apply(h)
	dynamic := o.hitFields(x.now)
	h["Age"] = dynamic.age
	if x.decision.Result == ResultHit {
		x.cacheStatus(h, dynamic.status)
	} else {
		x.cacheStatus(h, x.statusLine(o))
	}
	x.debugKey(h)
	if x.notModified(h, o) || x.ranges(h, o) {
		return
	}
	x.start(o.Status)
	if x.r.Method != http.MethodHead && len(o.body) > 0 {
		x.write(o.body)
	}
}

// statusLine makes the Cache-Status member of everything but a plain hit.
func (x *exchange) statusLine(o *Object) []string {
	s := cachestatus.Status{
		Forward: x.decision.Forward, Stored: x.decision.Stored && !x.decision.Collapsed,
		Collapsed: x.decision.Collapsed, Detail: x.decision.Reason,
		UpstreamStatus: x.decision.Upstream,
	}
	if o != nil {
		s.Hit = x.decision.Forward == cachestatus.NotForwarded
		if s.Hit || x.decision.Stored {
			s.HasTTL, s.TTL = true, o.TTL(x.now)
		}
	}
	return []string{s.String()}
}

// cacheStatus adds our member behind those of caches nearer to the origin
// server (RFC 9211 §2).
func (x *exchange) cacheStatus(h http.Header, line []string) {
	if before := h["Cache-Status"]; before != nil {
		line = append(before[:len(before):len(before)], line...)
	}
	h["Cache-Status"] = line
}

// debugKey answers Veneer-Debug for a trusted peer.
func (x *exchange) debugKey(h http.Header) {
	if x.r.Header["Veneer-Debug"] == nil || x.plan.Trusted == nil || !x.plan.Trusted(x.r.RemoteAddr) {
		return
	}
	h["Veneer-Key"] = []string{key.Describe(x.key.Bytes)}
	h["Veneer-Reason"] = []string{x.decision.Reason.Sentence()}
}

// notModified answers a conditional request that the response satisfies with
// 304 (RFC 9111 §4.3.2, RFC 9110 §15.4.5), with the CORS fields of the Origin
// at hand.
func (x *exchange) notModified(h http.Header, o *Object) bool {
	if !satisfied(&x.steps, o) {
		return false
	}
	// The browser keeps the stored fields and puts those of the 304 over them:
	// what it may read is decided on all of them.
	x.dress(http.StatusOK)
	removeRepresentation(h)
	x.send(http.StatusNotModified)
	return true
}

// representationFields describe content that a 304 does not have; those that
// it must have are not among them (RFC 9110 §15.4.5).
var representationFields = [...]string{
	"Content-Length", "Content-Type", "Content-Encoding", "Content-Language", "Content-Range",
}

func removeRepresentation(h http.Header) {
	for _, name := range representationFields {
		delete(h, name)
	}
}

// deliverGrowing answers with a response whose content is still arriving.
func (x *exchange) deliverGrowing(head *fillHead, body *flight.Reader) {
	o := head.object
	x.decision.Served = o
	h := x.w.Header()
	for _, f := range o.headerFields() {
		if f.name != "Content-Length" {
			h[f.name] = f.lines
		}
	}
	if head.length >= 0 && bodyAllowed(o.Status) {
		h["Content-Length"] = []string{strconv.FormatInt(head.length, 10)}
	}
	for name, lines := range x.own {
		h[name] = lines
	}
	unsniffed(h)
	x.route.Response.apply(h)
	if age := o.Age(x.now); age >= time.Second || x.arrived { // not new: from another cache, slowly, or joined late
		h["Age"] = ageLine(age)
	}
	x.cacheStatus(h, x.statusLine(o))
	x.debugKey(h)
	if x.notModified(h, o) {
		return
	}
	x.start(o.Status)
	x.copyGrowing(body)
}

// copyGrowing sends what is there and flushes whenever more has to be waited
// for, so that a client is never behind what has arrived.
func (x *exchange) copyGrowing(body *flight.Reader) {
	rc := http.NewResponseController(x.w)
	for {
		if !body.Ready() {
			_ = rc.Flush()
		}
		p, err := body.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			x.cut(err)
			return
		}
		if !x.write(p) {
			return
		}
	}
}

// deliverResponse answers with an upstream response that is not shared. The
// caller closes its body.
func (x *exchange) deliverResponse(res *http.Response) {
	h := x.w.Header()
	for name, lines := range res.Header {
		h[name] = lines
	}
	if res.ContentLength >= 0 && bodyAllowed(res.StatusCode) && (res.ContentLength > 0 || x.r.Method != http.MethodHead) {
		h["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
	unsniffed(h)
	x.route.Response.apply(h)
	x.cacheStatus(h, x.statusLine(nil))
	x.debugKey(h)
	x.announceTrailers(h, res)
	x.start(res.StatusCode)
	if x.r.Method == http.MethodHead || !bodyAllowed(res.StatusCode) {
		return
	}
	if res.ContentLength < 0 {
		_ = http.NewResponseController(x.w).Flush() // a stream may be silent after its head
	}
	if !x.copyBody(res) {
		return
	}
	if len(res.Trailer) > 0 {
		x.route.CORS.Strip(res.Trailer, false)
		dropOwn(res.Trailer)
		for name, lines := range res.Trailer {
			h[http.TrailerPrefix+name] = lines
		}
	}
}

// announceTrailers says which trailer fields follow (RFC 9110 §6.6.2).
func (x *exchange) announceTrailers(h http.Header, res *http.Response) {
	x.route.CORS.Strip(res.Trailer, false)
	dropOwn(res.Trailer)
	for name := range res.Trailer {
		h["Trailer"] = append(h["Trailer"], name)
	}
}

// dropOwn removes what a policy notes in a message for its Apply, where no Apply
// follows.
func dropOwn(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Veneer-") {
			delete(h, name)
		}
	}
}

// copyBody streams the content of an upstream response. The buffer is the
// request's own: an HTTP/2 writer may look at it after the handler returned.
func (x *exchange) copyBody(res *http.Response) bool {
	rc := http.NewResponseController(x.w)
	size := int64(32 << 10)
	if res.ContentLength > 0 {
		size = min(size, res.ContentLength)
	}
	buf := make([]byte, size)
	sent := int64(0)
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			if !x.write(buf[:n]) {
				return false
			}
			if sent += int64(n); sent != res.ContentLength {
				_ = rc.Flush()
			}
		}
		switch {
		case errors.Is(err, io.EOF) && (res.ContentLength < 0 || sent == res.ContentLength):
			return true
		case err != nil:
			x.cut(err)
			return false
		}
	}
}

// start puts the CORS fields of the client at hand on, last of all, and sends
// the final status.
func (x *exchange) start(status int) {
	x.dress(status)
	x.send(status)
}

// dress puts the CORS fields of the client at hand on.
func (x *exchange) dress(status int) {
	if x.route == nil {
		return
	}
	if c, ok := x.route.CORS.(notModifier); ok && status == http.StatusNotModified {
		c.NotModified(x.w.Header(), x.r.Header, x.origin)
		return
	}
	x.route.CORS.Apply(x.w.Header(), x.r.Header, x.origin)
}

// send sends the final status.
func (x *exchange) send(status int) {
	x.started = true
	x.decision.Status = status
	x.w.WriteHeader(status)
}

// write sends content, and reports false when the client takes no more.
func (x *exchange) write(p []byte) bool {
	n, err := x.w.Write(p)
	x.decision.Sent += int64(n)
	if err != nil {
		x.decision.Left = true
	}
	return err == nil
}

// cut ends an answer that cannot be completed: the connection (or stream) is
// reset, so that nobody takes it for the whole.
func (x *exchange) cut(error) {
	x.note(cachestatus.Incomplete)
	x.abort = true
	x.decision.Left = x.r.Context().Err() != nil // which ends the fetch too
}

// clientGone records a client that left before its answer.
func (x *exchange) clientGone() { x.abort, x.decision.Left = true, true }

// bodyAllowed reports whether a response with this status may have content
// (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
