package app

import (
	"net/http"
	"slices"

	"veneer/cache"
	"veneer/cache/rfc9111"
	"veneer/cmd/internal/config"
)

// compileRoute makes the engine's route of a configured one.
func compileRoute(rt *config.Route, l *layer, up http.RoundTripper, store cache.Store, maxObject int64) *cache.Route {
	c := &rt.Cache
	r := &cache.Route{
		Name: rt.Name, Key: c.Key, CORS: l, Upstream: up,
		Policy: rfc9111.Policy{
			Targets: c.Targets, DefaultTTL: c.DefaultTTL,
			Grace: c.Grace, StaleWhileRevalidate: c.StaleWhileRevalidate,
			SetCookie: c.SetCookie,
		},
		// What the store would refuse is better passed on unstored from the
		// start than collected first.
		MaxObject: min(c.MaxObject, maxObject),
		Variants:  c.Variants, Origins: c.Origins,
		IgnoreDirectives: !c.HonourRequest, NoCollapse: !c.Collapse,
		FetchTimeout: c.FetchTimeout,
		Request:      edits(&rt.Headers.Request), Response: edits(&rt.Headers.Response),
	}
	if slices.Contains(c.Targets, "Surrogate-Control") {
		// W3C Edge Architecture §2.1: this cache says what it understands, and
		// in place of the client.
		if r.Request.Set == nil {
			r.Request.Set = make(map[string][]string)
		}
		r.Request.Set["Surrogate-Capability"] = []string{`veneer="Surrogate/1.0"`}
	}
	if c.Enabled {
		r.Store = store // else a nil interface, which the engine takes for `cache: off`
	}
	return r
}

func edits(f *config.FieldChanges) cache.Edits {
	e := cache.Edits{Remove: f.Remove}
	if len(f.Set) > 0 {
		e.Set = make(map[string][]string, len(f.Set))
	}
	for _, s := range f.Set {
		e.Set[s.Name] = []string{s.Value.Reveal()}
	}
	return e
}
