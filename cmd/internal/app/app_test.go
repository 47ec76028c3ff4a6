package app

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
)

func TestCompileRoute(t *testing.T) {
	rt := config.NewRoute("api.example.com", "/x/", "up")
	rt.Name = "api.example.com/x/"
	rt.Cache = config.Cache{
		Enabled: true, Key: key.Spec{Origin: key.OriginShared, Headers: []string{"X-Tenant"}},
		DefaultTTL: 1 * time.Second, Grace: 2 * time.Second, StaleWhileRevalidate: 3 * time.Second,
		MaxObject: 64 << 20, Variants: 4, Origins: 5, SetCookie: rfc9111.SetCookieStrip,
		HonourRequest: false, Targets: []string{"Cdn-Cache-Control"}, FetchTimeout: 6 * time.Second, Collapse: false,
	}
	rt.Headers.Request = config.FieldChanges{Set: []config.FieldSet{{Name: "Authorization", Value: "Bearer x"}}, Remove: []string{"Cookie"}}
	rt.Headers.Response.Remove = []string{"Server"}
	l := testLayer(t, corslayer.ModeOwn, key.OriginShared)
	store := struct{ cache.Store }{}
	want := &cache.Route{
		Name: "api.example.com/x/", Key: rt.Cache.Key, CORS: l, Upstream: http.DefaultTransport, Store: store,
		Policy: rfc9111.Policy{
			Targets: []string{"Cdn-Cache-Control"}, DefaultTTL: 1 * time.Second, Grace: 2 * time.Second,
			StaleWhileRevalidate: 3 * time.Second, SetCookie: rfc9111.SetCookieStrip,
		},
		MaxObject: 1 << 20, Variants: 4, Origins: 5, IgnoreDirectives: true, NoCollapse: true, FetchTimeout: 6 * time.Second,
		Request:  cache.Edits{Set: map[string][]string{"Authorization": {"Bearer x"}}, Remove: []string{"Cookie"}},
		Response: cache.Edits{Remove: []string{"Server"}},
	}
	same := cmp.Comparer(func(a, b cache.CORS) bool { return a == b })
	through := cmp.Comparer(func(a, b http.RoundTripper) bool { return a == b })
	stored := cmp.Comparer(func(a, b cache.Store) bool { return a == b })
	if d := cmp.Diff(want, compileRoute(&rt, l, http.DefaultTransport, store, 1<<20), same, through, stored, cmpopts.EquateComparable()); d != "" {
		t.Errorf("route (-want +got):\n%s", d)
	}
	rt.Cache.Enabled = false
	if got := compileRoute(&rt, l, http.DefaultTransport, store, 1<<20); got.Store != nil {
		t.Errorf("cache: off has the store %v", got.Store)
	}
}

func TestNotStored(t *testing.T) {
	for _, c := range []struct {
		name string
		d    cache.Decision
		want cachestatus.Reason
	}{
		{"not stored", cache.Decision{Result: cache.ResultMiss, Upstream: 200, Reason: cachestatus.VaryMismatch, NotStored: cachestatus.NoStore}, cachestatus.NoStore},
		{"bypass", cache.Decision{Result: cache.ResultBypass, Upstream: 200, Reason: cachestatus.Method, NotStored: cachestatus.Method}, cachestatus.Method},
		{"stored", cache.Decision{Result: cache.ResultMiss, Upstream: 200, Stored: true, Reason: cachestatus.VaryMismatch}, cachestatus.None},
		{"no response", cache.Decision{Result: cache.ResultError, Reason: cachestatus.UpstreamTimeout}, cachestatus.None},
		{"stale in its place", cache.Decision{Result: cache.ResultStale, Upstream: 503, Reason: cachestatus.StaleServed}, cachestatus.None},
		{"collapsed", cache.Decision{Result: cache.ResultCollapsed, Upstream: 200, Collapsed: true, Reason: cachestatus.NoStore, NotStored: cachestatus.NoStore}, cachestatus.None},
	} {
		if got := notStored(&c.d); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestResults: the two enums are one vocabulary.
func TestResults(t *testing.T) {
	for r := cache.ResultBypass; r <= cache.ResultPreflight; r++ {
		if got := telemetry.Result(r).String(); got != r.String() {
			t.Errorf("%d is %q for the engine and %q for telemetry", r, r, got)
		}
	}
}

func TestServesAndCounts(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	r := run(t, testConfig(t, up, nil))
	r.get("/", "Origin: "+originApp)
	res, text := r.get("/", "Origin: "+originApp)
	if text != "answer 1" || !strings.HasPrefix(res.Header.Get("Cache-Status"), "veneer; hit") {
		t.Errorf("got %q with %v, want a hit", text, res.Header)
	}
	res, _ = r.ask(http.MethodOptions, "http://"+r.Addrs()[0].String()+"/", "Origin: "+originPartner, "Access-Control-Request-Method: PUT")
	if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != originPartner {
		t.Errorf("preflight: got %d with %v", res.StatusCode, res.Header)
	}
	for _, want := range []string{
		`veneer_cache_requests_total{result="hit",route="*/"} 1`,
		`veneer_cache_requests_total{result="preflight",route="*/"} 1`,
		`veneer_cache_objects{tier="memory"} 1`,
		`veneer_cors_decisions_total{decision="allowed",route="*/"} 2`,
		`veneer_cors_decisions_total{decision="preflight_ok",route="*/"} 1`,
		`veneer_upstream_healthy{server="` + up + `",upstream="up"} 1`,
	} {
		if got := r.metrics("veneer_"); !strings.Contains(got, want) {
			t.Errorf("%s is not in the metrics:\n%s", want, got)
		}
	}
}

// TestScheme: a trusted peer says which scheme the client used, and both are
// kept apart.
func TestScheme(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = []string{"max-age=60"}
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
	})
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		want    [2]string
		debug   bool
	}{
		{"trusted", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, [2]string{"https", "http"}, true},
		{"untrusted", nil, [2]string{"http", "http"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, testConfig(t, up, func(cfg *config.Config) { cfg.Server.TrustedProxies = c.trusted }))
			res, secure := r.get("/", "X-Forwarded-Proto: https", "Veneer-Debug: key")
			_, plain := r.get("/")
			if got := [2]string{secure, plain}; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if debug := res.Header["Veneer-Key"] != nil; debug != c.debug {
				t.Errorf("debug fields: %t, want %t", debug, c.debug)
			}
		})
	}
}

func TestBuildFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name string
		edit func(*config.Config)
	}{
		{"proxy", func(c *config.Config) { c.Server.HTTP = append(c.Server.HTTP, taken.Addr().String()) }},
		{"admin", func(c *config.Config) { c.Admin.Address = taken.Addr().String() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Build(testConfig(t, "http://127.0.0.1:1", c.edit), Options{})
			var op *net.OpError
			if a != nil || !errors.As(err, &op) || !strings.Contains(err.Error(), taken.Addr().String()) {
				t.Errorf("got %v, %v", a, err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	c := testConfig(t, "http://127.0.0.1:1", nil)
	if err := Check(c); err != nil {
		t.Error(err)
	}
	c.Routes = append(c.Routes, c.Routes[0])
	if err := Check(c); err == nil || !strings.Contains(err.Error(), "routes[1].match") {
		t.Errorf("got %v", err)
	}
}

// TestDrainUnserved: an App that never served ends as well.
func TestDrainUnserved(t *testing.T) {
	a, err := Build(testConfig(t, "http://127.0.0.1:1", nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRunEndsWithContext: the end of the context is no graceful stop.
func TestRunEndsWithContext(t *testing.T) {
	a, err := Build(testConfig(t, "http://127.0.0.1:1", nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	cancel()
	<-ran
	if _, err := net.Dial("tcp", a.Addrs()[0].String()); err == nil {
		t.Error("it still listens")
	}
}

// TestDrainEndsUpgrades: a graceful stop does not wait for peers of an upgraded
// connection that have nothing to say.
func TestDrainEndsUpgrades(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	r := run(t, testConfig(t, up, nil))
	conn, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", res, err)
	}
	if _, err := io.WriteString(conn, "ping\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := from.ReadString('\n'); line != "ping\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Errorf("Drain: %v", err)
	}
}

// A client that has said all it wants still hears what the upstream says then.
func TestUpgradeHalfClose(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		said, _ := io.ReadAll(rw)
		_, _ = io.WriteString(conn, "you said "+string(said))
	})
	r := run(t, testConfig(t, up, nil))
	conn, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly "); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(conn)
	if res, err := http.ReadResponse(from, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", res, err)
	}
	_, _ = io.WriteString(conn, "and late")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(from); err != nil || string(b) != "you said early and late" {
		t.Errorf("got %q, %v", b, err)
	}
}
