package app

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/config"
)

// TestForeignLocation: a third party's Location leads to a path of ours only
// where that is served by the third party, and cannot lead to anything else on
// our host, in whatever way it is written.
func TestForeignLocation(t *testing.T) {
	var location atomic.Pointer[[]string]
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Location"] = *location.Load()
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	text := strings.ReplaceAll(externalConfig, "THIRD", s.URL+"/base") +
		"  - { match: { path: / }, upstream: own, cors: \"off\" }\n" +
		"  - { match: { path: /again/ }, upstream: plain, cors: site }\n"
	c, problems := config.Parse("external.yaml", []byte(strings.Replace(text, "upstreams:", "upstreams:\n  own: { servers: \"http://127.0.0.1:1\" }", 1)), nil)
	if c == nil {
		t.Fatal(problems)
	}
	r := run(t, c)
	ours := r.Addrs()[0].String()
	expand := strings.NewReplacer("THIRD", s.URL, "OURS", ours).Replace
	for in, want := range map[string]string{
		"/base/plain/a?b#c":      "/plain/a?b#c",
		"THIRD/base/plain/a":     "/plain/a",
		"a":                      "/plain/a",
		"THIRD/base/again/a":     "/again/a", // another route to the same upstream
		"/base/account":          "THIRD/base/account",
		"/base/keyed/a":          "THIRD/base/keyed/a", // another upstream: what it is sent differs
		"/account":               "THIRD/account",
		"/base/plain/../account": "THIRD/base/account",
		"/base/plain/..;/a":      "THIRD/base/plain/..;/a",
		"https://other.example/": "https://other.example/",
		"myapp://callback/":      "myapp://callback/",

		"http://OURS/account":    "",
		"http://OURS/plain/a":    "", // it is not told of us
		"http://OURS./account":   "",
		"HTTP://x@OURS/account":  "",
		"https://OURS/account":   "",
		"http://127.1/account":   "",
		"//OURS/account":         "",
		"///OURS/account":        "THIRD///OURS/account",
		"\\\\OURS\\account":      "",
		"http:\\\\OURS\\account": "",
		"http:/account":          "THIRD/account",
		"http:account":           "/plain/account",
		"https:/account":         "",
		"http:///OURS/account":   "",
		"/account/%zz":           "",
		"/account?a=%zz":         "THIRD/account?a=%zz",
		"/a\x00":                 "",
	} {
		lines := []string{expand(in)}
		location.Store(&lines)
		if got := strings.Join(locations(r, "POST"), ", "); got != expand(want) {
			t.Errorf("%s: got %s, want %s", expand(in), got, expand(want))
		}
	}
	for _, lines := range [][]string{{"/account", "/account"}, {"/base/plain/a", "/account"}} {
		location.Store(&lines)
		if got := locations(r, "POST"); got != nil {
			t.Errorf("%q: got %q", lines, got)
		}
	}
}

// locations are the Location lines that a client is answered with.
func locations(r *running, method string) []string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.Addrs()[0].String()+"/plain/x", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.client.Transport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	return res.Header["Location"]
}

// TestForeignInvalidation: the third party cannot empty what other routes have
// stored.
func TestForeignInvalidation(t *testing.T) {
	own := upstreamOf(t, page("Cache-Control: max-age=60"))
	var ours atomic.Pointer[string]
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+*ours.Load()+"/app/hot")
		w.Header().Set("Content-Location", "/app/hot")
		w.WriteHeader(http.StatusCreated)
	})
	text := strings.ReplaceAll(externalConfig, "THIRD", s.URL) + "  - { match: { path: /app/ }, upstream: own, cors: \"off\" }\n"
	c, problems := config.Parse("external.yaml", []byte(strings.Replace(text, "upstreams:", "upstreams:\n  own: { servers: \""+own+"\" }", 1)), nil)
	if c == nil {
		t.Fatal(problems)
	}
	r := run(t, c)
	address := r.Addrs()[0].String()
	ours.Store(&address)
	r.get("/app/hot")
	r.ask(http.MethodPost, "http://"+address+"/plain/x")
	if _, body := r.get("/app/hot"); body != "answer 1" {
		t.Errorf("got %q, want what was stored", body)
	}
}

// TestReloadToExternal: what was stored under an upstream of our own may act on
// our host, and is not answered with once the upstream is a third party's; nor
// is what was stored before a field was forwarded.
func TestReloadToExternal(t *testing.T) {
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Strict-Transport-Security", "max-age=1")
	})
	file := func(upstream, routes string) *config.Config {
		c, problems := config.Parse("x.yaml", []byte("server: { http: \"127.0.0.1:0\" }\ncors: { site: { origins: [\"https://a.example.com\"] } }\n"+
			"upstreams: { u: { servers: \""+s.URL+"\""+upstream+" }, own: { servers: \""+s.URL+"\" } }\nroutes:"+routes), nil)
		if c == nil {
			t.Fatal(problems)
		}
		return c
	}
	const (
		external = ", external: true, dangerously_private_addresses: true"
		more     = external + ", forward: [X-Api-Key]"
		root     = "\n  - { match: { path: / }, upstream: u, cors: site }"
		below    = "\n  - { match: { path: /a/ }, upstream: own, cors: site }"
		away     = "\n  - { match: { path: /b/ }, upstream: own, cors: site }"
		ownRoot  = "\n  - { match: { path: / }, upstream: own, cors: site }"
		thirdA   = "\n  - { match: { path: /a/ }, upstream: u, cors: site }"
	)
	for _, c := range []struct {
		name      string
		old, next *config.Config
		kept      bool
	}{
		{"becomes external", file("", root), file(external, root), false},
		{"forwards more", file(external, root), file(more, root), false},
		{"forwards less", file(more, root), file(external, root), false},
		{"another upstream", file(external, ownRoot), file(external, root), false},
		{"a new route below one of our own", file(external, ownRoot), file(external, ownRoot+thirdA), false},
		{"a route of our own above it goes", file(external, root+below), file(external, root), false},
		{"a new route of our own", file(external, root), file(external, root+away), true},
		{"follows fewer redirects", file(external, root), file(external+", redirects: 0", root), true},
		{"becomes our own", file(external, root), file("", root), true},
		{"all our own", file("", root+away), file("", root), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.old)
			r.get("/a/x")
			s.taken()
			if err := r.Reload(c.next); err != nil {
				t.Fatal(err)
			}
			res, _ := r.get("/a/x")
			if kept := len(s.taken()) == 0; kept != c.kept {
				t.Errorf("kept: %t, %v", kept, res.Header)
			}
			if u := c.next.Upstream("u"); u.External != nil && res.Header["Strict-Transport-Security"] != nil {
				t.Errorf("got %v", res.Header)
			}
		})
	}
}

// TestIncomingAsReceived: explain sees the fields of a third party's response
// as the cache does.
func TestIncomingAsReceived(t *testing.T) {
	fields := http.Header{
		"Cache-Control": {"max-age=60"}, "Set-Cookie": {"a=b; Domain=example.com"}, "Strict-Transport-Security": {"max-age=1"}, "X-Accel-Redirect": {"/a"},
		"Content-Security-Policy": {"default-src *"}, "Www-Authenticate": {"Basic", "Bearer"}, "Timing-Allow-Origin": {"*"}, "Vary": {"Accept"}, "X-Rate": {"1"},
	}
	s := newThird(t, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), fields)
		w.Header()["Date"] = nil
	})
	r := runExternal(t, s, "")
	for _, name := range []string{"*/plain/", "*/keyed/"} {
		path := strings.TrimPrefix(name, "*")
		found, _ := r.plan.engine.Router.Lookup("cors-proxy.example.com", path)
		way := found.Upstream.(*trip)
		res, err := way.RoundTrip(httptest.NewRequest(http.MethodGet, "http://cors-proxy.example.com"+path, nil))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		foretold := fields.Clone()
		way.Incoming(foretold)
		if diff := cmp.Diff(res.Header, foretold); diff != "" {
			t.Errorf("%s: (-received +foretold)\n%s", name, diff)
		}
	}
}
