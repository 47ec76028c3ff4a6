package cache

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"veneer/cache/cachestatus"
	"veneer/cache/flight"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// fillStep is step 6: join the flight of this request, or go to the upstream
// alone where an answer cannot be shared anyway.
func (x *exchange) fillStep() {
	if x.alone() {
		x.forward()
		return
	}
	// A flight whose answer turns out to be another variant is no use to this
	// request; its Vary names the fields that the next key needs.
	for range 3 {
		x.flightKey(false)
		if why, ok := x.e.marks.Marked(x.flightBuf, x.now); ok {
			x.passMarked(cachestatus.Reason(why))
			return
		}
		if x.joinFlight() {
			return
		}
		names := x.names
		x.lookupStep()
		if x.reuseStep() {
			return
		}
		if x.object == nil && x.names == nil && names != nil {
			x.names = names // the other variant is not stored yet
			x.decision.Forward = cachestatus.VaryMiss
		}
	}
	x.forward()
}

// passMarked goes forward for a request whose key has a mark, for that reason.
func (x *exchange) passMarked(why cachestatus.Reason) {
	x.marked = true
	x.note(cachestatus.HitForMiss)
	x.unstored(why) // most likely again
	x.forward()
	if !x.marked {
		// The response could have been stored, so only the mark kept it out.
		x.decision.NotStored = cachestatus.HitForMiss
	}
}

// alone reports whether the request goes forward without a flight.
func (x *exchange) alone() bool {
	if x.bypass || x.r.Method != http.MethodGet {
		x.note(cachestatus.Method) // without a bypass it is HEAD
		x.unstored(cachestatus.Method)
		return true
	}
	if x.object == nil && x.r.Header["Range"] != nil {
		// Fetching 10 MB to answer with one byte helps nobody; a small
		// representation is fetched whole afterwards (fetchWhole).
		x.note(cachestatus.RequestRange)
		x.unstored(cachestatus.RequestRange)
		return true
	}
	return false
}

// flightKey builds the key of the request's flight: what separates two primary
// keys and variants, and beyond that the epoch, so that nobody joins a fetch
// that began before an invalidation, and whether the request is authorized. A
// purge that is known to concern the response only when that is there is looked
// for then (purgedMeanwhile), and the next key of the request is its own and of
// those whom it happened to at the same time.
// A refresh in the background runs once at a time on every route.
func (x *exchange) flightKey(background bool) {
	x.epoch = x.route.Store.Epoch(x.key.URI())
	b := x.flightBuf[:0]
	b = strconv.AppendUint(b, x.epoch.URI, 16)
	if x.apart > 0 {
		b = append(b, 'p')
		b = strconv.AppendUint(b, x.apart, 16)
	}
	if x.authorized {
		b = append(b, 'a')
	}
	if x.route.NoCollapse && !background {
		b = append(b, 'n')
		b = strconv.AppendUint(b, x.e.serial.Add(1), 16)
	}
	b = append(b, '|')
	b = strconv.AppendInt(b, int64(len(x.key.Bytes)), 10)
	b = append(b, ':')
	b = append(b, x.key.Bytes...)
	names := x.names
	if x.object != nil {
		names = x.object.Selecting.Names
	}
	if len(names) > 0 {
		b = key.Select(names, &x.seen).Append(b)
	}
	x.flightBuf = b
}

// joinFlight waits for the flight's outcome, whoever leads it, and delivers.
// It reports false when this request has to try again.
func (x *exchange) joinFlight() bool {
	x.asked = true
	f, leader := x.e.flights.Join(x.flightBuf)
	x.late, x.arrived = false, false
	if !leader {
		select {
		case <-f.Decided():
			x.late, x.arrived = true, f.Complete()
		default:
		}
	}
	var j *fill
	if leader {
		j = x.newFill(f, x.object)
		j.client = make(chan interim, interims)
		if !x.e.goFill(j.run) {
			f.Fail(errClosing)
			f.Leave()
		}
		x.interimUntil(f.Decided(), j.client)
	}
	out, err := x.waitFor(f, leader)
	switch out.State {
	case flight.Published:
		if !leader && x.purgedMeanwhile(out.Head) {
			out.Body.Close()
			x.apart = x.epoch.Log
			return false
		}
		if x.late && !x.usable(out.Head.object) {
			// The response was there before the request, so it is a stored
			// one in all but name, and would have to be validated.
			out.Body.Close()
			return x.afterFlight(f)
		}
		return x.published(out, leader)
	case flight.Released:
		x.note(cachestatus.Reason(out.Why))
		x.unstored(cachestatus.Reason(out.Why))
		if j != nil {
			x.takeOver(j)
			return true
		}
		x.forward()
		return true
	case flight.Failed:
		if errors.Is(err, flight.ErrLagging) { // its beginning is gone
			x.forward()
			return true
		}
		x.decision.Collapsed = !leader
		x.upstreamFailed(err)
		return true
	}
	j.abandon()
	x.clientGone()
	return true
}

// interimUntil passes interim responses on until the flight is decided or the
// client has left.
func (x *exchange) interimUntil(decided <-chan struct{}, client <-chan interim) {
	for waiting := true; waiting; {
		select {
		case i := <-client:
			x.deliverInterim(i)
		case <-decided:
			waiting = false
		case <-x.r.Context().Done():
			return
		}
	}
	for { // what came before the head is sent before it
		select {
		case i := <-client:
			x.deliverInterim(i)
		default:
			return
		}
	}
}

var errClosing = errors.New("cache: closing")

// published delivers what a flight shares, if this request may have it.
func (x *exchange) published(out flight.Outcome[*fillHead], leader bool) bool {
	head := out.Head
	defer out.Body.Close()
	o := head.object
	if !leader && !o.Selecting.Matches(&x.seen) {
		x.names = o.Selecting.Names
		return false
	}
	if !leader && !x.mayHave(head) {
		x.forward()
		return true
	}
	x.decision.Collapsed = !leader
	x.decision.Upstream = head.upstream
	if leader {
		x.own = head.own
	}
	switch {
	case head.stale:
		x.decision.Result = ResultStale
		x.decision.Reason = cachestatus.StaleServed
		x.deliverStored(o)
	case head.complete && head.upstream == 0:
		// The leader's second look-up found it: somebody else's flight ended
		// between our look-up and our Join.
		x.decision.Result, x.decision.Forward = ResultHit, cachestatus.NotForwarded
		x.deliverStored(o)
	case head.complete:
		x.decision.Result = ResultRevalidated
		x.decision.Stored = head.refused == cachestatus.None
		x.note(head.refused)
		x.unstored(head.refused)
		x.deliverStored(o)
	case x.arrived:
		// The whole response was here before the request: a hit in all but
		// the store's last microseconds.
		x.decision.Result, x.decision.Forward = ResultHit, cachestatus.NotForwarded
		x.decision.Collapsed, x.decision.Upstream = false, 0
		x.deliverGrowing(head, out.Body)
	default:
		x.decision.Result = ResultMiss
		if x.decision.Stored = head.refused == cachestatus.None; !x.decision.Stored {
			x.decision.Reason = head.refused // says more than how the look-up missed
			x.unstored(head.refused)
		}
		x.deliverGrowing(head, out.Body)
	}
	if x.decision.Collapsed {
		x.decision.Result = ResultCollapsed
	}
	return true
}

// purgedMeanwhile reports whether a flight's response is older, for this
// request, than a purge that concerns it: the fetch began before that, and the
// request came after it. What comes from the store shows it by itself.
func (x *exchange) purgedMeanwhile(head *fillHead) bool {
	if head.upstream == 0 || head.stale {
		return false
	}
	return x.route.Store.Purged(head.object, head.epoch, x.epoch)
}

// usable reports whether o may answer this request as it is.
func (x *exchange) usable(o *Object) bool {
	reuse, _ := o.decide(x.directives, x.now)
	return reuse == rfc9111.UseFresh
}

// afterFlight goes on when the flight's response has been stored, to look it
// up; while it still grows the request goes forward alone.
func (x *exchange) afterFlight(f *flight.Flight[*fillHead]) (answered bool) {
	if !x.arrived {
		x.forward()
		return true
	}
	select {
	case <-f.Left():
		return false
	case <-x.r.Context().Done():
		x.clientGone()
		return true
	}
}

// mayHave reports whether a follower's own directives let it have a stored
// response that the leader was content with. What is new from the upstream
// anybody may have.
func (x *exchange) mayHave(head *fillHead) bool {
	switch {
	case head.stale:
		return standsIn(head.object, x.directives, x.now)
	case head.complete && head.upstream == 0:
		return x.usable(head.object)
	}
	return true
}

// takeOver delivers to the leader's own client what proved not to be shareable.
func (x *exchange) takeOver(j *fill) {
	res, o := j.take()
	x.decision.Result = ResultMiss
	switch {
	case o != nil:
		x.decision.Result, x.decision.Upstream = ResultRevalidated, http.StatusNotModified
		x.deliverStored(o)
	case res != nil:
		defer context.AfterFunc(x.r.Context(), j.cancel)()
		defer j.cancel()
		defer res.Body.Close()
		x.decision.Upstream = res.StatusCode
		x.deliverResponse(res)
	default:
		x.fail(http.StatusBadGateway, cachestatus.Internal, "The fetch was given up.")
	}
}

// refresh validates o in the background (RFC 5861 §3), once at a time.
func (x *exchange) refresh(o *Object) {
	x.flightKey(true)
	f, ok := x.e.flights.Lead(x.flightBuf)
	if !ok {
		return
	}
	if j := x.newFill(f, o); !x.e.goFill(j.run) {
		f.Leave()
	}
}

// rangeWhole is how large a representation may be, in bytes, that is fetched
// whole because a range of it was asked for.
const rangeWhole = 1 << 20

// fetchWhole fetches the whole of a small representation after a range of it,
// or the whole because the upstream knows no ranges (RFC 9110 §14.2), was
// passed on, so that the next range comes from the store.
func (x *exchange) fetchWhole(res *http.Response) {
	if x.bypass || x.object != nil || x.r.Method != http.MethodGet || x.r.Header["Range"] == nil {
		return
	}
	size := wholeSize(res)
	if size < 0 || size > min(rangeWhole, x.route.MaxObject) || len(res.Trailer) > 0 {
		return
	}
	_, reason := x.assess(res, http.StatusOK)
	_, star := key.Names(res.Header["Vary"])
	if reason != cachestatus.None || star {
		return
	}
	x.flightKey(true)
	if _, marked := x.e.marks.Marked(x.flightBuf, x.now); !marked { // else it was fetched, and could not be stored
		x.refresh(nil)
	}
}

// wholeSize returns how large the representation is that res has a part of, or
// all, or -1 when that is not known or res has neither.
func wholeSize(res *http.Response) int64 {
	switch res.StatusCode {
	case http.StatusOK:
		return res.ContentLength
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if size, err := strconv.ParseInt(total, 10, 64); err == nil {
			return size
		}
	}
	return -1
}

// assess says whether res, taken as a response with the given status, could be
// stored (RFC 9111 §3).
func (x *exchange) assess(res *http.Response, status int) (rfc9111.Meta, cachestatus.Reason) {
	return rfc9111.Assess(&rfc9111.Response{
		Method: x.r.Method, Request: &x.seen, RequestNoStore: x.directives.NoStore,
		Status: status, Header: res.Header, RequestTime: x.now, ResponseTime: x.e.now(),
	}, &x.route.Policy)
}
