package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
)

// stage is where a request is rehearsed: an Engine of its own, under the real
// one's plan, with the same code in it, whose surroundings are played. It is
// used by one goroutine.
type stage struct {
	real     *Engine
	engine   *Engine
	upstream *player
	under    Router
	played   map[*Route]*Route // the real routes' stand-ins
	behind   map[*Route]*Route // and back
	scheme   string            // that the request at hand was given with; "" is none
}

// rehearse sets a stage up. The clock stands still on it.
func (e *Engine) rehearse(now time.Time, a Assumption, fails bool) *stage {
	plan := *e.plan.Load()
	s := &stage{
		real: e, under: plan.Router, upstream: &player{says: a, fails: fails, now: now},
		played: make(map[*Route]*Route), behind: make(map[*Route]*Route),
	}
	scheme := plan.Scheme
	plan.Router, plan.Trusted = s, nil
	plan.Scheme = func(q *Request) string {
		switch {
		case s.scheme != "":
			return s.scheme
		case scheme != nil:
			return scheme(q)
		case q.Secure:
			return "https"
		}
		return "http"
	}
	s.engine = New(Config{Plan: &plan, Now: func() time.Time { return now }})
	s.engine.marks = &playedMarks{under: e.marks, own: make(map[string]playedMark)}
	return s
}

func (s *stage) close() { _ = s.engine.Close(context.Background()) } // nothing is under way

// play serves r, and notes how that ends. It returns when what the request
// began in the background has ended too.
func (s *stage) play(r *http.Request, out *Outcome) *exchange {
	w := &notepad{header: make(http.Header)}
	s.upstream.ranged = r.Header["Range"] != nil
	s.scheme = strings.ToLower(r.URL.Scheme)
	r = r.Clone(context.Background())
	r.Body = http.NoBody
	if r.ContentLength > 0 {
		r.Body = zeros(r.ContentLength)
	}
	x := new(exchange)
	x.begin(s.engine, w, r)
	x.serve()
	s.engine.fills.Wait()
	out.Decision, out.Header = x.decision, w.sent
	if x.decision.Result == ResultError {
		out.Error, _ = cachestatus.ParseReason(strings.TrimPrefix(w.problem.Type, problemPrefix))
		out.Problem = w.problem.Detail
	}
	if out.Header == nil {
		out.Header = w.header
	}
	out.Decision.Start, out.Decision.Route = time.Time{}, s.behind[x.route]
	out.Decision.Delivery = Delivery{}
	return x
}

// Lookup implements Router: a route whose upstream, store and policy are played.
func (s *stage) Lookup(host, path string) (*Route, bool) {
	route, ok := s.under.Lookup(host, path)
	if !ok {
		return nil, false
	}
	if p := s.played[route]; p != nil {
		return p, true
	}
	p := *route
	part := &part{player: s.upstream, max: route.MaxObject}
	part.passage, _ = route.Upstream.(Passage)
	p.Upstream = part
	p.Limit = nil // it counts
	if route.Store != nil {
		part.store = newPlayedStore(route.Store)
		p.Store = part.store
	}
	if c, ok := route.CORS.(Rehearser); ok {
		p.CORS = c.Rehearse()
	}
	s.played[route], s.behind[&p] = &p, route
	return &p, true
}

// store returns the store of a route of the stage, or nil.
func (s *stage) store(route *Route) *playedStore {
	if route == nil || route.Store == nil {
		return nil
	}
	return route.Store.(*playedStore)
}

// player plays all upstreams and remembers what it was asked.
type player struct {
	says  Assumption
	fails bool
	now   time.Time
	// ranged: the client asks for a range, so that is what a 206 answers. It is
	// set between requests.
	ranged bool

	mu       sync.Mutex // guards what follows: a fetch has a goroutine of its own
	asked    []*http.Request
	response *http.Response // the last; its fields as the cache left them
}

// part is the player as the upstream of one route.
type part struct {
	*player
	max     int64        // the route's MaxObject
	store   *playedStore // may be nil
	passage Passage      // may be nil
}

var errPlayed = errors.New("cache: the upstream is assumed to fail")

// RoundTrip implements http.RoundTripper.
func (p *part) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passage != nil {
		p.passage.Outgoing(r)
	}
	p.asked = append(p.asked, r)
	if p.fails {
		return nil, errPlayed
	}
	status := p.says.Status
	if status == 0 {
		status = http.StatusOK
		if p.store.validates(r.Header) {
			status = http.StatusNotModified
		}
	}
	res := &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, ContentLength: -1, Request: r,
	}
	for name, lines := range p.says.Header {
		res.Header[name] = slices.Clone(lines)
	}
	if res.Header["Date"] == nil {
		res.Header["Date"] = []string{p.now.UTC().Format(http.TimeFormat)}
	}
	if p.passage != nil {
		p.passage.Incoming(res.Header) // sees Connection, which names others
	}
	for _, name := range ofConnection {
		delete(res.Header, name)
	}
	length := p.says.Header.Get("Content-Length")
	if p.ranged && status == http.StatusPartialContent && r.Header["Range"] == nil {
		// The whole, for the store: the 206 that is assumed says how large it is.
		res.StatusCode = http.StatusOK
		_, length, _ = strings.Cut(res.Header.Get("Content-Range"), "/")
		delete(res.Header, "Content-Range")
	}
	for name := range strings.SplitSeq(p.says.Header.Get("Trailer"), ",") {
		if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
			res.Trailer = http.Header{name: nil}
		}
	}
	p.content(res, length)
	p.response = res
	return res, nil
}

// ofConnection are the fields of a response that net/http and the transport
// take out (RFC 9110 §7.6.1). Names of our own are not among them: an upstream
// may say Veneer-Cache-Control.
var ofConnection = [...]string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"}

// maxPlayed bounds the content that is made up to be stored, in bytes. It is
// above the limits that decide something (rangeWhole, postedMax).
const maxPlayed = max(rangeWhole, postedMax) + 1

// content gives a response as much content as length says, or less where that
// decides nothing: no more than maxPlayed of what may be stored.
func (p *part) content(res *http.Response, length string) {
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 {
		return
	}
	if n <= p.max {
		n = min(n, maxPlayed)
	}
	res.ContentLength = n
	if n > 0 && res.Request.Method != http.MethodHead && bodyAllowed(res.StatusCode) {
		res.Body = zeros(n)
	}
}

func zeros(n int64) io.ReadCloser { return io.NopCloser(io.LimitReader(nothing{}, n)) }

// nothing is an endless content of zeros.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// playedStore is a Store that writes on a notepad what would go to another. It
// reads that one at most once a key.
type playedStore struct {
	under Store

	mu       sync.Mutex           // guards what follows
	keys     map[string][]*Object // what is stored now, by primary key
	added    map[string]bool      // keys under which the other had nothing
	purged   map[string]uint64    // how often, by target URI
	looked   bool
	found    []*Object // at the first look-up
	selected *Object   // there
	latest   *Object   // that a look-up selected
	last     *Object   // that was put
}

func newPlayedStore(under Store) *playedStore {
	return &playedStore{under: under, keys: make(map[string][]*Object), added: make(map[string]bool), purged: make(map[string]uint64)}
}

// validates reports whether the fields of a request to the upstream ask about
// the response that was selected at last.
func (s *playedStore) validates(h http.Header) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.latest == nil:
		return false
	case s.latest.Meta.ETag != "":
		return h.Get("If-None-Match") == s.latest.Meta.ETag
	}
	return h["If-Modified-Since"] != nil
}

// variantsLocked returns what is stored under a key.
func (s *playedStore) variantsLocked(ctx context.Context, k key.Key) ([]*Object, error) {
	if objs, ok := s.keys[string(k.Bytes)]; ok {
		return objs, nil
	}
	var objs []*Object
	var err error
	if s.purged[string(k.URI())] == 0 {
		if objs, err = peek(ctx, s.under, k); err != nil {
			return nil, err
		}
	}
	s.keys[string(k.Bytes)], s.added[string(k.Bytes)] = objs, len(objs) == 0
	return objs, nil
}

// peek returns what is stored under a key, and leaves no trace where the Store
// knows how.
func peek(ctx context.Context, s Store, k key.Key) ([]*Object, error) {
	if p, ok := s.(Peeker); ok {
		objs, err := p.Peek(ctx, k)
		return slices.Clone(objs), err
	}
	var all watcher
	_, err := s.Get(ctx, k, &all)
	return all.objs, err
}

// watcher is a Selector that selects nothing.
type watcher struct{ objs []*Object }

func (w *watcher) Select(variants []*Object) int { w.objs = slices.Clone(variants); return -1 }

// Get implements Store.
func (s *playedStore) Get(ctx context.Context, k key.Key, sel Selector) (*Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	objs, err := s.variantsLocked(ctx, k)
	if err != nil {
		return nil, err
	}
	var o *Object
	if len(objs) > 0 {
		if i := sel.Select(objs); i >= 0 {
			o = objs[i]
		}
	}
	s.latest = o
	if !s.looked {
		s.looked, s.found, s.selected = true, slices.Clone(objs), o
	}
	return o, nil
}

// Put implements Store. What admission would say is not known.
func (s *playedStore) Put(ctx context.Context, o *Object, opt PutOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.purgedLocked(o, opt.Epoch, s.epochLocked([]byte(o.URI()))) {
		return ErrPurged
	}
	at, err := s.foreseeLocked(ctx, o, opt)
	if err != nil {
		return err
	}
	objs := slices.Clone(s.keys[o.Key()])
	if at >= 0 {
		objs[at] = o
	} else {
		objs = append(objs, o)
	}
	s.keys[o.Key()], s.last = objs, o
	return nil
}

// Foresee implements Foreseer.
func (s *playedStore) Foresee(o *Object, opt PutOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.foreseeLocked(context.Background(), o, opt)
	return err
}

// foreseeLocked returns which variant o would replace, or -1, and why it would
// be refused.
func (s *playedStore) foreseeLocked(ctx context.Context, o *Object, opt PutOptions) (at int, err error) {
	objs, err := s.variantsLocked(ctx, key.Key{Bytes: []byte(o.Key()), Group: len(o.URI())})
	if err != nil {
		return -1, err
	}
	at = slices.IndexFunc(objs, func(v *Object) bool { return v.Selecting.Equal(&o.Selecting) })
	switch {
	case at >= 0:
		return at, nil
	case len(objs) > 0 && opt.Variants > 0 && len(objs) >= opt.Variants:
		return -1, ErrTooManyVariants
	case len(objs) == 0 && opt.Origins > 0:
		return -1, s.foreseeOriginLocked(o, opt)
	}
	return -1, nil
}

// foreseeOriginLocked returns why one more primary key under the target URI of
// o would be refused. How many there were before, the other store knows.
func (s *playedStore) foreseeOriginLocked(o *Object, opt PutOptions) error {
	for k, objs := range s.keys {
		if len(objs) > 0 && s.added[k] && strings.HasPrefix(k, o.URI()) {
			opt.Origins--
		}
	}
	f, ok := s.under.(Foreseer)
	switch {
	case opt.Origins <= 0:
		return ErrTooManyOrigins
	case !ok || s.purged[o.URI()] > 0:
		return nil
	}
	return f.Foresee(o, opt)
}

// Delete implements Store.
func (s *playedStore) Delete(ctx context.Context, o *Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	objs, err := s.variantsLocked(ctx, key.Key{Bytes: []byte(o.Key()), Group: len(o.URI())})
	s.keys[o.Key()] = slices.DeleteFunc(slices.Clone(objs), func(v *Object) bool { return v == o })
	return err
}

// Invalidate implements Store. It counts what was looked at here.
func (s *playedStore) Invalidate(_ context.Context, uri []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purged[string(uri)]++
	for k, objs := range s.keys {
		if strings.HasPrefix(k, string(uri)) {
			n += len(objs)
			s.keys[k], s.added[k] = nil, true
		}
	}
	return n, nil
}

// Epoch implements Store. Without an invalidation it is the real one, so that
// the keys of flights are the real ones.
func (s *playedStore) Epoch(uri []byte) Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochLocked(uri)
}

func (s *playedStore) epochLocked(uri []byte) Epoch {
	e := s.under.Epoch(uri)
	e.URI += s.purged[string(uri)]
	return e
}

// Purged implements Store.
func (s *playedStore) Purged(o *Object, from, to Epoch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purgedLocked(o, from, to)
}

func (s *playedStore) purgedLocked(o *Object, from, to Epoch) bool {
	return from.URI < to.URI || s.under.Purged(o, Epoch{Log: from.Log}, Epoch{Log: to.Log})
}

// Purge implements Store. Nobody purges on a stage: no request does.
func (s *playedStore) Purge(context.Context, *Purge) (int, error) {
	return 0, errors.ErrUnsupported
}

// playedMarks are marks that are kept apart from the real ones.
type playedMarks struct {
	under marks

	mu  sync.Mutex // guards own
	own map[string]playedMark
}

// playedMark is a mark that was set, or taken away.
type playedMark struct {
	why    uint8
	marked bool
}

// Mark implements marks.
func (m *playedMarks) Mark(key []byte, why uint8, _ time.Time) { m.set(key, playedMark{why, true}) }

// Clear implements marks.
func (m *playedMarks) Clear(key []byte) { m.set(key, playedMark{}) }

func (m *playedMarks) set(key []byte, to playedMark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own[string(key)] = to
}

// Marked implements marks.
func (m *playedMarks) Marked(key []byte, now time.Time) (why uint8, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if own, ok := m.own[string(key)]; ok {
		return own.why, own.marked
	}
	return m.under.Marked(key, now)
}
