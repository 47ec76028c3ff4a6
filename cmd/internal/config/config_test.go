package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io/fs"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cmd/internal/accesslog"
	"veneer/corslayer"
)

var update = flag.Bool("update", false, "write what the bad configurations give beside them")

const token = "0123456789abcdef0123456789abcdef"

// keyPairs makes the PEM files that the samples name.
var keyPairs = sync.OnceValue(func() map[string]string {
	files := map[string]string{}
	pair := func(cert, key string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
		if err != nil {
			panic(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			panic(err)
		}
		files[cert] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		files[key] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	}
	pair("tls.crt", "tls.key")
	pair("other.crt", "other.key")
	return files
})

// testFiles stands in for the folder of the configuration.
func testFiles(path string) ([]byte, error) {
	switch path {
	case "admin.token":
		return []byte(token + "\n"), nil
	case "short.token":
		return []byte("short-secret"), nil
	case "empty.token":
		return []byte("\n"), nil
	}
	if data, ok := keyPairs()[path]; ok {
		return []byte(data), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

var testVariables = map[string]string{
	"API_TOKEN":  "secret-from-env",
	"ADDRESS":    "secret-from-env",
	"SIZE_BAD":   "secret-from-env",
	"URL_SECRET": "http://u:secret-from-env@h?secret-from-env",
	"MULTILINE":  "secret-from-env\nsecret",
	"SITE":       "https://secret-from-env.example/",
	"EMPTY":      "",
}

func testEnv(name string) (string, bool) {
	v, ok := testVariables[name]
	return v, ok
}

func parseTest(name string, src []byte) (*Config, Problems) {
	return parse(name, src, testEnv, testFiles)
}

// Every file in testdata/bad has all its problems reported, and none of them
// shows a secret. The files beside them say which.
func TestBad(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := parseTest(filepath.Base(path), src)
			if c != nil || len(problems.Errors()) == 0 {
				t.Errorf("it was accepted: %+v", c)
			}
			got, golden := problems.String(), strings.TrimSuffix(path, ".yaml")+".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"secret-from-env", "secret@", "=secret", "#secret", "Bearer secret", "short-secret", "sec%zzret", token} {
				if strings.Contains(got, secret) {
					t.Errorf("a problem shows %q:\n%s", secret, got)
				}
			}
		})
	}
}

// good parses a file of testdata/good, which has no problem and no warning.
func good(t *testing.T, name string) *Config {
	t.Helper()
	src, err := os.ReadFile("testdata/good/" + name)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := parseTest(name, src)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	if again := c.Check(); len(again) > 0 {
		t.Errorf("checked again, it has problems:\n%s", again)
	}
	return c
}

var comparer = cmp.Options{
	cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func serverURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func TestGoodLeast(t *testing.T) {
	want := Default()
	want.File = "least.yaml"
	u := NewUpstream("app")
	u.Servers = []*url.URL{serverURL("http://127.0.0.1:3000")}
	want.Upstreams = []Upstream{u}
	rt := NewRoute("", "/", "app")
	rt.Name = "*/"
	rt.Cache.Key.Origin = key.OriginExact
	want.Routes = []Route{rt}
	if diff := cmp.Diff(want, good(t, "least.yaml"), comparer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGoodSample(t *testing.T) {
	maxAge := 2 * time.Hour
	want := Default()
	want.File = "sample.yaml"
	want.Files = []string{"tls.crt", "tls.key", "admin.token"}
	want.Server.HTTPS = &HTTPS{Address: ":8443", CertFile: "tls.crt", KeyFile: "tls.key"}
	want.Server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	want.Admin = Admin{Address: "127.0.0.1:9090", Token: token}
	want.CORS = []CORSPolicy{{"partners", corslayer.Config{
		Origins:     []string{"https://app.example.com", "https://*.partner.example.com"},
		Methods:     []string{"GET", "POST", "PUT", "DELETE"},
		Headers:     []string{"Content-Type", "Authorization"},
		Expose:      []string{"ETag", "X-Request-Id"},
		Credentials: true,
		MaxAge:      &maxAge,
	}, ""}}
	users, frontend := NewUpstream("users"), NewUpstream("frontend")
	users.Servers = []*url.URL{serverURL("http://127.0.0.1:8081"), serverURL("http://127.0.0.1:8082")}
	users.Balance = LeastConn
	frontend.Servers = []*url.URL{serverURL("http://127.0.0.1:8083")}
	want.Upstreams = []Upstream{users, frontend}
	api, rest := NewRoute("api.example.com", "/api/users/", "users"), NewRoute("", "/", "frontend")
	api.Name = "api.example.com/api/users/"
	api.CORS = RouteCORS{Mode: corslayer.ModeOwn, Policy: "partners"}
	api.Cache.OriginSet = true
	api.Cache.Key.Query = key.Query{Sort: true, Ignore: []string{"utm_*"}}
	api.Cache.StaleWhileRevalidate = 10 * time.Second
	api.Headers.Request.Set = []FieldSet{{"Authorization", "Bearer secret-from-env"}}
	api.Headers.Response.Remove = []string{"Server"}
	rest.Name = "*/"
	rest.Cache.Key.Origin = key.OriginExact
	want.Routes = []Route{api, rest}
	if diff := cmp.Diff(want, good(t, "sample.yaml"), comparer, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// everyRoute is the first route of every.yaml.
func everyRoute() Route {
	return Route{
		Name: "*.example.com/caf%C3%A9/", Host: "*.example.com", Path: "/caf%C3%A9/", Upstream: "app",
		CORS: RouteCORS{Mode: corslayer.ModeOwn, Policy: "all"},
		Cache: Cache{
			Enabled: true,
			Key: key.Spec{
				Origin:  key.OriginShared,
				Query:   key.Query{Sort: true, Allow: []string{"page", "filter_*"}, AllowSet: true},
				Headers: []string{"X-Tenant", "Accept-Encoding"}, Cookies: []string{"lang"},
			},
			OriginSet: true, DefaultTTL: 36 * time.Hour, StaleWhileRevalidate: 30 * time.Second,
			MaxObject: 10 << 20, Variants: 8, Origins: 9, SetCookie: rfc9111.SetCookieStrip,
			Targets: []string{"Edge-Cache-Control", "Surrogate-Control"}, FetchTimeout: 30 * time.Second,
		},
		Headers: Headers{
			Request: FieldChanges{
				Set:    []FieldSet{{"X-Api-Key", "secret-from-env"}, {"X-Price", "$5"}, {"X-Empty", ""}},
				Remove: []string{"Cookie"},
			},
			Response: FieldChanges{Set: []FieldSet{{"X-Frame-Options", "DENY"}}, Remove: []string{"Server", "X-Powered-By"}},
		},
		Rate: &RateLimit{Requests: 100, Per: time.Second, Burst: 200},
	}
}

func TestGoodEvery(t *testing.T) {
	got := good(t, "every.yaml")
	off := -time.Second
	app := Upstream{
		Name: "app", Servers: []*url.URL{serverURL("http://127.0.0.1:3000/base"), serverURL("https://app.internal:8443")},
		Balance: Random, MaxFails: 7, FailTimeout: 3 * time.Second,
		ConnectTimeout: 250 * time.Millisecond, ResponseTimeout: time.Hour, Host: "app.internal:8443",
	}
	all := everyRoute()
	legacy, none, pass := NewRoute("", "/legacy/", "app"), NewRoute("", "/off/", "app"), NewRoute("", "/pass", "app")
	legacy.Name, none.Name, pass.Name = "*/legacy/", "*/off/", "*/pass"
	legacy.CORS.Policy, legacy.Cache.Key.Origin = "legacy", key.OriginExact
	none.CORS.Mode, none.Cache.Key.Origin, none.Cache.Enabled = corslayer.ModeOff, key.OriginShared, false
	pass.Cache.Key.Origin, pass.Cache.OriginSet = key.OriginExact, true
	want := &Config{
		File:  "every.yaml",
		Files: []string{"tls.crt", "tls.key", "admin.token"},
		Server: Server{
			HTTP:  []string{"127.0.0.1:8080", "[::1]:8080"},
			HTTPS: &HTTPS{Address: "127.0.0.1:8443", CertFile: "tls.crt", KeyFile: "tls.key"},
			TrustedProxies: []netip.Prefix{
				netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"),
				netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.8/32"),
			},
			Limits: Limits{16 << 10, 1e9, 5 * time.Second, 90 * time.Second, 20 * time.Second, 500},
		},
		Admin: Admin{Address: "0.0.0.0:9090", Token: token},
		CORS: []CORSPolicy{
			{"all", corslayer.Config{
				Origins:   []string{"https://app.example.com", "https://*.partner.example.net"},
				AllowNull: true, Dynamic: true, Credentials: true,
				Methods: []string{"GET", "PATCH"}, Headers: []string{"Content-Type"}, Expose: []string{"X-Request-Id"},
				Media: true, MergeExpose: true, MaxAge: &off, MinimalPreflight: true, CDNMaxAge: 10 * time.Minute,
				Debug: true, TimingAllowOrigin: true, ResourcePolicy: "cross-origin",
				Enforce: true, PublicOrigins: []string{"https://www.example.com"},
				DangerouslyCredentialedNull: true, DangerouslyCredentialedInsecure: true, DangerouslyCredentialedPublicSuffix: true,
				PrivateNetwork: true, DangerouslyPrivateNetworkForAnyOrigin: true,
			}, "next"},
			{"next", corslayer.Config{Origins: []string{"https://app.example.com"}}, ""},
			{"legacy", corslayer.Config{Mode: corslayer.ModePass, VaryFix: corslayer.VaryAlways}, ""},
		},
		Upstreams: []Upstream{app},
		Routes:    []Route{all, legacy, none, pass},
		Store:     Store{MemorySize: 256 << 20},
		Telemetry: Telemetry{
			ServiceName: "edge", Traces: &Traces{"https://otel.example.com/base", 0.001, false, 0},
			AccessLog: &accesslog.Config{
				Path: "stderr", Format: accesslog.Combined, Fields: []accesslog.Field{accesslog.Cache},
				Sample: 0.5, Errors: true, Buffer: 8 << 10, Flush: 2 * time.Second,
			},
		},
	}
	if diff := cmp.Diff(want, got, comparer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	modes := []corslayer.Mode{}
	for i := range got.Routes {
		modes = append(modes, got.NewPolicy(&got.Routes[i]).Mode())
	}
	if diff := cmp.Diff([]corslayer.Mode{corslayer.ModeOwn, corslayer.ModePass, corslayer.ModeOff, corslayer.ModePass}, modes); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

func TestGoodAlias(t *testing.T) {
	c := good(t, "alias.yaml")
	type cached struct {
		Grace, TTL time.Duration
		Variants   int
	}
	var got []cached
	for _, rt := range c.Routes {
		got = append(got, cached{rt.Cache.Grace, rt.Cache.DefaultTTL, rt.Cache.Variants})
	}
	want := []cached{{10 * time.Minute, time.Minute, 32}, {10 * time.Minute, 2 * time.Minute, 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if u := c.Upstream("slow"); u == nil || u.MaxFails != 2 || u.ResponseTimeout != 5*time.Minute || len(u.Servers) != 1 {
		t.Errorf("upstream slow: %+v", u)
	}
}
