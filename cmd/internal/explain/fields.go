package explain

import (
	"net/http"
	"strings"

	"veneer/cache/key"
)

// hidden takes the place of a value that may be a credential.
const hidden = "(hidden)"

// known reports whether a request field that others sent may be shown: what it
// holds is about a browser, not about a person.
func known(name string) bool {
	if key.Secret(name) {
		return false
	}
	for _, prefix := range [...]string{"Accept", "Content-", "Sec-Ch-", "Sec-Fetch-", "Access-Control-Request-", "Origin", "User-Agent", "Save-Data", "X-Requested-With", "X-Forwarded-Proto"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// visible hides what may be a credential in "Name: value" lines.
func visible(lines []string) []string {
	for i, line := range lines {
		if name, _, _ := strings.Cut(line, ":"); key.Secret(name) {
			lines[i] = name + ": " + hidden
		}
	}
	return lines
}

// spelled is a field's name as its specification spells it, where that is not
// what http.CanonicalHeaderKey makes of it.
func spelled(name string) string {
	switch name {
	case "Cdn-Cache-Control":
		return "CDN-Cache-Control"
	case "Etag":
		return "ETag"
	case "Www-Authenticate":
		return "WWW-Authenticate"
	}
	return name
}

// pick returns the lines of the fields that want wants, with credentials
// hidden. It is never nil.
func pick(h http.Header, want func(name string) bool) []string {
	wanted := make(http.Header)
	for name, values := range h {
		if want(name) {
			wanted[name] = values
		}
	}
	if out := visible(lines(wanted)); out != nil {
		return out
	}
	return []string{}
}

// corsField reports whether a response field is for the browser's CORS check,
// or for caches between here and there that keep origins apart.
func corsField(name string) bool {
	return strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" || name == "Cross-Origin-Resource-Policy" || name == "Vary"
}

// cacheField reports whether a response field belongs to an outcome.
func cacheField(name string) bool {
	switch name {
	case "Age", "Allow", "Cache-Control", "Cache-Status", "Content-Range", "Etag", "Expires", "Last-Modified", "Location":
		return true
	}
	return corsField(name)
}

// upstreamField reports whether a field of a request to the upstream is shown.
func upstreamField(name string) bool {
	switch name {
	case "Origin", "Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Authorization", "Cookie":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-Request-")
}
