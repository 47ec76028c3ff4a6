package corslayer

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/corslayer/origin"
)

// The policies that the cases speak of.
var (
	anybody = Config{Origins: []string{"*"}, Expose: []string{"*"}, Headers: []string{"*"}, Methods: []string{"*"}}
	static  = Config{Origins: []string{"https://app.example.com"}, Credentials: true, Expose: []string{"X-Request-Id"}}
	partner = Config{
		Origins:     []string{"https://app.example.com", "https://*.partner.example.com"},
		Methods:     []string{"GET", "POST", "PUT", "DELETE"},
		Headers:     []string{"Content-Type", "Authorization"},
		Expose:      []string{"ETag", "X-Request-Id"},
		Credentials: true,
	}
	nulls = Config{Origins: []string{"https://app.example.com"}, AllowNull: true}
)

const (
	app      = "https://app.example.com"
	shop     = "https://shop.partner.example.com"
	stranger = "https://evil.example"
)

func with(c Config, change func(*Config)) Config {
	change(&c)
	return c
}

func compile(t testing.TB, c Config) *Policy {
	t.Helper()
	p, problems := Compile(c)
	if p == nil {
		t.Fatalf("cannot compile: %v", problems)
	}
	return p
}

// origins are the Origin lines that every policy is asked about: one list for
// decisions, responses, fuzzing and benchmarks.
var origins = map[string][]string{
	"none":     nil,
	"exact":    {app},
	"pattern":  {shop},
	"refused":  {stranger},
	"null":     {"null"},
	"empty":    {""},
	"two":      {app, app},
	"list":     {app + ", " + stranger},
	"upper":    {"HTTPS://APP.EXAMPLE.COM"},
	"too long": {app + strings.Repeat("m", 400)},
}

var badInList = Decision{Class: origin.Bad, Bucket: "other", FullOnConditional: true}

var decideCases = []struct {
	name   string
	config Config
	want   map[string]Decision
}{
	{"list", partner, map[string]Decision{
		"none":     {},
		"exact":    {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"pattern":  {Class: origin.Valid, Bucket: shop, Allowed: true, ForwardOrigin: true, Capped: true},
		"refused":  {Class: origin.Valid, Bucket: "other", FullOnConditional: true},
		"null":     {Class: origin.Null, Bucket: "other", FullOnConditional: true},
		"empty":    badInList,
		"two":      badInList,
		"list":     badInList,
		"upper":    badInList,
		"too long": badInList,
	}},
	{"static", static, map[string]Decision{
		"none":    {},
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"refused": {Class: origin.Valid, Bucket: "other"},
		"two":     {Class: origin.Bad, Bucket: "other"},
	}},
	{"any", anybody, map[string]Decision{
		"none":    {},
		"exact":   {Class: origin.Valid, Allowed: true},
		"refused": {Class: origin.Valid, Allowed: true},
		"null":    {Class: origin.Null, Allowed: true},
		"two":     {Class: origin.Bad, Allowed: true},
	}},
	{"C3 null", nulls, map[string]Decision{
		"null":    {Class: origin.Null, Bucket: "null", Allowed: true, ForwardOrigin: true},
		"refused": {Class: origin.Valid, Bucket: "other", FullOnConditional: true},
	}},
	{"C5 enforce", with(partner, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{stranger} }), map[string]Decision{
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"refused": {Class: origin.Valid, Bucket: "other", FullOnConditional: true}, // the route's own
		"null":    {Class: origin.Null, Bucket: "other", FullOnConditional: true, Refuse: true},
		"two":     {Class: origin.Bad, Bucket: "other", FullOnConditional: true, Refuse: true},
		"none":    {},
	}},
	{"K4 pass", Config{Mode: ModePass}, map[string]Decision{
		"none":    {Allowed: true},
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true, Capped: true},
		"refused": {Class: origin.Valid, Bucket: stranger, Allowed: true, ForwardOrigin: true, Capped: true},
		"null":    {Class: origin.Null, Bucket: "null", Allowed: true, ForwardOrigin: true, Capped: true},
		"two":     {Class: origin.Bad, Bucket: "other", ForwardOrigin: true, BypassStore: true},
		"empty":   {Class: origin.Bad, Bucket: "other", ForwardOrigin: true, BypassStore: true},
	}},
	{"off", Config{Mode: ModeOff}, map[string]Decision{
		"none":  {},
		"exact": {Class: origin.Valid},
		"null":  {Class: origin.Null},
		"two":   {Class: origin.Bad},
	}},
}

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

func TestCounts(t *testing.T) {
	p := compile(t, partner)
	for _, lines := range origins {
		p.Decide("GET", lines)
	}
	p.Strip(http.Header{fieldAllowOrigin: {"*", "*"}, fieldMaxAge: {"1"}})
	p.Strip(http.Header{"Etag": {`"x"`}})
	want := Counts{None: 1, Allowed: 2, Refused: 1, Null: 1, Bad: 5, Stripped: 1}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Error(diff)
	}
}

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

func list(origins ...string) Config   { return Config{Origins: origins} }
func secret(origins ...string) Config { return Config{Origins: origins, Credentials: true} }

// Each refusal of "Policy is compiled", alone; the first problem's field,
// index and reason are told.
var refusals = []struct {
	name   string
	config Config
	want   string // field[index]: why
}{
	{"no origin", Config{}, "origins[-1]: the policy lets nobody in"},
	{"* with credentials", secret("*"), "origins[0]: browsers refuse * for requests with credentials"},
	{"* beside others", list(app, "*"), "origins[1]: it lets in every origin, so the other entries mean nothing"},
	{"null in a list", list(app, "null"), "origins[1]: null is shared by sandboxed frames, local files and redirects of anybody"},
	{"null with credentials", with(secret(app), func(c *Config) { c.AllowNull = true }), "allow_null[-1]: with credentials, any page can be null and act for the user"},
	{"file", list("file:///x"), "origins[0]: pages from files have the origin null"},
	{"trailing slash", list(app + "/"), "origins[0]: an origin does not end in a slash"},
	{"every host", list("https://*"), "origins[0]: it lets in every host"},
	{"insecure with credentials", secret("http://a.example"), "origins[0]: with credentials, an attacker on the network can act for the user"},
	{"public suffix with credentials", secret("https://*.co.uk"), "origins[0]: anybody can register a name there and, with credentials, act for the user"},
	{"private suffix with credentials", secret("https://app-*.github.io"), "origins[0]: anybody can register a name there and, with credentials, act for the user"},
	{"twice", list(app, app), "origins[1]: https://app.example.com (entry 1) lets it in already"},
	{"subsumed", list("https://a.b.x.example", "https://*.x.example"), "origins[0]: https://*.x.example (entry 2) lets it in already"},
	{"subsumed pattern", list("https://*.x.example", "https://+.a.x.example"), "origins[1]: https://*.x.example (entry 1) lets it in already"},
	{"subsumed port", list("http://localhost:*", "http://localhost:3000"), "origins[1]: http://localhost:* (entry 1) lets it in already"},
	{"own origin", with(list(app, stranger), func(c *Config) { c.PublicOrigins = []string{app} }), "origins[0]: it is the route's own origin, which needs no CORS"},
	{"bad public origin", with(list(app), func(c *Config) { c.PublicOrigins = []string{"x"} }), "public_origins[0]: it is not a serialised origin"},
	{"enforce without public origin", with(list(app), func(c *Config) { c.Enforce = true }), "enforce[-1]: same-origin POSTs carry Origin too and would be refused"},
	{"P9 TRACE", with(list(app), func(c *Config) { c.Methods = []string{"GET", "trace"} }), "methods[1]: browsers never send it (Fetch, forbidden method)"},
	{"P9 TRACK", with(list(app), func(c *Config) { c.Methods = []string{"TRACK"} }), "methods[0]: browsers never send it (Fetch, forbidden method)"},
	{"P9 CONNECT", with(list(app), func(c *Config) { c.Methods = []string{"CONNECT"} }), "methods[0]: browsers never send it (Fetch, forbidden method)"},
	{"method in lower case", with(list(app), func(c *Config) { c.Methods = []string{"patch"} }), "methods[0]: methods are compared with regard to case"},
	{"method no token", with(list(app), func(c *Config) { c.Methods = []string{"G T"} }), "methods[0]: it is not a method"},
	{"no methods", with(list(app), func(c *Config) { c.Methods = []string{} }), "methods[-1]: the policy allows no method"},
	{"* beside methods", with(list(app), func(c *Config) { c.Methods = []string{"*", "PUT"} }), "methods[-1]: * allows every method, so the other entries mean nothing"},
	{"forbidden header", with(list(app), func(c *Config) { c.Headers = []string{"X-A", "Cookie"} }), "headers[1]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"forbidden prefix", with(list(app), func(c *Config) { c.Headers = []string{"Sec-Fetch-Mode"} }), "headers[0]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"CORS request field", with(list(app), func(c *Config) { c.Headers = []string{"Origin"} }), "headers[0]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"CORS response field", with(list(app), func(c *Config) { c.Headers = []string{"Access-Control-Allow-Origin"} }), "headers[0]: it is a response field"},
	{"header no token", with(list(app), func(c *Config) { c.Headers = []string{"a,b"} }), "headers[0]: it is not a field name"},
	{"header too long", with(list(app), func(c *Config) { c.Headers = []string{strings.Repeat("x", 129)} }), "headers[0]: the name is longer than 128 bytes"},
	{"* beside headers", with(list(app), func(c *Config) { c.Headers = []string{"*", "X-A"} }), "headers[-1]: * allows every field, so the other entries mean nothing"},
	{"E3 expose * with credentials", with(secret(app), func(c *Config) { c.Expose = []string{"*"} }), "expose[0]: browsers take * for a field name where requests have credentials"},
	{"expose auto beside others", with(list(app), func(c *Config) { c.Expose = []string{"auto", "X-A"} }), "expose[0]: it stands for a whole list, so the other entries mean nothing"},
	{"expose Set-Cookie", with(list(app), func(c *Config) { c.Expose = []string{"Set-Cookie"} }), "expose[0]: scripts cannot read it (Fetch, forbidden response-header name)"},
	{"expose a request field", with(list(app), func(c *Config) { c.Expose = []string{"Access-Control-Request-Method"} }), "expose[0]: it is a request field"},
	{"expose no token", with(list(app), func(c *Config) { c.Expose = []string{"a b"} }), "expose[0]: it is not a field name"},
	{"P8 max-age below -1", with(list(app), func(c *Config) { c.MaxAge = seconds(-2) }), "max_age[-1]: no browser keeps a preflight's answer for so long"},
	{"P8 max-age above a day", with(list(app), func(c *Config) { c.MaxAge = seconds(86401) }), "max_age[-1]: no browser keeps a preflight's answer for so long"},
	{"max-age of a half second", with(list(app), func(c *Config) { d := time.Second / 2; c.MaxAge = &d }), "max_age[-1]: it is not a whole number of seconds"},
	{"CDN max-age below zero", with(list(app), func(c *Config) { c.CDNMaxAge = -1 }), "cdn_max_age[-1]: it is not a whole number of seconds from 0 to a year"},
	{"resource policy", with(list(app), func(c *Config) { c.ResourcePolicy = "any" }), "resource_policy[-1]: browsers know no such policy"},
	{"dynamic *", with(list("*"), func(c *Config) { c.Dynamic = true }), "dynamic[-1]: * is the same answer for everybody"},
	{"vary fix in own mode", with(list(app), func(c *Config) { c.VaryFix = VaryAlways }), "vary_fix[-1]: it is for routes where the application owns CORS"},
	{"two authorities", Config{Mode: ModePass, Origins: []string{app}}, "mode[-1]: a policy with origins is a second authority for CORS on this route"},
	{"no such mode", Config{Mode: 7}, "mode[-1]: there is no such mode"},
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
		"max_age: got -5s: no browser keeps a preflight's answer for so long; fix: -1s to 24h",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
