package corslayer

import (
	"strings"
	"time"
)

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

func list(origins ...string) Config { return Config{Origins: origins} }

func secret(origins ...string) Config { return Config{Origins: origins, Credentials: true} }

// Each refusal of "Policy is compiled", alone; the first problem's field,
// index and reason are told.
var refusals = []struct {
	name   string
	config Config
	want   string // field[index]: why
}{
	{"no origin", Config{}, "origins[-1]: the policy lets nobody in"},
	{"* with credentials", secret("*"), "origins[0]: browsers refuse * for requests with credentials"},
	{"* beside others", list(app, "*"), "origins[1]: it lets in every origin, so the other entries mean nothing"},
	{"null in a list", list(app, "null"), "origins[1]: null is shared by sandboxed frames, local files and redirects of anybody"},
	{"null with credentials", with(secret(app), func(c *Config) { c.AllowNull = true }), "allow_null[-1]: with credentials, any page can be null and act for the user"},
	{"file:", list("file:///x"), "origins[0]: pages from files have the origin null"},
	{"trailing slash", list(app + "/"), "origins[0]: an origin does not end in a slash"},
	{"https://* without credentials", list("https://*"), "origins[0]: it lets in every host"},
	{"userinfo", list("https://me@a.example"), "origins[0]: an origin has no user name"},
	{"path", list(app + "/x"), "origins[0]: an origin has no path"},
	{"query", list(app + "?x"), "origins[0]: an origin has no query"},
	{"fragment", list(app + "#x"), "origins[0]: an origin has no fragment"},
	{"upper case", list("https://App.example.com"), "origins[0]: browsers send origins in lower case"},
	{"non-ASCII host", list("https://bücher.example"), "origins[0]: browsers send host names in ASCII"},
	{"empty label", list("https://a..example"), "origins[0]: the host has an empty label"},
	{"misplaced wildcard", list("https://a.*.example"), "origins[0]: the wildcard is in the wrong place"},
	{"double wildcard", list("https://*a*.example"), "origins[0]: it has two wildcards"},
	{"wildcard on an IP", list("http://*.0.0.1"), "origins[0]: an IP address has no subdomains"},
	{"bad port", list(app + ":99999"), "origins[0]: the port is not a number from 1 to 65535"},
	{"default port", list(app + ":443"), "origins[0]: browsers leave the default port out"},
	{"several in one", list(app + "," + stranger), "origins[0]: it is more than one origin"},
	{"quotation marks", list("'" + app + "'"), "origins[0]: it has quotation marks in it"},
	{"https://* with credentials", secret("https://*"), "origins[0]: it lets in every host"},
	{"insecure pattern with credentials", secret("http://*.a.example"), "origins[0]: with credentials, an attacker on the network can act for the user"},
	{"P10 any origin of a private network", with(list("*"), func(c *Config) { c.PrivateNetwork = true }), "private_network[-1]: with *, any page of the web can reach the private network through the user's browser"},
	{"P10 null and a private network", with(nulls, func(c *Config) { c.PrivateNetwork = true }), "private_network[-1]: with allow_null, any page of the web can be null and reach the private network"},
	{"P10 public suffix and a private network", with(list("https://*.github.io"), func(c *Config) { c.PrivateNetwork = true }), "origins[0]: anybody can register a name there and, with private_network, reach the private network"},
	{"P10 insecure and a private network", with(list("http://a.example"), func(c *Config) { c.PrivateNetwork = true }), "origins[0]: with private_network, an attacker on the network can reach the private network"},
	{"insecure with credentials", secret("http://a.example"), "origins[0]: with credentials, an attacker on the network can act for the user"},
	{"public suffix with credentials", secret("https://*.co.uk"), "origins[0]: anybody can register a name there and, with credentials, act for the user"},
	{"private suffix with credentials", secret("https://app-*.github.io"), "origins[0]: anybody can register a name there and, with credentials, act for the user"},
	{"unreachable, twice", list(app, app), "origins[1]: https://app.example.com (entry 1) lets it in already"},
	{"unreachable", list("https://a.b.x.example", "https://*.x.example"), "origins[0]: https://*.x.example (entry 2) lets it in already"},
	{"unreachable pattern", list("https://*.x.example", "https://+.a.x.example"), "origins[1]: https://*.x.example (entry 1) lets it in already"},
	{"unreachable port", list("http://localhost:*", "http://localhost:3000"), "origins[1]: http://localhost:* (entry 1) lets it in already"},
	{"own origin", with(list(app, stranger), func(c *Config) { c.PublicOrigins = []string{app} }), "origins[0]: it is the route's own origin, which needs no CORS"},
	{"bad public origin", with(list(app), func(c *Config) { c.PublicOrigins = []string{"x"} }), "public_origins[0]: it is not a serialised origin"},
	{"enforce with *", Config{Origins: []string{"*"}, Enforce: true, PublicOrigins: []string{app}}, "enforce[-1]: * lets in every origin, so nobody is refused"},
	{"enforce in pass mode", Config{Mode: ModePass, Enforce: true}, "enforce[-1]: only a policy with origins can refuse one"},
	{"enforce without public origin", with(list(app), func(c *Config) { c.Enforce = true }), "enforce[-1]: same-origin POSTs carry Origin too and would be refused"},
	{"P9 forbidden method TRACE", with(list(app), func(c *Config) { c.Methods = []string{"GET", "trace"} }), "methods[1]: browsers never send it (Fetch, forbidden method)"},
	{"P9 forbidden method TRACK", with(list(app), func(c *Config) { c.Methods = []string{"TRACK"} }), "methods[0]: browsers never send it (Fetch, forbidden method)"},
	{"P9 forbidden method CONNECT", with(list(app), func(c *Config) { c.Methods = []string{"CONNECT"} }), "methods[0]: browsers never send it (Fetch, forbidden method)"},
	{"method in lower case", with(list(app), func(c *Config) { c.Methods = []string{"patch"} }), "methods[0]: methods are compared with regard to case"},
	{"method no token", with(list(app), func(c *Config) { c.Methods = []string{"G T"} }), "methods[0]: it is not a method"},
	{"method too long", with(list(app), func(c *Config) { c.Methods = []string{strings.Repeat("M", 129)} }), "methods[0]: the method is longer than 128 bytes"},
	{"no methods", with(list(app), func(c *Config) { c.Methods = []string{} }), "methods[-1]: the policy allows no method"},
	{"* beside methods", with(list(app), func(c *Config) { c.Methods = []string{"*", "PUT"} }), "methods[-1]: * allows every method, so the other entries mean nothing"},
	{"forbidden header", with(list(app), func(c *Config) { c.Headers = []string{"X-A", "Cookie"} }), "headers[1]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"forbidden prefix", with(list(app), func(c *Config) { c.Headers = []string{"Sec-Fetch-Mode"} }), "headers[0]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"forbidden header, Origin", with(list(app), func(c *Config) { c.Headers = []string{"Origin"} }), "headers[0]: scripts cannot set it (Fetch, forbidden request-header)"},
	{"CORS response name among request headers", with(list(app), func(c *Config) { c.Headers = []string{"Access-Control-Allow-Origin"} }), "headers[0]: it is a response field"},
	{"header no token", with(list(app), func(c *Config) { c.Headers = []string{"a,b"} }), "headers[0]: it is not a field name"},
	{"header too long", with(list(app), func(c *Config) { c.Headers = []string{strings.Repeat("x", 129)} }), "headers[0]: the name is longer than 128 bytes"},
	{"* beside headers", with(list(app), func(c *Config) { c.Headers = []string{"*", "X-A"} }), "headers[-1]: * allows every field, so the other entries mean nothing"},
	{"E3 Expose * with credentials", with(secret(app), func(c *Config) { c.Expose = []string{"*"} }), "expose[0]: browsers take * for a field name where requests have credentials"},
	{"expose auto beside others", with(list(app), func(c *Config) { c.Expose = []string{"auto", "X-A"} }), "expose[0]: it stands for a whole list, so the other entries mean nothing"},
	{"expose Set-Cookie", with(list(app), func(c *Config) { c.Expose = []string{"Set-Cookie"} }), "expose[0]: scripts cannot read it (Fetch, forbidden response-header name)"},
	{"CORS request name among response headers, method", with(list(app), func(c *Config) { c.Expose = []string{"Access-Control-Request-Method"} }), "expose[0]: it is a request field"},
	{"expose no token", with(list(app), func(c *Config) { c.Expose = []string{"a b"} }), "expose[0]: it is not a field name"},
	{"P8 max-age below -1", with(list(app), func(c *Config) { c.MaxAge = seconds(-2) }), "max_age[-1]: nothing is less than -1s, which turns the browser's cache off"},
	{"P8 max-age above a day", with(list(app), func(c *Config) { c.MaxAge = seconds(86401) }), "max_age[-1]: no browser keeps a preflight's answer for so long"},
	{"max-age of a half second", with(list(app), func(c *Config) { d := time.Second / 2; c.MaxAge = &d }), "max_age[-1]: it is not a whole number of seconds"},
	{"CDN max-age below zero", with(list(app), func(c *Config) { c.CDNMaxAge = -1 }), "cdn_max_age[-1]: it is not a whole number of seconds from 0 to a year"},
	{"resource policy", with(list(app), func(c *Config) { c.ResourcePolicy = "any" }), "resource_policy[-1]: browsers know no such policy"},
	{"dynamic *", with(list("*"), func(c *Config) { c.Dynamic = true }), "dynamic[-1]: * is the same answer for everybody"},
	{"vary fix in own mode", with(list(app), func(c *Config) { c.VaryFix = VaryAlways }), "vary_fix[-1]: it is for routes where the application owns CORS"},
	{"two authorities, off", Config{Mode: ModeOff, PrivateNetwork: true}, "mode[-1]: a policy with origins is a second authority for CORS on this route"},
	{"two authorities", Config{Mode: ModePass, Origins: []string{app}}, "mode[-1]: a policy with origins is a second authority for CORS on this route"},
	{"no such mode", Config{Mode: 7}, "mode[-1]: there is no such mode"},
}

// dangerous are the switches: what is refused without one is let through with
// it.
var dangerous = []struct {
	name   string
	config Config
	set    func(*Config)
}{
	{"dangerously_credentialed_null", with(nulls, func(c *Config) { c.Credentials = true }), func(c *Config) { c.DangerouslyCredentialedNull = true }},
	{"dangerously_credentialed_insecure", secret("http://a.example"), func(c *Config) { c.DangerouslyCredentialedInsecure = true }},
	{"dangerously_credentialed_public_suffix", secret("https://*.co.uk", "https://a-*.github.io"), func(c *Config) { c.DangerouslyCredentialedPublicSuffix = true }},
	{"dangerously_private_network_for_any_origin, *", with(list("*"), private), func(c *Config) { c.DangerouslyPrivateNetworkForAnyOrigin = true }},
	{"dangerously_private_network_for_any_origin, list", with(nulls, func(c *Config) {
		c.PrivateNetwork, c.Origins = true, append(c.Origins, "https://*.co.uk", "http://a.example")
	}), func(c *Config) { c.DangerouslyPrivateNetworkForAnyOrigin = true }},
}

func private(c *Config) { c.PrivateNetwork = true }
