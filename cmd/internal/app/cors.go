package app

import (
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
	"veneer/corslayer/origin"
)

// layer joins the engine with a route's CORS policy: it is a cache.CORS over a
// corslayer.Policy and the route's origin mode. The engine carries what the
// policy decided in a cache.Origin, and a layer makes the corslayer.Decision of
// it again without allocating. Safe for concurrent use.
type layer struct {
	policy   *corslayer.Policy
	mode     corslayer.Mode
	shared   bool // key.origin: shared, one stored response for every origin
	route    string
	upstream *upstreamMarks
	shadow   *shadow    // nil: no other policy is tried out
	debug    *sometimes // nil: the policy does not say why it refuses a preflight
	log      *slog.Logger

	// What the layer was made of. A reload keeps the layer, its counters and
	// what it has learned of the application, when that has not changed.
	from layerSpec

	unregister func() // of its counters; set when a plan with it is adopted
}

// layerSpec is all that a layer depends on.
type layerSpec struct {
	route, upstream string
	cors            config.RouteCORS
	policy          corslayer.Config
	shadow          *corslayer.Config // nil: none
	origin          key.OriginMode
}

// upstreamMarks are what was said once about an upstream. They outlive a
// reload, which would otherwise say it again.
type upstreamMarks struct {
	stripped atomic.Bool
}

func layerSpecOf(c *config.Config, rt *config.Route) layerSpec {
	s := layerSpec{route: rt.Name, upstream: rt.Upstream, cors: rt.CORS, origin: rt.Cache.Key.Origin}
	if p := c.Policy(rt.CORS.Policy); p != nil {
		s.policy = p.Config
	}
	s.shadow = c.ShadowOf(rt)
	return s
}

func (s layerSpec) equal(o layerSpec) bool { return reflect.DeepEqual(s, o) }

func newLayer(s layerSpec, p *corslayer.Policy, marks *upstreamMarks, log *slog.Logger) *layer {
	l := &layer{
		policy: p, mode: p.Mode(), shared: s.origin == key.OriginShared,
		route: s.route, upstream: marks, log: log, from: s,
	}
	if s.policy.Debug {
		l.debug = new(sometimes)
	}
	if s.shadow != nil {
		// The configuration was checked: what does not compile is no shadow.
		if q, _ := corslayer.Compile(*s.shadow); q != nil {
			l.shadow = &shadow{Shadow: corslayer.NewShadow(p, q)}
		}
	}
	return l
}

// rehearsal returns a layer that answers as l does now, without a trace in its
// counters, its log, or what it has learned of the application.
func (l *layer) rehearsal() *layer {
	return &layer{
		policy: l.policy.Rehearsal(), mode: l.mode, shared: l.shared,
		route: l.route, upstream: new(upstreamMarks), log: slog.New(slog.DiscardHandler), from: l.from,
	}
}

// allowedBit is where cache.Origin.Class carries Decision.Allowed, beside the
// origin.Class.
const allowedBit = 1 << 7

// decision makes the Decision that o was made of. What only the engine acts on
// is not in it: the policy reads none of that again.
func decision(o cache.Origin) corslayer.Decision {
	return corslayer.Decision{
		Class: origin.Class(o.Class &^ allowedBit), Bucket: o.Bucket, Allowed: o.Class&allowedBit != 0,
		Capped: o.Capped, FullOnConditional: o.Full, BypassStore: o.NoStore, Refuse: o.Refuse,
	}
}

// Judge implements cache.CORS.
func (l *layer) Judge(method string, lines []string) cache.Origin {
	d := l.policy.Judge(method, lines)
	o := cache.Origin{
		Bucket: d.Bucket, Class: uint8(d.Class), Capped: d.Capped,
		Forward: d.ForwardOrigin, ForwardRequest: l.mode == corslayer.ModePass,
		Full: d.FullOnConditional, FullWithCookie: d.FullWithCookie, NoStore: d.BypassStore, Refuse: d.Refuse,
	}
	if d.Allowed {
		o.Class |= allowedBit
	}
	if l.shared && l.mode == corslayer.ModeOwn {
		// One entry serves all, so there is nothing to bound, and the
		// upstream of a GET or HEAD does not see what the key does not
		// hold.
		o.Capped = false
		if method == http.MethodGet || method == http.MethodHead {
			o.Forward = false
		}
	}
	return o
}

// Count implements cache.CORS. OPTIONS requests are counted by Preflight.
func (l *layer) Count(method string, lines []string, o cache.Origin) {
	if method == http.MethodOptions {
		return
	}
	d := decision(o)
	l.policy.Count(d)
	if l.shadow != nil {
		l.differs(l.shadow.Actual(lines, d))
	}
}

// Version implements cache.CORS.
func (l *layer) Version() uint64 { return l.policy.Version() }

// Preflight implements cache.CORS.
func (l *layer) Preflight(w http.ResponseWriter, r *http.Request, o cache.Origin) bool {
	d := decision(o)
	answered := l.policy.Preflight(w, r, d)
	if l.shadow != nil {
		if answered {
			l.differs(l.shadow.Preflight(r, d))
		} else {
			l.differs(l.shadow.Actual(r.Header["Origin"], d))
		}
	}
	if answered && l.debug != nil {
		l.tell(r, d)
	}
	return answered
}

// Strip implements cache.CORS. The policy counts, and the operator is told once
// an upstream that two layers write CORS fields.
func (l *layer) Strip(h http.Header, safe bool) {
	if l.mode == corslayer.ModePass {
		return
	}
	if n := l.policy.Strip(h); n > 0 && l.upstream.stripped.CompareAndSwap(false, true) {
		l.log.Warn("the upstream sends CORS fields of its own, and Veneer removes them: there are two CORS layers; switch one off",
			"route", l.route, "upstream", l.from.upstream, "lines", n)
	}
	if safe {
		l.policy.StripVary(h, l.shared)
	}
}

// Observe implements cache.CORS.
func (l *layer) Observe(h http.Header, o cache.Origin) cachestatus.Reason {
	if l.mode != corslayer.ModePass {
		return cachestatus.None
	}
	v := l.policy.ObservePass(h, decision(o))
	if v.FirstVaryAdded {
		l.log.Warn("the application names the request's Origin without Vary: Origin, and Veneer adds it (cors vary_fix)", "route", l.route)
	}
	if v.FirstForeign {
		l.log.Warn("the application names another origin than the request's in Access-Control-Allow-Origin; such responses are not stored", "route", l.route)
	}
	if v.FirstDuplicate {
		l.log.Warn("the application sends Access-Control-Allow-Origin more than once; browsers refuse differing lines", "route", l.route)
	}
	switch {
	case o.NoStore:
		return cachestatus.BadOrigin
	case v.Foreign:
		return cachestatus.ForeignACAO
	}
	return cachestatus.None
}

// Apply implements cache.CORS.
func (l *layer) Apply(h, request http.Header, o cache.Origin) {
	if l.mode == corslayer.ModeOff {
		// A response that was stored while the route was another's authority
		// keeps its fields to itself.
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				delete(h, name)
			}
		}
	}
	l.policy.Apply(h, request, decision(o))
}

// NotModified puts on a 304 of the upstream's what Apply puts on a response.
func (l *layer) NotModified(h, request http.Header, o cache.Origin) {
	l.policy.ApplyNotModified(h, request, decision(o))
}
