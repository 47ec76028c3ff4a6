package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// redirecting answers each path with what is said of it: "STATUS Name: value |
// Name: value". {} is the server's own URL, and content is the method and the
// path. It remembers what it was asked.
type redirecting struct {
	url   string
	pages map[string]string

	mu    sync.Mutex // guards asked
	asked []string
}

func serveRedirects(t *testing.T, pages map[string]string) *redirecting {
	t.Helper()
	s := &redirecting{pages: pages}
	s.url = serve(t, s.answer)
	return s
}

func (s *redirecting) answer(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	ask := strings.TrimSpace(r.Method + " " + r.RequestURI + " " + string(b))
	for _, name := range []string{"If-None-Match", "If-Range", "Range", "Authorization"} {
		if v := r.Header.Get(name); v != "" {
			ask += " " + name + "=" + v
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, ask)
	s.mu.Unlock()
	status, fields, _ := strings.Cut(s.pages[r.RequestURI], " ")
	for f := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(f, ": "); ok {
			w.Header().Add(name, strings.ReplaceAll(value, "{}", s.url))
		}
	}
	code := http.StatusOK
	_, _ = fmt.Sscan(status, &code) // a page that nobody described is good
	w.WriteHeader(code)
	fmt.Fprint(w, r.Method, " ", r.RequestURI)
}

func (s *redirecting) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// arrived is what came of a request.
type arrived struct {
	Status   int
	Body     string
	Location string
	Asked    []string
}

func exchange(t *testing.T, p *Pool, s *redirecting, r *http.Request) (arrived, http.Header) {
	t.Helper()
	res, err := p.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	location := strings.ReplaceAll(res.Header.Get("Location"), s.url, "{}")
	if u, ok := res.Body.(interface{ NotStored() string }); ok {
		res.Header["Not-Stored"] = []string{u.NotStored()}
	}
	return arrived{res.StatusCode, string(b), location, s.seen()}, res.Header
}

func TestRedirects(t *testing.T) {
	content := func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("data")), 4
	}
	replayable := func(r *http.Request) {
		content(r)
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("data")), nil }
	}
	for _, c := range []struct {
		name, method, target string
		pages                map[string]string // below /v1, the base path
		edit                 func(*http.Request)
		max                  int // 3 if 0
		want                 arrived
	}{
		{
			name: "absolute", pages: map[string]string{"/v1/a": "301 Location: {}/v1/b?c=d#e"},
			want: arrived{200, "GET /v1/b?c=d", "", []string{"GET /v1/a", "GET /v1/b?c=d"}},
		},
		{
			name: "relative", pages: map[string]string{"/v1/a": "302 Location: b/../c"},
			want: arrived{200, "GET /v1/c", "", []string{"GET /v1/a", "GET /v1/c"}},
		},
		{
			name: "HEAD stays HEAD", method: "HEAD", pages: map[string]string{"/v1/a": "303 Location: /v1/b"},
			want: arrived{200, "", "", []string{"HEAD /v1/a", "HEAD /v1/b"}},
		},
		{
			name: "a loop ends", pages: map[string]string{"/v1/a": "302 Location: /v1/a"},
			want: arrived{302, "GET /v1/a", "{}/v1/a", []string{"GET /v1/a", "GET /v1/a", "GET /v1/a", "GET /v1/a"}},
		},
		{
			name: "the most", max: 1, pages: map[string]string{"/v1/a": "302 Location: /v1/b", "/v1/b": "302 Location: /v1/c"},
			want: arrived{302, "GET /v1/b", "{}/v1/c", []string{"GET /v1/a", "GET /v1/b"}},
		},
		{
			name: "none", max: -1, pages: map[string]string{"/v1/a": "302 Location: {}/v1/b"},
			want: arrived{302, "GET /v1/a", "{}/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "another place", pages: map[string]string{"/v1/a": "302 Location: http://127.0.0.1:1/v1/b"},
			want: arrived{302, "GET /v1/a", "http://127.0.0.1:1/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "another scheme", pages: map[string]string{"/v1/a": "302 Location: https://127.0.0.1/v1/b"},
			want: arrived{302, "GET /v1/a", "https://127.0.0.1/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "out of the base", pages: map[string]string{"/v1/a": "302 Location: /v2/b"},
			want: arrived{302, "GET /v1/a", "{}/v2/b", []string{"GET /v1/a"}},
		},
		{
			name: "out of the base by escaped dots", pages: map[string]string{"/v1/a": "302 Location: /v1/%2e%2e/v2"},
			want: arrived{302, "GET /v1/a", "{}/v1/%2e%2e/v2", []string{"GET /v1/a"}},
		},
		{
			name: "out of the base by parameters", pages: map[string]string{"/v1/a": "302 Location: /v1/..;/v2"},
			want: arrived{302, "GET /v1/a", "{}/v1/..;/v2", []string{"GET /v1/a"}},
		},
		{
			name: "out of the base by dots escaped twice", pages: map[string]string{"/v1/a": "302 Location: /v1/%252e%252e/v2"},
			want: arrived{302, "GET /v1/a", "{}/v1/%252e%252e/v2", []string{"GET /v1/a"}},
		},
		{
			name: "a scheme without an authority", pages: map[string]string{"/v1/a": "302 Location: http:/v1/b"},
			want: arrived{200, "GET /v1/b", "", []string{"GET /v1/a", "GET /v1/b"}},
		},
		{
			name: "a path like an authority", max: -1, pages: map[string]string{"/v1/a": "302 Location: {}/v1//evil.example/b"},
			want: arrived{302, "GET /v1/a", "{}/v1//evil.example/b", []string{"GET /v1/a"}},
		},
		{
			name: "two Locations", pages: map[string]string{"/v1/a": "302 Location: /v1/b | Location: /v1/c"},
			want: arrived{302, "GET /v1/a", "", []string{"GET /v1/a"}},
		},
		{
			name: "no redirect", pages: map[string]string{"/v1/a": "201 Location: /v1/b"},
			want: arrived{201, "GET /v1/a", "{}/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "POST would become GET", method: "POST", pages: map[string]string{"/v1/a": "303 Location: {}/v1/b"},
			want: arrived{303, "POST /v1/a", "{}/v1/b", []string{"POST /v1/a"}},
		},
		{
			name: "content that is gone", method: "POST", edit: content, pages: map[string]string{"/v1/a": "307 Location: /v1/b"},
			want: arrived{307, "POST /v1/a", "{}/v1/b", []string{"POST /v1/a data"}},
		},
		{
			name: "content that can be had again", method: "PUT", edit: replayable, pages: map[string]string{"/v1/a": "308 Location: /v1/b"},
			want: arrived{200, "PUT /v1/b", "", []string{"PUT /v1/a data", "PUT /v1/b data"}},
		},
		{
			name: "without content", method: "DELETE", pages: map[string]string{"/v1/a": "307 Location: /v1/b"},
			want: arrived{200, "DELETE /v1/b", "", []string{"DELETE /v1/a", "DELETE /v1/b"}},
		},
		{
			name: "a cookie on the way", pages: map[string]string{"/v1/a": "302 Location: /v1/b | Set-Cookie: a=b"},
			want: arrived{302, "GET /v1/a", "{}/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "validators are of the first URL", edit: func(r *http.Request) {
				r.Header = http.Header{"If-None-Match": {"1"}, "If-Range": {"2"}, "Range": {"bytes=0-1"}, "Authorization": {"x"}}
			},
			pages: map[string]string{"/v1/a": "302 Location: /v1/b"},
			want:  arrived{200, "GET /v1/b", "", []string{"GET /v1/a If-None-Match=1 If-Range=2 Range=bytes=0-1", "GET /v1/b"}},
		},
		{
			name: "a condition", edit: func(r *http.Request) { r.Header["If-Match"] = []string{"1"} },
			pages: map[string]string{"/v1/a": "302 Location: /v1/b"},
			want:  arrived{302, "GET /v1/a", "{}/v1/b", []string{"GET /v1/a"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveRedirects(t, c.pages)
			p := newExternal(t, func(cfg *Config) {
				cfg.External.Cookies = true
				if c.max != 0 {
					cfg.External.Redirects = max(c.max, 0)
				}
			}, s.url+"/v1/")
			method := c.method
			if method == "" {
				method = "GET"
			}
			r := newRequest(t, method, "/a", nil)
			if c.edit != nil {
				c.edit(r)
			}
			got, _ := exchange(t, p, s, r)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A redirect from one server of the upstream to another goes to that one; one
// that fails there is answered for like any failure.
func TestRedirectToOtherServer(t *testing.T) {
	b := serveRedirects(t, nil)
	a := serveRedirects(t, map[string]string{"/a": "302 Location: " + b.url + "/b", "/dead": "302 Location: http://dead.example:1/"})
	p := newExternal(t, func(c *Config) { c.Balancer = first{} }, a.url, b.url)
	if got, want := do(t, p, newRequest(t, "GET", "/a", nil)), (result{Status: 200, Body: "GET /b"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	gone := refused(t)
	a.pages["/gone"] = "302 Location: " + gone + "/"
	p = newExternal(t, func(c *Config) { c.Balancer = first{} }, a.url, gone)
	if got, want := do(t, p, newRequest(t, "GET", "/gone", nil)), (result{Kind: "upstream-unreachable"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i, s := range p.Servers() {
		if s.InFlight != 0 {
			t.Errorf("server %d has %d requests under way", i, s.InFlight)
		}
	}
}

// first picks the first server.
type first struct{}

func (first) Pick([]Candidate) int { return 0 }

// An ordinary upstream's redirects are the client's, and its Location and all
// other fields are as they came.
func TestNoRedirectsByDefault(t *testing.T) {
	s := serveRedirects(t, map[string]string{"/a": "302 Location: {}/b | Set-Cookie: a=b | Strict-Transport-Security: max-age=1"})
	got, h := exchange(t, newPool(t, nil, s.url), s, newRequest(t, "GET", "/a", nil))
	want := arrived{302, "GET /a", "{}/b", []string{"GET /a"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if h.Get("Set-Cookie") == "" || h.Get("Strict-Transport-Security") == "" || h["Content-Security-Policy"] != nil {
		t.Errorf("got %v", h)
	}
}

// What a redirect brought is stored only as long as the redirect itself could.
func TestRedirectStorability(t *testing.T) {
	const final = "200 Cache-Control: public, max-age=60 | CDN-Cache-Control: max-age=600 | Surrogate-Control: max-age=6 | Vary: Accept"
	free := http.Header{"Cache-Control": {"public, max-age=60"}, "Cdn-Cache-Control": {"max-age=600"}, "Vary": {"Accept"}}
	bound := http.Header{"Cache-Control": {"no-store"}, "Vary": {"Accept"}, "Not-Stored": {"redirect-followed"}}
	varied := func(h http.Header) http.Header {
		h = h.Clone()
		h["Vary"] = []string{"Accept-Language", "Accept"}
		return h
	}
	for redirect, want := range map[string]http.Header{
		"200":                           {},
		"301 Location: /z":              free,
		"308 Location: /z":              free,
		"302 Location: /z":              bound,
		"301 Location: /u":              bound, // what must-understand would store
		"307 Location: /z":              bound,
		"301 Location: /m":              bound, // through a temporary one
		"301 Location: /z | Expires: 0": bound,
		"301 Location: /z | Age: 7":     bound,
		"301 Location: /z | Pragma: a":  bound,
		"301 Location: /z | X-Other: a": free,
		"301 Location: /z | Vary: a":    nil,
		"301 Location: /z | Cache-Control: private, max-age=60": bound,
		"301 Location: /z | CDN-Cache-Control: no-store":        bound,
		"301 Location: /z | Vary: Accept-Language":              varied(free),
		"302 Location: /z | Vary: Accept-Language":              varied(bound),
		"301 Location: /z | Set-Cookie: a=b":                    bound,
	} {
		t.Run(redirect, func(t *testing.T) {
			if want == nil {
				want = free.Clone()
				want["Vary"] = []string{"a", "Accept"}
			}
			s := serveRedirects(t, map[string]string{"/a": redirect, "/m": "302 Location: /z", "/u": "302 Location: /y", "/z": final,
				"/y": "200 Vary: Accept | Cache-Control: max-age=60, must-understand | Edge-Cache-Control: max-age=60"})
			_, h := exchange(t, newExternal(t, nil, s.url), s, newRequest(t, "GET", "/a", nil))
			got := http.Header{}
			for _, name := range []string{"Cache-Control", "Cdn-Cache-Control", "Edge-Cache-Control", "Surrogate-Control", "Vary", "Not-Stored"} {
				if h[name] != nil {
					got[name] = h[name]
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whoever is authorized may be led elsewhere than others, whatever is said of
// the place that it leads to.
func TestRedirectOfOne(t *testing.T) {
	pages := map[string]string{"/a": "308 Location: /z", "/z": "200 Cache-Control: public, max-age=60"}
	for name, want := range map[string]string{"Authorization": "no-store", "Cookie": "no-store", "X-Api-Key": "public, max-age=60"} {
		s := serveRedirects(t, pages)
		p := newExternal(t, func(c *Config) { c.Keep = []string{"Authorization", "Cookie", "X-Api-Key"} }, s.url)
		got, h := exchange(t, p, s, newRequest(t, "GET", "/a", http.Header{name: {"ann"}}))
		if got.Body != "GET /z" || h.Get("Cache-Control") != want {
			t.Errorf("%s: got %+v with %v, want %s", name, got, h, want)
		}
	}
}

// What a redirect brought has no validators, which would be sent to the first
// URL, and does not say of which URL it is.
func TestRedirectValidators(t *testing.T) {
	const page = "200 Etag: \"1\" | Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT | Content-Location: z | X-Other: a"
	s := serveRedirects(t, map[string]string{"/a": "301 Location: /z", "/z": page})
	p := newExternal(t, nil, s.url)
	for path, want := range map[string]http.Header{
		"/a": {"X-Other": {"a"}},
		"/z": {"X-Other": {"a"}, "Etag": {`"1"`}, "Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}, "Content-Location": {"z"}},
	} {
		_, h := exchange(t, p, s, newRequest(t, "GET", path, nil))
		for _, name := range []string{"Date", "Content-Type", "Content-Security-Policy"} {
			delete(h, name)
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", path, diff)
		}
	}
}

// A redirect whose content does not come holds nobody up. One whose content is
// there leaves the connection to the next request.
func TestRedirectContent(t *testing.T) {
	const redirect, page = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for content, connections := range map[string]int{"ab": 1, "a": 2} {
		s := serveRaw(t, func(r *raw, n int, c net.Conn, br *bufio.Reader) {
			for i := 0; r.head(br); i++ {
				if i+n > 0 {
					io.WriteString(c, page)
				} else {
					io.WriteString(c, redirect+content)
				}
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // to fail instead of hanging
		got := do(t, newExternal(t, nil, s.url), newRequest(t, "GET", "/a", nil).WithContext(ctx))
		cancel()
		if _, n := s.seen(); got != (result{Status: 200, Body: "ok"}) || n != connections {
			t.Errorf("%q: got %+v on %d connections, want %d", content, got, n, connections)
		}
	}
}

// What a Location says to the client, and the path that it has on our side.
func TestLocation(t *testing.T) {
	const base = "https://api.third.example/v1"
	third, err := url.Parse(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Name: "third", Servers: []*url.URL{third}, External: &External{}})
	if err != nil {
		t.Fatal(err)
	}
	a := &attempt{server: p.group.servers[0], request: &http.Request{URL: &url.URL{Path: "/a/b"}}}
	for in, want := range map[string][2]string{
		"c?d#e":                            {base + "/a/c?d#e", "/a/c?d#e"},
		"/v1/c":                            {base + "/c", "/c"},
		"/c":                               {"https://api.third.example/c", ""},
		"//api.third.example/v1/c":         {base + "/c", "/c"},
		"https://API.third.example:443/v1": {"https://API.third.example:443/v1", ""},
		"/v1//c":                           {base + "//c", ""},
		"https:/v1/c":                      {base + "/c", "/c"},
		"https:c":                          {base + "/a/c", "/a/c"},
		"HTTPS:c":                          {base + "/a/c", "/a/c"},
		"http:/v1/c":                       {},
		"https:///evil.example/":           {},
		"https:/\\evil.example/":           {},
		"///evil.example/":                 {"https://api.third.example///evil.example/", ""},
		"/\\evil.example/":                 {"https://api.third.example/%5Cevil.example/", ""},
		"/c%zz":                            {},
		"https://ｅvil.example/":            {},
		"https://127.1/":                   {},
		"https://0x7f000001/":              {},
		"https://127.0.0.1/":               {"https://127.0.0.1/", ""},
		"https://[::1]/":                   {"https://[::1]/", ""},
		"https://other.example/ü":          {"https://other.example/%C3%BC", ""},
		"myapp:/c":                         {"myapp:/c", ""},
		"":                                 {base + "/a/b", "/a/b"},
	} {
		res := &http.Response{Header: http.Header{"Location": {in}}}
		relocate(a, res)
		got := [2]string{res.Header.Get("Location")}
		got[1], _ = p.Inside(got[0])
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// The table is that of package cache, whose rule it is, and what escaping twice
// adds to it.
func TestClimbs(t *testing.T) {
	for path, want := range map[string]bool{
		"/": false, "/a/b": false, "/.well-known/x": false, "/a/...": false, "/a%2Fb": false,
		"/a/../b": true, "/a/./b/": true, "/a/..": true, "/public/../admin": true, "/public/%2E%2E/admin": true, "/public/..%2Fadmin": true,
		"/public/..%5Cadmin": true, "/public/..;x=1/admin": true, "/../etc/passwd": true, "/a/../../b": true,

		"/a/..;/b": true, "/a/%2e%2e;/b": true, "/a/..%3b/b": true, "/a/%252e%252e/b": true, "/a/%252E./b": true, "/a/%25%32%65./b": true, "/a/..%252fb": true,
		`/a/..\b`: true, "/a/..%255cb": true, "/a/%25252e%25252e/b": true, "/a/" + strings.Repeat("%25", 9): false, "/a/%" + strings.Repeat("25", 9) + "2e.": true,
		"/100%25": false, "/100%2525": false, "/%": false, "/%2": false, "/a;b": false, "/a;/../": true, "/..a/b..": false, "/.;": true,
	} {
		if got := climbs(path); got != want {
			t.Errorf("%s: got %t, want %t", path, got, want)
		}
	}
}
