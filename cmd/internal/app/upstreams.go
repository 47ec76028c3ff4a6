package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/upstream"
	"veneer/upstream/balance"
	"veneer/upstream/forward"
	"veneer/upstream/route"
)

// pool is an upstream in use, with what it was made of: a reload keeps it, its
// connections and its health, when that has not changed.
type pool struct {
	*upstream.Pool
	took       *telemetry.Histogram
	log        *slog.Logger
	now        func() time.Time
	told       atomic.Int64 // when it was last said that an address is refused, in Unix nanoseconds
	from       poolSpec
	unregister func() // of its health; set when a plan with it is adopted
}

type poolSpec struct {
	upstream config.Upstream
	trusted  []netip.Prefix
	keep     []string // fields that some route keys or sets, sorted
}

func newPool(s poolSpec, trust forward.Trust, took *telemetry.Histogram) (*pool, error) {
	u := &s.upstream
	p, err := upstream.New(upstream.Config{
		Name: u.Name, Servers: u.Servers, Host: u.Host,
		Balancer: balancer(u.Balance),
		MaxFails: u.MaxFails, FailTimeout: u.FailTimeout,
		Timeouts: upstream.Timeouts{Connect: u.ConnectTimeout, ResponseHeader: u.ResponseTimeout},
		Trust:    trust, Keep: s.keep, External: external(u.External),
	})
	if err != nil {
		return nil, err
	}
	return &pool{Pool: p, from: s, took: took, log: slog.New(slog.DiscardHandler), now: time.Now}, nil
}

// external is the upstream's side of a third party's upstream, nil for our own.
func external(e *config.External) *upstream.External {
	if e == nil {
		return nil
	}
	return &upstream.External{
		Redirects: e.Redirects, PrivateAddresses: e.PrivateAddresses,
		Cookies: slices.Contains(e.Forward, "Cookie"),
	}
}

func balancer(b config.Balance) upstream.Balancer {
	switch b {
	case config.LeastConn:
		return balance.LeastConn{}
	case config.Random:
		return balance.TwoChoices{}
	}
	return nil // round robin
}

// keptBy returns the request fields that a route answers for, sorted: it keys
// them, or sets them itself. The upstream gets them, also where they are of
// those that are dropped because a client could change a response with them.
// To a third party goes what is set and what its upstream lists: that a field
// is in the key is no leave to show it around.
func keptBy(rt *config.Route, third *config.External) []string {
	keep := slices.Clone(rt.Cache.Key.Headers)
	if third != nil {
		keep = slices.Clone(third.Forward)
	}
	for _, s := range rt.Headers.Request.Set {
		keep = append(keep, s.Name)
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

// keptFor returns what the routes to an upstream keep, all together.
func keptFor(cfg *config.Config, upstream string) []string {
	var keep []string
	var third *config.External
	if u := cfg.Upstream(upstream); u != nil {
		third = u.External
	}
	for i := range cfg.Routes {
		if rt := &cfg.Routes[i]; rt.Upstream == upstream {
			keep = append(keep, keptBy(rt, third)...)
		}
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

// thirdParty adds to the engine's route of an external upstream what the pool
// leaves for it to do: the Set-Cookie of a response that is not for clients has
// to be seen by the cache, since the response may be of a session.
func thirdParty(r *cache.Route, e *config.External) {
	r.ThirdParty = true
	if !external(e).Cookies {
		r.Response.Remove = append(slices.Clone(r.Response.Remove), "Set-Cookie", "Set-Cookie2")
	}
}

// trip is the way of one route to its upstream. It drops the fields that other
// routes to the same upstream keep and this one does not (the pool cannot tell
// them apart), and measures how long the upstream takes, from the request to
// the head of the response.
type trip struct {
	pool     *pool
	external *upstream.External // nil: our own
	keep     []string
	drop     bool // the pool keeps more than this route does
	trust    forward.Trust
	routes   *route.Table[*cache.Route] // all of the plan; set once it is made
}

func newTrip(p *pool, rt *config.Route, trust forward.Trust) *trip {
	third := p.from.upstream.External
	keep := keptBy(rt, third)
	return &trip{pool: p, external: external(third), keep: keep, drop: !slices.Equal(keep, p.from.keep), trust: trust}
}

// RoundTrip implements http.RoundTripper. Like the pool it takes the header map
// over.
func (t *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case !t.drop || r.Header == nil:
	case t.external != nil:
		// Another route's credentials must not open the way for a client's.
		forward.ThirdPartyRequest(r.Header, t.keep)
	default:
		forward.DropUnkeyed(r.Header, t.keep, t.trust.Contains(r.RemoteAddr))
	}
	if forward.MaxForwards(r.Method, r.Header) {
		return lastRecipient(r), nil
	}
	start := time.Now()
	res, err := t.pool.RoundTrip(r)
	t.pool.observe(r.Context(), time.Since(start))
	if err != nil {
		t.pool.tell(r.Context(), err)
		return nil, err
	}
	if t.external != nil {
		t.relocate(r.URL, res.Header)
	}
	return res, nil
}

// observe counts how long an upstream took. That of a fetch that is traced leads
// to its span, upstream.fetch.
func (p *pool) observe(ctx context.Context, took time.Duration) {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		p.took.ObserveTraced(took, s)
		return
	}
	p.took.Observe(took)
}

// relocate takes the Location of a third party, which is absolute, to our host
// where that leads to the third party again: a browser that follows it stays
// with us, and has CORS. On any other path of ours it would find somebody else.
// One that names our host by itself is removed: a third party is not told of
// it, and a browser would go there with the host's own cookies and, from a page
// of the host, as same-origin.
func (t *trip) relocate(target *url.URL, h http.Header) {
	if len(h["Location"]) == 0 {
		return
	}
	location := h["Location"][0]
	if reference, ok := t.pool.Inside(location); ok {
		if t.serves(target, reference) {
			h["Location"] = []string{reference}
		}
		return
	}
	if u, err := url.Parse(location); err == nil {
		if u.Scheme != "http" && u.Scheme != "https" {
			return // no browser finds our host in it
		}
		at, err := new(key.Query).Canonical(u.Scheme, u.Host, "/", "")
		if err == nil && at.Host != target.Host {
			return
		}
	}
	delete(h, "Location")
}

// serves reports whether a reference on the host of target has a route to the
// same upstream.
func (t *trip) serves(target *url.URL, reference string) bool {
	u, err := url.Parse(reference)
	if err != nil || t.routes == nil {
		return false
	}
	at, err := new(key.Query).Canonical(target.Scheme, target.Host, key.EscapedPath(u), u.RawQuery)
	if err != nil {
		return false
	}
	there, ok := t.routes.Lookup(at.Host, at.Path)
	if !ok {
		return false
	}
	other, ok := there.Upstream.(*trip)
	return ok && other.pool == t.pool
}

// tellAgain is how long nothing more is said of refused addresses.
const tellAgain = time.Minute

// tell logs that an address was refused, once in a while and whatever the name
// service answers in between: it is a mistake of the operator's or an attack by
// way of that service, and clients see no more than that the upstream cannot be
// reached.
func (p *pool) tell(ctx context.Context, err error) {
	var refused *upstream.AddressError
	if !errors.As(err, &refused) {
		return
	}
	now, last := p.now().UnixNano(), p.told.Load()
	if last != 0 && now-last < int64(tellAgain) || !p.told.CompareAndSwap(last, now) {
		return
	}
	p.log.ErrorContext(ctx, "the address of an external upstream is refused, nothing was sent to it; dangerously_private_addresses would let it in",
		"upstream", p.from.upstream.Name, "name", refused.Name, "address", refused.Addr, "why", refused.Why)
}

// lastRecipient answers an OPTIONS request that may go no further (RFC 9110
// §7.6.2) in the upstream's place.
func lastRecipient(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: http.StatusNoContent, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
		Body:    http.NoBody,
		Request: r,
	}
}
