package forward

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Everything that proxies, load balancers, login services and browsers add of
// who asks, beside what a server needs.
var whoAsks = []string{
	"Cookie: session=secret", "Authorization: Bearer secret", "Proxy-Authorization: Basic secret", "Cookie2: a",
	"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: internal.example", "X-Forwarded-Proto: https", "X-Forwarded-User: ann",
	"Forwarded: for=192.0.2.1", "Via: 1.1 inner.example", "X-Real-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1",
	"CF-Connecting-IP: 192.0.2.1", "CF-IPCountry: DE", "CF-Ray: 1", "Cf-Access-Jwt-Assertion: secret",
	"X-Amzn-Oidc-Data: secret", "X-Auth-Request-Email: ann@example.com", "X-Ms-Client-Principal: secret", "Remote-User: ann",
	"Client-Cert: :secret:", "X-Client-Cert: secret", "Traceparent: 00-1-1-01", "Baggage: user=ann",
	"Referer: https://app.example.com/private", "Sec-Fetch-Site: cross-site", "Sec-CH-UA: x", "X-Api-Key: secret",
	"X_forwarded_for: 192.0.2.1", "X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE",
}

func TestThirdPartyRequest(t *testing.T) {
	plain := []string{
		"Accept: a", "Accept-Encoding: gzip", "Accept-Language: de", "Content-Type: application/json", "Content-Language: de",
		"If-None-Match: \"1\"", "Range: bytes=0-1", "Cache-Control: no-cache", "User-Agent: b", "Origin: https://app.example.com",
		"Idempotency-Key: c", "Last-Event-ID: d", "CDN-Loop: other", "TE: trailers", "Expect: 100-continue",
	}
	for _, c := range []struct {
		name     string
		keep     []string
		in, want []string
	}{
		{"what is needed", nil, plain, plain},
		{"who asks", nil, append(whoAsks, plain...), plain},
		{"kept", []string{"Authorization", "X-Api-Key"}, whoAsks, []string{"Authorization: Bearer secret", "X-Api-Key: secret"}},
		{"another spelling of what is kept", []string{"X-Api-Key"}, []string{"X_api_key: a"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := header(c.in...)
			ThirdPartyRequest(h, c.keep)
			if diff := cmp.Diff(header(c.want...), h); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestThirdPartyNeeds(t *testing.T) {
	for _, line := range whoAsks {
		name, _, _ := strings.Cut(line, ":")
		if ThirdPartyNeeds(name) {
			t.Errorf("%s is said to be needed", name)
		}
	}
}

func TestThirdPartyResponse(t *testing.T) {
	const (
		harmless = "Content-Type: a|Etag: b|Access-Control-Allow-Origin: *|X-Rate-Limit: 1|Cache-Control: c|Link: d|Surrogate-Key: e|CDN-Cache-Control: f|X-Request-Id: g|" +
			"Cross-Origin-Resource-Policy: same-origin|No-Vary-Search: params|Sec-Other: h|Www-Authenticate: Bearer realm=a|Www-Authenticate: DPoP algs=ES256"
		acting = "Strict-Transport-Security: max-age=1|Alt-Svc: h3=\":443\"|Expect-CT: a|Public-Key-Pins: a|Public-Key-Pins-Report-Only: a|" +
			"Clear-Site-Data: \"*\"|Service-Worker-Allowed: /|Origin-Agent-Cluster: ?1|Use-As-Dictionary: a|Secure-Session-Registration: a|" +
			"Sec-Session-Registration: a|Set-Login: a|Accept-CH: a|Critical-CH: a|NEL: {}|Report-To: {}|Reporting-Endpoints: a|" +
			"Content-Security-Policy-Report-Only: a|Speculation-Rules: a|P3P: a|" +
			"X-Accel-Redirect: /a|X-Accel-Expires: 1|X-Accel-Buffering: no|X-Sendfile: /a|X-Sendfile2: /a 0-|X-LIGHTTPD-Send-File: /a|X-Lighttpd-Send-Tempfile: /a|" +
			"X-Reproxy-URL: a|X-LiteSpeed-Location: /a|X-AppEngine-BlobKey: a|Gitlab-Workhorse-Send-Data: a|X-Archive-Files: zip|X-Envoy-Immediate-Health-Check-Fail: a|" +
			"Shared-Storage-Write: clear|Observe-Browsing-Topics: ?1|Attribution-Reporting-Register-Source: {}|Attribution-Reporting-Register-Trigger: {}|" +
			"Activate-Storage-Access: load|Secure-Session-Challenge: a|Sec-Session-Challenge: a|Sec-Session-Id: a|Ad-Auction-Signals: a|X-Allow-FLEDGE: true|" +
			"Supports-Loading-Mode: a|Idp-SignIn-Status: a|Onion-Location: a|Refresh: 0; url=/account/delete|X-Permitted-Cross-Domain-Policies: all|" +
			"Veneer-Key: a|Veneer-Cache-Control: max-age=1|Timing-Allow-Origin: *|Surrogate-Control: content=\"ESI/1.0\"|Surrogate-Capability: a|" +
			"WWW-Authenticate: Basic realm=a|WWW-Authenticate: BASIC|WWW-Authenticate: Bearer a, Digest nonce=b|WWW-Authenticate: Negotiate|WWW-Authenticate: NTLM a"
		cookies  = "Set-Cookie: a=Domain=b; Path=/; domain =example.com; Secure;DOMAIN|Set-Cookie: c=d|Set-Cookie2: e"
		hostOnly = "Set-Cookie: a=Domain=b; Path=/; Secure|Set-Cookie: c=d|Set-Cookie2: e"
	)
	lines := func(s ...string) []string { return strings.Split(strings.Join(s, "|"), "|") }
	for _, c := range []struct {
		name    string
		cookies bool
		want    []string
	}{
		{"without cookies", false, lines(harmless)},
		{"with cookies", true, lines(harmless, hostOnly)},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := header(lines(harmless, acting, cookies)...)
			ThirdPartyResponse(h, c.cookies)
			if diff := cmp.Diff(header(c.want...), h); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
