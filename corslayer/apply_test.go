package corslayer

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
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
	if n := len(*p.varies[1].table.Load()); n != maxInterned {
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

// K3: a static policy names its origin to everybody, and still says Vary:
// Origin once the upstream, which sees the Origin, has said so: caches behind
// would otherwise give what one origin got to the other.
func TestK3StaticVaries(t *testing.T) {
	stored := head(fieldVary, "Accept", fieldVary, "Cookie")
	vary := func(p *Policy) string {
		h := stored.Clone()
		p.Apply(h, http.Header{}, p.Decide("GET", nil))
		return strings.Join(h[fieldVary], "|")
	}
	p := compile(t, static)
	for _, step := range []struct {
		upstream http.Header
		shared   bool
		want     string
	}{
		{head(fieldVary, "Accept"), false, "Accept, Cookie"},
		{head(fieldVary, "Origin"), true, "Accept, Cookie"}, // it never saw one
		{head(fieldVary, "accept, origin"), false, "Accept, Cookie, Origin"},
		{head(), false, "Accept, Cookie, Origin"},
	} {
		p.StripVary(step.upstream, step.shared)
		if got := vary(p); got != step.want {
			t.Errorf("after %v: Vary %q, want %q", step.upstream, got, step.want)
		}
	}
}

// E7: a 304 of the upstream's has not the fields that a list is made of.
func TestApplyNotModified(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   http.Header
	}{
		{"auto", with(partner, func(c *Config) { c.Expose = []string{"auto"} }), head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin", "Etag", "1")},
		{"merge", with(partner, func(c *Config) { c.MergeExpose = true }), head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin", "Etag", "1")},
		{"list", partner, head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin", "Etag", "1", fieldExposeHeaders, "ETag, X-Request-Id")},
	} {
		p := compile(t, c.config)
		got := head("Etag", "1")
		p.ApplyNotModified(got, http.Header{fieldOrigin: {app}}, p.Decide("GET", []string{app}))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What is remembered of upstreams' fields is bounded in bytes, too.
func TestInternedIsSmall(t *testing.T) {
	p := compile(t, with(partner, func(c *Config) { c.MergeExpose = true }))
	for i := range 2 * maxInterned {
		h := head(fieldExposeHeaders, strings.Repeat("X-"+strconv.Itoa(i)+strings.Repeat("a", 90)+", ", 60)+"X-Last")
		p.Strip(h)
		if n := len(h.Get(ExposedField)); n > maxExposedBytes+maxName+2*maxExposed {
			t.Fatalf("%d bytes are kept of one response", n)
		}
		p.Apply(h, http.Header{fieldOrigin: {app}}, p.Decide("GET", []string{app}))
	}
	size := 0
	if table := p.exposed.table.Load(); table != nil {
		for key := range *table {
			size += len(key)
		}
	}
	if size > maxInterned*maxInternedKey {
		t.Errorf("%d bytes are remembered", size)
	}
}
