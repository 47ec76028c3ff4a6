package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/flight"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/tag"
)

// fillHead is what a flight publishes: a response that may be shared.
type fillHead struct {
	object   *Object // without content while it grows
	complete bool    // object has all its content; there is nothing to read
	stale    bool    // the upstream failed, and object is what was stored
	upstream int     // status of the upstream's response; 0 when it was not asked
	length   int64   // announced length of growing content, -1 when unknown
	// own are the fields that the client whose request began the flight gets
	// and nobody else, because they are not stored (private="Set-Cookie").
	own     http.Header
	refused cachestatus.Reason // why the store refused it, or will
	epoch   Epoch              // of before it was fetched
}

// fill is one fetch on behalf of a flight. It runs on a goroutine of the
// Engine, under its own deadline: the client that began it may leave.
type fill struct {
	e          *Engine
	route      *Route
	flight     *flight.Flight[*fillHead]
	flightKey  []byte
	key        key.Key
	origin     Origin
	seen       requestView
	directives rfc9111.RequestDirectives
	authorized bool
	names      []string
	epoch      Epoch
	request    *http.Request
	object     *Object      // to validate, and to fall back on; may be nil
	client     chan interim // of the leader's client; nil in the background
	span       *span        // of the request that began it, which may have ended

	cancel context.CancelFunc // set before the flight is decided

	mu        sync.Mutex // guards what follows
	abandoned bool       // the leader's client left before the hand-over
	response  *http.Response
	private   *Object // a freshened response that must not be shared
}

// newFill prepares the fetch of the request's flight.
func (x *exchange) newFill(f *flight.Flight[*fillHead], o *Object) *fill {
	b := slices.Clone(x.key.Bytes)
	return &fill{
		e: x.e, route: x.route, flight: f, flightKey: slices.Clone(x.flightBuf),
		key:    key.Key{Bytes: b, Group: x.key.Group},
		origin: x.origin, seen: x.seen, directives: x.directives, authorized: x.authorized,
		names: x.names, epoch: x.route.Store.Epoch(x.key.URI()), object: o,
		request: x.outgoingWhole(context.Background()), span: x.span.leads(f),
	}
}

// run is the leader of the flight: fetch or validate, strip, decide, store.
func (j *fill) run() {
	defer j.flight.Leave()
	ctx, cancel := context.WithCancel(j.e.ctx)
	j.cancel = cancel
	handed := false
	defer func() {
		if p := recover(); p != nil {
			j.e.log(j.span.context(), "cache: BUG: a fetch panicked", p)
			j.flight.Fail(errors.New("cache: a fault of ours ended the fetch"))
			handed = false
		}
		if !handed {
			cancel()
		}
	}()
	if o := j.lookAgain(ctx); o != nil {
		j.flight.Publish(ctx, &fillHead{object: o, complete: true}, flight.Content{})
		j.flight.Finish(nil)
		return
	}
	timeout := j.route.FetchTimeout
	if timeout == 0 {
		timeout = 10 * time.Minute
	}
	timer := time.AfterFunc(timeout, cancel)
	defer timer.Stop()
	handed = j.fetch(ctx)
}

// lookAgain looks up once more after the flight began: another flight may have
// stored the answer between this request's look-up and its Join.
func (j *fill) lookAgain(ctx context.Context) *Object {
	o, err := j.route.Store.Get(ctx, j.key, j)
	if err != nil || o == nil || o == j.object {
		return nil
	}
	if reuse, _ := o.decide(j.directives, j.e.now()); reuse != rfc9111.UseFresh {
		return nil
	}
	return o
}

// Select implements Selector.
func (j *fill) Select(variants []*Object) int {
	i, _ := selectVariant(variants, &j.seen, j.authorized, j.e.now())
	return i
}

// fetch asks the upstream and decides. It reports whether the response was
// handed over to the leader's client, who then owns the context too.
func (j *fill) fetch(ctx context.Context) (handed bool) {
	validating := false
	if j.object != nil {
		key.SetStored(j.request.Header, &j.object.Selecting)
		j.route.Request.apply(j.request.Header) // what the route sets is not the client's to select by
		validating = rfc9111.SetValidators(j.request.Header, &j.object.Meta)
	}
	sent := j.e.now()
	res, err := j.roundTrip(ctx)
	if err == nil && validating && res.StatusCode == http.StatusNotModified {
		if handed, ok := j.freshen(ctx, res, sent); ok {
			return handed
		}
		// A 304 for a representation that is not the stored one: ask again
		// for the whole (RFC 9111 §4.3.3).
		res.Body.Close()
		j.object = nil
		for _, name := range conditionalFields {
			delete(j.request.Header, name)
		}
		sent = j.e.now()
		res, err = j.roundTrip(ctx) //nolint:bodyclose // received closes it, or whom it hands it over to
	}
	if err != nil {
		if j.staleAllowed() {
			j.publishStale(ctx, 0)
		} else {
			j.flight.Fail(err)
		}
		return false
	}
	return j.received(ctx, res, sent)
}

func (j *fill) roundTrip(ctx context.Context) (*http.Response, error) {
	if j.client != nil {
		ctx = withInformational(ctx, func(code int, h http.Header) {
			select {
			case j.client <- interim{code, h.Clone()}:
			default: // the client does not take them; nobody waits for it
			}
		})
	}
	r := j.request.WithContext(ctx)
	if j.object != nil { // it may be sent once more, and who sends it changes the fields
		r.Header = r.Header.Clone()
	}
	return j.span.roundTrip(j.route, r)
}

// received decides about a response that is not a successful validation.
func (j *fill) received(ctx context.Context, res *http.Response, sent time.Time) (handed bool) {
	now := j.e.now()
	reason := receive(j.route, res, j.origin, true)
	if rfc9111.ErrorStatus(res.StatusCode) && j.staleAllowed() {
		res.Body.Close()
		j.publishStale(ctx, res.StatusCode)
		return false
	}
	response := j.assessed(res, sent, now)
	meta, why := rfc9111.Assess(response, &j.route.Policy)
	names, star := key.Names(res.Header["Vary"])
	switch {
	case reason != cachestatus.None:
	case why != cachestatus.None:
		reason = why
	case star, j.span.told(names):
		reason = cachestatus.VaryStar
	case res.ContentLength > j.route.MaxObject:
		reason = cachestatus.TooLarge
	case len(res.Trailer) > 0:
		reason = cachestatus.Trailers
	}
	if reason != cachestatus.None {
		j.replaced(ctx, res.StatusCode)
		return j.handOver(res, nil, reason)
	}
	j.store(ctx, res, ObjectSpec{
		Key: j.key, Selecting: key.Select(names, &j.seen), Status: res.StatusCode, Meta: meta,
		Header: rfc9111.StoredFields(response, &j.route.Policy), Tags: tag.Parse(res.Header),
	})
	return false
}

// assessed is a response as rfc9111 looks at it.
func (j *fill) assessed(res *http.Response, sent, received time.Time) *rfc9111.Response {
	return &rfc9111.Response{
		Method: http.MethodGet, Request: &j.seen, RequestNoStore: j.directives.NoStore,
		Status: res.StatusCode, Header: res.Header, RequestTime: sent, ResponseTime: received,
	}
}

// replaced forgets the stored response that a full one has taken the place of:
// a success or a client error says that the stored one is no longer current.
func (j *fill) replaced(ctx context.Context, status int) {
	if j.object != nil && !rfc9111.ErrorStatus(status) && !aboutClient(status) {
		_ = j.route.Store.Delete(ctx, j.object)
	}
}

// aboutClient reports whether a status speaks of who asked and how often, and
// not of the resource.
func aboutClient(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
		http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge, http.StatusNetworkAuthenticationRequired:
		return true
	}
	return false
}

// bodyStall is how long an upstream may send nothing in the middle of content
// that others wait for. A stream that is not stored may rest as long as it
// likes.
const bodyStall = time.Minute

// incoming is the content of a response on its way into a flight. Its reads are
// timed: the timer runs while one waits. Whole is called with the last piece
// when the content is complete, before anybody can see that piece.
type incoming struct {
	io.Reader
	timer *time.Timer
	whole func(last []byte)
}

func (r incoming) Read(p []byte) (int, error) {
	r.timer.Reset(bodyStall)
	n, err := r.Reader.Read(p)
	r.timer.Stop()
	if errors.Is(err, io.EOF) {
		r.whole(p[:n])
	}
	return n, err
}

// store publishes a response to everybody who waits and reads its content. The
// whole is stored before any client has all of it, so that whoever asks again
// after an answer finds it stored.
func (j *fill) store(ctx context.Context, res *http.Response, spec ObjectSpec) {
	defer res.Body.Close()
	head := &fillHead{object: NewObject(spec), upstream: res.StatusCode, length: res.ContentLength, own: notStored(res.Header, spec.Header), epoch: j.epoch}
	if f, ok := j.route.Store.(Foreseer); ok {
		head.refused = j.refusal(f.Foresee(head.object, j.bounds()))
	}
	j.flight.Publish(ctx, head, flight.Content{
		MaxBody: j.route.MaxObject, Expect: res.ContentLength,
		OnOverflow: j.overflowed,
		OnUnwanted: j.cancel,
	})
	var stored *Object
	stall := time.AfterFunc(bodyStall, j.cancel)
	_, err := j.flight.ReadFrom(incoming{res.Body, stall, func(last []byte) {
		if head.refused == cachestatus.None {
			stored = j.keep(ctx, spec, last)
		}
	}})
	stall.Stop()
	j.flight.Finish(err)
	switch {
	case err != nil:
		j.unstored(cachestatus.Incomplete)
	case stored != nil:
		j.flight.Adopt(stored.body)
	}
}

// keep stores the whole response and returns it, or nil when it is too large.
func (j *fill) keep(ctx context.Context, spec ObjectSpec, last []byte) *Object {
	pieces, ok := j.flight.Chunks()
	if !ok || j.flight.Size()+int64(len(last)) > j.route.MaxObject {
		return nil
	}
	pieces = append(pieces, last)
	spec.Body = pieces
	o := NewObject(spec)
	j.unstored(j.put(ctx, o))
	return o
}

// notStored returns the fields of a response that its stored form lacks
// because they are for one client: Set-Cookie, and what private="…" lists.
// What is a connection's has been removed before.
func notStored(received, stored http.Header) http.Header {
	var own http.Header
	for name, lines := range received {
		if stored[name] != nil || hopByHop(name) || name == "Age" {
			continue
		}
		if own == nil {
			own = make(http.Header)
		}
		own[name] = lines
	}
	return own
}

// overflowed is called when the content outgrew what may be kept.
func (j *fill) overflowed(why flight.Overflow) {
	if why == flight.NoBudget {
		j.unstored(cachestatus.MemoryBudget) // of the moment, not of the key
		return
	}
	j.mark(cachestatus.TooLarge)
	j.unstored(cachestatus.TooLarge)
}

// unstored records that a response was not stored although its head said so.
func (j *fill) unstored(reason cachestatus.Reason) {
	if reason != cachestatus.None && j.e.recorder != nil {
		j.e.recorder.NotStored(j.route, reason)
	}
}

// put stores o and returns why the store refused it, or None.
func (j *fill) put(ctx context.Context, o *Object) cachestatus.Reason {
	span := j.span.child("cache.store")
	refused := j.refusal(j.route.Store.Put(ctx, o, j.bounds()))
	span.stored(o, refused)
	return refused
}

// bounds are those of this fetch's Put.
func (j *fill) bounds() PutOptions {
	opt := PutOptions{Variants: j.route.Variants, Epoch: j.epoch}
	if j.origin.Capped {
		opt.Origins = j.route.Origins
	}
	return opt
}

// refusal is the reason behind a store's error.
func (j *fill) refusal(err error) cachestatus.Reason {
	switch {
	case err == nil:
		return cachestatus.None
	case errors.Is(err, ErrPurged):
		return cachestatus.Purged
	case errors.Is(err, ErrNotAdmitted):
		return cachestatus.NotAdmitted
	case errors.Is(err, ErrTooManyVariants):
		j.mark(cachestatus.TooManyVariants) // nobody need wait for what will not be there
		return cachestatus.TooManyVariants
	case errors.Is(err, ErrTooManyOrigins):
		j.mark(cachestatus.TooManyOrigins)
		return cachestatus.TooManyOrigins
	}
	j.e.log(j.span.context(), "cache: store cannot take a response", err)
	return cachestatus.StoreFailed
}

// freshen takes a 304 into the stored response (RFC 9111 §4.3.4). It reports
// ok = false when the 304 is about another representation.
func (j *fill) freshen(ctx context.Context, res *http.Response, sent time.Time) (handed, ok bool) {
	now := j.e.now()
	varies := res.Header["Vary"] != nil // before Observe may mend it
	reason := receive(j.route, res, j.origin, true)
	o := j.object
	if etag := res.Header.Get("Etag"); etag != "" && o.Meta.ETag != "" && !rfc9111.WeakMatch(etag, o.Meta.ETag) {
		return false, false
	}
	if !varies {
		delete(res.Header, "Vary")
	} else if !sameVary(res, o) {
		return false, false
	}
	defer res.Body.Close()
	fields, meta, why := rfc9111.Refresh(o.Header(), o.Status, j.assessed(res, sent, now), &j.route.Policy)
	if reason == cachestatus.None {
		reason = why
	}
	if reason != cachestatus.None {
		if !ofRequest(reason) {
			_ = j.route.Store.Delete(ctx, o)
		}
		return j.handOver(nil, confirmed(o, res, now), reason), true
	}
	n := o.Freshened(fields, meta)
	refused := j.put(ctx, n)
	j.flight.Publish(ctx, &fillHead{object: n, complete: true, upstream: res.StatusCode, refused: refused, epoch: j.epoch}, flight.Content{})
	j.flight.Finish(nil)
	return false, true
}

// sameVary reports whether a response selects by the same fields as o.
func sameVary(res *http.Response, o *Object) bool {
	names, star := key.Names(res.Header["Vary"])
	return !star && slices.Equal(names, o.Selecting.Names)
}

// confirmed is o as a 304 has confirmed it for one client that alone may have
// it: as new as the 304.
func confirmed(o *Object, res *http.Response, now time.Time) *Object {
	fields := rfc9111.Freshen(o.Header(), res.Header)
	delete(fields, "Age")
	if fields["Date"] == nil {
		fields["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	m := o.Meta
	m.ResponseTime, m.InitialAge = now, 0
	return o.Freshened(fields, m)
}

// ofRequest reports whether a reason not to store speaks of this request only:
// what is stored stays as good as it was for others.
func ofRequest(r cachestatus.Reason) bool {
	return r == cachestatus.Authorization || r == cachestatus.Cookie || r == cachestatus.RequestNoStore
}

// staleAllowed reports whether the stored response may stand in for a failed
// upstream (RFC 5861 §4).
func (j *fill) staleAllowed() bool {
	return standsIn(j.object, j.directives, j.e.now())
}

func (j *fill) publishStale(ctx context.Context, status int) {
	j.flight.Publish(ctx, &fillHead{object: j.object, complete: true, stale: true, upstream: status}, flight.Content{})
	j.flight.Finish(nil)
}

// mark remembers that waiting for this key is of no use for a while, and why.
func (j *fill) mark(why cachestatus.Reason) {
	if !j.route.NoCollapse { // there nobody waits, and every flight has its own key
		j.e.marks.Mark(j.flightKey, uint8(why), j.e.now())
	}
}

// handOver frees everybody who waits, and gives the response to the client
// whose request began the flight, or drops it when that client has left.
func (j *fill) handOver(res *http.Response, o *Object, reason cachestatus.Reason) (handed bool) {
	if res == nil || !rfc9111.ErrorStatus(res.StatusCode) {
		j.mark(reason) // a failing upstream's errors are no property of the key
	}
	j.mu.Lock()
	keep := j.client != nil && !j.abandoned
	if keep {
		j.response, j.private = res, o
	}
	j.mu.Unlock()
	if !keep && res != nil {
		res.Body.Close()
	}
	j.flight.Release(uint8(reason))
	return keep && res != nil
}

// take returns what was handed over.
func (j *fill) take() (*http.Response, *Object) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.response, j.private
}

// abandon says that the leader's client has left: a response that was or will
// be handed over to it is dropped. A nil fill is a waiter's: nothing to do.
func (j *fill) abandon() {
	if j == nil {
		return
	}
	j.mu.Lock()
	j.abandoned = true
	res := j.response
	j.mu.Unlock()
	if res != nil {
		res.Body.Close()
		j.cancel()
	}
}
