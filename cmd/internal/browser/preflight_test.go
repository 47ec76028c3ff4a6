package browser

import "testing"

const preflightConfig = `
cors:
  list:    { origins: ["{A}", "{B}"], methods: [GET, PUT], headers: [X-Custom, Content-Type, Authorization], max_age: 10m }
  brief:   { origins: ["{A}", "{B}"], methods: [GET, PUT], headers: [X-Custom], preflight: minimal, max_age: -1 }
  debug:   { origins: ["{A}", "{B}"], methods: [GET, PUT], headers: [X-Custom], debug: true }
  any:     { origins: ["*"], methods: ["*"], headers: ["*"] }
  cred:    { origins: ["{A}", "{B}"], methods: ["*"], headers: ["*"], credentials: true }
  enforce: { origins: ["{A}", "{B}"], enforce: true, public_origins: ["https://www.example.com"] }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /brief/ }, upstream: app, cors: brief }
  - { match: { path: /debug/ }, upstream: app, cors: debug }
  - { match: { path: /any/ }, upstream: app, cors: any }
  - { match: { path: /cred/ }, upstream: app, cors: cred }
  - { match: { path: /enforce/ }, upstream: app, cors: enforce }
  - { match: { path: /pass/ }, upstream: app, cors: pass }
  - { match: { path: /plain/ }, upstream: app, cors: off }
`

func TestBrowserPreflight(t *testing.T) {
	s := set(t, preflightConfig)
	s.play(t, []trial{
		{
			name: "P1: answered here, and kept by the browser for each origin and URL",
			steps: []step{
				{at: "A", get: "/list/1", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "1 A" [method method]`},
				{at: "A", get: "/list/1", init: `{method: "PUT"}`, want: `cors 200 "2 A" [method method]`},
				{at: "B", get: "/list/1", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "3 B" [method method]`},
				{at: "B", get: "/list/1", init: `{method: "PUT"}`, want: `cors 200 "4 B" [method method]`},
				{at: "B", get: "/list/1b", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "1 B" [method method]`},
			},
			calls: []string{"PUT /list/1 A", "PUT /list/1 A", "PUT /list/1 B", "PUT /list/1 B", "PUT /list/1b B"},
		},
		{
			name: "max_age -1: the browser keeps none",
			steps: []step{
				{at: "A", get: "/brief/2", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "1 A" [method method]`},
				{at: "A", get: "/brief/2", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "2 A" [method method]`},
			},
		},
		{
			name: "P3: full covers what comes later, minimal what was asked",
			steps: []step{
				{at: "A", get: "/list/3", init: `{method: "PUT"}`, want: `preflight 204 > cors 200 "1 A" [method method]`},
				{at: "A", get: "/list/3", init: `{method: "PUT", headers: {"X-Custom": "1"}}`, want: `cors 200 "2 A x-custom=1" [method method]`},
				{at: "A", get: "/brief/3", init: `{headers: {"X-Custom": "1"}}`, want: `preflight 204 > cors 200 "1 A x-custom=1" [uri-miss no-freshness]`},
			},
		},
		{
			name: "P2: refused for origin, method, header",
			steps: []step{
				{at: "C", get: "/list/4", init: `{method: "PUT"}`, want: `preflight 403 > blocked PreflightMissingAllowOriginHeader`},
				{at: "N", get: "/list/4", init: `{method: "PUT"}`, want: `preflight 403 > blocked PreflightMissingAllowOriginHeader`},
				{at: "A", get: "/list/4", init: `{method: "DELETE"}`, want: `preflight 403 > blocked PreflightMissingAllowOriginHeader`},
				{at: "A", get: "/list/4", init: `{method: "PATCH"}`, want: `preflight 403 > blocked PreflightMissingAllowOriginHeader`},
				{at: "A", get: "/list/4", init: `{headers: {"X-Other": "1"}}`, want: `preflight 403 > blocked PreflightMissingAllowOriginHeader`},
				{at: "A", get: "/list/4", init: `{headers: {"X-Custom": "1"}}`, want: `preflight 204 > cors 200 "1 A x-custom=1" [uri-miss no-freshness]`},
			},
			calls: []string{"GET /list/4 A x-custom=1"},
		},
		{
			name: "P2, debug: the console says which step failed",
			steps: []step{
				{at: "C", get: "/debug/5", init: `{method: "PUT"}`, want: `preflight 204 > blocked PreflightMissingAllowOriginHeader`},
				{at: "A", get: "/debug/5", init: `{method: "DELETE"}`, want: `preflight 204 > blocked MethodDisallowedByPreflightResponse`},
				{at: "A", get: "/debug/5", init: `{headers: {"X-Other": "1"}}`, want: `preflight 204 > blocked HeaderDisallowedByPreflightResponse`},
			},
			calls: []string{},
		},
		{
			name: "P4: * for headers lists Authorization beside it",
			steps: []step{
				{at: "C", get: "/any/6", init: `{method: "PURGE", headers: {Authorization: "Bearer t", "X-Custom": "1"}}`,
					want: `preflight 204 > cors 200 "1 C authorization=Bearer t x-custom=1" [method method]`},
				{at: "N", get: "/any/6", init: `{headers: {Authorization: "Bearer t"}}`, want: `preflight 204 > cors 200 "2 - authorization=Bearer t" [uri-miss authorization]`},
			},
		},
		{
			name: "P4: with credentials nothing is a *, and everything that was asked is listed",
			steps: []step{
				{at: "A", get: "/cred/7", init: `{method: "PATCH", credentials: "include", headers: {Authorization: "Bearer t", "X-Custom": "1"}}`,
					want: `preflight 204 > cors 200 "1 A authorization=Bearer t x-custom=1" [method method]`},
			},
		},
		{
			name: "P5: several names, as the browser writes them",
			steps: []step{
				{at: "A", get: "/list/8", init: `{method: "PUT", body: "{}", headers: {"Content-Type": "application/json", "X-Custom": "1", Authorization: "Bearer t"}}`,
					want: `preflight 204 > cors 200 "1 A authorization=Bearer t x-custom=1" [method method]`},
			},
		},
		{
			name: "C4: an OPTIONS of the page is the application's",
			steps: []step{
				{at: "P", get: "/list/9", init: `{method: "OPTIONS"}`, want: `basic 200 "0 P" [method method]`},
			},
			calls: []string{"OPTIONS /list/9 P"},
		},
		{
			name: "A1, pass: the application answers preflights",
			steps: []step{
				{at: "A", get: "/pass/10?cors=right&set=Access-Control-Allow-Methods:PUT&set=Access-Control-Max-Age:60", init: `{method: "PUT"}`,
					want: `preflight 200 > cors 200 "1 A" [method method]`},
				{at: "A", get: "/pass/10?cors=right&set=Access-Control-Allow-Methods:PUT&set=Access-Control-Max-Age:60", init: `{method: "PUT"}`,
					want: `cors 200 "2 A" [method method]`},
				{at: "A", get: "/pass/10?cors=right", init: `{method: "PUT"}`, want: `preflight 200 > blocked MethodDisallowedByPreflightResponse`},
			},
			calls: []string{"OPTIONS /pass/10 A", "PUT /pass/10 A", "PUT /pass/10 A", "OPTIONS /pass/10 A"},
		},
	})
	for decision, want := range map[string]string{
		"preflight_ok": "6", "preflight_refused_origin": "2", "preflight_refused_method": "2", "preflight_refused_header": "1",
	} {
		if got := s.decisions("*/list/", decision); got != want {
			t.Errorf("veneer_cors_decisions_total of /list/ with decision %s is %s, want %s: DevTools and Veneer count differently", decision, got, want)
		}
	}
}

// TestBrowserEnforce wants the proxy's own origin in its configuration, which
// is known when it runs.
func TestBrowserEnforce(t *testing.T) {
	s := set(t, preflightConfig)
	s.play(t, []trial{
		{
			name: "C5: enforce takes the route's own pages for strangers, unless they are public_origins",
			steps: []step{
				{at: "A", get: "/enforce/1", init: `{method: "POST", body: "x"}`, want: `cors 200 "1 A" [method method]`},
				{at: "C", get: "/enforce/1", init: `{method: "POST", body: "x"}`, want: `blocked MissingAllowOriginHeader`},
				{at: "P", get: "/enforce/1", init: `{method: "POST", body: "x"}`, want: `basic 403 problem origin-refused [origin-refused]`},
				{at: "P", get: "/enforce/1", want: `basic 200 "2 -" [uri-miss no-freshness]`},
				{do: func(s *scene) {
					s.change(preflightConfig, "https://www.example.com", "{P}")
				}},
				{at: "C", get: "/enforce/1", init: `{method: "POST", body: "x"}`, want: `blocked MissingAllowOriginHeader`},
				{at: "P", get: "/enforce/1", init: `{method: "POST", body: "x"}`, want: `basic 200 "3 P" [method method]`},
			},
			calls: []string{"POST /enforce/1 A", "GET /enforce/1 -", "POST /enforce/1 P"},
		},
	})
}
