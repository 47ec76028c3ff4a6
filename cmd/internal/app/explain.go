package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/memory"
	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/explain"
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
	"veneer/corslayer/origin"
	"veneer/upstream/forward"
	"veneer/upstream/route"
)

// Explain says what cfg would make of a request, with an empty store. It binds
// and keeps nothing. cfg must have passed config.Load or Check.
func Explain(cfg *config.Config, r *explain.Request) (*explain.Answer, error) {
	a := &App{log: slog.New(slog.DiscardHandler), marks: make(map[string]*upstreamMarks)}
	var err error
	if a.telemetry, err = telemetry.New(telemetry.Config{}); err != nil {
		return nil, err
	}
	defer func() { _ = a.telemetry.Shutdown(context.Background()) }() // nothing was measured
	if a.store, err = memory.New(memory.Config{Size: cfg.Store.MemorySize}); err != nil {
		return nil, fmt.Errorf("cannot make the store (store.memory.size): %w", err)
	}
	defer a.store.Close()
	p, err := a.compile(cfg)
	if err != nil {
		return nil, err
	}
	defer p.close()
	a.plan = p
	a.engine = cache.New(cache.Config{Plan: p.engine})
	defer func() { _ = a.engine.Close(context.Background()) }() // nothing is under way
	return a.explain(r, false), nil
}

// explain answers from what is stored now.
func (a *App) explain(r *explain.Request, live bool) *explain.Answer {
	a.mu.Lock()
	p := a.plan
	a.mu.Unlock()
	asked := r.HTTP()
	ex := a.engine.Explain(asked, r.Assumption())
	facts := explain.Facts{Live: live}
	if ex.Route != nil {
		facts.Route = p.routeFacts(ex, asked)
		if l, ok := ex.Route.CORS.(*layer); ok {
			facts.CORS = l.facts(asked, ex.Origin)
		}
	}
	return explain.Make(r, ex, facts)
}

// Rehearse implements cache.Rehearser.
func (l *layer) Rehearse() cache.CORS { return l.rehearsal() }

var _ cache.Passage = (*trip)(nil)

// Outgoing implements cache.Passage: which fields the pool leaves out for what
// they say about the client.
func (t *trip) Outgoing(r *http.Request) {
	forward.StripRequest(r.Header, t.keep)
	if t.external != nil {
		forward.ThirdPartyRequest(r.Header, t.keep)
		return
	}
	forward.DropUnkeyed(r.Header, t.keep, t.trust.Contains(r.RemoteAddr))
}

// Incoming implements cache.Passage.
func (t *trip) Incoming(h http.Header) {
	forward.StripResponse(h)
	if t.external != nil {
		t.external.Clean(h)
	}
}

// routeFacts says which route a request has, and which others match it.
func (p *plan) routeFacts(ex *cache.Explanation, r *http.Request) *explain.Route {
	facts := &explain.Route{Name: ex.Route.Name}
	t := ex.Target
	if t == (key.Target{}) { // refused after the route was found
		t, _ = new(key.Query).Canonical(r.URL.Scheme, r.Host, key.EscapedPath(r.URL), "")
	}
	for i := range p.cfg.Routes {
		rt := &p.cfg.Routes[i]
		if rt.Name == facts.Name {
			facts.Host, facts.Path, facts.Upstream = rt.Host, rt.Path, rt.Upstream
			if u := p.cfg.Upstream(rt.Upstream); u != nil {
				facts.External = u.External != nil
			}
			if rt.Rate != nil {
				facts.RateLimit = fmt.Sprintf("%d requests in %s, %d at once", rt.Rate.Requests, rt.Rate.Per, rt.Rate.Burst)
			}
			continue
		}
		alone, _ := route.New([]route.Entry[bool]{{Host: rt.Host, Path: rt.Path, Value: true}})
		if matches, _ := alone.Lookup(t.Host, t.Path); matches {
			facts.Also = append(facts.Also, rt.Name)
		}
	}
	return facts
}

// facts says what the layer decides about a request, and by which rule.
func (l *layer) facts(r *http.Request, o cache.Origin) *explain.CORS {
	d := decision(o)
	c := &explain.CORS{Mode: l.mode.String(), Policy: l.from.cors.Policy, Class: d.Class.String(), Bucket: cmp.Or(d.Bucket, "none"), Allowed: d.Allowed}
	if l.shared && l.mode == corslayer.ModeOwn {
		c.Bucket = "none, one entry serves all origins (cache.key.origin: shared)"
	}
	c.Why, c.Rule = l.why(r.Header["Origin"], d)
	switch v, ok := l.policy.JudgePreflight(r, d); {
	case !ok:
	case l.mode == corslayer.ModePass:
		c.Why += "; the preflight too is the application's to answer"
	case l.mode == corslayer.ModeOff:
		c.Preflight = &explain.Preflight{Why: "the route is for its own origin only (cors: off)"}
	default:
		c.Preflight = &explain.Preflight{Granted: v.Step == corslayer.Granted, Why: v.String()}
	}
	return c
}

// why explains Decision.Allowed.
func (l *layer) why(lines []string, d corslayer.Decision) (why, rule string) {
	switch l.mode {
	case corslayer.ModePass:
		if d.Class == origin.Bad {
			return badOrigin + "; the response is passed on and not stored", ""
		}
		return "the application decides (cors: pass); its answer is kept for this very Origin", ""
	case corslayer.ModeOff:
		return "nobody decides (cors: off); CORS fields of the application are removed", ""
	}
	origins := l.from.policy.Origins
	switch {
	case d.Class == origin.None:
		return "there is no Origin field: no cross-origin request of a browser", ""
	case d.Allowed && len(origins) == 1 && origins[0] == "*":
		return "the policy lets every origin in", `origins[0] "*"`
	case d.Allowed && d.Class == origin.Null:
		return "the policy lets the opaque origin in", "allow_null"
	case d.Allowed:
		return "a rule of the policy lets it in", matchingRule(origins, lines)
	case d.Class == origin.Null:
		why = "the opaque origin is let in by allow_null only"
	case d.Class == origin.Bad:
		why = badOrigin
	default:
		why = "no rule of the policy lets it in"
	}
	if d.Refuse {
		why += "; enforce: true answers 403"
	}
	return why, ""
}

const badOrigin = "the Origin field is not one serialised origin, which no browser sends"

// matchingRule finds the first rule that lets an origin in: the policy's set
// knows only that there is one.
func matchingRule(rules, lines []string) string {
	o, class := origin.Classify(lines)
	for i, rule := range rules {
		p, err := origin.ParsePattern(rule)
		if err == nil && class == origin.Valid && p.Match(o) {
			return "origins[" + strconv.Itoa(i) + "] " + strconv.Quote(rule)
		}
	}
	return ""
}

// explainer answers GET /api/explain, one question after the other: an answer
// may take some memory for a moment.
type explainer struct {
	app  *App
	turn chan struct{} // holds one token
}

func newExplainer(a *App) *explainer {
	e := &explainer{app: a, turn: make(chan struct{}, 1)}
	e.turn <- struct{}{}
	return e
}

// ServeHTTP implements http.Handler.
func (e *explainer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	var asked *explain.Request
	if err == nil {
		asked, err = explain.FromQuery(q)
	} else {
		err = errors.New("cannot read the query: it has a bad percent-encoding or a semicolon")
	}
	if err != nil {
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-question", err.Error())
		return
	}
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-r.Context().Done():
		return
	}
	answer(w, e.app.explain(asked, true))
}
