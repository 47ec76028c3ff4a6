package upstream

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzLocate: whatever a Location says, the next request goes to one of the
// servers, below its base path, and is one line. To the client it names its host
// in full, one that browsers do not read otherwise, or it is not sent at all.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{
		"/v1/b", "b?c#d", "//evil.example/v1/", "https://api.third.example/v1/x", "https://api.third.example:443/v1/x", "HTTPS://API.third.example/v1/",
		"https://api.third.example@evil.example/v1/", "https://evil.example\\@api.third.example/v1/", "https://api.third.example/v1/../v2", "/v1/%2e%2e/v2",
		"/v1/..%2f..%2fv2", "/v1/%5c..%5cv2", "/v1//evil.example", "https:/v1/x", "https:api.third.example/v1/x", "http://b.third.example:8080/x", "/v1/\r\nX: y",
		"https://api.third.example.evil.example/v1/", "https://api.third.example:444/v1/", "?", "", "javascript:alert(1)", "/v1/%zz", "https://[::1]/v1/", "/v1/*",
		"https:b", "//@", "https:/\\evil.example", "https:///evil.example/", "///evil.example/", "/\\evil.example", "https://ｅvil.example/", "https://127.1/", "https://u@evil.example/", "myapp:x", "//:::", "//::1:80/v1/",
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
		s, u := p.locate(from, location)
		if s != nil {
			checkOutgoing(t, servers, serverURL(s, u))
		}
		res := &http.Response{Header: http.Header{"Location": {location}}}
		relocate(a, res)
		got := res.Header.Get("Location")
		if got == "" {
			if s != nil {
				t.Fatalf("%q is followed and not passed on", location)
			}
			return
		}
		to, err := url.Parse(got)
		if err != nil || !to.IsAbs() {
			t.Fatalf("%q became %q", location, got)
		}
		rest, web := strings.CutPrefix(got, to.Scheme+"://")
		if to.Scheme != "http" && to.Scheme != "https" {
			return // which a browser does not resolve
		}
		// The authority as the URL standard finds it.
		if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
			rest = rest[:end]
		}
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
		if !web || to.Host == "" || rest != to.Host || strings.Trim(rest, loopBytes+"[]") != "" {
			t.Fatalf("%q became %q, whose host is %q", location, got, rest)
		}
		if inside, ok := p.Inside(got); ok && (!strings.HasPrefix(inside, "/") || strings.HasPrefix(inside, "//") || strings.ContainsAny(inside, "\\\r\n \t")) {
			t.Fatalf("%q is inside as %q", location, inside)
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
