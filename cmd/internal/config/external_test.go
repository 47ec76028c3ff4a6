package config

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/corslayer"
)

// What the good sample comes to, and that checking it again changes nothing.
func TestExternal(t *testing.T) {
	src, err := os.ReadFile("testdata/good/external.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := parseTest("external.yaml", src)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	for range 2 {
		type is struct {
			External map[string]*External
			Keys     map[string][]string
		}
		got := is{map[string]*External{}, map[string][]string{}}
		for _, u := range c.Upstreams {
			got.External[u.Name] = u.External
		}
		for _, rt := range c.Routes {
			got.Keys[rt.Path] = rt.Cache.Key.Headers
		}
		want := is{
			map[string]*External{
				"weather": {Forward: []string{"Authorization", "X-Api-Key"}, Redirects: 1},
				"open":    {Redirects: 3, PrivateAddresses: true},
				"api":     nil,
			},
			map[string][]string{
				"/": {"X-Api-Key"}, "/own/": {"X-Api-Key", "Accept"}, "/set/": nil, "/open/": nil, "/pass/": nil, "/api/": nil,
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if problems := c.Check(); len(problems) > 0 {
			t.Errorf("checked again:\n%s", problems)
		}
	}
}

// What may be meant is a warning, and what is ordinary is none.
func TestExternalWarnings(t *testing.T) {
	const lentFix = "fix: a policy that lists your own origins; external: true on the upstream if the server is a third party's; dangerously_open_to_any_origin: true on it if all the web is meant"
	const open, closed = `cors: { p: { origins: ["*"] } }`, `cors: { p: { origins: ["https://app.example.com"], headers: [content-type, x-api-key, authorization] } }`
	set := func(upstream string) string {
		return "\nupstreams: { app: { " + upstream + " } }\nroutes: [{ upstream: app, cors: p, headers: { request: { set: { Authorization: Bearer secret } } } }]"
	}
	for _, c := range []struct{ name, src, want string }{
		{
			"lent to all the web", open + set(`servers: "https://api.weather.example"`),
			`x:3:33: routes[0].cors: got "p": the policy lets in every origin, and those pages can use api.weather.example with the Authorization that headers.request.set adds; ` + lentFix,
		},
		{
			"lent, whatever it is called", open + strings.Replace(set(`servers: "https://api.weather.example"`), "Authorization:", "X-Tenant: a, X-Api-Key: b, X-Forwarded-Prefix: /a, Accept:", 1),
			`x:3:33: routes[0].cors: got "p": the policy lets in every origin, and those pages can use api.weather.example with the X-Tenant and X-Api-Key that headers.request.set adds; ` + lentFix,
		},
		{
			"lent to where anybody can have a page", strings.Replace(open, "*", "https://*.github.io", 1) + set(`servers: ["http://app", "https://api.weather.example"]`),
			`x:3:33: routes[0].cors: got "p": the policy lets in https://*.github.io, where anybody can have a page, and those pages can use api.weather.example with the Authorization that headers.request.set adds; ` + lentFix,
		},
		{
			"lent, by http", open + set(`servers: "http://api.weather.example"`),
			`x:3:33: warning: routes[0].cors: got "p": the policy lets in every origin, and those pages can use api.weather.example with the Authorization that headers.request.set adds; ` + lentFix,
		},
		{
			"lent, and the server decides", "#" + strings.Replace(set(`servers: "https://api.weather.example"`), "cors: p", "cors: pass", 1),
			`x:3:33: warning: routes[0].cors: got "pass": with pass the server decides whose pages can use api.weather.example with the Authorization that headers.request.set adds; ` + lentFix,
		},
		{"lent, and meant", open + set(`servers: "https://api.weather.example", dangerously_open_to_any_origin: true`), ""},
		{"nothing lent", open + strings.Replace(set(`servers: "https://api.weather.example"`), "Authorization:", "X-Forwarded-Prefix: /a, Accept:", 1), ""},
		{"lent, inside", open + set(`servers: ["https://10.0.0.1", "https://app", "https://app.internal", "https://app.prod.svc"]`), ""},
		{"lent to a list", `cors: { p: { origins: ["https://app.example.com"] } }` + set(`servers: "https://api.weather.example"`), ""},
		{
			"unencrypted", `cors: { p: { origins: ["https://app.example.com"] } }` + set(`servers: "http://api.weather.example", external: true`),
			`x:2:30: warning: upstreams.app.servers: got "http://api.weather.example": is asked unencrypted across the Internet; fix: https`,
		},
		{
			"allowed and not sent", closed + set(`servers: "https://api.weather.example", external: true`),
			`x:1:76: warning: cors.p.headers[1]: got "x-api-key": pages may send it, and the external upstream app is not sent it; fix: name it under upstreams.app.forward, or remove it here`,
		},
		{"allowed and sent", closed + set(`servers: "https://api.weather.example", external: true, forward: X-API-Key`), ""},
		{"allowed on other routes", closed + "\nupstreams: { app: { servers: \"https://api.weather.example\", external: true }, own: { servers: \"http://127.0.0.1\" } }\n" +
			"routes: [{ upstream: app, cors: p }, { match: { path: /own/ }, upstream: own, cors: p }]", ""},
		{
			"all cookies", `cors: { p: { origins: ["https://app.example.com"] } }` + "\nupstreams: { app: { servers: \"https://api.weather.example\", external: true, forward: [X-Api-Key, Cookie] } }\n" +
				"routes: [{ upstream: app, cors: p }]",
			`x:2:98: warning: upstreams.app.forward[1]: got "Cookie": sends the third party every cookie that browsers hold for this host, sessions of other routes too, and makes an entry for every client; ` +
				"fix: leave it out; a key belongs in Authorization or a field of its own",
		},
		{
			"no surrogate", `cors: { p: { origins: ["https://app.example.com"] } }` + "\nupstreams: { app: { servers: \"https://api.weather.example\", external: true } }\n" +
				"routes: [{ upstream: app, cors: p, cache: { surrogate_control: true } }]",
			"x:3:64: warning: routes[0].cache.surrogate_control: got \"true\": has no effect: this cache is no surrogate of a third party's, and its Surrogate-Control is removed; fix: leave it out",
		},
		{
			"in the key and not sent", `cors: { p: { origins: ["https://app.example.com"] } }` + "\nupstreams: { app: { servers: \"https://api.weather.example\", external: true } }\n" +
				"routes: [{ upstream: app, cors: p, cache: { key: { headers: [X-Tenant, Accept], cookies: [lang] } } }]",
			`x:3:62: warning: routes[0].cache.key.headers[0]: got "X-Tenant": is in the key, and the external upstream is not sent it: the same response would be stored many times; fix: name it under forward of the upstream, or leave it out` + "\n" +
				`x:3:90: warning: routes[0].cache.key.cookies: is in the key, and the external upstream is not sent it: the same response would be stored many times; fix: Cookie under forward of the upstream, or leave it out`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := parseTest("x", []byte(c.src))
			if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// The server of an upstream is what the environment said when the file was
// read: a request cannot say anything of it.
func TestExternalServerExpandsOnce(t *testing.T) {
	const src = `upstreams: { app: { servers: "https://${API:-api.weather.example}/${}", external: true } }`
	c, problems := parse("x", []byte(strings.ReplaceAll(src, "/${}", "")+"\nroutes: [{ upstream: app, cors: off }]"), func(name string) (string, bool) {
		return "${OTHER}.weather.example", name == "API"
	}, testFiles)
	if c != nil || len(problems.Errors()) != 1 {
		t.Errorf("a variable in a variable was accepted: %v", problems)
	}
}

// TestNoOpenProxy: whatever policy, mode and credentials a route has, it is
// accepted before a third party's API without a dangerously_ key only if the
// policy answers no stranger. So it is before a server on the Internet that is
// not called a third party's, where the route lends it the operator's
// credentials; in pass mode that server decides.
func TestNoOpenProxy(t *testing.T) {
	server := &url.URL{Scheme: "https", Host: "api.weather.example"}
	strangersOrigins := []string{
		"https://stranger.example.net", "https://evil.github.io", "https://app-evil.vercel.app", "https://evil.co.uk", "https://a.evil.com", "http://evil.org", "null",
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		u := NewUpstream("weather")
		u.Servers = []*url.URL{server}
		lent, called := rapid.Bool().Draw(t, "lent"), rapid.Bool().Draw(t, "external")
		if called || !lent {
			u.External = &External{Redirects: 3}
		}
		c.Upstreams = []Upstream{u}
		rt := NewRoute("", "/", "weather")
		rt.CORS = rapid.SampledFrom([]RouteCORS{{Mode: corslayer.ModePass}, {Mode: corslayer.ModeOff}, {Mode: corslayer.ModeOwn, Policy: "p"}}).Draw(t, "cors")
		if lent {
			name := rapid.SampledFrom([]string{"Authorization", "X-Api-Key", "Cookie", "Apikey"}).Draw(t, "name")
			rt.Headers.Request.Set = []FieldSet{{Name: name, Value: "Bearer secret"}}
		}
		c.Routes = []Route{rt}
		p := corslayer.Config{
			Mode: rapid.SampledFrom([]corslayer.Mode{corslayer.ModeOwn, corslayer.ModePass, corslayer.ModeOff}).Draw(t, "mode"),
		}
		if p.Mode == corslayer.ModeOwn {
			p.Origins = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
				"*", "https://app.example.com", "https://*.partner.example.com", "https://*.github.io", "https://app-*.vercel.app", "https://+.co.uk", "https://*.com", "http://*.org:*",
			}), 0, 2, rapid.ID).Draw(t, "origins")
			p.AllowNull, p.Dynamic = rapid.Bool().Draw(t, "null"), rapid.Bool().Draw(t, "dynamic")
			p.Credentials = rapid.Bool().Draw(t, "credentials")
			p.DangerouslyCredentialedNull, p.DangerouslyCredentialedPublicSuffix = true, true
			p.DangerouslyCredentialedInsecure = true
		}
		c.CORS = []CORSPolicy{{Name: "p", Config: p}}
		if len(c.Check().Errors()) > 0 {
			return
		}
		compiled := c.NewPolicy(&c.Routes[0])
		if compiled.Mode() == corslayer.ModePass {
			if u.External == nil {
				return
			}
			t.Fatalf("pass mode was accepted: %+v", p)
		}
		for _, o := range strangersOrigins {
			h := http.Header{}
			compiled.Apply(h, http.Header{"Origin": {o}}, compiled.Decide(http.MethodGet, []string{o}))
			if acao := h.Get("Access-Control-Allow-Origin"); acao == "*" || acao == o {
				t.Fatalf("%s is answered with %s: %+v", o, acao, p)
			}
		}
	})
}
