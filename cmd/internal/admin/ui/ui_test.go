package ui

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"veneer/cmd/internal/admin"
)

// get asks h for a path.
func get(h http.Handler, path string, fields ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// Every file comes with its type, a policy that lets nothing from elsewhere in,
// and a tag that saves sending it again.
func TestFiles(t *testing.T) {
	h := Handler()
	paths := map[string]string{"/": "text/html; charset=utf-8", "/ui/style.css": "text/css; charset=utf-8", "/ui/app.js": "text/javascript; charset=utf-8", "/ui/icon.svg": "image/svg+xml"}
	for path, contentType := range paths {
		res := get(h, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != contentType || res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
		if again := get(h, path, "If-None-Match: "+res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s is sent again: %s", path, again.Status)
		}
	}
	for _, path := range []string{"/ui/", "/ui/index.html", "/ui/none.js", "/ui/page/app.js"} {
		if res := get(h, path); res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
	}
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("the policy has no %s: %s", directive, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy lets inline code in: %s", policy)
	}
}

// faults are what the files may not have: what the policy would refuse, what
// makes markup of text, and what comes from elsewhere.
var faults = map[string]*regexp.Regexp{
	"an inline style or handler":   regexp.MustCompile(`(?i)<[^>]+\s(style|on[a-z]+)\s*=`),
	"an inline script or style":    regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style`),
	"text that becomes markup":     regexp.MustCompile(`\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|createContextualFragment)`),
	"a style attribute":            regexp.MustCompile(`setAttribute\("style"`),
	"something from elsewhere":     regexp.MustCompile(`(?im)(src|href)\s*=\s*"(https?:)?//|@import|url\(\s*["']?https?:|^(import|export)\b.*from "[^.]`),
	"a token that stays on a disk": regexp.MustCompile(`localStorage\.(set|get)Item\([^"]|localStorage\.setItem\("veneer-admin`),
}

// The page is small, has no code in its markup, and brings everything along.
func TestContent(t *testing.T) {
	entries, err := fs.ReadDir(embedded, "page")
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d files, %v: the test would prove nothing", len(entries), err)
	}
	for _, e := range entries {
		content, err := fs.ReadFile(embedded, "page/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 60<<10 {
			t.Errorf("%s has %d bytes; 60 KiB are the most", e.Name(), len(content))
		}
		if n := strings.Count(string(content), "\n"); n >= 500 {
			t.Errorf("%s has %d lines", e.Name(), n)
		}
		for what, fault := range faults {
			if found := fault.Find(content); found != nil {
				t.Errorf("%s has %s: %s", e.Name(), what, found)
			}
		}
	}
}

// What the faults are looked for with finds them.
func TestFaultsAreFound(t *testing.T) {
	for what, text := range map[string]string{
		"an inline style or handler":   `<p onclick="x()">`,
		"an inline script or style":    `<script>alert(1)</script>`,
		"text that becomes markup":     `node.innerHTML = url`,
		"a style attribute":            `node.setAttribute("style", x)`,
		"something from elsewhere":     `<link href="https://fonts.example/x.css">`,
		"a token that stays on a disk": `localStorage.setItem(slot, value)`,
	} {
		if faults[what] == nil || !faults[what].MatchString(text) {
			t.Errorf("%q is not found as %s", text, what)
		}
	}
}

// Every file that another one names is there.
func TestReferences(t *testing.T) {
	assets := load()
	reference := regexp.MustCompile(`(?:from "\./|(?:src|href)="ui/)([^"]+)"`)
	named := 0
	for path, a := range assets {
		for _, m := range reference.FindAllSubmatch(a.content, -1) {
			named++
			if _, ok := assets["/ui/"+string(m[1])]; !ok {
				t.Errorf("%s names %s, which is not there", path, m[1])
			}
		}
	}
	if named < 5 {
		t.Errorf("%d references: the test proves nothing", named)
	}
}

// The admin listener gives the page to everybody, and its list and the API only
// to who has the token.
func TestThroughTheListener(t *testing.T) {
	const token = "sesame"
	s, err := admin.New(admin.Config{Address: "127.0.0.1:0", Token: token, Page: Handler()})
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("GET /api/stats", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		<-served
	})
	const browser = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	const bearer = "Authorization: Bearer " + token
	for _, c := range []struct {
		path   string
		fields []string
		status int
		csp    string // "" is the listener's own
		begins string // what Content-Type begins with
	}{
		{"GET /", []string{browser}, 200, policy, "text/html"},
		{"HEAD /", []string{browser}, 200, policy, "text/html"},
		{"GET /ui/app.js", nil, 200, policy, "text/javascript"},
		{"GET /ui/none", nil, 404, "", "application/problem+json"},
		{"GET /", nil, 401, "", "application/problem+json"},
		{"GET /", []string{"Accept: */*", bearer}, 200, "", "text/plain"},
		{"POST /", []string{browser}, 401, "", "application/problem+json"},
		{"POST /ui/app.js", nil, 405, "", "application/problem+json"},
		{"GET /api/stats", []string{browser}, 401, "", "application/problem+json"},
		{"GET /ui/../api/stats", nil, 307, "", ""},
		{"GET /ui/%2e%2e/api/stats", nil, 404, "", "application/problem+json"},
	} {
		method, path, _ := strings.Cut(c.path, " ")
		r, err := http.NewRequest(method, "http://"+s.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.fields {
			name, value, _ := strings.Cut(f, ": ")
			r.Header.Set(name, value)
		}
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != c.status || !strings.HasPrefix(res.Header.Get("Content-Type"), c.begins) || c.csp != "" && csp != c.csp || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s %v: %s %v", c.path, c.fields, res.Status, res.Header)
		}
		if path == "/" && c.status == 200 && res.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: Vary is %q", c.path, res.Header.Get("Vary"))
		}
	}
}
