package rfc9111

import (
	"net/http"
	"net/url"
	"strings"
)

// Safe reports whether a method is known to be safe (RFC 9110 §9.2.1). An
// unknown one is not.
func Safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Invalidates reports whether a response with that status to that method
// invalidates the target URI and InvalidatedURIs (RFC 9111 §4.4): the method is
// unsafe and the response no error.
func Invalidates(method string, status int) bool {
	return !Safe(method) && status >= 200 && status <= 399
}

// InvalidatedURIs returns what a response to an unsafe request for target
// invalidates beside target itself (§4.4): its Location and Content-Location,
// resolved, without fragment, where they have the same origin. Another origin's
// must not be touched. Target is absolute.
func InvalidatedURIs(target *url.URL, h http.Header) []*url.URL {
	var uris []*url.URL
	for _, name := range [...]string{"Location", "Content-Location"} {
		lines := h[name]
		if len(lines) != 1 || lines[0] == "" {
			continue
		}
		ref, err := url.Parse(lines[0])
		if err != nil {
			continue
		}
		u := target.ResolveReference(ref)
		u.Fragment, u.RawFragment, u.User = "", "", nil
		if u.Opaque == "" && sameOrigin(u, target) {
			uris = append(uris, u)
		}
	}
	return uris
}

// sameOrigin compares scheme, host and port (RFC 9110 §4.3.1).
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) &&
		strings.EqualFold(a.Hostname(), b.Hostname()) &&
		port(a) == port(b)
}

// port returns the port of u, the scheme's own where none is written.
func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return ""
}
