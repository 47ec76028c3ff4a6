package rfc9111

import (
	"net/http"
	"slices"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"
)

// Directives are the cache directives of a response that are in force
// (RFC 9111 §5.2.2): those of Cache-Control, or of the targeted field that
// replaces it. The zero value is a response that has none.
type Directives struct {
	NoStore, NoCache, Private       bool // no-cache and private: without a list of fields
	Public, Immutable, NoTransform  bool
	MustRevalidate, ProxyRevalidate bool
	MustUnderstand                  bool

	MaxAge, SMaxAge                    Delta
	StaleWhileRevalidate, StaleIfError Delta

	// The canonical names that no-cache="…" and private="…" list, sorted.
	NoCacheFields, PrivateFields []string

	// Target is the targeted field that the directives are from (RFC 9213
	// §2.2); "" when they are Cache-Control's. With a target neither
	// Cache-Control nor Expires counts.
	Target string
}

// unreadable is what a response says whose Cache-Control cannot be read.
var unreadable = Directives{NoStore: true}

// ParseResponse reads the directives in force in a response. Targets are the
// names of targeted fields, the most specific first (RFC 9213 §2.2); the first
// that is valid replaces Cache-Control and Expires. It never fails: what cannot
// be read counts as stale, and where it may hide a prohibition as no-store.
func ParseResponse(h http.Header, targets []string) Directives {
	for _, name := range targets {
		parse := parseTargeted
		if name == surrogateControl {
			parse = parseSurrogate
		}
		if d, ok := parse(h.Values(name)); ok {
			d.Target = name
			return d
		}
	}
	lines := h["Cache-Control"]
	if len(lines) == 0 {
		return Directives{}
	}
	d, _ := parseList(lines)
	return d
}

// parseList reads the lines of Cache-Control, or of a field with its syntax.
// It reports whether they say anything.
func parseList(lines []string) (d Directives, said bool) {
	text, ok := canonical(lines, responseGrammar, maxResponseField)
	if !ok {
		return unreadable, true
	}
	if text == "" {
		return Directives{}, false
	}
	cd, err := cacheobject.ParseResponseCacheControl(text)
	if err != nil {
		return unreadable, true
	}
	return Directives{
		NoStore:              cd.NoStore,
		NoCache:              cd.NoCachePresent && len(cd.NoCache) == 0,
		Private:              cd.PrivatePresent && len(cd.Private) == 0,
		Public:               cd.Public,
		Immutable:            cd.Immutable,
		NoTransform:          cd.NoTransform,
		MustRevalidate:       cd.MustRevalidate,
		ProxyRevalidate:      cd.ProxyRevalidate,
		MustUnderstand:       slices.Contains(cd.Extensions, "must-understand"),
		MaxAge:               fromLibrary(cd.MaxAge),
		SMaxAge:              fromLibrary(cd.SMaxAge),
		StaleWhileRevalidate: fromLibrary(cd.StaleWhileRevalidate),
		StaleIfError:         fromLibrary(cd.StaleIfError),
		NoCacheFields:        names(cd.NoCache),
		PrivateFields:        names(cd.Private),
	}, true
}

// fromLibrary turns cachecontrol's delta-seconds, where -1 is absent, into ours.
func fromLibrary(d cacheobject.DeltaSeconds) Delta {
	if d < 0 {
		return 0
	}
	return Seconds(int64(d))
}

// toLibrary is the inverse of fromLibrary.
func toLibrary(d Delta) cacheobject.DeltaSeconds {
	if !d.Present() {
		return -1
	}
	return cacheobject.DeltaSeconds(d.Duration() / time.Second)
}

// names returns the sorted names of set, nil when it is empty.
func names(set cacheobject.FieldNames) []string {
	if len(set) == 0 {
		return nil
	}
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
