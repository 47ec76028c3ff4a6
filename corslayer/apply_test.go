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

func head(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// applyCases are the rows of the Emit table: the response as stored, the name
// of the Origin lines, and what the client gets.
var applyCases = []struct {
	name        string
	config      Config
	stored      http.Header
	origin      string // a key of origins
	want        http.Header
	notOrdinary bool // it may allocate
}{
	{name: "* for an origin", config: anybody, stored: head("Etag", "1"), origin: "refused",
		want: head("Etag", "1", fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "* without Origin", config: anybody, stored: head(), origin: "none", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "* for null", config: anybody, stored: head(), origin: "null", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "* for bad", config: anybody, stored: head(), origin: "two", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "static, allowed", config: static, stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "static, refused", config: static, stored: head(), origin: "refused",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "static, no Origin", config: static, stored: head(), origin: "none",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "dynamic, refused", config: with(static, func(c *Config) { c.Dynamic = true }), stored: head(), origin: "refused", want: head(fieldVary, "Origin")},
	{name: "list, allowed", config: partner, stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "ETag, X-Request-Id", fieldVary, "Origin")},
	{name: "list, pattern", config: partner, stored: head(), origin: "pattern",
		want: head(fieldAllowOrigin, shop, fieldAllowCredentials, "true", fieldExposeHeaders, "ETag, X-Request-Id", fieldVary, "Origin")},
	{name: "list, refused", config: partner, stored: head("X", "1"), origin: "refused", want: head("X", "1", fieldVary, "Origin")},
	{name: "list, null", config: partner, stored: head(), origin: "null", want: head(fieldVary, "Origin")},
	{name: "list, bad", config: partner, stored: head(), origin: "list", want: head(fieldVary, "Origin")},
	{name: "list, no Origin", config: partner, stored: head(), origin: "none", want: head(fieldVary, "Origin")},
	{name: "C3 null allowed", config: nulls, stored: head(), origin: "null", want: head(fieldAllowOrigin, "null", fieldVary, "Origin")},
	{name: "no credentials", config: nulls, stored: head(), origin: "exact", want: head(fieldAllowOrigin, app, fieldVary, "Origin")},

	{name: "E2 names kept", config: partner, stored: head(fieldVary, "Accept-Encoding"), origin: "none", want: head(fieldVary, "Accept-Encoding, Origin")},
	{name: "E2 lines merged", config: partner, stored: head(fieldVary, "Accept-Encoding, ,Cookie", fieldVary, "accept-encoding"), origin: "none",
		want: head(fieldVary, "Accept-Encoding, Cookie, Origin")},
	{name: "E2 already there", config: partner, stored: head(fieldVary, "origin,Accept"), origin: "none", want: head(fieldVary, "origin, Accept")},
	{name: "E2 alone already", config: partner, stored: head(fieldVary, "Origin"), origin: "none", want: head(fieldVary, "Origin")},
	{name: "E2 * wins", config: partner, stored: head(fieldVary, "Accept", fieldVary, "*"), origin: "none", want: head(fieldVary, "*")},
	{name: "E2 merged without a list too", config: static, stored: head(fieldVary, "Accept", fieldVary, "Cookie"), origin: "none",
		want: head(fieldVary, "Accept, Cookie", fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "E2 a very long Vary", config: partner, stored: head(fieldVary, strings.Repeat("a, ", 300)), origin: "none", want: head(fieldVary, "a, Origin"), notOrdinary: true},

	{name: "E3 auto", config: with(nulls, func(c *Config) { c.Expose = []string{"auto"} }), origin: "exact",
		stored: head("Etag", "1", "Content-Type", "a/b", "Set-Cookie", "a=b", "Age", "1", "X-B", "1", "X-B", "2"),
		want: head("Etag", "1", "Content-Type", "a/b", "Set-Cookie", "a=b", "Age", "1", "X-B", "1", "X-B", "2",
			fieldAllowOrigin, app, fieldVary, "Origin", fieldExposeHeaders, "Age, Etag, X-B")},
	{name: "E3 auto, nothing to expose", config: with(nulls, func(c *Config) { c.Expose = []string{"auto"} }), origin: "exact",
		stored: head("Content-Type", "a/b"), want: head("Content-Type", "a/b", fieldAllowOrigin, app, fieldVary, "Origin")},
	{name: "E6 media", config: with(partner, func(c *Config) { c.Media = true }), stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin",
			fieldExposeHeaders, "ETag, X-Request-Id, Content-Range, Accept-Ranges, Content-Encoding")},
	{name: "E4 allowed", config: with(nulls, func(c *Config) { c.TimingAllowOrigin, c.ResourcePolicy = true, "cross-origin" }), origin: "exact",
		stored: head(fieldTiming, "https://other.example"),
		want:   head(fieldAllowOrigin, app, fieldVary, "Origin", fieldTiming, app, fieldResourcePolicy, "cross-origin")},
	{name: "E4 refused", config: with(nulls, func(c *Config) { c.TimingAllowOrigin, c.ResourcePolicy = true, "same-site" }), origin: "refused",
		stored: head(fieldTiming, "*"), want: head(fieldVary, "Origin", fieldResourcePolicy, "same-site")},
	{name: "merge", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "exact",
		stored: head(ExposedField, "X-Up, etag"),
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin",
			fieldExposeHeaders, "ETag, X-Request-Id, X-Up")},
	{name: "merge, nothing there", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "exact", stored: head(),
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin", fieldExposeHeaders, "ETag, X-Request-Id")},
	{name: "merge *", config: with(nulls, func(c *Config) { c.MergeExpose = true }), origin: "exact", stored: head(ExposedField, "*"),
		want: head(fieldAllowOrigin, app, fieldVary, "Origin", fieldExposeHeaders, "*")},
	{name: "merge, refused", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "refused",
		stored: head(ExposedField, "X-Up"), want: head(fieldVary, "Origin")},

	{name: "off", config: Config{Mode: ModeOff}, stored: head(fieldVary, "Accept", fieldVary, "Cookie", ExposedField, "X"), origin: "exact",
		want: head(fieldVary, "Accept", fieldVary, "Cookie")},
	{name: "pass", config: Config{Mode: ModePass}, stored: head(fieldAllowOrigin, app), origin: "exact", want: head(fieldAllowOrigin, app)},
	{name: "pass, always", config: Config{Mode: ModePass, VaryFix: VaryAlways}, stored: head(), origin: "none", want: head(fieldVary, "Origin")},
}

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
	full := func() http.Header {
		return head(fieldAllowOrigin, app, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET", fieldAllowHeaders, "X",
			fieldAllowNetwork, "true", fieldExposeHeaders, "X-Up, bad name, etag,x-up", fieldExposeHeaders, "*", fieldMaxAge, "5",
			fieldVary, "Origin", "Etag", "1", ExposedField, "spoofed", fieldTiming, "*")
	}
	rest := head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*")
	merged := head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*", ExposedField, "X-Up, etag")
	for _, c := range []struct {
		name   string
		policy *Policy
		lines  int
		want   http.Header
	}{
		{"own", compile(t, partner), 9, rest},
		{"off", Off(), 9, rest},
		{"merge, with credentials", compile(t, with(partner, func(c *Config) { c.MergeExpose = true })), 9, merged},
		{"merge *", compile(t, with(nulls, func(c *Config) { c.MergeExpose = true })), 9,
			head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*", ExposedField, "*")},
		{"pass", Pass(Config{}), 0, full()},
	} {
		h := full()
		n := c.policy.Strip(h)
		if diff := cmp.Diff(c.want, h); diff != "" || n != c.lines {
			t.Errorf("%s: %d lines, want %d (-want +got):\n%s", c.name, n, c.lines, diff)
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

func TestK3StripVary(t *testing.T) {
	own, any := compile(t, partner), compile(t, anybody)
	for _, c := range []struct {
		name   string
		policy *Policy
		shared bool
		vary   []string
		want   []string
	}{
		{"bucket keeps Origin", own, false, []string{"Origin, Accept"}, []string{"Origin, Accept"}},
		{"bucket hides preflight fields", own, false, []string{"origin", "access-control-request-method, Access-Control-Request-Headers, Accept"}, []string{"origin, Accept"}},
		{"shared", own, true, []string{"Accept", "ORIGIN"}, []string{"Accept"}},
		{"shared, nothing left", own, true, []string{"Origin"}, nil},
		{"any", any, false, []string{"Origin, Accept"}, []string{"Accept"}},
		{"off", Off(), false, []string{"Origin"}, nil},
		{"pass", Pass(Config{}), true, []string{"Origin"}, []string{"Origin"}},
		{"nothing to do", own, true, []string{"Accept,  Cookie", "X"}, []string{"Accept,  Cookie", "X"}},
		{"*", own, true, []string{"*"}, []string{"*"}},
		{"* stays", own, true, []string{"Origin, *"}, []string{"*"}},
		{"no Vary", own, true, nil, nil},
	} {
		h := http.Header{}
		if c.vary != nil {
			h[fieldVary] = c.vary
		}
		c.policy.StripVary(h, c.shared)
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

// No byte of an Origin that is not a serialised origin, and none of a refused
// one, is ever in a response.
func FuzzNothingReflected(f *testing.F) {
	for _, lines := range origins {
		f.Add(strings.Join(lines, "\n"), "Content-Type, Authorization")
	}
	policies := []*Policy{compile(f, partner), compile(f, static), compile(f, anybody), compile(f, nulls), Off(),
		compile(f, with(partner, func(c *Config) { c.MinimalPreflight, c.Debug = true, true }))}
	const marker = "zq9"
	f.Fuzz(func(t *testing.T, text, asks string) {
		lines := strings.Split(marker+text, "\n")
		for _, p := range policies {
			r := ask("", "GET", asks)
			r.Header[fieldOrigin] = lines
			d := p.Decide(http.MethodOptions, lines)
			w := newWriter()
			p.Preflight(w, r, d)
			p.Apply(w.h, r.Header, d)
			for name, values := range w.h {
				for _, v := range values {
					if strings.Contains(v, marker) && !strings.Contains(asks, marker) {
						t.Fatalf("%s: %q for Origin %q", name, v, lines)
					}
					if name != fieldAllowHeaders && strings.ContainsAny(v, "\r\n\x00") {
						t.Fatalf("%s: %q", name, v)
					}
				}
			}
		}
	})
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

func BenchmarkActualRequest(b *testing.B) {
	p := compile(b, partner)
	for _, name := range []string{"none", "exact", "pattern", "refused", "too long"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			request := http.Header{fieldOrigin: origins[name]}
			h := make(http.Header, 16)
			vary := []string{"Accept-Encoding"}
			for b.Loop() {
				clear(h)
				h[fieldVary] = vary
				p.Apply(h, request, p.Decide("GET", origins[name]))
			}
		})
	}
}

func BenchmarkPreflight(b *testing.B) {
	p := compile(b, partner)
	for name, r := range map[string]*http.Request{
		"allowed": ask(app, "PUT", "authorization,content-type"),
		"refused": ask(stranger, "PUT"),
		"hostile": ask(app, "PUT", strings.Repeat("authorization,", 1<<20/14)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := newWriter()
			for b.Loop() {
				w.reset()
				p.Preflight(w, r, p.Decide(r.Method, r.Header[fieldOrigin]))
			}
		})
	}
}
