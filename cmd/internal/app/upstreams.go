package app

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/upstream"
	"veneer/upstream/balance"
	"veneer/upstream/forward"
)

// pool is an upstream in use, with what it was made of: a reload keeps it, its
// connections and its health, when that has not changed.
type pool struct {
	*upstream.Pool
	took       *telemetry.Histogram
	log        *slog.Logger
	refused    atomic.Pointer[string] // the address that was last said to be refused
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
	return &pool{Pool: p, from: s, took: took, log: slog.New(slog.DiscardHandler)}, nil
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

// trip is the way of one route to its upstream. It drops the fields that other
// routes to the same upstream keep and this one does not (the pool cannot tell
// them apart), and measures how long the upstream takes, from the request to
// the head of the response.
type trip struct {
	pool  *pool
	keep  []string
	drop  bool // the pool keeps more than this route does
	trust forward.Trust
}

func newTrip(p *pool, rt *config.Route, trust forward.Trust) *trip {
	keep := keptBy(rt, p.from.upstream.External)
	return &trip{pool: p, keep: keep, drop: !slices.Equal(keep, p.from.keep), trust: trust}
}

// RoundTrip implements http.RoundTripper. Like the pool it takes the header map
// over.
func (t *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case !t.drop || r.Header == nil:
	case t.pool.from.upstream.External != nil:
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
	t.pool.took.Observe(time.Since(start))
	if err != nil {
		t.pool.tell(err)
	}
	return res, err
}

// tell logs that an address was refused, once as long as it is the same one: it
// is a mistake of the operator's or an attack by way of the name service, and
// clients see no more than that the upstream cannot be reached.
func (p *pool) tell(err error) {
	var refused *upstream.AddressError
	if !errors.As(err, &refused) {
		return
	}
	text := refused.Error()
	if last := p.refused.Swap(&text); last == nil || *last != text {
		p.log.Error("the address of an external upstream is refused, nothing was sent to it; dangerously_private_addresses would let it in",
			"upstream", p.from.upstream.Name, "name", refused.Name, "address", refused.Addr, "why", refused.Why)
	}
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
