package corslayer

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestApply(t *testing.T) {
	for _, c := range applyCases {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.config)
			request := http.Header{}
			if lines := origins[c.origin]; lines != nil {
				request[fieldOrigin] = lines
			}
			d := p.Decide("GET", origins[c.origin])
			for range 2 { // computed, and remembered
				h := maps.Clone(c.stored)
				p.Apply(h, request, d)
				if diff := cmp.Diff(c.want, h); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for name, lines := range h {
					if _, own := c.stored[name]; !own && len(lines) != cap(lines) {
						t.Errorf("%s: an append would write into a shared value", name)
					}
				}
			}
		})
	}
}

// E7, E9: nothing but the Origin at hand counts, so a 304 and an error page
// get what the 200 got; and a request that was changed on its way changes
// nothing.
func TestApplyWithoutTheRequestsOrigin(t *testing.T) {
	p := compile(t, partner)
	d := p.Decide("GET", []string{app})
	for _, request := range []http.Header{nil, {fieldOrigin: {stranger}}, {fieldOrigin: {app, stranger}}} {
		h := head()
		p.Apply(h, request, d)
		if diff := cmp.Diff([]string{app}, h[fieldAllowOrigin]); diff != "" {
			t.Errorf("%v: %s", request, diff)
		}
	}
}

func TestStrip(t *testing.T) {
	for _, c := range stripCases {
		h := c.in()
		p := compile(t, c.config)
		n := p.Strip(h)
		if diff := cmp.Diff(c.want, h); diff != "" || n != c.lines {
			t.Errorf("%s: %d lines, want %d (-want +got):\n%s", c.name, n, c.lines, diff)
		}
		for name := range h {
			if p.Mode() != ModePass && strings.HasPrefix(name, corsPrefix) {
				t.Errorf("%s: %s is left", c.name, name)
			}
		}
	}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("X-%d", i))
	}
	h := head(fieldExposeHeaders, strings.Join(many, ","))
	compile(t, with(partner, func(c *Config) { c.MergeExpose = true })).Strip(h)
	if n := strings.Count(h[ExposedField][0], ",") + 1; n != maxExposed {
		t.Errorf("kept %d exposed names", n)
	}
}

func TestStripVary(t *testing.T) {
	for _, c := range stripVaryCases {
		h := http.Header{}
		if c.vary != nil {
			h[fieldVary] = c.vary
		}
		compile(t, c.config).StripVary(h, c.shared)
		if diff := cmp.Diff(c.want, h[fieldVary]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// E2 as a property: one line, every name once, Origin in it.
func TestVaryMerge(t *testing.T) {
	p := compile(t, partner)
	names := rapid.SampledFrom([]string{"Accept", "accept", "Origin", "ORIGIN", "Cookie", "", " ", "X-Y"})
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		want := map[string]bool{"origin": true}
		for _, line := range rapid.SliceOfN(rapid.SliceOfN(names, 0, 4), 0, 3).Draw(t, "lines") {
			lines = append(lines, strings.Join(line, ","))
			for _, name := range line {
				if name = strings.TrimSpace(name); name != "" {
					want[strings.ToLower(name)] = true
				}
			}
		}
		h := http.Header{fieldVary: lines}
		p.Apply(h, nil, Decision{})
		got := strings.Split(strings.ToLower(h[fieldVary][0]), ", ")
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" || len(h[fieldVary]) != 1 {
			t.Errorf("%q became %q", lines, h[fieldVary])
		}
	})
}

// The tables of remembered values are bounded, and right past the bound.
func TestInternedIsBounded(t *testing.T) {
	p := compile(t, partner)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range maxInterned {
				vary := fmt.Sprintf("X-%d-%d", g%2, i)
				h := head(fieldVary, vary)
				p.Apply(h, nil, Decision{})
				if got := h[fieldVary][0]; got != vary+", Origin" {
					t.Errorf("%s became %s", vary, got)
				}
			}
		})
	}
	wg.Wait()
	if n := len(*p.varies.table.Load()); n != maxInterned {
		t.Errorf("%d remembered", n)
	}
}

// writer is a ResponseWriter that can be used again.
type writer struct {
	h      http.Header
	status int
}

func newWriter() *writer                      { return &writer{h: make(http.Header, 16)} }
func (w *writer) Header() http.Header         { return w.h }
func (w *writer) WriteHeader(status int)      { w.status = status }
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
func (w *writer) reset()                      { clear(w.h) }

// The benchmarks run the list of cases.
func BenchmarkActualRequest(b *testing.B) {
	for _, c := range applyCases {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, c.config)
			request := http.Header{}
			if lines := origins[c.origin]; lines != nil {
				request[fieldOrigin] = lines
			}
			h := make(http.Header, 16)
			b.ReportAllocs()
			for b.Loop() {
				clear(h)
				maps.Copy(h, c.stored)
				p.Apply(h, request, p.Decide(http.MethodGet, origins[c.origin]))
			}
		})
	}
}

func BenchmarkPreflight(b *testing.B) {
	for _, c := range preflightCases {
		b.Run(c.name, func(b *testing.B) {
			p, w := compile(b, c.config), newWriter()
			b.ReportAllocs()
			for b.Loop() {
				w.reset()
				p.Preflight(w, c.ask, p.Decide(c.ask.Method, c.ask.Header[fieldOrigin]))
			}
		})
	}
}
