package corslayer

import (
	"net/http"
	"strings"
)

// exchange is one response of an application on a route in pass mode.
type exchange struct {
	origin string // a key of origins
	header http.Header
	want   http.Header // nil: unchanged
	found  PassVerdict
}

// withVary adds the field to a copy of h.
func withVary(h http.Header) http.Header {
	h = h.Clone()
	h[fieldVary] = []string{"Origin"}
	return h
}

var firstVary = PassVerdict{VaryAdded: true, FirstVaryAdded: true}

var passCases = []struct {
	name      string
	fix       VaryFix
	exchanges []exchange
	counts    Counts
	echoes    bool
}{
	{"A1 no CORS", VaryAuto, []exchange{{"exact", head("Etag", "1"), nil, PassVerdict{}}}, Counts{Allowed: 1}, false},
	{"A2 * is nobody's", VaryAuto, []exchange{{"exact", head(fieldAllowOrigin, "*"), nil, PassVerdict{}}}, Counts{Allowed: 1}, false},
	{"A3 well-behaved echo", VaryAuto, []exchange{
		{"exact", head(fieldAllowOrigin, app, fieldVary, "Accept, origin"), nil, PassVerdict{}},
		{"pattern", head(fieldAllowOrigin, shop, fieldVary, "*"), nil, PassVerdict{}},
	}, Counts{Allowed: 2}, false},
	{"A3 echo without Vary", VaryAuto, []exchange{
		{"none", head("Etag", "1"), nil, PassVerdict{}},
		{"exact", head(fieldAllowOrigin, app), withVary(head(fieldAllowOrigin, app)), firstVary},
		{"exact", head("Etag", "1", fieldVary, "Accept"), head("Etag", "1", fieldVary, "Accept, Origin"), PassVerdict{VaryAdded: true}},
		{"exact", head(fieldVary, "Origin"), nil, PassVerdict{}},
	}, Counts{None: 1, Allowed: 3, VaryFixed: 2}, true},
	{"A3 always", VaryAlways, []exchange{{"exact", head("Etag", "1"), withVary(head("Etag", "1")), PassVerdict{VaryAdded: true}}}, Counts{Allowed: 1, VaryFixed: 1}, false},
	{"A3 never", VaryNever, []exchange{{"exact", head(fieldAllowOrigin, app), nil, PassVerdict{}}}, Counts{Allowed: 1}, false},
	{"A4 foreign", VaryNever, []exchange{
		{"exact", head(fieldAllowOrigin, app), nil, PassVerdict{}},
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true, FirstForeign: true}},
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true}},
		{"pattern", head(fieldAllowOrigin, shop), nil, PassVerdict{}},
		{"refused", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true}},
	}, Counts{Allowed: 5, Foreign: 3}, false},
	{"A4 static for the route", VaryNever, []exchange{
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true, FirstForeign: true}},
		{"refused", head(fieldAllowOrigin, app), nil, PassVerdict{}},
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{}},
		{"refused", head(fieldAllowOrigin, shop), nil, PassVerdict{Foreign: true}}, // not static after all
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true}},
	}, Counts{Allowed: 5, Foreign: 3}, false},
	{"A4 static, seen without Origin", VaryNever, []exchange{
		{"none", head(fieldAllowOrigin, app), nil, PassVerdict{}},
		{"pattern", head(fieldAllowOrigin, app), nil, PassVerdict{}},
	}, Counts{None: 1, Allowed: 1}, false},
	{"A4 null", VaryNever, []exchange{
		{"null", head(fieldAllowOrigin, "null"), nil, PassVerdict{}},
		{"null", head(fieldAllowOrigin, app), nil, PassVerdict{Foreign: true, FirstForeign: true}},
	}, Counts{Null: 2, Foreign: 1}, false},
	{"A4 bad tells nothing", VaryNever, []exchange{
		{"two", head(fieldAllowOrigin, app), nil, PassVerdict{}},
		{"list", head(fieldAllowOrigin, shop), nil, PassVerdict{}},
	}, Counts{Bad: 2}, false},
	{"A5 equal duplicates", VaryNever, []exchange{
		{"exact", head(fieldAllowOrigin, app, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowCredentials, "true"),
			head(fieldAllowOrigin, app, fieldAllowCredentials, "true"), PassVerdict{Duplicate: true, FirstDuplicate: true}},
	}, Counts{Allowed: 1, Duplicate: 1}, false},
	{"A5 unequal duplicates", VaryNever, []exchange{
		{"exact", head(fieldAllowOrigin, app, fieldAllowOrigin, "*"), nil,
			PassVerdict{Duplicate: true, FirstDuplicate: true, Foreign: true, FirstForeign: true}},
		{"none", head(fieldAllowOrigin, app, fieldAllowOrigin, "*"), nil, PassVerdict{Duplicate: true}},
	}, Counts{None: 1, Allowed: 1, Duplicate: 2, Foreign: 1}, false},
	{"A4 a value of any length", VaryNever, []exchange{
		{"exact", head(fieldAllowOrigin, strings.Repeat("a", 4000)), nil, PassVerdict{Foreign: true, FirstForeign: true}},
	}, Counts{Allowed: 1, Foreign: 1}, false},
}
