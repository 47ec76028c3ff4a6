package browser

import "testing"

const readConfig = `
cors:
  list:   { origins: ["{A}", "{B}"] }
  cred:   { origins: ["{A}", "{B}"], credentials: true, expose: [X-Request-Id] }
  any:    { origins: ["*"] }
  names:  { origins: ["{A}", "{B}"], expose: [X-Request-Id, ETag] }
  auto:   { origins: ["{A}", "{B}"], expose: [auto] }
  all:    { origins: ["{A}", "{B}"], expose: ["*"] }
  merge:  { origins: ["{A}", "{B}"], expose: [X-Request-Id], upstream_expose: merge }
  media:  { origins: ["{A}", "{B}"], media: true }
  timing: { origins: ["{A}", "{B}"], timing_allow_origin: true }
  narrow: { origins: ["{A}", "{B}"], resource_policy: same-origin }
  wide:   { origins: ["{A}", "{B}"], resource_policy: cross-origin }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /cred/ }, upstream: app, cors: cred }
  - { match: { path: /any/ }, upstream: app, cors: any }
  - { match: { path: /names/ }, upstream: app, cors: names }
  - { match: { path: /auto/ }, upstream: app, cors: auto }
  - { match: { path: /all/ }, upstream: app, cors: all }
  - { match: { path: /merge/ }, upstream: app, cors: merge }
  - { match: { path: /media/ }, upstream: app, cors: media, cache: { key: { origin: shared } } }
  - { match: { path: /timing/ }, upstream: app, cors: timing }
  - { match: { path: /narrow/ }, upstream: app, cors: narrow }
  - { match: { path: /wide/ }, upstream: app, cors: wide }
  - { match: { path: /plain/ }, upstream: app, cors: off }
`

func TestBrowserCredentials(t *testing.T) {
	const include = `{credentials: "include"}`
	set(t, readConfig).play(t, []trial{
		{
			name: "cookies of the proxy's origin, with a policy that allows them",
			steps: []step{
				{at: "A", get: "/cred/in?set=Set-Cookie:sid=1%3BPath=/&set=X-Request-Id:r1", init: include, want: `cors 200 "1 A" {x-request-id} [uri-miss set-cookie]`},
				{at: "A", get: "/cred/me", init: include, want: `cors 200 "1 A cookie=sid=1" [uri-miss cookie]`},
				{at: "A", get: "/cred/me", want: `cors 200 "2 A" [uri-miss hit-for-miss]`},
				{at: "B", get: "/cred/me", init: include, want: `cors 200 "3 B cookie=sid=1" [uri-miss cookie]`},
				{at: "C", get: "/cred/me", init: include, want: `blocked MissingAllowOriginHeader`},
				{at: "A", get: "/cred/me?set=Set-Cookie:sid=2%3BPath=/", want: `cors 200 "5 A" [uri-miss set-cookie]`},
				{at: "A", get: "/cred/me", init: include, want: `cors 200 "6 A cookie=sid=1" [uri-miss hit-for-miss]`},
			},
		},
		{
			name: "a policy without credentials, and *, refuse them",
			steps: []step{
				{at: "A", get: "/any/me", init: include, want: `blocked WildcardOriginNotAllowed`},
				{at: "A", get: "/list/me", init: include, want: `blocked InvalidAllowCredentials`},
				{at: "A", get: "/list/me", init: `{credentials: "omit"}`, want: `cors 200 "2 A" [uri-miss hit-for-miss]`},
			},
		},
		{
			name: "what was stored for one page serves its next request with credentials",
			steps: []step{
				{at: "curl", get: "/cred/store?cc=max-age=60", want: `200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/cred/store?cc=max-age=60", init: include, want: `cors 200 "2 A" [uri-miss stored]`},
				{at: "B", get: "/cred/store?cc=max-age=60", init: include, want: `cors 200 "3 B" [uri-miss stored]`},
				{at: "A", get: "/cred/store?cc=max-age=60", init: include, want: `cors 200 "2 A" [hit]`},
			},
		},
	})
}

func TestBrowserExpose(t *testing.T) {
	const fields = "?etag=v1&cc=max-age=60&set=X-Request-Id:r1&set=X-Other:o1"
	set(t, readConfig).play(t, []trial{
		{
			name: "E3: none, a list, auto, all",
			steps: []step{
				{at: "A", get: "/list/1" + fields, want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "A", get: "/names/1" + fields, want: `cors 200 "1 A" {etag x-request-id} [uri-miss stored]`},
				{at: "A", get: "/auto/1" + fields, want: `cors 200 "1 A" {cache-status date etag via x-other x-request-id} [uri-miss stored]`},
				{at: "A", get: "/all/1" + fields, want: `cors 200 "1 A" {access-control-allow-origin access-control-expose-headers cache-status date etag vary via x-other x-request-id} [uri-miss stored]`},
			},
		},
		{
			name: "alike out of the cache, and after a 304",
			steps: []step{
				{at: "curl", get: "/names/2" + fields, want: `200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/names/2" + fields, want: `cors 200 "2 A" {etag x-request-id} [uri-miss stored]`},
				{at: "B", get: "/names/2" + fields, want: `cors 200 "2 A" {etag x-request-id} [304 uri-miss stored]`},
				{at: "A", get: "/names/2" + fields, want: `cors 200 "2 A" {etag x-request-id} [304 hit]`},
			},
		},
		{
			name: "what the upstream exposes: dropped, merged",
			steps: []step{
				{at: "A", get: "/names/3" + fields + "&set=Access-Control-Expose-Headers:X-Other", want: `cors 200 "1 A" {etag x-request-id} [uri-miss stored]`},
				{at: "A", get: "/merge/3" + fields + "&set=Access-Control-Expose-Headers:X-Other", want: `cors 200 "1 A" {x-other x-request-id} [uri-miss stored]`},
				{at: "B", get: "/merge/3" + fields + "&set=Access-Control-Expose-Headers:X-Other", want: `cors 200 "1 A" {x-other x-request-id} [304 uri-miss stored]`},
			},
		},
	})
}

func TestBrowserTiming(t *testing.T) {
	const timed = `fetch("{P}/PATH").then(r => r.text()).then(text => {
	const [entry] = performance.getEntriesByName("{P}/PATH");
	return text + (entry.requestStart > 0 ? " timed" : " hidden");
})`
	set(t, readConfig).play(t, []trial{
		{
			name: "E4: Timing-Allow-Origin",
			steps: []step{
				{at: "A", js: at("timing/1", timed), want: "1 A timed"},
				{at: "A", js: at("list/1", timed), want: "1 A hidden"},
				{at: "P", js: at("list/2", timed), want: "1 - timed"},
			},
		},
		{
			name: "E4: Cross-Origin-Resource-Policy",
			steps: []step{
				{at: "A", get: "/narrow/2", init: `{mode: "no-cors"}`, want: `blocked corp-not-same-origin`},
				{at: "A", get: "/narrow/2", want: `cors 200 "2 A" [uri-miss no-freshness]`},
				{at: "P", get: "/narrow/2", want: `basic 200 "3 -" [uri-miss hit-for-miss]`},
				{at: "A", get: "/wide/2", init: `{mode: "no-cors"}`, want: `opaque [uri-miss no-freshness]`},
				{at: "C", get: "/wide/2", init: `{mode: "no-cors"}`, want: `opaque [uri-miss hit-for-miss]`},
			},
		},
	})
}
