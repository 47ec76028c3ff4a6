package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cache/key"
	"veneer/corslayer"
)

func TestProblemString(t *testing.T) {
	for _, c := range []struct {
		name    string
		problem Problem
		want    string
	}{
		{"whole", Problem{"a.yaml", 3, 7, "server.http", `"x"`, "is bad", "y", false}, `a.yaml:3:7: server.http: got "x": is bad; fix: y`},
		{"warning", Problem{"a.yaml", 3, 7, "server.http", "", "is odd", "", true}, "a.yaml:3:7: warning: server.http: is odd"},
		{"no place", Problem{File: "a.yaml", Why: "is gone"}, "a.yaml: is gone"},
		{"no file", Problem{Field: "--listen", Got: `"x"`, Why: "is bad"}, `--listen: got "x": is bad`},
		{"no column", Problem{File: "a", Line: 2, Why: "w"}, "a:2:1: w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.problem.String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a":                            `"a"`,
		"a\n\x1b[31m":                  `"a\n\x1b[31m"`,
		strings.Repeat("a", 81):        `"` + strings.Repeat("a", 80) + `…"`,
		strings.Repeat("a", 79) + "éé": `"` + strings.Repeat("a", 79) + `…"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	s := Secret("tell-nobody")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "s", s, "field", FieldSet{"X", s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "s", s, "field", FieldSet{"X", s})
	asJSON, err := json.Marshal(FieldSet{"X", s})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(asJSON) + s.String() + fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, &Admin{Token: s})
	if strings.Contains(all, "tell") || strings.Contains(all, fmt.Sprintf("%x", "tell")) {
		t.Errorf("the secret is shown: %s", all)
	}
	if s.Reveal() != "tell-nobody" {
		t.Errorf("got %q", s.Reveal())
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files are relative to the configuration's folder, not to the process's.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "veneer.yaml")
	for name, data := range keyPairs() {
		write(t, filepath.Join(dir, name), data)
	}
	write(t, filepath.Join(dir, "admin.token"), token+"\r\n")
	write(t, path, `
server: { https: { address: ":0", cert_file: tls.crt, key_file: "`+dir+`/tls.key" } }
admin: { token_file: admin.token }
upstreams: { app: { servers: "http://127.0.0.1:${VENEER_TEST_PORT}" } }
routes: [{ upstream: app }]
`)
	t.Setenv("VENEER_TEST_PORT", "3000")
	c, problems := Load(path)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	type loaded struct {
		HTTP                       []string
		HTTPS                      *HTTPS
		Admin, Token, Server, File string
	}
	got := loaded{c.Server.HTTP, c.Server.HTTPS, c.Admin.Address, c.Admin.Token.Reveal(), c.Upstreams[0].Servers[0].String(), c.File}
	want := loaded{nil, &HTTPS{":0", dir + "/tls.crt", dir + "/tls.key"}, "127.0.0.1:9090", token, "http://127.0.0.1:3000", path}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	write(t, large, "#"+strings.Repeat("x", maxSource))
	secret := filepath.Join(dir, "large.token")
	write(t, secret, strings.Repeat("x", maxSecret+1))
	named := filepath.Join(dir, "named.yaml")
	write(t, named, `
admin: { token_file: large.token }
server: { https: { address: ":0", cert_file: ".", key_file: none } }
upstreams: { app: { servers: "http://127.0.0.1:3000" } }
routes: [{ upstream: app }]
`)
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none.yaml"), "DIR/none.yaml: there is no such file; fix: the path of a configuration, for one veneer.yaml\n"},
		{dir, "DIR: the file cannot be read: it is not a regular file; fix: the path of a configuration, for one veneer.yaml\n"},
		{large, "DIR/large.yaml: the file cannot be read: it is too large, more than 1MiB; fix: the path of a configuration, for one veneer.yaml\n"},
		{named, `DIR/named.yaml:2:22: admin.token_file: got "large.token": the file cannot be read: it is too large, more than 256KiB; fix: a regular file
DIR/named.yaml:3:46: server.https.cert_file: got ".": the file cannot be read: it is not a regular file; fix: a regular file
DIR/named.yaml:3:61: server.https.key_file: got "none": there is no such file; fix: a path, relative to the folder of the configuration
`},
	} {
		got, problems := Load(c.path)
		if text := strings.ReplaceAll(problems.String(), dir, "DIR"); got != nil || text != c.want {
			t.Errorf("got\n%swant\n%s", text, c.want)
		}
	}
}

// A small file must not become a large configuration, or take long to refuse.
func TestBounds(t *testing.T) {
	list := strings.Repeat("h,", 1000)
	for _, c := range []struct{ name, src, want string }{
		{"size", strings.Repeat("#", maxSource+1), "is larger than a configuration may be"},
		{"alias bomb", "server: { trusted_proxies: &a [" + list + "] }\nroutes: [" + strings.Repeat("{ cache: { key: { headers: *a } } },", 300) + "]", "more than 200000 values"},
		{"merge bomb", "a: &a {}\nb: &b { <<: [" + strings.Repeat("*a,", 1000) + "] }\nc: &c { <<: [" + strings.Repeat("*b,", 1000) + "] }\nserver: *c", "more than 200000 values"},
		{"alias of itself", "server: &s { limits: *s }", "is not a known key here"},
		{"list of itself", "routes: &r [*r]", "a mapping belongs here"},
		{"depth", strings.Repeat("[", 20000), "is not YAML"},
		{"problems", "routes: [" + strings.Repeat("{},", 2000) + "]", "more problems are not shown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := parseTest("x.yaml", []byte(c.src))
			if text := problems.String(); got != nil || !strings.Contains(text, c.want) || len(problems) > maxProblems+2 {
				t.Errorf("%d problems, none says %q:\n%.2000s", len(problems), c.want, text)
			}
		})
	}
}

// A port without a host may stand in braces, as YAML has it; what else the
// file says, quoted texts that look alike included, is not touched.
func TestPortInBraces(t *testing.T) {
	src := "server: { http: [:8080, ':8081'] }\n" +
		"admin: {address: :0, token_file: admin.token}\n" +
		"upstreams: { app: { servers: \"http://127.0.0.1:3000\" } }\n" +
		"routes: [{ upstream: app, headers: { response: { set: { X-A: \"[:1, :2\" } } } }]\n"
	c, problems := parseTest("x.yaml", []byte(src))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	got := append(c.Server.HTTP, c.Admin.Address, c.Routes[0].Headers.Response.Set[0].Value.Reveal())
	if diff := cmp.Diff([]string{":8080", ":8081", ":0", "[:1, :2"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, problems = parseTest("x.yaml", []byte(strings.Replace(src, "app,", "ap,", 1)))
	const want = `x.yaml:4:22: routes[0].upstream: got "ap": no upstream has this name; fix: app` + "\n"
	if got := problems.String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestQuick(t *testing.T) {
	for _, c := range []struct {
		name             string
		upstream, listen string
		origins          []string
		mode             corslayer.Mode
		origin           key.OriginMode
		http             string
		want             string
	}{
		{name: "least", upstream: "http://127.0.0.1:3000", mode: corslayer.ModePass, origin: key.OriginExact, http: "127.0.0.1:8080"},
		{name: "whole", upstream: "https://app.example/base", listen: ":0", origins: []string{"https://a.example"}, mode: corslayer.ModeOwn, origin: key.OriginBucket, http: ":0"},
		{name: "any origin", upstream: "http://127.0.0.1:3000", origins: []string{"*"}, mode: corslayer.ModeOwn, origin: key.OriginBucket, http: "127.0.0.1:8080"},
		{name: "bad", upstream: "http://127.0.0.1:3000", listen: "8080", origins: []string{"https://a.example/"}, want: `--listen: got "8080": has no host part; fix: :8080 for every interface, or 127.0.0.1:8080
--allow-origin: got "https://a.example/": an origin does not end in a slash; fix: write https://a.example
`},
		{name: "no upstream", upstream: "", want: "--upstream: got \"\": is not a URL; fix: a URL such as http://127.0.0.1:8081\n"},
		{name: "credentials", upstream: "http://u:secret@h", want: "--upstream: got (hidden): has credentials, which would end up in logs; fix: headers.request.set with Authorization on the route, the value from ${ENV}\n"},
		{name: "circle", upstream: "http://localhost:8080", want: "--upstream: got \"http://localhost:8080\": is one of Veneer's own listeners, requests would go in a circle; fix: the address of the application's server\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := Quick(c.upstream, c.listen, c.origins)
			if problems.String() != c.want {
				t.Fatalf("got\n%swant\n%s", problems, c.want)
			}
			if c.want != "" {
				if got != nil {
					t.Errorf("it was accepted: %+v", got)
				}
				return
			}
			rt := &got.Routes[0]
			if rt.CORS.Mode != c.mode || rt.Cache.Key.Origin != c.origin || got.Server.HTTP[0] != c.http || rt.Name != "*/" ||
				got.Upstream(rt.Upstream).Servers[0].String() != c.upstream || got.NewPolicy(rt).Mode() != c.mode || got.Admin.Address != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A Config built in code is completed and checked like a file.
func TestCheck(t *testing.T) {
	c := Default()
	c.Store.MemorySize = 1 << 20
	c.Routes = []Route{NewRoute("API.example", "/a/*", "app"), {}}
	c.Upstreams = []Upstream{NewUpstream("app"), NewUpstream("app")}
	c.CORS = []CORSPolicy{{Name: "p"}, {Name: "p"}}
	const want = `upstreams.app.servers: there is no server; fix: one URL or a list, such as ["http://127.0.0.1:8081"]
upstreams.app: is defined twice; fix: one upstream of a name
cors.p.origins: got an empty list: the policy lets nobody in; fix: list origins, or use "cors: off"
cors.p: is defined twice; fix: one policy of a name
routes[1].match.path: got "": is empty; fix: / for every path
routes[1].upstream: is missing; fix: the name of one of the upstreams
routes[1].cors: got "": no CORS policy has this name; fix: one of p, pass, off, or define it under cors
`
	if got := c.Check().String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if rt := c.Routes[0]; rt.Host != "api.example" || rt.Path != "/a/" || rt.Name != "api.example/a/" || rt.Cache.MaxObject != 1<<20 || rt.Cache.Key.Origin != key.OriginExact {
		t.Errorf("not completed: %+v", rt)
	}
	if got := c.NewPolicy(&Route{CORS: RouteCORS{Policy: "p"}}).Mode(); got != corslayer.ModeOff {
		t.Errorf("a policy that does not compile: got %v", got)
	}
	if c.Upstream("x") != nil || c.Policy("x") != nil {
		t.Error("unknown names are found")
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "127.0.0.2:1", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{":1", "127.0.0.1:1", true},
		{":1", "[::1]:1", true},
		{"0.0.0.0:1", "127.0.0.1:1", true},
		{"0.0.0.0:1", "[::1]:1", false},
		{"[::]:1", "10.0.0.1:1", true},
		{"localhost:1", "127.0.0.1:1", true},
		{"a.example:1", "A.example:1", true},
		{"a.example:1", "127.0.0.1:1", false},
	} {
		parse := func(s string) listener {
			host, port, why, _ := parseAddress(s)
			if why != "" {
				t.Fatalf("%s %s", s, why)
			}
			return listener{host: host, port: port}
		}
		a, b := parse(c.a), parse(c.b)
		if a.overlaps(b) != c.want || b.overlaps(a) != c.want {
			t.Errorf("%s and %s: got %v, %v, want %v", c.a, c.b, a.overlaps(b), b.overlaps(a), c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		paths, err := filepath.Glob("testdata/" + dir + "/*.yaml")
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, problems := parseTest("x.yaml", src)
		errors := problems.Errors()
		if (c == nil) != (len(errors) > 0) || len(errors)+len(problems.Warnings()) != len(problems) || len(problems) > maxProblems+2 {
			t.Fatalf("config %v, problems\n%s", c, problems)
		}
		for _, p := range problems {
			if p.Why == "" || p.Line < 0 || strings.ContainsAny(p.String(), "\n\x1b") {
				t.Errorf("problem %+q", p.String())
			}
		}
		if c == nil {
			return
		}
		if again := c.Check().Errors(); len(again) > 0 {
			t.Errorf("checked again, it has problems:\n%s", again)
		}
		for i := range c.Routes {
			rt := &c.Routes[i]
			if c.Upstream(rt.Upstream) == nil || c.NewPolicy(rt).Mode() != rt.CORS.Mode || rt.Name == "" {
				t.Errorf("route %+v", rt)
			}
		}
	})
}
