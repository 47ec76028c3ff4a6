package doctor

import (
	"regexp"
	"slices"
	"strings"
)

// kind is a kind of server, as a Report names it.
type kind string

const (
	kindVeneer     kind = "veneer"
	kindCloudflare kind = "cloudflare"
	kindCloudFront kind = "cloudfront"
	kindFastly     kind = "fastly"
	kindVarnish    kind = "varnish"
	kindGateway    kind = "aws-api-gateway"
	kindKong       kind = "kong"
	kindEnvoy      kind = "envoy"
	kindTraefik    kind = "traefik"
	kindCaddy      kind = "caddy"
	kindNginx      kind = "nginx"
	kindApache     kind = "apache"
	kindExpress    kind = "express"
	kindUnknown    kind = "unknown"
)

// sign is what gives a kind away: a field, and a part of its value in lower
// case.
type sign struct {
	kind        kind
	field, part string
}

// signs in the order in which such servers usually stand, from the edge to the
// application.
var signs = []sign{
	{kindCloudflare, fieldServer, "cloudflare"},
	{kindCloudflare, "Cf-Ray", ""},
	{kindCloudFront, "X-Amz-Cf-Id", ""},
	{kindCloudFront, fieldVia, "(cloudfront)"},
	{kindFastly, "X-Served-By", "cache-"},
	{kindVeneer, fieldCacheStatus, "veneer"},
	{kindVeneer, fieldVia, " veneer"},
	{kindVarnish, "X-Varnish", ""},
	{kindVarnish, fieldVia, "varnish"},
	{kindGateway, "Apigw-Requestid", ""},
	{kindGateway, "X-Amz-Apigw-Id", ""},
	{kindKong, "X-Kong-Proxy-Latency", ""},
	{kindKong, "X-Kong-Response-Latency", ""},
	{kindKong, fieldServer, "kong"},
	{kindKong, fieldVia, "kong"},
	{kindEnvoy, fieldServer, "envoy"},
	{kindEnvoy, "X-Envoy-Upstream-Service-Time", ""},
	{kindTraefik, fieldServer, "traefik"},
	{kindCaddy, fieldServer, "caddy"},
	{kindCaddy, fieldVia, " caddy"},
	{kindNginx, fieldServer, "nginx"},
	{kindNginx, fieldServer, "openresty"},
	{kindApache, fieldServer, "apache"},
	{kindExpress, fieldPoweredBy, "express"},
}

// detect returns the kinds that the answers speak of, edge first, or
// kindUnknown alone.
func detect(exchanges []*Exchange) []kind {
	var found []kind
	for _, s := range signs {
		if !slices.Contains(found, s.kind) && slices.ContainsFunc(exchanges, s.shows) {
			found = append(found, s.kind)
		}
	}
	if slices.Contains(found, kindFastly) {
		// Its caches are Varnish's, and say so.
		found = slices.DeleteFunc(found, func(k kind) bool { return k == kindVarnish })
	}
	if len(found) == 0 {
		return []kind{kindUnknown}
	}
	return found
}

func (s sign) shows(x *Exchange) bool {
	return slices.ContainsFunc(x.lines(s.field), func(v string) bool { return strings.Contains(" "+strings.ToLower(v), s.part) })
}

// without takes the kinds that a cache's name in Cache-Status stands for away.
func without(found []kind, name string) []kind {
	return slices.DeleteFunc(slices.Clone(found), func(k kind) bool {
		return slices.ContainsFunc(signs, func(s sign) bool {
			return s.kind == k && s.field == fieldCacheStatus && strings.Contains(strings.ToLower(name), s.part)
		})
	})
}

// prescribe returns the cure in the words of one of the servers, and which.
// Caches are mended at the edge, the rest as near to the application as can be.
func prescribe(found []kind, c remedy, s *subject) (kind, string) {
	order := slices.Clone(found)
	if c != cureKey && c != cureBehind && c != curePurge && c != cureOptions {
		slices.Reverse(order)
	}
	for _, k := range append(order, kindUnknown) {
		if text := cures[c][k]; text != "" {
			return k, fill(text, s)
		}
	}
	return kindUnknown, ""
}

// fill puts the names of this run into a text.
func fill(text string, s *subject) string {
	headers := strings.Join(s.headers, ", ")
	if headers == "" {
		headers = "Content-Type, Authorization"
	}
	origins := []string{s.a.Text}
	if s.b.Text != "" {
		origins = append(origins, s.b.Text)
	}
	quoted := make([]string, len(origins))
	for i, o := range origins {
		quoted[i] = regexp.QuoteMeta(o)
	}
	group := strings.Join(quoted, "|")
	if len(quoted) > 1 {
		group = "(" + group + ")"
	}
	return strings.NewReplacer(
		"{A}", s.a.Text,
		"{ORIGINS}", strings.Join(origins, " "),
		"{ORIGIN-LIST}", `"`+strings.Join(origins, `", "`)+`"`,
		"{REGEXP}", "^"+group+"$",
		"{EXACT-LIST}", `{ exact: "`+strings.Join(origins, `" }, { exact: "`)+`" }`,
		"{NGINX-MAP}", "map $http_origin $cors_origin { "+strings.Join(origins, " $http_origin; ")+" $http_origin; }",
		"{METHOD}", s.method,
		"{HEADERS}", headers,
		"{HEADER-LIST}", `"`+strings.ReplaceAll(headers, ", ", `", "`)+`"`,
	).Replace(text)
}
