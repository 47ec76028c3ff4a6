package corslayer

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A policy answers many requests at once, and each as if it were alone. The
// race detector reads this.
func TestConcurrentUse(t *testing.T) {
	policies := map[string]*Policy{}
	for _, c := range applyCases {
		policies[c.name] = compile(t, c.config)
	}
	next := compile(t, static)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, c := range applyCases {
				p := policies[c.name]
				request := http.Header{fieldOrigin: origins[c.origin]}
				d := p.Decide(http.MethodGet, origins[c.origin])
				h := maps.Clone(c.stored)
				p.Apply(h, request, d)
				if diff := cmp.Diff(c.want, h); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.name, diff)
				}
				for name := range h { // a handler that appends to what it was given
					h[name] = append(h[name], "appended")
				}
				if p.Mode() == ModeOwn {
					NewShadow(p, next).Actual(origins[c.origin], d)
				}
				p.Rehearsal().Config()
				p.Counts()
			}
		})
	}
	all.Wait()
	// Each request was counted once.
	for name, p := range policies {
		c := p.Counts()
		if n := c.None + c.Allowed + c.Refused + c.Null + c.Bad; n != 4 {
			t.Errorf("%s: counted %d of 4: %+v", name, n, c)
		}
	}
}

// What a preflight gets is shared by all: whoever appends to it copies.
func TestPreflightSharesNothingWritable(t *testing.T) {
	for _, c := range preflightCases {
		p := compile(t, c.config)
		for range 2 {
			w := httptest.NewRecorder()
			p.Preflight(w, c.ask, p.Decide(http.MethodOptions, c.ask.Header[fieldOrigin]))
			if c.want != nil {
				if diff := cmp.Diff(c.want.Header, w.Header()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.name, diff)
				}
			}
			for name, lines := range w.Header() {
				if len(lines) != cap(lines) {
					t.Errorf("%s: an append to %s would write into a shared value", c.name, name)
				}
				w.Header()[name] = append(lines, "appended")
			}
		}
	}
}

// A policy does not change with what it is asked: whatever the order, the same
// request gets the same answer.
func TestOrderDoesNotMatter(t *testing.T) {
	fresh := func(c Config, name string) http.Header {
		p, h := compile(t, c), head(fieldVary, "Accept")
		p.Apply(h, http.Header{fieldOrigin: origins[name]}, p.Decide("GET", origins[name]))
		return h
	}
	for _, c := range []Config{partner, static, anybody, nulls, with(partner, func(c *Config) { c.MergeExpose, c.Expose = true, []string{"auto"} })} {
		p := compile(t, c)
		for first := range origins {
			for name := range origins {
				p.Decide("GET", origins[first])
				h := head(fieldVary, "Accept")
				p.Apply(h, http.Header{fieldOrigin: origins[name]}, p.Decide("GET", origins[name]))
				if diff := cmp.Diff(fresh(c, name), h); diff != "" {
					t.Errorf("%s after %s (-alone +after):\n%s", name, first, diff)
				}
			}
		}
	}
}
