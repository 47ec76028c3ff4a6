package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
	"veneer/upstream/forward"
	"veneer/upstream/route"
)

// plan is a configuration made ready to serve. It is immutable once adopted.
type plan struct {
	cfg    *config.Config
	engine *cache.Plan
	layers map[string]*layer // by route
	pools  map[string]*pool  // by upstream
	limits map[string]*limit // by route; those that have one
	names  []string          // of the routes
}

// compile makes the plan of cfg. What the current plan has alike is taken over,
// the rest is new and nobody uses it until the plan is adopted; on an error it
// is closed again. a.mu is held, or a is still being built.
func (a *App) compile(cfg *config.Config) (_ *plan, err error) {
	p := &plan{cfg: cfg, layers: make(map[string]*layer), pools: make(map[string]*pool), limits: make(map[string]*limit)}
	defer func() {
		if err != nil {
			p.closeExcept(a.plan)
		}
	}()
	trust := forward.NewTrust(cfg.Server.TrustedProxies...)
	for i := range cfg.Upstreams {
		u := &cfg.Upstreams[i]
		spec := poolSpec{*u, cfg.Server.TrustedProxies, keptFor(cfg, u.Name)}
		if p.pools[u.Name], err = a.poolOf(spec, trust); err != nil {
			return nil, fmt.Errorf("upstreams.%s: %w", u.Name, err)
		}
	}
	table, err := a.compileTable(p, trust)
	if err != nil {
		return nil, err
	}
	p.engine = &cache.Plan{Router: table, BodyLimit: cfg.Server.Limits.BodyBytes}
	if len(cfg.Server.TrustedProxies) > 0 {
		p.engine.Trusted = trust.Contains
		p.engine.Scheme = func(q *cache.Request) string {
			scheme, _ := effective(q, trust)
			return scheme
		}
	}
	return p, nil
}

// effective says what the trusted peers of a request claim of its client.
func effective(q *cache.Request, trust forward.Trust) (scheme string, client netip.Addr) {
	return forward.Effective(q.Peer, q.Secure, q.Fields, trust)
}

func (a *App) compileTable(p *plan, trust forward.Trust) (*route.Table[*cache.Route], error) {
	maxObject := p.cfg.Store.MemorySize / 8 // the store's own limit
	entries := make([]route.Entry[*cache.Route], 0, len(p.cfg.Routes))
	trips := make([]*trip, 0, len(p.cfg.Routes))
	for i := range p.cfg.Routes {
		rt := &p.cfg.Routes[i]
		up := p.pools[rt.Upstream]
		if up == nil {
			return nil, fmt.Errorf("routes[%d].upstream: there is no upstream %q", i, rt.Upstream)
		}
		l := a.layerOf(p.cfg, rt)
		p.layers[rt.Name] = l
		p.names = append(p.names, rt.Name)
		way := newTrip(up, rt, trust)
		trips = append(trips, way)
		r := compileRoute(rt, l, way, a.store, maxObject)
		if e := up.from.upstream.External; e != nil {
			thirdParty(r, e)
		}
		if rt.Rate != nil {
			p.limits[rt.Name] = a.limitOf(rt)
			r.Limit = p.limits[rt.Name].of(trust)
		}
		entries = append(entries, route.Entry[*cache.Route]{Host: rt.Host, Path: rt.Path, Value: r})
	}
	table, conflicts := route.New(entries)
	for _, way := range trips {
		way.routes = table
	}
	errs := make([]error, len(conflicts))
	for i, c := range conflicts {
		errs[i] = fmt.Errorf("routes[%d].match: %w", c.Second, c)
	}
	return table, errors.Join(errs...)
}

// layerOf returns the CORS layer of a route: the current one where it would be
// made of the same again.
func (a *App) layerOf(cfg *config.Config, rt *config.Route) *layer {
	spec := layerSpecOf(cfg, rt)
	if a.plan != nil {
		if old := a.plan.layers[rt.Name]; old != nil && old.from.equal(spec) {
			return old
		}
	}
	marks := a.marks[rt.Upstream]
	if marks == nil {
		marks = new(upstreamMarks)
		a.marks[rt.Upstream] = marks
	}
	return newLayer(spec, cfg.NewPolicy(rt), marks, a.log)
}

// poolOf returns the pool of an upstream: the current one where it would be made
// of the same again.
func (a *App) poolOf(spec poolSpec, trust forward.Trust) (*pool, error) {
	name := spec.upstream.Name
	if a.plan != nil {
		if old := a.plan.pools[name]; old != nil && reflect.DeepEqual(old.from, spec) {
			return old, nil
		}
	}
	p, err := newPool(spec, trust, a.telemetry.Upstream(name))
	if err != nil {
		return nil, err
	}
	p.log = a.log
	return p, nil
}

// adopt makes p the current plan: first everything that counts is in place,
// then requests see it, and at last what only the old plan had is let go. a.mu
// is held, or a is still being built.
func (a *App) adopt(p *plan) {
	old := a.plan
	a.recorder.add(p.names)
	if a.live != nil {
		a.live.Add(p.names)
	}
	for name, l := range p.layers {
		if old == nil || old.layers[name] != l {
			a.registerLayer(l)
		}
	}
	for name, up := range p.pools {
		if old == nil || old.pools[name] != up {
			a.registerPool(name, up)
		}
	}
	a.engine.Swap(p.engine)
	a.trusted.Store(&p.engine.Trusted)
	a.scheme.Store(&p.engine.Scheme)
	a.plan = p
	if old == nil {
		return
	}
	for name, l := range old.layers {
		if p.layers[name] != l {
			l.unregister()
		}
	}
	old.closeExcept(p)
}

// closeExcept closes the pools that kept does not have. Requests under way on
// them go on.
func (p *plan) closeExcept(kept *plan) {
	for name, up := range p.pools {
		if up == nil || kept != nil && kept.pools[name] == up {
			continue
		}
		if up.unregister != nil {
			up.unregister()
		}
		up.Close()
	}
}

func (p *plan) close() { p.closeExcept(nil) }

// leaks reports whether a response that is stored under old could reach a
// client under next as it must not.
//
// With another authority's CORS fields: the stored responses of pass mode have
// the application's fields in them, and the only other mode that can build the
// same keys is off, with key.origin: exact.
//
// Or through an external upstream without having been made harmless for it: see
// becameExternal.
func leaks(old, next *config.Config) bool {
	if becameExternal(old, next) {
		return true
	}
	passed := slices.ContainsFunc(old.Routes, func(rt config.Route) bool { return rt.CORS.Mode == corslayer.ModePass })
	return passed && slices.ContainsFunc(next.Routes, func(rt config.Route) bool {
		return rt.CORS.Mode != corslayer.ModePass && rt.Cache.Key.Origin == key.OriginExact
	})
}

// becameExternal reports whether a route of next to an external upstream could
// answer with what is stored under old for another one, or for other forwarded
// fields: that may set cookies and HSTS for our host, or be somebody's own,
// because the field that selected it was not in the key. Keys do not tell
// routes apart, so a route that is gone may have stored for any that is left.
func becameExternal(old, next *config.Config) bool {
	was := make(map[string]string)
	for i := range old.Routes {
		was[old.Routes[i].Name] = externally(old, &old.Routes[i])
	}
	some := false
	for i := range next.Routes {
		rt := &next.Routes[i]
		is := externally(next, rt)
		before, there := was[rt.Name]
		delete(was, rt.Name)
		if is == "" {
			continue
		}
		some = true
		if !there || before != is {
			return true
		}
	}
	return some && len(was) > 0
}

// externally says to which external upstream a route leads and what it forwards
// there, "" when it leads to one of our own.
func externally(c *config.Config, rt *config.Route) string {
	u := c.Upstream(rt.Upstream)
	if u == nil || u.External == nil {
		return ""
	}
	return fmt.Sprintf("%q %q", u.Name, u.External.Forward)
}

// Check compiles cfg as Build does, and binds and keeps nothing. cfg must have
// passed config.Load or Check.
func Check(cfg *config.Config) error {
	a := &App{log: slog.New(slog.DiscardHandler), marks: make(map[string]*upstreamMarks)}
	var err error
	if a.telemetry, err = telemetry.New(telemetry.Config{}); err != nil {
		return err
	}
	p, err := a.compile(cfg)
	if err != nil {
		return err
	}
	p.close()
	return nil
}
