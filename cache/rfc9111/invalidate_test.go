package rfc9111

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInvalidates(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
		want   bool
	}{
		{"POST", 200, true}, {"PUT", 201, true}, {"DELETE", 204, true}, {"PATCH", 302, true}, {"M-SEARCH", 200, true},
		{"get", 200, true}, // methods have case: this is an unknown one
		{"POST", 500, false}, {"POST", 404, false}, {"POST", 101, false}, {"POST", 0, false},
		{"GET", 200, false}, {"HEAD", 200, false}, {"OPTIONS", 200, false}, {"TRACE", 200, false},
	} {
		if got := Invalidates(c.method, c.status); got != c.want {
			t.Errorf("%s %d: got %t", c.method, c.status, got)
		}
	}
}

func TestInvalidatedURIs(t *testing.T) {
	for _, c := range []struct {
		name   string
		target string
		fields http.Header
		want   []string
	}{
		{"none", "http://a.example/x", header(), nil},
		{"both, relative", "http://a.example/x/y?q", header("Location", "z", "Content-Location", "/w?v"), []string{"http://a.example/x/z", "http://a.example/w?v"}},
		{"absolute, same origin", "https://a.example/x", header("Location", "HTTPS://A.example:443/y#f"), []string{"https://A.example:443/y"}},
		{"another host", "https://a.example/x", header("Location", "https://b.example/y"), nil},
		{"another host, no scheme", "https://a.example/x", header("Location", "//b.example/y"), nil},
		{"another scheme", "https://a.example/x", header("Location", "http://a.example/y"), nil},
		{"another port", "https://a.example/x", header("Location", "https://a.example:8443/y"), nil},
		{"same port, written on one side", "http://a.example:80/x", header("Location", "http://a.example/y"), []string{"http://a.example/y"}},
		{"user information is no part of it", "http://a.example/x", header("Location", "http://u:p@a.example/y"), []string{"http://a.example/y"}},
		{"not a URI", "http://a.example/x", header("Location", "http://[::1", "Content-Location", "%zz"), nil},
		{"opaque", "http://a.example/x", header("Location", "mailto:a@a.example"), nil},
		{"two lines", "http://a.example/x", header("Location", "/y", "Location", "/z"), nil},
		{"empty", "http://a.example/x", header("Location", ""), nil},
		{"no port known", "x://a.example/x", header("Location", "x://a.example/y"), []string{"x://a.example/y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, err := url.Parse(c.target)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range InvalidatedURIs(target, c.fields) {
				got = append(got, u.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if target.String() != c.target {
				t.Errorf("the target was changed: %s", target)
			}
		})
	}
}

// No field of a response makes us touch another origin.
func FuzzInvalidatedURIs(f *testing.F) {
	for _, s := range []string{"/a", "//b/c", "http://a.example/", "http:b", "?q", "http://a.example:080/", "\\\\b", "http://a.example@b/"} {
		f.Add(s)
	}
	target := &url.URL{Scheme: "http", Host: "a.example", Path: "/x"}
	f.Fuzz(func(t *testing.T, location string) {
		for _, u := range InvalidatedURIs(target, http.Header{"Location": {location}}) {
			again, err := url.Parse(u.String())
			if err == nil && (!sameOrigin(again, target) || again.User != nil) {
				t.Errorf("%q leads to %s", location, u)
			}
		}
	})
}
