package browser

import "testing"

const reloadConfig = `
cors:
  list: { origins: ["{A}", "{B}"] }
  gone: { origins: ["{B}", "{A}"], credentials: true }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /shared/ }, upstream: app, cors: list, cache: { key: { origin: shared } } }
  - { match: { path: /gone/ }, upstream: app, cors: gone }
  - { match: { path: /plain/ }, upstream: app, cors: off }
`

// What is done to Veneer between the steps: A is not let in any more, and C is;
// nobody is; all is as it was.
var (
	revoke  = step{do: func(s *scene) { s.change(reloadConfig, `"{A}", "{B}"`, `"{B}", "{C}"`) }}
	abandon = step{do: func(s *scene) { s.change(reloadConfig, `cors: gone`, `cors: off`) }}
	bare    = step{do: func(s *scene) { s.change(reloadConfig, `, credentials: true`, ``) }}
	restore = step{do: func(s *scene) { s.change(reloadConfig, "", "") }}
)

const part = `{headers: {Range: "bytes=2-4"}}`

// TestBrowserReload changes who is let in while browsers hold responses.
func TestBrowserReload(t *testing.T) {
	s := set(t, reloadConfig)
	s.app.streams()
	s.play(t, []trial{
		{
			name: "E8, bucket: revoked, and no 304 lets the page go on with what it has",
			steps: []step{
				{at: "A", get: "/list/1?etag=v1&cc=no-cache", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "A", get: "/list/1?etag=v1&cc=no-cache", want: `cors 200 "1 A" [304 stale stored no-cache]`},
				revoke,
				{at: "A", get: "/list/1?etag=v1&cc=no-cache", want: `blocked MissingAllowOriginHeader`},
				{at: "B", get: "/list/1?etag=v1&cc=no-cache", want: `cors 200 "4 B" [uri-miss stored]`},
				restore,
				{at: "A", get: "/list/1?etag=v1&cc=no-cache", want: `cors 200 "4 B" [304 stale stored no-cache]`},
			},
		},
		{
			name: "E8, shared",
			steps: []step{
				{at: "A", get: "/shared/2?etag=v1&cc=max-age=0,s-maxage=60", want: `cors 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/shared/2?etag=v1&cc=max-age=0,s-maxage=60", want: `cors 200 "1 -" [304 hit]`},
				revoke,
				{at: "A", get: "/shared/2?etag=v1&cc=max-age=0,s-maxage=60", want: `blocked MissingAllowOriginHeader`},
				{at: "B", get: "/shared/2?etag=v1&cc=max-age=0,s-maxage=60", want: `cors 200 "1 -" [hit]`},
				restore,
			},
			calls: []string{"GET /shared/2 -"},
		},
		{
			name: "granted: a page that was refused can read what the browser stored of it",
			steps: []step{
				{at: "C", get: "/shared/3?etag=v1&cc=max-age=0,s-maxage=60", want: `blocked MissingAllowOriginHeader`},
				revoke,
				{at: "C", get: "/shared/3?etag=v1&cc=max-age=0,s-maxage=60", want: `cors 200 "1 -" [hit]`},
				{at: "C", get: "/shared/3?etag=v1&cc=max-age=0,s-maxage=60", want: `cors 200 "1 -" [304 hit]`},
				restore,
			},
			calls: []string{"GET /shared/3 -"},
		},
		{
			name: "E8, range: one part that is asked for again",
			steps: []step{
				{at: "curl", get: "/shared/5?do=bytes", want: `200 "0123456789" [uri-miss stored]`},
				{at: "A", get: "/shared/5?do=bytes", init: part, want: `cors 206 "234" [hit]`},
				revoke, // the browser asks with If-None-Match
				{at: "A", get: "/shared/5?do=bytes", init: part, want: `blocked MissingAllowOriginHeader`},
				restore,
			},
		},
		{
			name: "what a browser holds as fresh is out of reach: it does not ask",
			steps: []step{
				{at: "A", get: "/list/4?cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				revoke,
				{at: "A", get: "/list/4?cc=max-age=60", want: `cors 200 "1 A" [browser]`},
				{at: "A", get: "/list/4?cc=max-age=60", init: `{cache: "no-cache"}`, want: `blocked MissingAllowOriginHeader`},
				restore,
			},
		},
	})
}

// TestBrowserRevokedParts is E8 for the other way to validate what a browser
// has: a 206 to If-Range, with which it puts parts together (RFC 9111 §3.4).
func TestBrowserRevokedParts(t *testing.T) {
	s := set(t, reloadConfig)
	s.app.streams()
	s.play(t, []trial{
		{
			name: "E8, range: parts of which the browser has put one together",
			steps: []step{
				{at: "curl", get: "/shared/6?do=bytes", want: `200 "0123456789" [uri-miss stored]`},
				{at: "A", get: "/shared/6?do=bytes", init: part, want: `cors 206 "234" [hit]`},
				{at: "A", get: "/shared/6?do=bytes", init: `{headers: {Range: "bytes=6-8"}}`, want: `cors 206 "678" [hit]`},
				revoke, // the browser asks with If-Range, and a 206 takes nothing back either
				{at: "A", get: "/shared/6?do=bytes", init: part, want: `blocked MissingAllowOriginHeader`},
				restore,
			},
		},
		{
			name: "E8, range: the same where the application makes the parts",
			steps: []step{
				{at: "A", get: "/list/7?do=bytes", init: part, want: `cors 206 "234" [uri-miss request-range]`},
				{at: "A", get: "/list/7?do=bytes", init: `{headers: {Range: "bytes=6-8"}}`, want: `cors 206 "678" [hit]`},
				revoke,
				{at: "A", get: "/list/7?do=bytes", init: part, want: `blocked MissingAllowOriginHeader`},
				restore,
			},
		},
	})
}

// TestBrowserAbandoned is E8 for a route that gives CORS up.
func TestBrowserAbandoned(t *testing.T) {
	set(t, reloadConfig).play(t, []trial{
		{
			name: "E8: a route that is off lets no page go on",
			steps: []step{
				{at: "A", get: "/gone/1?etag=v1&cc=no-cache", want: `cors 200 "1 A" [uri-miss stored]`},
				abandon,
				{at: "A", get: "/gone/1?etag=v1&cc=no-cache", want: `blocked MissingAllowOriginHeader`},
				{at: "P", get: "/gone/1?etag=v1&cc=no-cache", want: `basic 200 "2 -" [stale stored no-cache]`},
				restore,
			},
		},
	})
}

// TestBrowserRevokedCredentials is E8 for cookies: Access-Control-Allow-Credentials
// stays in what the browser has stored when a 304 does not name it. A policy
// without credentials need not answer a cross-origin request that has cookies
// with 304: the page cannot read it anyway.
func TestBrowserRevokedCredentials(t *testing.T) {
	const include = `{credentials: "include"}`
	set(t, reloadConfig).play(t, []trial{
		{
			name: "E8: cookies that are not allowed any more",
			steps: []step{
				{at: "A", get: "/gone/in?set=Set-Cookie:sid=1%3BPath=/", init: include, want: `cors 200 "1 A" [uri-miss set-cookie]`},
				{at: "A", get: "/gone/2?etag=v1&cc=public,no-cache", init: include, want: `cors 200 "1 A cookie=sid=1" [uri-miss cookie]`},
				bare,
				{at: "A", get: "/gone/2?etag=v1&cc=public,no-cache", init: include, want: `blocked InvalidAllowCredentials`},
				restore,
			},
		},
	})
}
