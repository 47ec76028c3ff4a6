package corslayer

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/corslayer/origin"
)

// What fuzzing tries to break: each target is a relation between two ways to
// say the same.

// draw makes a Config of bytes. Each byte decides one thing; where they end,
// the rest is as in the zero value.
type draw []byte

func (d *draw) next() byte {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return b
}

func (d *draw) bit() bool { return d.next()&1 == 1 }

// some picks from a pool by the bits of a byte; nil when there are none.
func (d *draw) some(pool ...string) []string {
	var list []string
	b := d.next()
	for i, s := range pool {
		if b>>i&1 == 1 {
			list = append(list, s)
		}
	}
	return list
}

func (d *draw) config() Config {
	c := Config{
		Origins: d.some(app, "https://*.partner.example.com", "http://localhost:*", "https://+.a.example:[8080,8081]",
			"https://pr-*.a.example", "http://a.example", "*", "https://*.github.io"),
		AllowNull: d.bit(), Dynamic: d.bit(), Credentials: d.bit(),
		Methods: d.some("GET", "PUT", "DELETE", "PATCH", "QUERY", "PROPFIND", "patchy", "*"),
		Headers: d.some("Content-Type", "Authorization", "X-A", "Range", "x-b", "*"),
		Expose:  d.some("ETag", "X-Request-Id", "Content-Type", "*", "auto"),
		Media:   d.bit(), MergeExpose: d.bit(), MinimalPreflight: d.bit(), Debug: d.bit(), PrivateNetwork: d.bit(),
		TimingAllowOrigin: d.bit(), Enforce: d.bit(),
	}
	if b := d.next(); b != 0 {
		c.MaxAge = seconds(int(b)*60 - 61)
	}
	c.CDNMaxAge = time.Duration(d.next()) * time.Second
	c.ResourcePolicy = []string{"", "same-origin", "same-site", "cross-origin"}[d.next()%4]
	c.PublicOrigins = d.some("https://www.example.com", app)
	safe := d.bit()
	c.DangerouslyCredentialedNull, c.DangerouslyCredentialedInsecure = !safe, !safe
	c.DangerouslyCredentialedPublicSuffix, c.DangerouslyPrivateNetworkForAnyOrigin = !safe, !safe
	switch m := d.next(); m % 8 {
	case 1:
		return Config{Mode: ModePass, VaryFix: VaryFix(m >> 3 % 3)}
	case 2:
		return Config{Mode: ModeOff}
	}
	return c
}

// bytesOf are seeds for draw: nothing, every bit alone, and all of some.
func bytesOf(f *testing.F, add func([]byte)) {
	f.Helper()
	add(nil)
	for i := range 22 {
		for _, b := range []byte{1, 2, 3, 64, 128} {
			seed := make([]byte, 22)
			seed[0], seed[i] = 3, b
			add(seed)
		}
	}
	add([]byte{64, 1, 0, 0, 128, 32, 8})            // anybody
	add([]byte{3, 0, 0, 1, 7, 3, 3, 1, 1, 0, 0, 1}) // a list with credentials
}

// Compile makes of a policy's Config an equal policy, and the Config is the
// caller's own.
func FuzzConfigCompiles(f *testing.F) {
	bytesOf(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, seed []byte) {
		d, e := draw(seed), draw(seed)
		c, same := d.config(), e.config()
		p, problems := Compile(c)
		if (p == nil) != slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning }) {
			t.Fatalf("policy %v with %v", p != nil, problems)
		}
		if p == nil {
			return
		}
		got := p.Config()
		if diff := cmp.Diff(same, got); diff != "" {
			t.Errorf("Config (-compiled +got):\n%s", diff)
		}
		q, again := Compile(got)
		if !reflect.DeepEqual(p, q) || !reflect.DeepEqual(problems, again) {
			t.Errorf("%+v compiles to another policy, %v", got, again)
		}
		for _, c := range []Config{c, got} {
			for _, list := range [][]string{c.Origins, c.Methods, c.Headers, c.Expose, c.PublicOrigins} {
				clear(list)
			}
			if c.MaxAge != nil {
				*c.MaxAge = -1
			}
		}
		if !reflect.DeepEqual(p, q) || !cmp.Equal(same, p.Config()) {
			t.Error("the policy shares memory with a Config")
		}
	})
}

// A browser goes on after a preflight if and only if the policy granted it, and
// reads a response if and only if the policy allowed the Origin.
func FuzzBrowserAgrees(f *testing.F) {
	for _, c := range preflightCases {
		h := c.ask.Header
		bytesOf(f, func(b []byte) {
			if len(b) == 0 || b[len(b)-1] != 0 {
				f.Add(b, strings.Join(h[fieldOrigin], ","), strings.Join(h[fieldRequestMethod], ","), strings.Join(h[fieldRequestHeaders], ","), h[fieldRequestNetwork] != nil)
			}
		})
	}
	f.Fuzz(func(t *testing.T, seed []byte, from, method, headers string, network bool) {
		d := draw(seed)
		p, _ := Compile(d.config())
		if p == nil || p.mode != ModeOwn {
			return
		}
		for _, include := range []bool{false, true} {
			g := page{origin: from, include: include, method: method, names: unsafeNames(headers), network: network}
			if g.exists() {
				agrees(t, p, g)
			}
		}
	})
}

// The same on every policy and every Origin of the list of cases.
func TestBrowserAgrees(t *testing.T) {
	var policies []*Policy
	for _, c := range applyCases {
		policies = append(policies, compile(t, c.config))
	}
	for _, c := range preflightCases {
		policies = append(policies, compile(t, c.config))
	}
	for _, p := range policies {
		if p.mode != ModeOwn {
			continue
		}
		for _, lines := range origins {
			for _, method := range []string{"GET", "PUT", "PATCH", "put"} {
				for _, headers := range []string{"", "content-type", "authorization,range", "x-other"} {
					g := page{origin: strings.Join(lines, ", "), method: method, names: unsafeNames(headers)}
					if !g.exists() {
						continue
					}
					agrees(t, p, g)
					g.include, g.network = true, true
					agrees(t, p, g)
				}
			}
		}
	}
}

func agrees(t *testing.T, p *Policy, g page) {
	t.Helper()
	reached := !g.include || p.credentials
	r, w := g.preflight(), httptest.NewRecorder()
	d := p.Judge(r.Method, r.Header[fieldOrigin])
	v, _ := p.JudgePreflight(r, d)
	if !p.Preflight(w, r, d) {
		t.Fatalf("%+v: no preflight", g)
	}
	want := v.Step == Granted && reached && (!g.network || p.network)
	got := g.goesOn(w.Code, w.Header())
	// A debug answer says as much as was checked; what needs no preflight at
	// all passes it.
	simple := p.debug && len(g.names) == 0 && (g.method == "GET" || g.method == "HEAD" || g.method == "POST")
	if got != want && (!simple || want) {
		t.Errorf("%+v: %v, and the browser goes on: %v\n%d %v\n%+v", g, v, got, w.Code, w.Header(), p.Config())
	}
	h := http.Header{"Vary": {"Accept"}, "Etag": {"x"}}
	d = p.Judge("GET", r.Header[fieldOrigin])
	p.Apply(h, r.Header, d)
	if got := g.mayRead(h); got != (d.Allowed && reached) {
		t.Errorf("%+v: allowed %v, and the browser reads: %v\n%v\n%+v", g, d.Allowed, got, h, p.Config())
	}
}

// outcome is everything that a policy says about a request, to anybody.
type outcome struct {
	Decision     Decision
	Status       int
	Header       http.Header
	Verdict      string
	Actual       http.Header
	Counted      Counts
	Found        PassVerdict
	Differs      Difference
	Observed     http.Header
	Remembered   int
	DecidedOther Decision
}

func outcomeOf(c Config, lines []string, method, headers string) outcome {
	p, _ := Compile(c)
	r := ask("", method, headers)
	r.Header[fieldOrigin] = lines
	d := p.Decide(http.MethodOptions, lines)
	w := httptest.NewRecorder()
	p.Preflight(w, r, d)
	v, _ := p.JudgePreflight(r, d)
	o := outcome{Decision: d, Status: w.Code, Header: w.Header(), Verdict: v.String(), Actual: head(fieldVary, "Accept"), Observed: head(fieldAllowOrigin, app)}
	o.DecidedOther = p.Decide(http.MethodGet, lines)
	p.Apply(o.Actual, r.Header, o.DecidedOther)
	o.Found = p.ObservePass(o.Observed, o.DecidedOther)
	if p.mode == ModeOwn {
		s, _ := Compile(static)
		o.Differs = NewShadow(p, s).Actual(lines, o.DecidedOther)
	}
	o.Counted = p.Counts()
	for _, t := range []*interned{&p.varies[0], &p.varies[1], &p.exposed} {
		if m := t.table.Load(); m != nil {
			o.Remembered += len(*m)
		}
	}
	return o
}

// No byte of an Origin that is no serialised origin, and none of a refused one,
// is in anything that a policy says: not in a response, not in a key, not in a
// counter. So what it says of one is what it says of any other.
func FuzzNothingReflected(f *testing.F) {
	for _, lines := range origins {
		f.Add([]byte{3}, strings.Join(lines, "\n"), "PUT", "Content-Type, Authorization")
	}
	f.Add([]byte{64}, "x\r\nSet-Cookie: a=b", "GET", "")
	f.Fuzz(func(t *testing.T, seed []byte, text, method, headers string) {
		d := draw(seed)
		lines := strings.Split(text, "\n")
		for _, c := range []Config{d.config(), partner, static, anybody, nulls, {Mode: ModePass}, {Mode: ModeOff},
			with(partner, func(c *Config) { c.MinimalPreflight, c.Debug = true, true })} {
			p, _ := Compile(c)
			if p == nil || len(c.PublicOrigins) > 0 {
				continue
			}
			var other []string
			switch d := p.Judge("GET", lines); {
			case d.Class == origin.Bad:
				other = []string{"no origin"}
			case d.Class == origin.Valid && !d.Allowed && lines[0] != app:
				other = []string{"https://refused.invalid"}
			default:
				continue
			}
			if diff := cmp.Diff(outcomeOf(c, other, method, headers), outcomeOf(c, lines, method, headers)); diff != "" {
				t.Errorf("%+v on %q, and what it says of any other (-other +this):\n%s", c, lines, diff)
			}
		}
	})
}
