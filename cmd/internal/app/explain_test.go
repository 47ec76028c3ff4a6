package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/explain"
	"veneer/corslayer"
)

const explainConfig = `
cors:
  list: { origins: ["https://a.example", "https://*.partner.example"], methods: [GET, PUT], headers: [Content-Type], credentials: true }
  any: { origins: ["*"] }
  strict: { origins: ["https://a.example"], dynamic: true, enforce: true, public_origins: ["https://any.example"] }
  opaque: { origins: ["https://a.example"], allow_null: true }
  debug: { origins: ["https://a.example"], debug: true }
upstreams: { up: { servers: ["http://127.0.0.1:1"] } }
routes:
  - { match: { path: / }, upstream: up }
  - { match: { host: api.example, path: /list/ }, upstream: up, cors: list }
  - { match: { path: /shared/ }, upstream: up, cors: list, cache: { key: { origin: shared } } }
  - { match: { path: /any/ }, upstream: up, cors: any, rate_limit: { requests: 10, per: 1m } }
  - { match: { path: /strict/ }, upstream: up, cors: strict }
  - { match: { path: /null/ }, upstream: up, cors: opaque }
  - { match: { path: /debug/ }, upstream: up, cors: debug }
  - { match: { path: /off/ }, upstream: up, cors: "off" }
  - { match: { path: /uncached/ }, upstream: up, cache: off }
`

func explainOffline(t *testing.T, method, url string, fields ...string) *explain.Answer {
	t.Helper()
	cfg, problems := config.Parse("explain.yaml", []byte(explainConfig), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	r, err := explain.New(method, url, fields, 200, []string{"Cache-Control: max-age=60", "ETag: x", "Access-Control-Allow-Origin: *"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Explain(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const asks = "Access-Control-Request-Method: "

// The fields of an answer for https://a.example, and of a refused preflight.
var (
	credentials      = []string{"Access-Control-Allow-Credentials: true", "Access-Control-Allow-Origin: https://a.example", "Vary: Origin"}
	refusedPreflight = []string{"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
)

// corsExplained is what explain says of CORS, case by case.
var corsExplained = []struct {
	name   string
	method string
	url    string
	fields []string
	want   explain.CORS
	status string // result and status
}{
	{"a rule", "GET", "http://api.example/list/x", []string{"Origin: https://a.example"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "https://a.example", Allowed: true, Rule: `origins[0] "https://a.example"`, Why: "a rule of the policy lets it in", Fields: credentials,
	}, "miss 200"},
	{"a pattern", "GET", "http://api.example/list/x", []string{"Origin: https://x.partner.example"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "https://x.partner.example", Allowed: true, Rule: `origins[1] "https://*.partner.example"`, Why: "a rule of the policy lets it in",
		Fields: []string{"Access-Control-Allow-Credentials: true", "Access-Control-Allow-Origin: https://x.partner.example", "Vary: Origin"},
	}, "miss 200"},
	{"refused", "GET", "http://api.example/list/x", []string{"Origin: https://evil.example"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "other", Why: "no rule of the policy lets it in", Fields: []string{"Vary: Origin"},
	}, "miss 200"},
	{"bad", "GET", "http://api.example/list/x", []string{"Origin: https://a.example/"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "bad", Bucket: "other", Why: badOrigin, Fields: []string{"Vary: Origin"},
	}, "miss 200"},
	{"no Origin", "GET", "http://api.example/list/x", nil, explain.CORS{
		Mode: "own", Policy: "list", Class: "none", Bucket: "none", Why: "there is no Origin field: no cross-origin request of a browser", Fields: []string{"Vary: Origin"},
	}, "miss 200"},
	{"shared", "GET", "http://any.example/shared/x", []string{"Origin: https://a.example"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "none, one entry serves all origins (cache.key.origin: shared)", Allowed: true, Rule: `origins[0] "https://a.example"`, Why: "a rule of the policy lets it in", Fields: credentials,
	}, "miss 200"},
	{"everybody", "GET", "http://any.example/any/x", []string{"Origin: https://evil.example"}, explain.CORS{
		Mode: "own", Policy: "any", Class: "valid", Bucket: "none", Allowed: true, Rule: `origins[0] "*"`, Why: "the policy lets every origin in", Fields: []string{"Access-Control-Allow-Origin: *"},
	}, "miss 200"},
	{"enforced", "GET", "http://any.example/strict/x", []string{"Origin: https://evil.example"}, explain.CORS{
		Mode: "own", Policy: "strict", Class: "valid", Bucket: "other", Why: "no rule of the policy lets it in; enforce: true answers 403", Fields: []string{"Vary: Origin"},
	}, "error 403"},
	{"null", "GET", "http://any.example/null/x", []string{"Origin: null"}, explain.CORS{
		Mode: "own", Policy: "opaque", Class: "null", Bucket: "null", Allowed: true, Rule: "allow_null", Why: "the policy lets the opaque origin in", Fields: []string{"Access-Control-Allow-Origin: null", "Vary: Origin"},
	}, "miss 200"},
	{"null refused", "GET", "http://api.example/list/x", []string{"Origin: null"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "null", Bucket: "other", Why: "the opaque origin is let in by allow_null only", Fields: []string{"Vary: Origin"},
	}, "miss 200"},
	{"pass", "GET", "http://any.example/x", []string{"Origin: https://a.example"}, explain.CORS{
		Mode: "pass", Class: "valid", Bucket: "https://a.example", Allowed: true, Why: "the application decides (cors: pass); its answer is kept for this very Origin", Fields: []string{"Access-Control-Allow-Origin: *"},
	}, "miss 200"},
	{"pass, bad", "GET", "http://any.example/x", []string{"Origin: x"}, explain.CORS{
		Mode: "pass", Class: "bad", Bucket: "other", Why: badOrigin + "; the response is passed on and not stored", Fields: []string{"Access-Control-Allow-Origin: *"},
	}, "bypass 200"},
	{"pass, preflight", "OPTIONS", "http://any.example/x", []string{"Origin: https://a.example", asks + "PUT"}, explain.CORS{
		Mode: "pass", Class: "valid", Bucket: "https://a.example", Allowed: true, Why: "the application decides (cors: pass); its answer is kept for this very Origin; the preflight too is the application's to answer", Fields: []string{"Access-Control-Allow-Origin: *"},
	}, "bypass 200"},
	{"off", "GET", "http://any.example/off/x", []string{"Origin: https://a.example"}, explain.CORS{
		Mode: "off", Class: "valid", Bucket: "none", Why: "nobody decides (cors: off); CORS fields of the application are removed", Fields: []string{},
	}, "miss 200"},
	{"off, preflight", "OPTIONS", "http://any.example/off/x", []string{"Origin: https://a.example", asks + "PUT"}, explain.CORS{
		Mode: "off", Class: "valid", Bucket: "none", Why: "nobody decides (cors: off); CORS fields of the application are removed", Fields: []string{},
		Preflight: &explain.Preflight{Why: "the route is for its own origin only (cors: off)"},
	}, "preflight 403"},
	{"preflight", "OPTIONS", "http://api.example/list/x", []string{"Origin: https://a.example", asks + "PUT", "Access-Control-Request-Headers: Content-Type"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "https://a.example", Allowed: true, Rule: `origins[0] "https://a.example"`, Why: "a rule of the policy lets it in",
		Preflight: &explain.Preflight{Granted: true, Why: "granted"},
		Fields: []string{
			"Access-Control-Allow-Credentials: true", "Access-Control-Allow-Headers: Content-Type", "Access-Control-Allow-Methods: GET, PUT",
			"Access-Control-Allow-Origin: https://a.example", "Access-Control-Max-Age: 7200", refusedPreflight[0],
		},
	}, "preflight 204"},
	{"preflight of a stranger", "OPTIONS", "http://api.example/list/x", []string{"Origin: https://evil.example", asks + "PUT"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "other", Why: "no rule of the policy lets it in",
		Preflight: &explain.Preflight{Why: "the policy does not let the origin in"}, Fields: refusedPreflight,
	}, "preflight 403"},
	{"preflight for a method", "OPTIONS", "http://api.example/list/x", []string{"Origin: https://a.example", asks + "DELETE"}, explain.CORS{
		Mode: "own", Policy: "list", Class: "valid", Bucket: "https://a.example", Allowed: true, Rule: `origins[0] "https://a.example"`, Why: "a rule of the policy lets it in",
		Preflight: &explain.Preflight{Why: `the policy does not allow the method "DELETE"`}, Fields: refusedPreflight,
	}, "preflight 403"},
	{"preflight for a field", "OPTIONS", "http://any.example/debug/x", []string{"Origin: https://a.example", asks + "GET", "Access-Control-Request-Headers: x-mine"}, explain.CORS{
		Mode: "own", Policy: "debug", Class: "valid", Bucket: "https://a.example", Allowed: true, Rule: `origins[0] "https://a.example"`, Why: "a rule of the policy lets it in",
		Preflight: &explain.Preflight{Why: `the policy does not allow the request field "x-mine"`},
		Fields:    []string{"Access-Control-Allow-Methods: GET, HEAD, POST", "Access-Control-Allow-Origin: https://a.example", "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"},
	}, "preflight 204"},
}

// What the policy says, by which rule, and what the browser then gets.
func TestExplainCORS(t *testing.T) {
	for _, c := range corsExplained {
		t.Run(c.name, func(t *testing.T) {
			a := explainOffline(t, c.method, c.url, c.fields...)
			if d := cmp.Diff(&c.want, a.CORS); d != "" {
				t.Errorf("CORS (-want +got):\n%s", d)
			}
			if got := fmt.Sprint(a.Outcome.Result, " ", a.Outcome.Status); got != c.status {
				t.Errorf("got %s, want %s", got, c.status)
			}
			if refused := c.want.Preflight != nil && !c.want.Preflight.Granted; a.Error != (refused || a.Outcome.Result == "error") {
				t.Errorf("error is %t", a.Error)
			}
		})
	}
}

// Which route, and which others match.
func TestExplainRoute(t *testing.T) {
	for _, c := range []struct {
		url, host string
		want      *explain.Route
	}{
		{"http://api.example/list/x", "", &explain.Route{Name: "api.example/list/", Host: "api.example", Path: "/list/", Upstream: "up", Also: []string{"*/"}}},
		{"http://other.example/list/x", "", &explain.Route{Name: "*/", Path: "/", Upstream: "up"}},
		{"http://127.0.0.1:8080/list/x", "Host: API.example", &explain.Route{Name: "api.example/list/", Host: "api.example", Path: "/list/", Upstream: "up", Also: []string{"*/"}}},
		{"http://other.example/any/../x", "", &explain.Route{Name: "*/any/", Path: "/any/", Upstream: "up", Also: []string{"*/"}, RateLimit: "10 requests in 1m0s, 10 at once"}},
	} {
		var fields []string
		if c.host != "" {
			fields = append(fields, c.host)
		}
		a := explainOffline(t, "GET", c.url, fields...)
		if d := cmp.Diff(c.want, a.Route); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.url, d)
		}
		if bad := strings.Contains(c.url, ".."); bad != a.Error || bad != strings.Contains(a.Outcome.Problem, "dot segments") {
			t.Errorf("%s: error %t, problem %q", c.url, a.Error, a.Outcome.Problem)
		}
	}
}

// A third party's upstream is shown what it would be shown. That it sets a
// cookie counts, although the cookie goes to nobody.
func TestExplainExternal(t *testing.T) {
	const text = `
cors: { app: { origins: ["https://a.example"] } }
upstreams:
  own: { servers: ["http://127.0.0.1:1"] }
  weather: { servers: ["https://api.weather.example"], external: true }
routes:
  - { match: { path: /own/ }, upstream: own, cors: app }
  - { match: { path: /weather/ }, upstream: weather, cors: app }
`
	cfg, problems := config.Parse("external.yaml", []byte(text), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	for path, want := range map[string][3]string{
		"/own/x":     {"Cookie: (hidden)|Origin: https://a.example", "false", "set-cookie"},
		"/weather/x": {"Origin: https://a.example", "false", "set-cookie"},
	} {
		r, err := explain.New("GET", "http://api.example"+path, []string{"Origin: https://a.example", "Cookie: a=1"}, 200, []string{"Cache-Control: max-age=60", "Set-Cookie: b=2"})
		if err != nil {
			t.Fatal(err)
		}
		a, err := Explain(cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		if third := path == "/weather/x"; a.Route.External != third {
			t.Errorf("%s: external is %t", path, a.Route.External)
		}
		got := [3]string{strings.Join(a.Upstream[0].Fields, "|"), strconv.FormatBool(a.Outcome.Stored)}
		if a.Response.Reason != nil {
			got[2] = a.Response.Reason.Token
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// Every sample configuration can be explained.
func TestExplainSamples(t *testing.T) {
	files, err := filepath.Glob("../../../deploy/samples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	files = append(files, "../../../deploy/veneer.yaml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _ := config.Parse(file, src, func(string) (string, bool) { return "x", true })
		if cfg == nil {
			continue // it needs files that only a deployment has
		}
		for _, rt := range cfg.Routes {
			host := strings.TrimPrefix(rt.Host, "*.")
			if host == "" {
				host = "any.example"
			}
			r, err := explain.New("GET", "http://"+host+strings.TrimSuffix(rt.Path, "*"), []string{"Origin: https://app.example.com"}, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			a, err := Explain(cfg, r)
			if err != nil || a.Route == nil || a.CORS == nil {
				t.Errorf("%s, route %s: %+v, %v", file, rt.Name, a, err)
			}
		}
	}
}

// datedApp is a faultyApp that sends a Date, as servers do.
type datedApp struct {
	faultyApp
	now func() time.Time
}

func (d *datedApp) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.faultyApp.RoundTrip(r)
	if err == nil {
		res.Header.Set("Date", d.now().UTC().Format(http.TimeFormat))
	}
	return res, err
}

// With every policy and every faulty application, what is foretold is what
// happens: the status and every field, those of CORS above all.
func TestExplainIsHonestAboutCORS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		app := &datedApp{now: clock}
		engine, closeAll := originTier(t, app, clock)
		defer closeAll()
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 6 * time.Second}).Draw(t, "pause"))
			r := corsRequest(t)
			a := cache.Assumption{}
			// The application looks at the Origin that it is shown.
			if shown := engine.Explain(r, a).Asked; len(shown) > 0 {
				res, err := (&datedApp{now: clock}).RoundTrip(shown[0])
				if err != nil {
					t.Fatal(err)
				}
				a.Status, a.Header = res.StatusCode, res.Header
				a.Header.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
			}
			requests := app.requests.Load()
			ex := engine.Explain(r, a)
			if app.requests.Load() != requests {
				t.Fatal("Explain asks the upstream")
			}
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, r)
			got := w.Result()
			for _, h := range []http.Header{ex.Header, got.Header} {
				if h["Content-Type"] == nil {
					delete(h, "Content-Type") // nobody guesses one
				}
			}
			if d := cmp.Diff(ex.Header, got.Header); d != "" || got.StatusCode != ex.Outcome.Decision.Status {
				t.Fatalf("%s %s %v: %d foretold, %d came (-foretold +came):\n%s", r.Method, r.URL, r.Header, ex.Outcome.Decision.Status, got.StatusCode, d)
			}
		}
	})
}

func corsRequest(t *rapid.T) *http.Request {
	target := fmt.Sprintf("http://site.example/%s/x?acao=%s&cc=%s&v=1",
		rapid.SampledFrom([]string{"list", "shared", "any", "static", "off", "pass", "pass"}).Draw(t, "route"),
		rapid.SampledFrom([]string{"echo", "vary", "double", "any", "none"}).Draw(t, "acao"),
		rapid.SampledFrom([]string{"max-age=5", "no-store", "no-cache"}).Draw(t, "cc"))
	r := httptest.NewRequest(rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "POST", "OPTIONS"}).Draw(t, "method"), target, nil)
	r.Body, r.ContentLength = http.NoBody, 0
	if origin := rapid.SampledFrom(allOrigins).Draw(t, "origin"); origin != "" {
		r.Header.Set("Origin", origin)
	}
	if r.Method == "OPTIONS" {
		r.Header.Set("Access-Control-Request-Method", rapid.SampledFrom([]string{"GET", "DELETE"}).Draw(t, "asks"))
	}
	return r
}

// What a rehearsal sees of an application, the layer has not seen.
func TestRehearsalTeachesNothing(t *testing.T) {
	l := testLayer(t, corslayer.ModePass, key.OriginExact)
	counts := l.policy.Counts()
	q := l.Rehearse()
	o := q.Judge("GET", []string{originApp})
	h := http.Header{"Access-Control-Allow-Origin": {originApp}}
	if q.Observe(h, o); h.Get("Vary") != "Origin" {
		t.Fatalf("the rehearsal adds no Vary: %v", h)
	}
	if l.policy.Echoes() || l.policy.Counts() != counts {
		t.Errorf("learned %t, counted %+v", l.policy.Echoes(), l.policy.Counts())
	}
	// And what the layer has seen, a rehearsal knows.
	l.Observe(http.Header{"Access-Control-Allow-Origin": {originApp}}, o)
	bare := http.Header{}
	if l.Rehearse().Apply(bare, nil, o); bare.Get("Vary") != "Origin" {
		t.Errorf("the rehearsal has forgotten: %v", bare)
	}
}

// question asks the admin listener.
func (r *running) question(t *testing.T, method, token, query string) (*http.Response, string) {
	t.Helper()
	fields := []string{}
	if token != "" {
		fields = append(fields, "Authorization: Bearer "+token)
	}
	return r.ask(method, "http://"+r.AdminAddr().String()+"/api/explain?"+query, fields...)
}

// A running instance explains what it has stored, behind its token, and counts
// nothing of it.
func TestExplainLive(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60", "Surrogate-Key: red"))
	r := run(t, testConfig(t, up, func(c *config.Config) { c.Admin.Token = "admin-token" }))
	metrics := func() string {
		_, text := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/metrics", "Authorization: Bearer admin-token")
		var b strings.Builder
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "veneer_") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	r.get("/p", "Origin: "+originApp)
	before := metrics()
	query := url.Values{"url": {"http://" + r.Addrs()[0].String() + "/p"}, "header": {"Origin: " + originApp}}.Encode()
	for _, c := range []struct {
		name, method, token, query string
		status                     int
		want                       string
	}{
		{"stored", "GET", "admin-token", query, 200, `"verdict":"a hit: answered from the store, fresh for `},
		{"for nobody else", "GET", "admin-token", strings.Split(query, "header")[1] + "&url=x", 400, `cannot use the parameter`},
		{"no token", "GET", "", query, 401, "token-required"},
		{"wrong token", "GET", "x", query, 401, "token-required"},
		{"POST", "POST", "admin-token", query, 405, "method-not-allowed"},
		{"no url", "GET", "admin-token", "", 400, "cannot explain without a url"},
		{"relative", "GET", "admin-token", "url=/p", 400, "it must be absolute"},
		{"long", "GET", "admin-token", "url=http://a/" + strings.Repeat("x", 5000), 400, "4096 are the most"},
		{"many", "GET", "admin-token", "url=http://a/" + strings.Repeat("&header=A:1", 65), 400, "cannot use 65 request fields"},
		{"semicolon", "GET", "admin-token", "url=http://a/;b", 400, "cannot read the query"},
		{"no escape", "GET", "admin-token", "url=http://a/%zz", 400, "cannot read the query"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, text := r.question(t, c.method, c.token, c.query)
			if res.StatusCode != c.status || !strings.Contains(text, c.want) {
				t.Errorf("got %d, %s", res.StatusCode, text)
			}
		})
	}
	_, text := r.question(t, "GET", "admin-token", query)
	var a explain.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if v := a.Store.Variants; len(v) != 1 || !v[0].Selected || v[0].Freshness.TTL <= 0 || v[0].Freshness.TTL > 60 || v[0].Tags[0] != "red" || !a.Live || a.CORS.Rule != `origins[0] "https://app.example.com"` {
		t.Errorf("got %s", text)
	}
	// Another origin has an entry of its own.
	_, text = r.question(t, "GET", "admin-token", strings.Replace(query, "app.example.com", "x.partner.example.com", 1))
	if !strings.Contains(text, `"variants":[]`) || !strings.Contains(text, `"result":"miss"`) {
		t.Errorf("got %s", text)
	}
	if d := cmp.Diff(before, metrics()); d != "" {
		t.Errorf("explaining is counted (-before +after):\n%s", d)
	}
	if _, text := r.get("/p", "Origin: "+originApp); text != "answer 1" {
		t.Errorf("got %q: something was sent to the upstream", text)
	}
}

// A reload between two questions changes the answer, as it changes the proxy.
func TestExplainAfterReload(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	r := run(t, testConfig(t, up, nil))
	query := "url=http://any.example/p&method=OPTIONS&header=Access-Control-Request-Method:+PUT&header=Origin:+" + originApp
	if _, text := r.question(t, "GET", "", query); !strings.Contains(text, `"granted":true`) {
		t.Errorf("got %s", text)
	}
	if err := r.Reload(testConfig(t, up, func(c *config.Config) { c.Routes[0].CORS = config.RouteCORS{Mode: corslayer.ModeOff} })); err != nil {
		t.Fatal(err)
	}
	if _, text := r.question(t, "GET", "", query); !strings.Contains(text, `"granted":false`) {
		t.Errorf("got %s", text)
	}
}
