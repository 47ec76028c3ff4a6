package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		fields []Field
		want   []kind
	}{
		{nil, []kind{kindUnknown}},
		{[]Field{{"Server", "gws"}}, []kind{kindUnknown}},
		{[]Field{{"Server", "nginx/1.22.1"}}, []kind{kindNginx}},
		{[]Field{{"Server", "openresty"}}, []kind{kindNginx}},
		{[]Field{{"Server", "Apache/2.4.62 (Debian)"}}, []kind{kindApache}},
		{[]Field{{"Server", "Caddy"}}, []kind{kindCaddy}},
		{[]Field{{"Via", "1.1 Caddy"}}, []kind{kindCaddy}},
		{[]Field{{"Server", "envoy"}, {"X-Envoy-Upstream-Service-Time", "3"}}, []kind{kindEnvoy}},
		{[]Field{{"Via", "1.1 kong/3.9.0"}, {"Server", "nginx"}}, []kind{kindKong, kindNginx}},
		{[]Field{{"X-Kong-Response-Latency", "1"}}, []kind{kindKong}},
		{[]Field{{"Server", "cloudflare"}, {"Cf-Ray", "8c-FRA"}, {"X-Powered-By", "Express"}}, []kind{kindCloudflare, kindExpress}},
		{[]Field{{"Via", "1.1 abc.cloudfront.net (CloudFront)"}, {"Apigw-Requestid", "x"}}, []kind{kindCloudFront, kindGateway}},
		{[]Field{{"X-Served-By", "cache-fra-1"}, {"Via", "1.1 varnish"}}, []kind{kindFastly}},
		{[]Field{{"X-Varnish", "3 2"}, {"Via", "1.1 host (Varnish/7.1)"}}, []kind{kindVarnish}},
		{[]Field{{"Cache-Status", "veneer; fwd=uri-miss"}, {"Server", "nginx"}}, []kind{kindVeneer, kindNginx}},
		{[]Field{{"Via", "1.0 cdn, 1.1 veneer"}}, []kind{kindVeneer}},
	} {
		got := detect([]*Exchange{{}, {Status: 200, Received: c.fields}})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.fields, diff)
		}
	}
}

// TestPrescribe: caches are mended at the edge, CORS at the application.
func TestPrescribe(t *testing.T) {
	s, err := Options{URL: "https://api.example.com/", Origins: []string{originA, originB}, Method: "PUT", Headers: []string{"X-Id"}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		found []kind
		cure  remedy
		want  kind
		fix   string
	}{
		{[]kind{kindNginx}, cureErrors, kindNginx, "add_header Access-Control-Allow-Origin $cors_origin always; (it is always that covers errors)"},
		{[]kind{kindNginx}, cureAllow, kindNginx, "in http: " + nginxMap + " in the location: add_header Access-Control-Allow-Origin $cors_origin always;"},
		{[]kind{kindNginx}, cureStrict, kindNginx, "in http: " + nginxMap + ` with whole origins; a regular expression needs ^, $ and \. for each dot`},
		{[]kind{kindEnvoy}, cureAllow, kindEnvoy, `in the route's CorsPolicy (envoy.filters.http.cors): allow_origin_string_match: [{ exact: "https://app.example.com" }, { exact: "https://partner.example.com" }]`},
		{[]kind{kindCaddy}, cureAllow, kindCaddy, `@cors header_regexp Origin ^(https://app\.example\.com|https://partner\.example\.com)$ and: header @cors Access-Control-Allow-Origin {header.Origin}`},
		{[]kind{kindUnknown}, cureMaxAge, kindUnknown, "Access-Control-Max-Age: 7200"},
		{[]kind{kindCloudflare, kindExpress}, cureAllow, kindExpress, `app.use(cors({ origin: ["https://app.example.com", "https://partner.example.com"] })) before the routes`},
		{[]kind{kindCloudFront, kindExpress}, cureKey, kindCloudFront, `cache policy: HeaderBehavior whitelist, Items: ["Origin"]`},
		{[]kind{kindCaddy}, cureKey, kindUnknown, "put Origin into the cache key, or send Vary: Origin on every answer and use a cache that honours it; then purge"},
		{[]kind{kindNginx}, cureHeaders, kindNginx, `add_header Access-Control-Allow-Headers "X-Id" always;`},
		{[]kind{kindApache}, cureStrict, kindApache, `SetEnvIf Origin "^(https://app\.example\.com|https://partner\.example\.com)$" CORS=$0`},
	} {
		got, fix := prescribe(c.found, c.cure, s)
		if got != c.want || fix != c.fix {
			t.Errorf("%v: got %s %q, want %s %q", c.found, got, fix, c.want, c.fix)
		}
	}
}

// TestCuresAreComplete: every remedy that a check asks for has a line for
// servers that nobody knows, and every line is one.
func TestCuresAreComplete(t *testing.T) {
	var known []kind
	for _, s := range signs {
		known = append(known, s.kind)
	}
	ids := make(map[string]bool)
	for _, c := range checks {
		if cures[c.cure][kindUnknown] == "" {
			t.Errorf("%s: no cure for an unknown server", c.id)
		}
		if ids[c.id] || c.asks == "" || c.why == "" {
			t.Errorf("%s: twice, or not complete", c.id)
		}
		ids[c.id] = true
	}
	s, err := Options{URL: "https://api.example.com/", Origins: []string{originA}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	for c, lines := range cures {
		for k, line := range lines {
			if k != kindUnknown && !slices.Contains(known, k) {
				t.Errorf("remedy %d: %s is never detected", c, k)
			}
			filled := fill(line, s)
			for _, left := range []string{"{A", "{ORIGIN", "{METHOD", "{HEADER", "{REG", "{EXACT", "{NGINX", "\n"} {
				if strings.Contains(filled, left) {
					t.Errorf("remedy %d, %s: not one line, or not filled in: %s", c, k, filled)
				}
			}
		}
	}
}
