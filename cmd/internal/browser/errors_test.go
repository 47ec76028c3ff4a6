package browser

import "testing"

const errorsConfig = `
cors:
  list: { origins: ["{A}", "{B}"], headers: [X-Custom], expose: [Retry-After] }
upstreams:
  app:    { servers: ["{app}"] }
  gone:   { servers: ["{gone}"] }
  silent: { servers: ["{silent}"], response_timeout: 100ms }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /few/ }, upstream: app, cors: list, rate_limit: { requests: 1, per: 1h } }
  - { match: { path: /gone/ }, upstream: gone, cors: list }
  - { match: { path: /silent/ }, upstream: silent, cors: list }
`

func TestBrowserErrors(t *testing.T) {
	const large = `{method: "POST", body: "x".repeat(5000), headers: {"Content-Type": "text/plain"}}`
	const long = `{headers: {"X-Custom": "x".repeat(40000)}}`
	set(t, errorsConfig).play(t, []trial{
		{
			name: "E9: the application's errors",
			steps: []step{
				{at: "A", get: "/list/500?status=500", want: `cors 500 "1 A" [uri-miss no-freshness]`},
				{at: "A", get: "/list/404?status=404&cc=max-age=60", want: `cors 404 "1 A" [uri-miss stored]`},
				{at: "B", get: "/list/404?status=404&cc=max-age=60", want: `cors 404 "2 B" [uri-miss stored]`},
				{at: "A", get: "/list/404?status=404&cc=max-age=60", want: `cors 404 "1 A" [hit]`},
				{at: "A", get: "/list/429?status=429&set=Retry-After:7", want: `cors 429 "1 A" {retry-after} [uri-miss not-final]`},
				{at: "A", get: "/list/401?status=401", want: `cors 401 "1 A" [uri-miss no-freshness]`},
				{at: "A", get: "/list/500", init: `{method: "POST", body: "x"}`, want: `cors 200 "2 A" [method method]`},
				{at: "C", get: "/list/500?status=500", want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "E9: the proxy's own",
			steps: []step{
				{at: "A", get: "/gone/1", want: `cors 502 problem upstream-unreachable [uri-miss upstream-unreachable]`},
				{at: "A", get: "/gone/1", init: `{method: "POST", body: "x"}`, want: `cors 502 problem upstream-unreachable [method upstream-unreachable]`},
				{at: "B", get: "/silent/1", want: `cors 504 problem upstream-timeout [uri-miss upstream-timeout]`},
				{at: "A", get: "/list/413", init: large, want: `cors 413 problem body-too-large [body-too-large]`},
				{at: "A", get: "/list/431", init: long, want: `preflight 204 > cors 431 problem bad-request [bad-request]`},
				{at: "C", get: "/gone/1", want: `blocked MissingAllowOriginHeader`},
				{at: "C", get: "/list/413", init: large, want: `blocked MissingAllowOriginHeader`},
			},
			calls: []string{},
		},
		{
			name: "E9: too many requests, of which preflights are none",
			steps: []step{
				{at: "A", get: "/few/1", init: `{headers: {"X-Custom": "1"}}`, want: `preflight 204 > cors 200 "1 A x-custom=1" [uri-miss no-freshness]`},
				{at: "A", get: "/few/2", init: `{headers: {"X-Custom": "1"}}`, want: `preflight 204 > cors 429 problem rate-limited {retry-after} [rate-limited]`},
				{at: "C", get: "/few/3", want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "a path without a route has no policy, so nobody can read its 404",
			steps: []step{
				{at: "A", get: "/nowhere", want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "E: stale, in place of the application's error",
			steps: []step{
				{at: "A", get: "/list/stale?then=500&cc=max-age=0,stale-if-error=600", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "A", get: "/list/stale?then=500&cc=max-age=0,stale-if-error=600", want: `cors 200 "1 A" [stale stale-served]`},
				{at: "B", get: "/list/stale?then=500&cc=max-age=0,stale-if-error=600", want: `cors 500 "3 B" [uri-miss stored]`},
			},
		},
		{
			name: "control: an application that forgets CORS on its errors",
			steps: []step{
				{at: "A", get: "{X}/1?cors=right", want: `cors 200 "1 A"`},
				{at: "A", get: "{X}/1?status=500", want: `blocked MissingAllowOriginHeader`},
			},
		},
	})
}

const redirectConfig = `
cors:
  list:   { origins: ["{A}", "{B}"], methods: [GET, PUT], headers: [X-Custom] }
  opaque: { origins: ["{A}", "{B}"], allow_null: true }
  any:    { origins: ["*"], methods: ["*"], headers: ["*"] }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /opaque/ }, upstream: app, cors: opaque }
  - { match: { path: /any/ }, upstream: app, cors: any }
  - { match: { path: /pass/ }, upstream: app, cors: pass }
`

func TestBrowserRedirects(t *testing.T) {
	set(t, redirectConfig).play(t, []trial{
		{
			name: "within the origin of the proxy",
			steps: []step{
				{at: "A", get: "/list/1?status=302&to=/list/there", want: `302 > cors 200 "1 A" [uri-miss no-freshness]`},
				{at: "A", get: "/list/1?status=302&to=/any/there", want: `302 > cors 200 "1 -" [uri-miss no-freshness]`},
				{at: "C", get: "/list/1?status=302&to=/any/there", want: `blocked MissingAllowOriginHeader`},
				{at: "A", get: "/list/1?status=302&to=/list/there", init: `{redirect: "manual"}`, want: `302 > opaqueredirect`},
			},
		},
		{
			name: "one that is stored serves each origin",
			steps: []step{
				{at: "A", get: "/list/2?status=301&to=/list/there&cc=max-age=60", want: `301 > cors 200 "2 A" [uri-miss hit-for-miss]`},
				{at: "B", get: "/list/2?status=301&to=/list/there&cc=max-age=60", want: `301 > cors 200 "3 B" [uri-miss no-freshness]`},
				{at: "A", get: "/list/2?status=301&to=/list/there&cc=max-age=60", want: `301 > cors 200 "4 A" [uri-miss hit-for-miss]`},
			},
			calls: []string{"GET /list/2 A", "GET /list/there A", "GET /list/2 B", "GET /list/there B", "GET /list/there A"},
		},
		{
			name: "to another origin: the page's becomes null (Fetch, HTTP-redirect fetch)",
			steps: []step{
				{at: "A", get: "/list/3?status=302&to={L}/list/3", want: `302 > blocked MissingAllowOriginHeader`},
				{at: "A", get: "/list/3?status=302&to={L}/opaque/3", want: `302 > cors 200 "1 null" [uri-miss no-freshness]`},
				{at: "A", get: "/list/3?status=302&to={L}/any/3", want: `302 > cors 200 "1 -" [uri-miss no-freshness]`},
			},
		},
		{
			name: "E10: a preflight is answered, whatever the application does with the request",
			steps: []step{
				{at: "A", get: "/list/4?status=307&to=/list/put", init: `{method: "PUT"}`, want: `preflight 204 > preflight 204 > 307 > cors 200 "1 A" [method method]`},
				{at: "A", get: "/list/4?status=307&to=/any/put", init: `{headers: {"X-Custom": "1"}}`, want: `preflight 204 > preflight 204 > 307 > cors 200 "1 - x-custom=1" [uri-miss no-freshness]`},
			},
			calls: []string{"PUT /list/4 A", "PUT /list/put A", "GET /list/4 A x-custom=1", "GET /any/put - x-custom=1"},
		},
		{
			name: "control: an application that redirects preflights, too",
			steps: []step{
				{at: "A", get: "/pass/5?cors=right&status=307&to=/pass/put", init: `{method: "PUT"}`, want: `preflight net::ERR_INVALID_REDIRECT > blocked PreflightDisallowedRedirect`},
			},
			calls: []string{"OPTIONS /pass/5 A"},
		},
	})
}
