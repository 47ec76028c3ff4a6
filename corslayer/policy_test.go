package corslayer

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/corslayer/origin"
)

func TestC1K2K3Decide(t *testing.T) {
	for _, c := range decideCases {
		policy := compile(t, c.config)
		for name, want := range c.want {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				if diff := cmp.Diff(want, policy.Decide("GET", origins[name])); diff != "" {
					t.Errorf("GET (-want +got):\n%s", diff)
				}
				// K3: an unsafe method forwards whatever Origin there is.
				want.ForwardOrigin = len(origins[name]) > 0
				if diff := cmp.Diff(want, policy.Decide("POST", origins[name])); diff != "" {
					t.Errorf("POST (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// K1: no Origin can be sent that is taken for another bucket's name.
func TestK1BucketsAreNoOrigins(t *testing.T) {
	for _, name := range []string{"", "none", "other", "null", "*"} {
		if _, ok := origin.Parse(name); ok {
			t.Errorf("%q is an origin", name)
		}
	}
}

func TestModes(t *testing.T) {
	got := []string{compile(t, static).Mode().String(), Pass(Config{}).Mode().String(), Off().Mode().String(), Mode(9).String()}
	if diff := cmp.Diff([]string{"own", "pass", "off", "unknown"}, got); diff != "" {
		t.Error(diff)
	}
	for _, m := range []Mode{ModePass, ModeOff} {
		if p, problems := Compile(Config{Mode: m}); p.Mode() != m || problems != nil {
			t.Errorf("%v: %v", m, problems)
		}
	}
}

// countCases: each request is counted once, by one word.
var countCases = []struct {
	name   string
	config Config
	ask    *http.Request
	want   Counts
}{
	{"counters: none", partner, get("none"), Counts{None: 1}},
	{"counters: allowed", partner, get("exact"), Counts{Allowed: 1}},
	{"counters: allowed by pattern", partner, get("pattern"), Counts{Allowed: 1}},
	{"counters: refused", partner, get("refused"), Counts{Refused: 1}},
	{"counters: null", partner, get("null"), Counts{Null: 1}},
	{"counters: null that is allowed", nulls, get("null"), Counts{Null: 1}},
	{"counters: null under *", anybody, get("null"), Counts{Null: 1}},
	{"counters: bad", partner, get("two"), Counts{Bad: 1}},
	{"counters: bad under *", anybody, get("upper"), Counts{Bad: 1}},
	{"counters: preflight_ok", partner, ask(app, "GET"), Counts{PreflightOK: 1}},
	{"counters: preflight_refused_origin", partner, ask(stranger, "GET"), Counts{PreflightRefusedOrigin: 1}},
	{"counters: preflight_refused_origin, null", partner, ask("null", "GET"), Counts{PreflightRefusedOrigin: 1}},
	{"counters: preflight_refused_origin, bad", partner, ask("x", "GET"), Counts{PreflightRefusedOrigin: 1}},
	{"counters: preflight_refused_method", partner, ask(app, "PATCH"), Counts{PreflightRefusedMethod: 1}},
	{"counters: preflight_refused_header", partner, ask(app, "GET", "x-other"), Counts{PreflightRefusedHeader: 1}},
	{"counters: preflight_refused_header, too many", partner, ask(app, "GET", strings.Repeat("range,", 65)), Counts{PreflightRefusedHeader: 1}},
	{"counters: OPTIONS that is no preflight", partner, ask(app, ""), Counts{Allowed: 1}},
	{"counters: OPTIONS without Origin", partner, ask("", "GET"), Counts{None: 1}},
	{"counters: pass", Config{Mode: ModePass}, get("refused"), Counts{Allowed: 1}},
	{"counters: pass, preflight goes through", Config{Mode: ModePass}, ask(stranger, "GET"), Counts{Allowed: 1}},
	{"counters: off decides nothing", Config{Mode: ModeOff}, get("exact"), Counts{None: 1}},
	{"counters: off, null", Config{Mode: ModeOff}, get("null"), Counts{Null: 1}},
	{"counters: off, bad", Config{Mode: ModeOff}, get("two"), Counts{Bad: 1}},
	{"counters: off, preflight", Config{Mode: ModeOff}, ask(app, "GET"), Counts{PreflightRefusedOrigin: 1}},
}

// get is an actual request with the Origin lines of that name.
func get(name string) *http.Request {
	r := ask("", "")
	r.Method = http.MethodGet
	if lines := origins[name]; lines != nil {
		r.Header[fieldOrigin] = lines
	}
	return r
}

func TestCounts(t *testing.T) {
	for _, c := range countCases {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.config)
			lines := c.ask.Header[fieldOrigin]
			p.Judge(c.ask.Method, lines) // counts nothing
			p.JudgePreflight(c.ask, p.Judge(c.ask.Method, lines))
			p.Preflight(httptest.NewRecorder(), c.ask, p.Decide(c.ask.Method, lines))
			p.Apply(http.Header{}, c.ask.Header, p.Judge(c.ask.Method, lines))
			if diff := cmp.Diff(c.want, p.Counts()); diff != "" {
				t.Error(diff)
			}
		})
	}
	p := compile(t, partner)
	p.Strip(http.Header{fieldAllowOrigin: {"*", "*"}, fieldMaxAge: {"1"}})
	p.Strip(http.Header{"Etag": {`"x"`}})
	if got := p.Counts(); got != (Counts{Stripped: 1}) {
		t.Errorf("stripped: %+v", got)
	}
}

// A rehearsal answers as the policy does, and leaves no trace in it.
func TestRehearsal(t *testing.T) {
	p := Pass(Config{})
	p.ObservePass(head(fieldAllowOrigin, app), p.Decide("GET", []string{app}))
	before := p.Counts()
	q := p.Rehearsal()
	if !q.Echoes() || q.Counts() != (Counts{}) || !reflect.DeepEqual(q.Config(), p.Config()) {
		t.Errorf("echoes %v, %+v", q.Echoes(), q.Counts())
	}
	if v := q.ObservePass(head(fieldAllowOrigin, app), q.Decide("GET", []string{shop})); !v.Foreign {
		t.Error("it has not learned which value is the application's")
	}
	q.ObservePass(head(fieldAllowOrigin, app), q.Decide("GET", []string{stranger}))
	if v := p.ObservePass(head(fieldAllowOrigin, app), p.Judge("GET", []string{shop})); !v.Foreign || p.Counts().Allowed != before.Allowed {
		t.Errorf("the policy learned from its rehearsal, or counted: %+v", p.Counts())
	}
	own := compile(t, partner)
	if h := head(); true {
		own.Rehearsal().Apply(h, nil, own.Rehearsal().Decide("GET", []string{app}))
		if own.Counts() != (Counts{}) || h[fieldAllowOrigin][0] != app {
			t.Errorf("%v, %+v", h, own.Counts())
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile(c.config)
			var got []string
			for _, q := range problems {
				got = append(got, brief(q))
				if q.Warning || q.Fix == "" {
					t.Errorf("a problem without a fix, or a warning: %+v", q)
				}
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" || p != nil {
				t.Errorf("policy %v (-want +got):\n%s", p != nil, diff)
			}
		})
	}
}

func brief(p Problem) string {
	return p.Field + "[" + itoa(p.Index) + "]: " + p.Why
}

func itoa(n int) string {
	if n < 0 {
		return "-1"
	}
	return string(rune('0' + n))
}

// What is dangerous and wanted has its switch; what is only odd is a warning.
func TestCompileAllows(t *testing.T) {
	for _, c := range []struct {
		name     string
		config   Config
		warnings []string
	}{
		{"null with credentials", Config{Origins: []string{app}, AllowNull: true, Credentials: true, DangerouslyCredentialedNull: true}, nil},
		{"http with credentials", Config{Origins: []string{"http://a.example"}, Credentials: true, DangerouslyCredentialedInsecure: true}, nil},
		{"loopback with credentials", Config{Origins: []string{"http://localhost:*", "http://[::1]:3000", "http://*.localhost"}, Credentials: true}, nil},
		{"public suffix with credentials", Config{Origins: []string{"https://*.co.uk"}, Credentials: true, DangerouslyCredentialedPublicSuffix: true}, nil},
		{"public suffix without credentials", Config{Origins: []string{"https://*.co.uk"}}, nil},
		{"null alone", Config{AllowNull: true}, nil},
		{"* and Authorization", with(anybody, func(c *Config) { c.Headers = []string{"*", "Authorization"} }), nil},
		{"null beside *", Config{Origins: []string{"*"}, AllowNull: true}, []string{"allow_null[-1]: * covers null"}},
		{"P8 above Chromium's cap", Config{Origins: []string{app}, MaxAge: seconds(86400)}, []string{"max_age[-1]: Chromium keeps it for 2h at most"}},
		{"expose what can be read", Config{Origins: []string{app}, Expose: []string{"content-type"}}, []string{"expose[0]: scripts can always read it (Fetch, CORS-safelisted response-header name)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile(c.config)
			var got []string
			for _, q := range problems {
				got = append(got, brief(q))
			}
			if diff := cmp.Diff(c.warnings, got); diff != "" || p == nil {
				t.Errorf("policy %v (-want +got):\n%s", p != nil, diff)
			}
		})
	}
}

// All problems come at once.
func TestCompileTellsAll(t *testing.T) {
	_, problems := Compile(Config{
		Origins: []string{"*", "http://a.example/", "https://B.example"}, Credentials: true,
		Methods: []string{"get"}, Headers: []string{"Host"}, Expose: []string{"*"}, MaxAge: seconds(-5),
	})
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		"origins: got *: browsers refuse * for requests with credentials; fix: list the origins, or credentials: false",
		"origins: got *: it lets in every origin, so the other entries mean nothing; fix: remove them, or the *",
		"origins: got http://a.example/: an origin does not end in a slash; fix: write http://a.example",
		"origins: got https://B.example: browsers send origins in lower case; fix: write https://b.example",
		"methods: got get: methods are compared with regard to case; fix: write GET",
		"headers: got Host: scripts cannot set it (Fetch, forbidden request-header); fix: remove it",
		"expose: got *: browsers take * for a field name where requests have credentials; fix: list the fields, or auto",
		"max_age: got -5s: nothing is less than -1s, which turns the browser's cache off; fix: -1s to 24h",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each switch lets through what is refused without it, and nothing else.
func TestDangerousSwitches(t *testing.T) {
	for _, c := range dangerous {
		off, problems := Compile(c.config)
		if off != nil || len(problems) == 0 {
			t.Errorf("%s is off, and the policy compiles", c.name)
		}
		name, _, _ := strings.Cut(c.name, ",")
		for _, p := range problems {
			if p.Warning || !strings.Contains(p.Fix, name+": true") {
				t.Errorf("%s: the fix does not name the switch: %v", c.name, p)
			}
		}
		if on, problems := Compile(with(c.config, c.set)); on == nil || problems != nil {
			t.Errorf("%s is on: %v", c.name, problems)
		}
	}
	// A switch alone is no reason to complain.
	all := Config{Origins: []string{app}, DangerouslyCredentialedNull: true, DangerouslyCredentialedInsecure: true,
		DangerouslyCredentialedPublicSuffix: true, DangerouslyPrivateNetworkForAnyOrigin: true}
	if p, problems := Compile(all); p == nil || problems != nil {
		t.Errorf("switches alone: %v", problems)
	}
}

// CORS names of one side are refused on the other, in any case.
func TestCORSNamesOfTheOtherSide(t *testing.T) {
	requests := []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers", "Access-Control-Request-Private-Network"}
	responses := []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
		"Access-Control-Allow-Headers", "Access-Control-Allow-Private-Network", "Access-Control-Expose-Headers", "Access-Control-Max-Age"}
	check := func(c Config, field string) {
		t.Helper()
		p, problems := Compile(c)
		if p != nil || len(problems) != 1 || problems[0].Field != field || problems[0].Index != 0 || problems[0].Warning {
			t.Errorf("%+v: %v", c, problems)
		}
	}
	for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper, strings.Clone} {
		for _, name := range requests {
			check(Config{Origins: []string{app}, Expose: []string{fold(name)}}, "expose")
			check(Config{Origins: []string{app}, Headers: []string{fold(name)}}, "headers")
		}
		for _, name := range responses {
			check(Config{Origins: []string{app}, Headers: []string{fold(name)}}, "headers")
		}
	}
	for _, name := range forbiddenRequest {
		check(Config{Origins: []string{app}, Headers: []string{name}}, "headers")
	}
}
