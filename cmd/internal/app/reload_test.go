package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

func TestReloadKeeps(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	two := func(c *config.Config) {
		second := c.Routes[0]
		second.Path = "/second/"
		c.Routes = append(c.Routes, second)
	}
	r := run(t, testConfig(t, up, two))
	r.get("/", "Origin: "+originApp)
	before := r.plan
	next := testConfig(t, up, func(c *config.Config) {
		two(c)
		c.Routes[0].Headers.Response.Set = []config.FieldSet{{Name: "X-Plan", Value: "next"}}
		c.Routes[1].CORS = config.RouteCORS{Mode: corslayer.ModeOff}
		c.Server.TrustedProxies = nil
	})
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	if r.plan.pools["up"] != before.pools["up"] {
		t.Error("the pool of an unchanged upstream is another one")
	}
	if r.plan.layers["*/"] != before.layers["*/"] {
		t.Error("the layer of a route with unchanged CORS is another one")
	}
	if r.plan.layers["*/second/"] == before.layers["*/second/"] {
		t.Error("the layer of a route with other CORS is the same")
	}
	res, text := r.get("/", "Origin: "+originApp)
	if text != "answer 1" || res.Header.Get("X-Plan") != "next" || res.Header.Get("Access-Control-Allow-Origin") != originApp {
		t.Errorf("got %q with %v, want the stored answer under the new plan", text, res.Header)
	}
	want := `veneer_cors_decisions_total{decision="allowed",route="*/"} 2`
	if got := r.metrics("veneer_cors_decisions_total"); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

func TestReloadReplacesPool(t *testing.T) {
	one := upstreamOf(t, page("Cache-Control: no-store", "X-From: one"))
	two := upstreamOf(t, page("Cache-Control: no-store", "X-From: two"))
	r := run(t, testConfig(t, one, nil))
	if res, _ := r.get("/"); res.Header.Get("X-From") != "one" {
		t.Errorf("got %v", res.Header)
	}
	if err := r.Reload(testConfig(t, two, nil)); err != nil {
		t.Fatal(err)
	}
	if res, _ := r.get("/"); res.Header.Get("X-From") != "two" {
		t.Errorf("got %v", res.Header)
	}
	want := `veneer_upstream_healthy{server="` + two + `",upstream="up"} 1` + "\n"
	if d := cmp.Diff(want, r.metrics("veneer_upstream_healthy")); d != "" {
		t.Errorf("health (-want +got):\n%s", d)
	}
}

func TestReloadRefuses(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	r := run(t, testConfig(t, up, nil))
	before := r.plan
	for _, c := range []struct {
		name, want string
		edit       func(*config.Config)
	}{
		{"address", "server.http needs a restart", func(c *config.Config) { c.Server.HTTP = []string{"127.0.0.1:1"} }},
		{"several", "server.limits, admin.address, store, telemetry needs a restart", func(c *config.Config) {
			c.Server.Limits.IdleTimeout = time.Second
			c.Admin.Address = "127.0.0.1:1"
			c.Store.MemorySize *= 2
			c.Telemetry.ServiceName = "other"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := r.Reload(testConfig(t, up, c.edit))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if r.plan != before {
				t.Error("the plan has changed")
			}
		})
	}
	t.Run("does not compile", func(t *testing.T) {
		broken := testConfig(t, up, nil)
		broken.Routes = append(broken.Routes, broken.Routes[0])
		if err := r.Reload(broken); err == nil || !strings.Contains(err.Error(), "routes[1].match") {
			t.Errorf("got %v", err)
		}
		if r.plan != before {
			t.Error("the plan has changed")
		}
	})
	if _, text := r.get("/"); text != "answer 1" {
		t.Errorf("got %q", text)
	}
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(testConfig(t, up, nil)); err == nil {
		t.Error("a reload after Drain succeeds")
	}
}

// TestReloadDropsForeignFields: what pass mode stored has the application's
// CORS fields, and a route that is off must not serve them. Without an Origin
// the key of both is the same.
func TestReloadDropsForeignFields(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60", "Access-Control-Allow-Origin: "+originApp, "Vary: Origin"))
	r := run(t, testConfig(t, up, func(c *config.Config) { c.Routes[0].CORS = config.RouteCORS{Mode: corslayer.ModePass} }))
	if res, _ := r.get("/"); res.Header.Get("Access-Control-Allow-Origin") != originApp {
		t.Fatalf("pass mode: got %v", res.Header)
	}
	if err := r.Reload(testConfig(t, up, func(c *config.Config) {
		c.Routes[0].CORS = config.RouteCORS{Mode: corslayer.ModeOff}
		c.Routes[0].Cache.Key.Origin, c.Routes[0].Cache.OriginSet = key.OriginExact, true
	})); err != nil {
		t.Fatal(err)
	}
	res, text := r.get("/")
	if res.Header.Get("Access-Control-Allow-Origin") != "" || text != "answer 2" {
		t.Errorf("got %q with %v, want a new answer without CORS fields", text, res.Header)
	}
}

// TestKeptFields: a field that one route keys or sets does not open the same
// field of the other routes to clients.
func TestKeptFields(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = []string{"no-store"}
		w.Header()["X-Saw"] = []string{r.Header.Get("X-Http-Method-Override") + "|" + r.Header.Get("X-Forwarded-Prefix")}
	})
	r := run(t, testConfig(t, up, func(c *config.Config) {
		keyed := c.Routes[0]
		keyed.Path = "/keyed/"
		keyed.Cache.Key.Headers = []string{"X-Http-Method-Override"}
		sets := c.Routes[0]
		sets.Path = "/sets/"
		sets.Headers.Request.Set = []config.FieldSet{{Name: "X-Forwarded-Prefix", Value: "/app"}}
		c.Routes = append(c.Routes, keyed, sets)
	}))
	got := map[string]string{}
	for _, path := range []string{"/", "/keyed/", "/sets/"} {
		res, _ := r.get(path, "X-HTTP-Method-Override: PUT", "X-Forwarded-Prefix: /evil")
		got[path] = res.Header.Get("X-Saw")
	}
	want := map[string]string{"/": "|", "/keyed/": "PUT|", "/sets/": "|/app"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what the upstream saw (-want +got):\n%s", d)
	}
}

// What became of a reload is told to whoever asks, and a bad one leaves all as
// it was.
func TestReloadFile(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	next := func() (*config.Config, config.Problems) { return testConfig(t, up, nil), nil }
	var load Loader
	r := run(t, testConfig(t, up, nil))
	first := r.ConfigStatus()
	if want := (ConfigStatus{Generation: 1, LoadedAt: first.LoadedAt, OK: true}); first != want || first.LoadedAt.IsZero() {
		t.Errorf("at first %+v", first)
	}
	post := func() (int, string) {
		res, text := r.ask("POST", "http://"+r.AdminAddr().String()+"/api/reload")
		return res.StatusCode, text
	}
	if status, text := post(); status != 409 || !strings.Contains(text, "without a file") {
		t.Errorf("without a file: %d %s", status, text)
	}
	r.load = func() (*config.Config, config.Problems) { return load() }
	for _, c := range []struct {
		name   string
		load   Loader
		status int
		text   string
		ok     bool
	}{
		{"good", func() (*config.Config, config.Problems) {
			c, _ := next()
			return c, config.Problems{{Why: "doubtful", Warning: true}}
		}, 200, `{"ok":true,"generation":2,"loaded_at":"`, true},
		{"bad", func() (*config.Config, config.Problems) {
			return nil, config.Problems{{File: "f", Line: 3, Col: 4, Field: "store", Got: `"x"`, Why: "is bad", Fix: "y"}, {Why: "doubtful", Warning: true}}
		}, 422, `"detail":"cannot reload: f:3:4: store: got \"x\": is bad; fix: y","problems":[{"where":"f:3:4","field":"store","got":"\"x\"","why":"is bad","fix":"y"}]}`, false},
		{"needs a restart", func() (*config.Config, config.Problems) {
			c, _ := next()
			c.Store.MemorySize *= 2
			return c, nil
		}, 422, `reload-refused","title":"Unprocessable Entity","status":422,"detail":"cannot reload: a change of store needs a restart; restart, or put back what it was"}`, false},
	} {
		load = c.load
		before := r.ConfigStatus()
		status, text := post()
		if status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %s", c.name, status, text)
		}
		s := r.ConfigStatus()
		if s.OK != c.ok || (s.Error == "") != c.ok || s.TriedAt.IsZero() {
			t.Errorf("%s: %+v", c.name, s)
		}
		if !c.ok && (s.Generation != before.Generation || s.LoadedAt != before.LoadedAt || s.Failures != before.Failures+1) {
			t.Errorf("%s: %+v, before %+v", c.name, s, before)
		}
	}
	want := `veneer_config_last_reload_successful 0
veneer_config_reloads_total{result="failed"} 2
veneer_config_reloads_total{result="ok"} 1
`
	var got strings.Builder
	for line := range strings.Lines(r.metrics("veneer_config_")) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "veneer_config_loaded_timestamp_seconds ") {
			got.WriteString(line)
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ready := r.readiness(); !ready.Ready || ready.Checks[1].OK || !strings.Contains(ready.Checks[1].Detail, "runs on") {
		t.Errorf("readiness %+v", ready)
	}
}

// A token that was rotated is the one to send from then on, and keeps no other
// change out; a reload that fails changes none.
func TestReloadToken(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	with := func(token config.Secret, limit time.Duration) *config.Config {
		return testConfig(t, up, func(c *config.Config) { c.Admin.Token, c.Server.Limits.IdleTimeout = token, limit })
	}
	const first, second = "the-first-admin-token", "the-second-admin-token"
	r := run(t, with(first, time.Minute))
	admitted := func(step string, want map[string]int) {
		t.Helper()
		for token, status := range want {
			res, _ := r.ask("GET", "http://"+r.AdminAddr().String()+"/metrics", "Authorization: Bearer "+token)
			if res.StatusCode != status {
				t.Errorf("%s: token %q got %d, want %d", step, token, res.StatusCode, status)
			}
		}
	}
	admitted("at first", map[string]int{first: 200, second: 401})
	if err := r.Reload(with(second, time.Hour)); err == nil {
		t.Error("a change of limits was taken")
	}
	admitted("refused", map[string]int{first: 200, second: 401})
	if err := r.Reload(with(second, time.Minute)); err != nil {
		t.Fatal(err)
	}
	admitted("rotated", map[string]int{first: 401, second: 200})
	if err := r.Reload(with("", time.Minute)); err != nil {
		t.Fatal(err)
	}
	admitted("taken away, on the loopback", map[string]int{"none": 200})
	if err := r.Reload(with(first, time.Minute)); err != nil {
		t.Fatal(err)
	}
	admitted("there again", map[string]int{first: 200, second: 401, "none": 401})
}
