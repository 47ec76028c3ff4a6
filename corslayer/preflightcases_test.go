package corslayer

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
)

func ask(origin, method string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, "/", nil)
	if origin != "" {
		r.Header[fieldOrigin] = []string{origin}
	}
	if method != "" {
		r.Header[fieldRequestMethod] = []string{method}
	}
	if headers != nil {
		r.Header[fieldRequestHeaders] = headers
	}
	return r
}

type answer struct {
	Status int
	Header http.Header
}

// fields returns a preflight's fields, with Cache-Control: no-store.
func fields(pairs ...string) http.Header {
	h := http.Header{fieldCacheControl: {"no-store"}}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

const varyAll = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

func granting(origin string, more ...string) http.Header {
	h := fields(fieldAllowOrigin, origin, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE",
		fieldAllowHeaders, "Content-Type, Authorization", fieldMaxAge, "7200", fieldVary, varyAll)
	maps.Copy(h, fields(more...))
	return h
}

// network is what a page of a public network asks a server of a private one.
func network(r *http.Request, lines ...string) *http.Request {
	r.Header[fieldRequestNetwork] = lines
	return r
}

var lan = with(partner, func(c *Config) { c.PrivateNetwork = true })

const varyNetwork = varyAll + ", Access-Control-Request-Private-Network"

// preflightCases: a preflight, and what it gets.
var preflightCases = []struct {
	name   string
	config Config
	ask    *http.Request
	want   *answer // nil: not answered here
}{
	{"P1 P6 P8 allowed", partner, ask(app, "PUT", "content-type"), &answer{204, granting(app)}},
	{"P1 by pattern", partner, ask(shop, "GET"), &answer{204, granting(shop)}},
	{"P5 the seed's curl lines", partner, ask(app, "POST", "Content-Type, Authorization"), &answer{204, granting(app)}},
	{"P5 the seed's other curl line", partner, ask(app, "GET", "Authorization"), &answer{204, granting(app)}},
	{"P5 any order, duplicates, white space, empty elements, lines", partner,
		ask(app, "PUT", ",authorization ,\t, CONTENT-TYPE", "", "content-type,"), &answer{204, granting(app)}},
	{"P5 64 names", partner, ask(app, "PUT", strings.Repeat("authorization,", 64)), &answer{204, granting(app)}},
	{"P5 65 names", partner, ask(app, "PUT", strings.Repeat("authorization,", 65)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 8 KiB", partner, ask(app, "PUT", strings.Repeat(",", 8191)), &answer{204, granting(app)}},
	{"P5 above 8 KiB", partner, ask(app, "PUT", strings.Repeat(",", 4096), strings.Repeat(",", 4096)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 no token", partner, ask(app, "PUT", "content-type authorization"), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 a long name", partner, ask(app, "PUT", strings.Repeat("a", 4000)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 method is case-sensitive", partner, ask(app, "put"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 origin refused", partner, ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 null refused", partner, ask("null", "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 bad refused", partner, ask(app+"/", "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 method refused", partner, ask(app, "PATCH"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 header refused", partner, ask(app, "PUT", "x-other"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 static refuses too", static, ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 debug, origin", with(partner, func(c *Config) { c.Debug = true }), ask(stranger, "GET"), &answer{204, fields(fieldVary, varyAll)}},
	{"P2 debug, method", with(partner, func(c *Config) { c.Debug = true }), ask(app, "PATCH"),
		&answer{204, fields(fieldVary, varyAll, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE")}},
	{"P2 debug, safelisted method", Config{Origins: []string{app, shop}, Methods: []string{"PUT"}, Debug: true}, ask(app, "POST"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 debug, header", with(partner, func(c *Config) { c.Debug = true }), ask(app, "PUT", "x-other"),
		&answer{204, fields(fieldVary, varyAll, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE")}},
	{"HEAD comes with GET", partner, ask(app, "HEAD"), &answer{204, granting(app)}},
	{"E6 range is always allowed", partner, ask(app, "GET", "range"), &answer{204, granting(app, fieldAllowHeaders, "Content-Type, Authorization, Range")}},
	{"E6 range without a list", static, ask(app, "GET", "Range"), &answer{204, fields(fieldAllowOrigin, app, fieldAllowCredentials, "true",
		fieldAllowMethods, "GET, HEAD, POST", fieldAllowHeaders, "Range", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"defaults", static, ask(app, "POST"), &answer{204, fields(fieldAllowOrigin, app, fieldAllowCredentials, "true",
		fieldAllowMethods, "GET, HEAD, POST", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"P3 minimal", with(partner, func(c *Config) { c.MinimalPreflight = true }), ask(app, "PUT", "content-type"),
		&answer{204, granting(app, fieldAllowMethods, "PUT", fieldAllowHeaders, "content-type")}},
	{"P3 minimal, several lines", with(partner, func(c *Config) { c.MinimalPreflight = true }), ask(app, "PUT", "content-type,,", "authorization"),
		&answer{204, granting(app, fieldAllowMethods, "PUT", fieldAllowHeaders, "content-type, authorization")}},
	{"P3 minimal, an empty element of white space at the end", with(partner, func(c *Config) { c.MinimalPreflight = true }), ask(app, "PUT", "authorization, "),
		&answer{204, granting(app, fieldAllowMethods, "PUT", fieldAllowHeaders, "authorization")}},
	{"P4 P6 * without credentials", anybody, ask(stranger, "PROPFIND", "x-any, authorization"), &answer{204, fields(fieldAllowOrigin, "*",
		fieldAllowMethods, "*", fieldAllowHeaders, "*, Authorization", fieldMaxAge, "7200", fieldVary, fieldRequestMethod)}},
	{"P4 no * with credentials", with(partner, func(c *Config) { c.Methods, c.Headers = []string{"*"}, []string{"*"} }), ask(app, "PROPFIND", "x-any"),
		&answer{204, granting(app, fieldAllowMethods, "PROPFIND", fieldAllowHeaders, "x-any")}},
	{"P4 * and no token", anybody, ask(app, "GET", "x any"), &answer{403, fields(fieldVary, fieldRequestMethod)}},
	{"P7 for CDNs", with(partner, func(c *Config) { c.CDNMaxAge = 60e9 }), ask(app, "GET"), &answer{204, granting(app, fieldCacheControl, "public, max-age=60")}},
	{"P7 no refusal for CDNs", with(partner, func(c *Config) { c.CDNMaxAge = 60e9 }), ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P8 no max-age", with(partner, func(c *Config) { c.MaxAge = seconds(0) }), ask(app, "GET"), &answer{204, granting(app, fieldMaxAge, "0")}},
	{"P8 cache off", with(partner, func(c *Config) { c.MaxAge = seconds(-1) }), ask(app, "GET"), &answer{204, granting(app, fieldMaxAge, "-1")}},
	{"C3 preflight of null", nulls, ask("null", "GET"), &answer{204, fields(fieldAllowOrigin, "null", fieldAllowMethods, "GET, HEAD, POST", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"P10 off", partner, network(ask(app, "PUT"), "true"), &answer{204, granting(app)}},
	{"P10 asked", lan, network(ask(app, "PUT"), "true"), &answer{204, granting(app, fieldAllowNetwork, "true", fieldVary, varyNetwork)}},
	{"P10 not asked", lan, ask(app, "PUT"), &answer{204, granting(app, fieldVary, varyNetwork)}},
	{"P10 asked in another way", lan, network(ask(app, "PUT"), "1"), &answer{204, granting(app, fieldVary, varyNetwork)}},
	{"P10 asked twice", lan, network(ask(app, "PUT"), "true", "true"), &answer{204, granting(app, fieldVary, varyNetwork)}},
	{"P10 origin refused", lan, network(ask(stranger, "PUT"), "true"), &answer{403, fields(fieldVary, varyNetwork)}},
	{"P10 header refused, debug", with(lan, func(c *Config) { c.Debug = true }), network(ask(app, "PUT", "x-other"), "true"), &answer{204,
		fields(fieldVary, varyNetwork, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE")}},
	{"P10 for any origin", with(anybody, func(c *Config) { c.PrivateNetwork, c.DangerouslyPrivateNetworkForAnyOrigin = true, true }),
		network(ask(stranger, "GET"), "true"), &answer{204, fields(fieldAllowOrigin, "*", fieldAllowMethods, "*", fieldAllowHeaders, "*, Authorization",
			fieldMaxAge, "7200", fieldAllowNetwork, "true", fieldVary, "Access-Control-Request-Method, Access-Control-Request-Private-Network")}},
	{"C4 no Origin", partner, ask("", "GET"), nil},
	{"C4 no method asked", partner, ask(app, ""), nil},
	{"A1 preflight, pass", Config{Mode: ModePass}, ask(app, "GET"), nil},
	{"off refuses", Config{Mode: ModeOff}, ask(app, "GET"), &answer{403, fields()}},
	{"off, not a preflight", Config{Mode: ModeOff}, ask(app, ""), nil},
}
