package browser

import "testing"

// ownConfig has a route for each policy that a page can tell from another, and
// /plain/ without one.
const ownConfig = `
cors:
  list:   { origins: ["{A}", "{B}"], methods: [GET, PUT], headers: [X-Custom], max_age: 10m }
  one:    { origins: ["{A}"] }
  opaque: { origins: ["{A}", "{B}"], allow_null: true }
  ports:  { origins: ["http://127.0.0.1:*"], allow_null: true }
  any:    { origins: ["*"], methods: ["*"], headers: ["*"] }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /shared/ }, upstream: app, cors: list, cache: { key: { origin: shared } } }
  - { match: { path: /one/ }, upstream: app, cors: one }
  - { match: { path: /opaque/ }, upstream: app, cors: opaque }
  - { match: { path: /ports/ }, upstream: app, cors: ports, cache: { origins: 1 } }
  - { match: { path: /any/ }, upstream: app, cors: any }
  - { match: { path: /plain/ }, upstream: app, cors: off }
`

func TestBrowserOrigins(t *testing.T) {
	set(t, ownConfig).play(t, []trial{
		{
			name: "allowed, and refused (K2: the application does not see who)",
			steps: []step{
				{at: "A", get: "/list/1", want: `cors 200 "1 A" [uri-miss no-freshness]`},
				{at: "C", get: "/list/1", want: `blocked MissingAllowOriginHeader`},
			},
			calls: []string{"GET /list/1 A", "GET /list/1 -"},
		},
		{
			name: "one origin is static: named to everybody",
			steps: []step{
				{at: "A", get: "/one/1?cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "C", get: "/one/1?cc=max-age=60", want: `blocked AllowOriginMismatch`},
				{at: "A", get: "/one/1?cc=max-age=60", want: `cors 200 "1 A" [browser]`},
			},
			calls: []string{"GET /one/1 A"},
		},
		{
			name: "no Origin: the page of the proxy itself, then another's",
			steps: []step{
				{at: "P", get: "/list/2?cc=max-age=60", want: `basic 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/list/2?cc=max-age=60", want: `cors 200 "2 A" [uri-miss stored]`},
				{at: "P", get: "/list/2?cc=max-age=60", want: `basic 200 "1 -" [hit]`},
			},
			calls: []string{"GET /list/2 -", "GET /list/2 A"},
		},
		{
			name: "no Origin: a navigation, then another's page",
			steps: []step{
				{at: "navigate", get: "/list/3?cc=max-age=60", want: `document 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/list/3?cc=max-age=60", want: `cors 200 "2 A" [uri-miss stored]`},
			},
			calls: []string{"GET /list/3 -", "GET /list/3 A"},
		},
		{
			name: "null (C3): of a sandboxed frame",
			steps: []step{
				{at: "N", get: "/list/4", want: `blocked MissingAllowOriginHeader`},
				{at: "N", get: "/opaque/4", want: `cors 200 "1 null" [uri-miss no-freshness]`},
				{at: "N", get: "/any/4", want: `cors 200 "1 -" [uri-miss no-freshness]`},
			},
			calls: []string{"GET /list/4 -", "GET /opaque/4 null", "GET /any/4 -"},
		},
		{
			name: "off: same origin only",
			steps: []step{
				{at: "P", get: "/plain/5?cors=any", want: `basic 200 "1 -" [uri-miss no-freshness]`},
				{at: "A", get: "/plain/5?cors=any", want: `blocked MissingAllowOriginHeader`},
			},
			calls: []string{"GET /plain/5 -", "GET /plain/5 -"},
		},
		{
			name: "C5: a same-origin POST has an Origin, and no list refuses it",
			steps: []step{
				{at: "P", get: "/list/6", init: `{method: "POST", body: "x"}`, want: `basic 200 "1 P" [method method]`},
				{at: "P", get: "/list/6", init: `{method: "PUT", body: "x"}`, want: `basic 200 "2 P" [method method]`},
				{at: "P", get: "/list/6", init: `{method: "DELETE"}`, want: `basic 200 "3 P" [method method]`},
			},
			calls: []string{"POST /list/6 P", "PUT /list/6 P", "DELETE /list/6 P"},
		},
		{
			name: "HEAD (E)",
			steps: []step{
				{at: "A", get: "/list/7?cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "B", get: "/list/7?cc=max-age=60", want: `cors 200 "2 B" [uri-miss stored]`},
				{at: "A", get: "/list/7?cc=max-age=60", init: `{method: "HEAD"}`, want: `cors 200 [hit]`},
				{at: "B", get: "/list/7", init: `{method: "HEAD"}`, want: `cors 200 [uri-miss method]`},
				{at: "C", get: "/list/7?cc=max-age=60", init: `{method: "HEAD"}`, want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "no-cors is opaque to everybody",
			steps: []step{
				{at: "A", get: "/list/8", init: `{mode: "no-cors"}`, want: `opaque [uri-miss no-freshness]`},
				{at: "C", get: "/list/8", init: `{mode: "no-cors"}`, want: `opaque [uri-miss hit-for-miss]`},
				{at: "C", get: "/list/8", init: `{mode: "no-cors", method: "POST", body: "x"}`, want: `opaque [method method]`},
			},
			calls: []string{"GET /list/8 -", "GET /list/8 -", "POST /list/8 C"},
		},
		{
			name: "strip: the application's own fields, doubled or wrong, do not count",
			steps: []step{
				{at: "A", get: "/list/9?cors=twice", want: `cors 200 "1 A" [uri-miss no-freshness]`},
				{at: "A", get: "/list/9?cors=wrong", want: `cors 200 "2 A" [uri-miss no-freshness]`},
				{at: "C", get: "/list/9?cors=any", want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "control: doubled and wrong fields without Veneer",
			steps: []step{
				{at: "A", get: "{X}/list/10?cors=twice", want: `blocked MultipleAllowOriginValues`},
				{at: "A", get: "{X}/list/10?cors=wrong", want: `blocked AllowOriginMismatch`},
			},
		},
	})
}

func TestBrowserSecondOrigin(t *testing.T) {
	set(t, ownConfig).play(t, []trial{
		{
			name: "list, bucket: each origin has its own, in the proxy and in the browser",
			steps: []step{
				{at: "A", get: "/list/1?cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "A", get: "/list/1?cc=max-age=60", want: `cors 200 "1 A" [browser]`},
				{at: "B", get: "/list/1?cc=max-age=60", want: `cors 200 "2 B" [uri-miss stored]`},
				{at: "A", get: "/list/1?cc=max-age=60", want: `cors 200 "1 A" [hit]`},
				{at: "C", get: "/list/1?cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
				{at: "B", get: "/list/1?cc=max-age=60", want: `cors 200 "2 B" [hit]`},
			},
			calls: []string{"GET /list/1 A", "GET /list/1 B", "GET /list/1 -"},
		},
		{
			name: "list, shared: one stored response for all",
			steps: []step{
				{at: "A", get: "/shared/2?cc=max-age=60", want: `cors 200 "1 -" [uri-miss stored]`},
				{at: "B", get: "/shared/2?cc=max-age=60", want: `cors 200 "1 -" [hit]`},
				{at: "C", get: "/shared/2?cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
				{at: "A", get: "/shared/2?cc=max-age=60", want: `cors 200 "1 -" [hit]`},
			},
			calls: []string{"GET /shared/2 -"},
		},
		{
			name: "a stranger came first",
			steps: []step{
				{at: "C", get: "/shared/3?cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
				{at: "A", get: "/shared/3?cc=max-age=60", want: `cors 200 "1 -" [hit]`},
			},
			calls: []string{"GET /shared/3 -"},
		},
		{
			name: "a client without Origin came first",
			steps: []step{
				{at: "curl", get: "/shared/4?cc=max-age=60", want: `200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/shared/4?cc=max-age=60", want: `cors 200 "1 -" [hit]`},
				{at: "curl", get: "/list/4?cc=max-age=60", want: `200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/list/4?cc=max-age=60", want: `cors 200 "2 A" [uri-miss stored]`},
			},
			calls: []string{"GET /shared/4 -", "GET /list/4 -", "GET /list/4 A"},
		},
		{
			name: "pattern (K2): past the cap a response is read and not stored, and nobody is evicted",
			steps: []step{
				{at: "A", get: "/ports/6?cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "B", get: "/ports/6?cc=max-age=60", want: `cors 200 "2 B" [uri-miss too-many-origins]`},
				{at: "C", get: "/ports/6?cc=max-age=60", want: `cors 200 "3 C" [uri-miss too-many-origins]`},
				{at: "A", get: "/ports/6?cc=max-age=60", want: `cors 200 "1 A" [hit]`},
			},
		},
		{
			name: "any: the browser's copy serves every page",
			steps: []step{
				{at: "P", get: "/any/5?cc=max-age=60", want: `basic 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/any/5?cc=max-age=60", want: `cors 200 "1 -" [browser]`},
				{at: "C", get: "/any/5?cc=max-age=60", want: `cors 200 "1 -" [browser]`},
			},
			calls: []string{"GET /any/5 -"},
		},
	})
}

func TestBrowserRevalidation(t *testing.T) {
	set(t, ownConfig).play(t, []trial{
		{
			name: "E7, bucket: a 304 to another origin's ETag names the origin at hand",
			steps: []step{
				{at: "A", get: "/list/1?etag=v1&cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "B", get: "/list/1?etag=v1&cc=max-age=60", want: `cors 200 "1 A" [304 uri-miss stored]`},
				{at: "A", get: "/list/1?etag=v1&cc=max-age=60", want: `cors 200 "1 A" [304 hit]`},
			},
		},
		{
			name: "E7, shared",
			steps: []step{
				{at: "A", get: "/shared/2?etag=v1&cc=max-age=60", want: `cors 200 "1 -" [uri-miss stored]`},
				{at: "B", get: "/shared/2?etag=v1&cc=max-age=60", want: `cors 200 "1 -" [304 hit]`},
				{at: "A", get: "/shared/2?etag=v1&cc=max-age=60", want: `cors 200 "1 -" [304 hit]`},
			},
			calls: []string{"GET /shared/2 -"},
		},
		{
			name: "E8: a refused origin gets no 304 out of another's ETag",
			steps: []step{
				{at: "A", get: "/shared/3?etag=v1&cc=max-age=60", want: `cors 200 "1 -" [uri-miss stored]`},
				{at: "C", get: "/shared/3?etag=v1&cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
				{at: "A", get: "/shared/3?etag=v1&cc=max-age=60", want: `cors 200 "1 -" [hit]`},
			},
			calls: []string{"GET /shared/3 -"},
		},
		{
			name: "no-cache: the same origin revalidates through both caches",
			steps: []step{
				{at: "A", get: "/list/4?etag=v1&cc=no-cache", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "A", get: "/list/4?etag=v1&cc=no-cache", want: `cors 200 "1 A" [304 stale stored no-cache]`},
				{at: "B", get: "/list/4?etag=v1&cc=no-cache", want: `cors 200 "1 A" [304 uri-miss stored]`},
			},
		},
		{
			name: "control: a 304 without the fields, to another origin",
			steps: []step{
				{at: "A", get: "{X}/5?cors=right&bare304&etag=v1&cc=max-age=60", want: `cors 200 "1 A"`},
				{at: "B", get: "{X}/5?cors=right&bare304&etag=v1&cc=max-age=60", want: `blocked AllowOriginMismatch`},
			},
			calls: []string{"GET /5 A", `GET /5 B if-none-match="v1"`},
		},
		{
			name: "control: a 304 without the fields, to the same origin, takes nothing back",
			steps: []step{
				{at: "A", get: "{X}/6?cors=right&bare304&etag=v1&cc=no-cache", want: `cors 200 "1 A"`},
				{at: "A", get: "{X}/6?cors=right&bare304&etag=v1&cc=no-cache", want: `cors 200 "1 A" [304]`},
			},
			calls: []string{"GET /6 A", `GET /6 A if-none-match="v1"`},
		},
	})
}
