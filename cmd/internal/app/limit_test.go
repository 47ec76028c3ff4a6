package app

import (
	"net/netip"
	"testing"
	"time"

	"veneer/cmd/internal/config"
)

// A client over its rate gets 429, which a page of an allowed origin can read;
// preflights are not counted, other clients neither, and a reload that leaves
// the limit alone does not forget.
func TestRateLimit(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	edit := func(burst int) func(*config.Config) {
		return func(c *config.Config) {
			c.Server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			c.Routes[0].Rate = &config.RateLimit{Requests: 1, Per: time.Hour, Burst: burst}
		}
	}
	r := run(t, testConfig(t, up, edit(2)))
	target := "http://" + r.Addrs()[0].String() + "/"
	ask := func(client, method string) (status int, retry, acao string) {
		t.Helper()
		res, _ := r.ask(method, target, "X-Forwarded-For: "+client, "Origin: "+originApp, "Access-Control-Request-Method: GET")
		return res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("Access-Control-Allow-Origin")
	}
	want := func(what, client, method string, status int, retry string) {
		t.Helper()
		if s, again, acao := ask(client, method); s != status || again != retry || acao != originApp {
			t.Errorf("%s: got %d, Retry-After %q, Access-Control-Allow-Origin %q; want %d, %q", what, s, again, acao, status, retry)
		}
	}
	want("first", "192.0.2.1", "GET", 200, "")
	want("second, a hit", "192.0.2.1", "GET", 200, "")
	want("third", "192.0.2.1", "GET", 429, "3600")
	want("preflight", "192.0.2.1", "OPTIONS", 204, "")
	want("somebody else", "192.0.2.2", "GET", 200, "")
	if err := r.Reload(testConfig(t, up, edit(2))); err != nil {
		t.Fatal(err)
	}
	want("after a reload", "192.0.2.1", "GET", 429, "3600")
	if err := r.Reload(testConfig(t, up, edit(3))); err != nil {
		t.Fatal(err)
	}
	want("under a new limit", "192.0.2.1", "GET", 200, "")
}
