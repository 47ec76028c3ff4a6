package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

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
			want: arrived{302, "GET /v1/a", "/a", []string{"GET /v1/a", "GET /v1/a", "GET /v1/a", "GET /v1/a"}},
		},
		{
			name: "the most", max: 1, pages: map[string]string{"/v1/a": "302 Location: /v1/b", "/v1/b": "302 Location: /v1/c"},
			want: arrived{302, "GET /v1/b", "/c", []string{"GET /v1/a", "GET /v1/b"}},
		},
		{
			name: "none", max: -1, pages: map[string]string{"/v1/a": "302 Location: {}/v1/b"},
			want: arrived{302, "GET /v1/a", "/b", []string{"GET /v1/a"}},
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
			name: "a path like an authority", max: -1, pages: map[string]string{"/v1/a": "302 Location: {}/v1//evil.example/b"},
			want: arrived{302, "GET /v1/a", "{}/v1//evil.example/b", []string{"GET /v1/a"}},
		},
		{
			name: "two Locations", pages: map[string]string{"/v1/a": "302 Location: /v1/b | Location: /v1/c"},
			want: arrived{302, "GET /v1/a", "/v1/b", []string{"GET /v1/a"}},
		},
		{
			name: "no redirect", pages: map[string]string{"/v1/a": "201 Location: /v1/b"},
			want: arrived{201, "GET /v1/a", "/b", []string{"GET /v1/a"}},
		},
		{
			name: "POST would become GET", method: "POST", pages: map[string]string{"/v1/a": "303 Location: {}/v1/b"},
			want: arrived{303, "POST /v1/a", "/b", []string{"POST /v1/a"}},
		},
		{
			name: "content that is gone", method: "POST", edit: content, pages: map[string]string{"/v1/a": "307 Location: /v1/b"},
			want: arrived{307, "POST /v1/a", "/b", []string{"POST /v1/a data"}},
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
			want: arrived{302, "GET /v1/a", "/b", []string{"GET /v1/a"}},
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
			want:  arrived{302, "GET /v1/a", "/b", []string{"GET /v1/a"}},
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
	free := http.Header{"Cache-Control": {"public, max-age=60"}, "Cdn-Cache-Control": {"max-age=600"}, "Surrogate-Control": {"max-age=6"}, "Vary": {"Accept"}}
	bound := http.Header{"Cache-Control": {"public, max-age=60", "no-store"}, "Vary": {"Accept"}}
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
	} {
		t.Run(redirect, func(t *testing.T) {
			if want == nil {
				want = free.Clone()
				want["Vary"] = []string{"a", "Accept"}
			}
			s := serveRedirects(t, map[string]string{"/a": redirect, "/m": "302 Location: /z", "/z": final})
			_, h := exchange(t, newExternal(t, nil, s.url), s, newRequest(t, "GET", "/a", nil))
			got := http.Header{}
			for _, name := range []string{"Cache-Control", "Cdn-Cache-Control", "Surrogate-Control", "Vary"} {
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

// FuzzLocate: whatever a Location says, the next request goes to one of the
// servers, below its base path, and is one line. Written for the client it is a
// path on our side then, and what it was otherwise.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{
		"/v1/b", "b?c#d", "//evil.example/v1/", "https://api.third.example/v1/x", "https://api.third.example:443/v1/x", "HTTPS://API.third.example/v1/",
		"https://api.third.example@evil.example/v1/", "https://evil.example\\@api.third.example/v1/", "https://api.third.example/v1/../v2", "/v1/%2e%2e/v2",
		"/v1/..%2f..%2fv2", "/v1/%5c..%5cv2", "/v1//evil.example", "https:/v1/x", "https:api.third.example/v1/x", "http://b.third.example:8080/x", "/v1/\r\nX: y",
		"https://api.third.example.evil.example/v1/", "https://api.third.example:444/v1/", "?", "", "javascript:alert(1)", "/v1/%zz", "https://[::1]/v1/", "/v1/*",
	} {
		f.Add(s)
	}
	var servers []*url.URL
	for _, s := range []string{"https://api.third.example/v1", "http://b.third.example:8080"} {
		u, err := url.Parse(s)
		if err != nil {
			f.Fatal(err)
		}
		servers = append(servers, u)
	}
	p, err := New(Config{Name: "third", Servers: servers, External: &External{Redirects: 1}})
	if err != nil {
		f.Fatal(err)
	}
	from, err := url.Parse("https://api.third.example/v1/a/b?c")
	if err != nil {
		f.Fatal(err)
	}
	a := &attempt{server: p.group.servers[0], request: &http.Request{URL: &url.URL{Path: "/a/b", RawQuery: "c"}}}
	f.Fuzz(func(t *testing.T, location string) {
		res := &http.Response{Header: http.Header{"Location": {location}}}
		p.relocate(a, res)
		got := res.Header["Location"][0]
		s, u := p.locate(from, location)
		if s != nil {
			checkOutgoing(t, servers, serverURL(s, u))
		}
		ours := strings.HasPrefix(got, "/") && !strings.HasPrefix(got, "//")
		if ours && s == nil && got != location || ours && strings.ContainsAny(got, "\\\r\n \t") && s != nil {
			t.Fatalf("%q became %q", location, got)
		}
		if to, err := url.Parse(location); err == nil && !ours && got != location {
			// Made absolute: it means what it meant to the third party.
			if want := from.ResolveReference(to).String(); got != want || to.Host != "" {
				t.Fatalf("%q became %q, want %q", location, got, want)
			}
		}
	})
}

// FuzzOutgoing: whatever a client's path and query are, the request goes to the
// server, below its base path, and is one line.
func FuzzOutgoing(f *testing.F) {
	for _, s := range []string{"/a", "//evil.example/", "/@evil.example", "/\\evil.example", "\\\\evil.example", "http://evil.example/", "*", "", "/%2f%2fevil", "/a b\r\n", "@evil", ":80@evil"} {
		f.Add(s, "q=http://evil.example#x")
	}
	u, err := url.Parse("https://api.third.example:8443/v1")
	if err != nil {
		f.Fatal(err)
	}
	s := &server{url: u, base: "/v1"}
	f.Fuzz(func(t *testing.T, path, query string) {
		checkOutgoing(t, []*url.URL{u}, serverURL(s, &url.URL{Scheme: "https", Host: "evil.example", Path: path, RawQuery: query}))
		checkOutgoing(t, []*url.URL{u}, serverURL(s, &url.URL{Scheme: "https", Host: "evil.example", Path: "/x", RawPath: path, RawQuery: query}))
	})
}

// checkOutgoing writes the request and reads it as a server would.
func checkOutgoing(t *testing.T, servers []*url.URL, u *url.URL) {
	t.Helper()
	r := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{}}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatalf("%v: cannot be written: %v", u, err)
	}
	line, rest, _ := strings.Cut(wire.String(), "\r\n")
	if strings.Count(line, " ") != 2 || strings.ContainsAny(line, "\r\n\x00#") {
		t.Fatalf("%v: request line %q", u, line)
	}
	target := strings.Split(line, " ")[1]
	for _, s := range servers {
		base := strings.TrimSuffix(s.EscapedPath(), "/")
		if u.Scheme != s.Scheme || u.Host != s.Host || u.User != nil || u.Opaque != "" || !strings.HasPrefix(rest, "Host: "+s.Host+"\r\n") {
			continue
		}
		if strings.HasPrefix(target, base+"/") || target == "*" || strings.HasPrefix(target, "*?") {
			return
		}
	}
	t.Fatalf("%v goes to no server: %q", u, wire.String())
}
