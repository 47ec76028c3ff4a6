package corslayer

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shadowCases: a policy, the one that is tried out beside it, and what a
// request shows of their difference.
var shadowCases = []struct {
	name           string
	policy, shadow Config
	origin         string        // a key of origins
	ask            *http.Request // nil: an actual request
	want           Difference
}{
	{"shadow: the same", partner, partner, "exact", nil, Same},
	{"shadow: no Origin", partner, anybody, "none", nil, Same},
	{"shadow: lets in more", partner, with(partner, func(c *Config) { c.Origins = append(c.Origins, stranger) }), "refused", nil, OriginAllowed},
	{"shadow: lets in fewer", partner, static, "pattern", nil, OriginRefused},
	{"shadow: lets null in", partner, with(partner, func(c *Config) { c.AllowNull, c.DangerouslyCredentialedNull = true, true }), "null", nil, OriginAllowed},
	{"shadow: both refuse what is bad", partner, static, "two", nil, Same},
	{"shadow: bad under *", anybody, nulls, "two", nil, Same},
	{"shadow: exposes the same in another order", partner, with(partner, func(c *Config) { c.Expose = []string{"x-request-id", "etag"} }), "exact", nil, Same},
	{"shadow: no credentials", partner, with(partner, func(c *Config) { c.Credentials = false }), "exact", nil, Fields},
	{"shadow: no credentials, to whom both refuse", partner, with(partner, func(c *Config) { c.Credentials = false }), "refused", nil, Same},
	{"shadow: exposes another field", partner, with(partner, func(c *Config) { c.Expose = []string{"ETag"} }), "exact", nil, Fields},
	{"shadow: the same fields, static", with(static, func(c *Config) { c.Dynamic = true }), static, "exact", nil, Same},
	{"shadow: enforces", partner, with(partner, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{app + ":1"} }), "refused", nil, RequestRefused},
	{"shadow: enforces, but not on its own", partner, with(partner, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{stranger} }), "refused", nil, Same},
	{"shadow: no longer enforces", with(partner, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{app + ":1"} }), partner, "null", nil, RequestAllowed},

	{"shadow: preflight, the same", partner, partner, "exact", ask(app, "PUT", "content-type"), Same},
	{"shadow: preflight, both refuse", partner, static, "refused", ask(stranger, "PUT"), Same},
	{"shadow: preflight, another method", partner, with(partner, func(c *Config) { c.Methods = []string{"GET"} }), "exact", ask(app, "PUT"), PreflightRefused},
	{"shadow: preflight, another field", partner, with(partner, func(c *Config) { c.Headers = []string{"*"} }), "exact", ask(app, "PUT", "x-other"), PreflightAllowed},
	{"shadow: preflight, another origin", partner, anybody, "refused", ask(stranger, "GET"), PreflightAllowed},
	{"shadow: preflight, no credentials", partner, with(partner, func(c *Config) { c.Credentials = false }), "exact", ask(app, "PUT"), Fields},
	{"shadow: preflight, private network", partner, lan, "exact", network(ask(app, "PUT"), "true"), Fields},
	{"shadow: preflight, no private network asked", partner, lan, "exact", ask(app, "PUT"), Same},
	{"shadow: OPTIONS that is no preflight", partner, static, "pattern", ask(shop, ""), Same},
}

func TestShadow(t *testing.T) {
	for _, c := range shadowCases {
		t.Run(c.name, func(t *testing.T) {
			p, q := compile(t, c.policy), compile(t, c.shadow)
			s := NewShadow(p, q)
			var got Difference
			if c.ask != nil {
				got = s.Preflight(c.ask, p.Judge(http.MethodOptions, origins[c.origin]))
			} else {
				got = s.Actual(origins[c.origin], p.Judge(http.MethodGet, origins[c.origin]))
			}
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for _, d := range Differences() {
				want := uint64(0)
				if d == c.want {
					want = 1
				}
				if n := s.Count(d); n != want {
					t.Errorf("%v: counted %d, want %d", d, n, want)
				}
			}
			if p.Counts() != (Counts{}) || q.Counts() != (Counts{}) {
				t.Errorf("the policies counted: %+v, %+v", p.Counts(), q.Counts())
			}
		})
	}
}

func TestDifferenceNames(t *testing.T) {
	var got []string
	for _, d := range append([]Difference{Same}, append(Differences(), differences)...) {
		got = append(got, d.String())
	}
	want := []string{"same", "origin_allowed", "origin_refused", "preflight_allowed", "preflight_refused", "request_allowed", "request_refused", "fields", "unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := new(Shadow).Count(200); n != 0 {
		t.Errorf("counted %d of what is no difference", n)
	}
}

// What a shadow calls the same, a browser sees alike under both policies, and
// what it calls a difference, some browser sees: the labels mean something.
func FuzzShadowMeansABrowserSeesIt(f *testing.F) {
	bytesOf(f, func(b []byte) {
		f.Add(b, []byte{3}, app, "PUT", "content-type")
		f.Add([]byte{3, 0, 0, 1}, b, stranger, "GET", "")
	})
	f.Fuzz(func(t *testing.T, a, b []byte, from, method, headers string) {
		d, e := draw(a), draw(b)
		p, _ := Compile(d.config())
		q, _ := Compile(e.config())
		if p == nil || q == nil || p.mode != ModeOwn || q.mode != ModeOwn || p.debug || q.debug {
			return
		}
		g := page{origin: from, method: method, names: unsafeNames(headers)}
		if !g.exists() {
			return
		}
		sees := func(p *Policy) (out [4]bool) {
			for i, include := range []bool{false, true} {
				g := g
				g.include = include
				r, w, h := g.preflight(), httptest.NewRecorder(), http.Header{}
				p.Preflight(w, r, p.Judge(r.Method, r.Header[fieldOrigin]))
				p.Apply(h, r.Header, p.Judge("GET", r.Header[fieldOrigin]))
				out[i], out[2+i] = g.goesOn(w.Code, w.Header()), g.mayRead(h)
			}
			return out
		}
		x, y := sees(p), sees(q)
		r := g.preflight()
		s := NewShadow(p, q)
		if got := s.Preflight(r, p.Judge(r.Method, r.Header[fieldOrigin])); (got != Same) != (x[0] != y[0] || x[1] != y[1]) {
			t.Errorf("preflight: %v, and the browser sees %v and %v", got, x, y)
		}
		switch got := s.Actual(r.Header[fieldOrigin], p.Judge("GET", r.Header[fieldOrigin])); {
		case got == Same && (x[2] != y[2] || x[3] != y[3]):
			t.Errorf("actual: the same, and the browser sees %v and %v", x, y)
		case (got == OriginAllowed || got == OriginRefused) && x[2] == y[2]:
			t.Errorf("actual: %v, and the browser sees %v and %v", got, x, y)
		}
	})
}
