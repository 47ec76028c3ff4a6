package app

import (
	"net/http"
	"net/netip"
	"slices"
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
		Trust:    trust, Keep: s.keep,
	})
	if err != nil {
		return nil, err
	}
	return &pool{Pool: p, from: s, took: took}, nil
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
func keptBy(rt *config.Route) []string {
	keep := slices.Clone(rt.Cache.Key.Headers)
	for _, s := range rt.Headers.Request.Set {
		keep = append(keep, s.Name)
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

// keptFor returns what the routes to an upstream keep, all together.
func keptFor(cfg *config.Config, upstream string) []string {
	var keep []string
	for i := range cfg.Routes {
		if rt := &cfg.Routes[i]; rt.Upstream == upstream {
			keep = append(keep, keptBy(rt)...)
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
	keep := keptBy(rt)
	return &trip{pool: p, keep: keep, drop: !slices.Equal(keep, p.from.keep), trust: trust}
}

// RoundTrip implements http.RoundTripper. Like the pool it takes the header map
// over.
func (t *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.drop && r.Header != nil {
		forward.DropUnkeyed(r.Header, t.keep, t.trust.Contains(r.RemoteAddr))
	}
	if forward.MaxForwards(r.Method, r.Header) {
		return lastRecipient(r), nil
	}
	start := time.Now()
	res, err := t.pool.RoundTrip(r)
	t.pool.took.Observe(time.Since(start))
	return res, err
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
