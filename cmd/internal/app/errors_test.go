package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cmd/internal/config"
)

// oneRoute is a Router that knows one route.
type oneRoute struct{ route *cache.Route }

func (o oneRoute) Lookup(string, string) (*cache.Route, bool) { return o.route, true }

type panics struct{}

func (panics) RoundTrip(*http.Request) (*http.Response, error) { panic("a fault of ours") }

// Case E9: every error that Veneer makes itself can be read by a page whose
// origin the route's policy lets in, and names nobody to any other.
func TestE9OwnErrors(t *testing.T) {
	big := strings.Repeat("x", 40<<10)
	gone := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	release := make(chan struct{})
	silent := upstreamOf(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	good := upstreamOf(t, page("Cache-Control: no-store"))
	for _, c := range []struct {
		name, upstream, method, path string
		fields                       []string
		body                         string
		few                          bool // one request an hour is allowed, and was sent
		status                       int
	}{
		{name: "dots that lead elsewhere", upstream: good, path: "/%2e%2e%2f%00", status: 400},
		{name: "TRACE", upstream: good, method: "TRACE", path: "/", status: 405},
		{name: "content too large", upstream: good, method: "POST", path: "/", body: "0123456789abcdef", status: 413},
		{name: "target too long", upstream: good, path: "/" + big, status: 414},
		{name: "fields too large", upstream: good, path: "/", fields: []string{"X-Big: " + big}, status: 431},
		{name: "only-if-cached", upstream: good, path: "/", fields: []string{"Cache-Control: only-if-cached"}, status: 504},
		{name: "upstream gone", upstream: gone, path: "/", status: 502},
		{name: "upstream silent", upstream: silent, path: "/", status: 504},
		{name: "ranges that overlap", upstream: good, path: "/", fields: []string{"Range: bytes=0-,0-,0-"}, status: 416},
		{name: "too many requests", upstream: good, path: "/", few: true, status: 429},
		{name: "loop", upstream: good, path: "/", fields: []string{"CDN-Loop: veneer"}, status: 508},
		{name: "panic", method: "POST", path: "/", status: 500},
		{name: "panic of a shared fetch", path: "/", status: 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			upstream := c.upstream
			if upstream == "" {
				upstream = good
			}
			r := run(t, testConfig(t, upstream, func(cfg *config.Config) {
				cfg.Server.Limits.BodyBytes = 10
				cfg.Upstreams[0].ResponseTimeout = 300 * time.Millisecond
				if c.few {
					cfg.Routes[0].Rate = &config.RateLimit{Requests: 1, Per: time.Hour, Burst: 1}
				}
			}))
			if c.few {
				r.get("/")
			}
			if c.upstream == "" {
				route, _ := r.plan.engine.Router.Lookup("h", "/")
				broken := *route
				broken.Upstream = panics{}
				r.engine.Swap(&cache.Plan{Router: oneRoute{&broken}})
			}
			for origin, allowed := range map[string]bool{originApp: true, "https://stranger.example": false, "": false} {
				res := askWith(t, r, c.method, c.path, c.body, append([]string{"Origin: " + origin}, c.fields...)...)
				if res.StatusCode != c.status {
					t.Fatalf("status %d, want %d", res.StatusCode, c.status)
				}
				want := ""
				if allowed {
					want = origin
				}
				if got := res.Header.Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("Origin %q: Access-Control-Allow-Origin %q, want %q", origin, got, want)
				}
				if got := res.Header.Get("Vary"); got != "Origin" {
					t.Errorf("Origin %q: Vary %q", origin, got)
				}
			}
		})
	}
}

// Case C5: what enforce refuses is a 403 that names nobody, and says to caches
// that another Origin gets something else.
func TestE9Refused(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	r := run(t, testConfig(t, up, func(c *config.Config) {
		c.CORS[0].Config.Enforce, c.CORS[0].Config.PublicOrigins = true, []string{"https://own.example"}
	}))
	for origin, want := range map[string]int{originApp: 200, "https://own.example": 200, originOther: 403} {
		res, _ := r.get("/", "Origin: "+origin)
		acao := ""
		if origin == originApp {
			acao = origin
		}
		if res.StatusCode != want || res.Header.Get("Access-Control-Allow-Origin") != acao || res.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: got %d %v", origin, res.StatusCode, res.Header)
		}
	}
}

// askWith sends one request; a field with an empty value is left out.
func askWith(t *testing.T, r *running, method, path, body string, fields ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Addrs()[0].String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if name, value, _ := strings.Cut(f, ": "); value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}
