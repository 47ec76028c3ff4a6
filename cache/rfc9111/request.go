package rfc9111

import (
	"strings"

	"github.com/pquerna/cachecontrol/cacheobject"
)

// Fields is the view of a request's fields that this package reads.
// http.Header satisfies it. Values returns the field's lines in order; the
// caller does not change or keep them. The name is in canonical form.
type Fields interface {
	Values(name string) []string
}

// RequestDirectives are the cache directives of a request (RFC 9111 §5.2.1).
// The zero value is a request without any, and what a route uses that ignores
// them. It is a small value to be copied and compared.
type RequestDirectives struct {
	NoCache, NoStore, OnlyIfCached, NoTransform bool

	MaxAge       Delta // the greatest age that the client accepts
	MinFresh     Delta // how long the response is to stay fresh
	MaxStale     Delta // how stale it may be; without a value in the field, the greatest Delta
	StaleIfError Delta // how stale it may be when the upstream fails (RFC 5861 §4)
}

// NoRequestDirectives is a request without cache directives: the zero value,
// by name.
var NoRequestDirectives = RequestDirectives{}

// unreadableRequest is what a request asks for whose Cache-Control cannot be
// read: the most that it can ask for.
var unreadableRequest = RequestDirectives{NoCache: true, NoStore: true}

// ParseRequest reads a request's Cache-Control, or where there is none its
// Pragma (§5.4). It never fails: a directive that cannot be read counts at its
// strictest. It allocates nothing when both are absent, and for the values that
// browsers send.
func ParseRequest(f Fields) RequestDirectives {
	lines := f.Values("Cache-Control")
	if len(lines) == 0 {
		return RequestDirectives{NoCache: hasMember(f.Values("Pragma"), "no-cache")}
	}
	if len(lines) == 1 {
		switch lines[0] {
		case "no-cache":
			return RequestDirectives{NoCache: true}
		case "max-age=0":
			return RequestDirectives{MaxAge: Seconds(0)}
		case "no-store":
			return RequestDirectives{NoStore: true}
		case "only-if-cached":
			return RequestDirectives{OnlyIfCached: true}
		}
	}
	text, ok := canonical(lines, requestGrammar, maxRequestField)
	if !ok {
		return unreadableRequest
	}
	if text == "" {
		return RequestDirectives{}
	}
	cd, err := cacheobject.ParseRequestCacheControl(text)
	if err != nil {
		return unreadableRequest
	}
	d := RequestDirectives{
		NoCache:      cd.NoCache,
		NoStore:      cd.NoStore,
		OnlyIfCached: cd.OnlyIfCached,
		NoTransform:  cd.NoTransform,
		MaxAge:       fromLibrary(cd.MaxAge),
		MinFresh:     fromLibrary(cd.MinFresh),
		MaxStale:     fromLibrary(cd.MaxStale),
	}
	if cd.MaxStaleSet && !d.MaxStale.Present() {
		d.MaxStale = Seconds(maxDelta)
	}
	if cd.StaleIfError > 0 { // absent and zero are one in cachecontrol, and ask for the same
		d.StaleIfError = fromLibrary(cd.StaleIfError)
	}
	return d
}

// hasMember reports whether a list field has the member name, in any line and
// without case. It allocates nothing.
func hasMember(lines []string, name string) bool {
	for _, line := range lines {
		for more := true; more; {
			var m string
			m, line, more = strings.Cut(line, ",")
			if strings.EqualFold(strings.Trim(m, " \t"), name) {
				return true
			}
		}
	}
	return false
}
