package cache_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// routesOf draws the routes: one that caches, one without a store.
func routesOf(t *rapid.T) map[string]*cache.Route {
	pick := func(name string) bool { return rapid.Bool().Draw(t, name) }
	r := &cache.Route{
		Name: "/a/", MaxObject: 1 << 10, Variants: 2, Origins: 1,
		IgnoreDirectives: pick("ignore"), NoCollapse: pick("no collapse"),
		Key:     key.Spec{Query: key.Query{Sort: pick("sort"), Ignore: []string{"utm_*"}}, Headers: []string{"X-Tenant"}},
		Request: cache.Edits{Set: map[string][]string{"X-Set": {"1"}}, Remove: []string{"Cookie2"}},
		Policy: rfc9111.Policy{
			Targets: []string{"Veneer-Cache-Control", "Cdn-Cache-Control"}, SetCookie: rfc9111.SetCookiePolicy(rapid.IntRange(0, 2).Draw(t, "set-cookie")),
		},
	}
	if pick("policy") {
		r.Policy.DefaultTTL, r.Policy.Grace, r.Policy.StaleWhileRevalidate = 5*time.Second, time.Hour, 10*time.Second
	}
	if pick("pass") {
		r.CORS, r.Key.Origin = passCORS{}, key.OriginExact
	}
	off := *r
	off.Name = "/off/"
	return map[string]*cache.Route{"/a/": r, "/off/": &off}
}

// one draws a value; the first, which says nothing or the usual, comes more
// often than the others.
func one[T any](t *rapid.T, name string, usual T, others ...T) T {
	if rapid.IntRange(0, 99).Draw(t, name+" is usual") < 88 {
		return usual
	}
	return rapid.SampledFrom(others).Draw(t, name)
}

// requestOf draws a request.
func requestOf(t *rapid.T) *http.Request {
	method := one(t, "method", "GET", "HEAD", "HEAD", "POST", "POST", "DELETE", "OPTIONS", "OPTIONS", "TRACE", "CONNECT")
	path := one(t, "path", "/a/x", "/a/x?b=2&a=1&utm_id=3", "/a/%2e%2e/off/x", "/a/./x", "/off/x", "/none")
	r := httptest.NewRequest(method, "http://site.example"+path, nil)
	r.Body, r.ContentLength = http.NoBody, 0
	for _, f := range [][]string{
		{"Origin", "https://a.example", "https://b.example", "https://c.example", "https://evil.example", "bad"},
		{"Cache-Control", "no-cache", "no-store", "max-age=3", "max-stale=100", "only-if-cached", "min-fresh=20"},
		{"Accept-Encoding", "gzip", "gzip, br"}, {"Accept-Language", "de", "en"},
		{"Authorization", "Bearer x"}, {"Cookie", "sid=1"}, {"X-Tenant", "blue"},
		{"Range", "bytes=0-1", "bytes=0-0,0-0,0-0"}, {"If-Match", "", "", `"a"`},
		{"Upgrade", "", "", "websocket"},
		{"Access-Control-Request-Method", "PUT"},
	} {
		if v := one(t, f[0], "", f[1:]...); v != "" {
			r.Header.Set(f[0], v)
		}
	}
	if method == "OPTIONS" && rapid.Bool().Draw(t, "preflight") {
		r.Header.Set("Origin", rapid.SampledFrom([]string{"https://a.example", "https://c.example"}).Draw(t, "of"))
		r.Header.Set("Access-Control-Request-Method", "PUT")
	}
	if r.Header["Upgrade"] != nil {
		r.Header.Set("Connection", "upgrade")
	}
	r.ContentLength = one(t, "content", int64(0), 0, 0, 10, 2000)
	return r
}

// assumptionOf draws what the upstream answers.
func assumptionOf(t *rapid.T, r *http.Request, now time.Time) cache.Assumption {
	a := cache.Assumption{Header: make(http.Header)}
	a.Status = one(t, "status", 0, 200, 200, 200, 204, 206, 301, 304, 404, 429, 500, 503)
	if v := one(t, "If-None-Match", "", `"a"`, `"b"`); v != "" {
		r.Header.Set("If-None-Match", v)
		a.Status = max(a.Status, 200) // what it confirms by itself is for a stored response only
	}
	for _, f := range [][]string{
		{"Cache-Control", "max-age=10", "", "max-age=10, stale-while-revalidate=5", "s-maxage=10", "no-store", "private", "no-cache", "public", "max-age=1, stale-if-error=60", `private="X-P", max-age=9`},
		{"Veneer-Cache-Control", "", "", "max-age=30", "no-store"},
		{"Cdn-Cache-Control", "", "", "", "max-age=20", "no-store"},
		{"Expires", "", "", "0", now.Add(time.Minute).Format(http.TimeFormat)},
		{"Etag", `"a"`, "", `"b"`}, {"Last-Modified", "", now.Add(-time.Hour).Format(http.TimeFormat)},
		{"Vary", "", "", "Accept-Encoding", "Accept-Language, Origin", "Accept-Encoding", "*"},
		{"Set-Cookie", "", "", "sid=2"}, {"Age", "", "", "3"}, {"X-P", "", "1"},
		{"Content-Length", "", "7", "0", "2000"}, {"Trailer", "", "", "", "X-Sum"},
		{"Access-Control-Allow-Origin", "", "", "*", "https://a.example"},
		{"Content-Location", "", "", "http://site.example/a/x"},
	} {
		if v := one(t, f[0]+" of the response", f[1], f[2:]...); v != "" {
			a.Header.Set(f[0], v)
		}
	}
	if r.Header["Range"] != nil && rapid.Bool().Draw(t, "a part") {
		a.Status = 206
		a.Header.Set("Content-Range", rapid.SampledFrom([]string{"bytes 0-1/7", "bytes 0-1/*", "bytes 0-1/2000"}).Draw(t, "Content-Range"))
		a.Header.Set("Content-Length", "2")
	}
	return a
}

// What Explain says is what happens then: the decision, every response field,
// and every byte that the upstream is sent; and asking leaves no trace.
func TestExplainIsHonest(t *testing.T) {
	ends := []cache.Result{
		cache.ResultHit, cache.ResultMiss, cache.ResultStale, cache.ResultRevalidated,
		cache.ResultBypass, cache.ResultError, cache.ResultPreflight,
	}
	seen := map[cache.Result]int{}
	missing := func(r cache.Result) bool { return seen[r] == 0 }
	for rounds := 0; slices.ContainsFunc(ends, missing); rounds++ {
		if rounds == 20 {
			t.Fatalf("not every end was seen, so the test proves less than it seems: %v", seen)
		}
		rapid.Check(t, func(t *rapid.T) {
			x := newTroupe(t, routesOf(t))
			defer x.close(t)
			for range rapid.IntRange(5, 25).Draw(t, "steps") {
				x.pass(rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Second, 12 * time.Second, 200 * time.Second}).Draw(t, "pause"))
				r := requestOf(t)
				x.says = assumptionOf(t, r, x.clock)
				seen[x.step(t, r)]++
			}
		})
	}
	t.Logf("requests by their end: %v", seen)
}

// step explains a request, serves it, compares, and returns how it ended.
func (x *troupe) step(t *rapid.T, r *http.Request) cache.Result {
	before, counted := x.store.Stats(), x.cors
	x.asked = nil
	ex := x.engine.Explain(r, x.says)
	if after := x.store.Stats(); after != before || x.cors != counted || len(x.asked) > 0 {
		t.Fatalf("Explain left a trace: store %+v, then %+v; policy asked %d times; upstream asked %d times", before, after, x.cors-counted, len(x.asked))
	}
	if again := x.engine.Explain(r, x.says); again.Outcome.Decision != ex.Outcome.Decision {
		t.Fatalf("asked twice: %+v, then %+v", ex.Outcome.Decision, again.Outcome.Decision)
	}
	if ex.Failing != nil && rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
		compareOutcomes(t, "failing", outcome{ex.Failing.Decision, ex.Failing.Header, nil}, x.perform(r, true))
		return ex.Failing.Decision.Result
	}
	got := x.perform(r, false)
	compareOutcomes(t, "first", outcome{ex.Outcome.Decision, ex.Outcome.Header, requests(ex.Asked)}, got)
	if rapid.Bool().Draw(t, "again") {
		compareOutcomes(t, "next", outcome{ex.Next.Decision, ex.Next.Header, nil}, x.perform(r, false))
	}
	return got.Decision.Result
}

func compareOutcomes(t *rapid.T, which string, foretold, got outcome) {
	t.Helper()
	if foretold.Asked == nil && which != "first" {
		got.Asked = nil
	}
	for _, o := range []*outcome{&foretold, &got} {
		if kind := o.Header.Get("Content-Type"); strings.HasPrefix(kind, "multipart/byteranges") {
			o.Header.Set("Content-Type", "multipart/byteranges") // the boundary is random
		}
		for name, lines := range o.Header {
			if lines == nil {
				delete(o.Header, name)
			}
		}
	}
	routes := cmp.Comparer(func(a, b *cache.Route) bool { return a == b })
	if d := cmp.Diff(foretold, got, routes); d != "" {
		t.Fatalf("%s (-foretold +happened):\n%s", which, d)
	}
}
