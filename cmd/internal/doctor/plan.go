package doctor

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The names of the probes. They stand in reports: keep them.
const (
	probePlain    = "plain"
	probeFirstA   = "first-a"
	probeAgainA   = "again-a"
	probeThenB    = "then-b"
	probeValidate = "revalidate"
	probeHead     = "head"
	probeColdB    = "cold-b"

	probeNone          = "none-first"
	probeNoneThenA     = "none-then-a"
	probeStranger      = "stranger-first"
	probeStrangerThenA = "stranger-then-a"

	probeNull     = "null"
	probeSuffixed = "suffixed"
	probePrefixed = "prefixed"
	probeDotless  = "dotless"
	probeInsecure = "insecure"
	probePort     = "other-port"
	probeSibling  = "sibling"
	probeGlued    = "glued"

	probePreflightA        = "preflight-a"
	probePreflightB        = "preflight-b"
	probePreflightCapitals = "preflight-capitals"
	probePreflightStranger = "preflight-stranger"
	probeOptions           = "options"

	probeMissing  = "error-path"
	probeMethod   = "error-method"
	probeSlash    = "slash"
	probeFollow   = "follow"
	probeAway     = "follow-away"
	probeNoUnique = "query-refused"
)

// probe is one request of the plan.
type probe struct {
	name, about string
	method      string // "" is GET
	// key numbers the cache keys of a run: probes of one number share a URL
	// that nobody else has asked for. 0 is the URL as it was given.
	key    int
	url    *url.URL // instead of the given one; key does not apply then
	origin string
	fields []Field // beside Origin
	// private: the query is the server's, perhaps a token, and is not recorded.
	private bool
}

// step is a probe that may depend on what has been seen. It returns false when
// there is nothing to send.
type step func(r *run) (probe, bool)

// always is a step that depends on nothing.
func always(p probe) step { return func(*run) (probe, bool) { return p, true } }

// asLong is a step that is left out when its origin cannot be made.
func asLong(p probe) step { return func(*run) (probe, bool) { return p, p.origin != "" } }

// plan is everything that is sent, in order. Each paragraph is a story on keys
// of its own, because a cache remembers the order.
func plan(s *subject) []step {
	a, b := s.a.Text, s.b.Text
	like := s.lookalikes()
	return []step{
		always(probe{name: probePlain, about: "A, the URL as it is", origin: a}),

		always(probe{name: probeFirstA, about: "A first", key: 1, origin: a}),
		retryWithoutQuery,
		always(probe{name: probeAgainA, about: "A again", key: 1, origin: a}),
		asLong(probe{name: probeThenB, about: "B after A", key: 1, origin: b}),
		revalidate,
		always(probe{name: probeHead, about: "A, HEAD", method: http.MethodHead, key: 1, origin: a}),
		func(r *run) (probe, bool) {
			then := r.get(probeThenB)
			return probe{name: probeColdB, about: "B first", key: 2, origin: b}, then.answered() && !then.allows()
		},

		always(probe{name: probeNone, about: "no Origin first", key: 3}),
		always(probe{name: probeNoneThenA, about: "A after no Origin", key: 3, origin: a}),

		always(probe{name: probeStranger, about: "a stranger first", key: 4, origin: stranger}),
		always(probe{name: probeStrangerThenA, about: "A after a stranger", key: 4, origin: a}),

		always(probe{name: probeNull, about: "Origin: null", key: 5, origin: "null"}),
		asLong(probe{name: probeSuffixed, about: "begins like A", key: 6, origin: like.suffixed}),
		asLong(probe{name: probePrefixed, about: "ends like A", key: 7, origin: like.prefixed}),
		asLong(probe{name: probeDotless, about: "A without a dot", key: 8, origin: like.dotless}),
		asLong(probe{name: probeInsecure, about: "A over http", key: 9, origin: like.insecure}),
		asLong(probe{name: probePort, about: "A on another port", key: 12, origin: like.port}),
		ifPrefixed(probe{name: probeSibling, about: "a sibling of A", key: 10, origin: like.sibling}),
		ifPrefixed(probe{name: probeGlued, about: "ends like A's domain", key: 11, origin: like.glued}),

		always(s.preflight(probePreflightA, "preflight of A", a, strings.Join(s.unsafeHeaders(), ","))),
		func(*run) (probe, bool) {
			return s.preflight(probePreflightB, "preflight of B after A", b, strings.Join(s.unsafeHeaders(), ",")), b != ""
		},
		func(*run) (probe, bool) {
			return s.preflight(probePreflightCapitals, "preflight of A in capitals", a, s.capitals()), len(s.headers) > 0
		},
		always(s.preflight(probePreflightStranger, "preflight of a stranger", stranger, strings.Join(s.unsafeHeaders(), ","))),
		always(probe{name: probeOptions, about: "OPTIONS, no preflight", method: http.MethodOptions, origin: a}),

		always(probe{name: probeMissing, about: "A, no such path", url: s.missing(), origin: a}),
		always(probe{name: probeMethod, about: "A, another method", method: "QUERY", origin: a}),
		slash,
		follow,
		followAway,
	}
}

// preflight is what Fetch's "CORS-preflight fetch" sends.
func (s *subject) preflight(name, about, origin, headers string) probe {
	p := probe{name: name, about: about, method: http.MethodOptions, origin: origin, fields: []Field{{fieldRequestMethod, s.method}}}
	if headers != "" {
		p.fields = append(p.fields, Field{fieldRequestHeaders, headers})
	}
	return p
}

// capitals is how people write the names in a curl line.
func (s *subject) capitals() string {
	names := make([]string, len(s.headers))
	for i, h := range s.headers {
		names[len(names)-1-i] = http.CanonicalHeaderKey(h)
	}
	return strings.Join(names, ", ")
}

// retryWithoutQuery gives up the queries of our own when the server does not
// take them. A server that is overloaded or broken does not say so.
func retryWithoutQuery(r *run) (probe, bool) {
	plain, first := r.get(probePlain), r.get(probeFirstA)
	refused := first.redirects() || first.failed() && first.Status < 500 && first.Status != http.StatusTooManyRequests
	if !r.unique || !refused || plain.Status/100 == first.Status/100 {
		return probe{}, false
	}
	r.unique = false
	first.Name, first.About = probeNoUnique, "A, a query of our own"
	return probe{name: probeFirstA, about: "A, without a query of our own", key: 1, origin: r.s.a.Text}, true
}

// revalidate asks as a browser does that stored the answer to another origin,
// or to a request without one, and finds that it may not reuse it.
func revalidate(r *run) (probe, bool) {
	p := probe{name: probeValidate, about: "B, with A's validator", key: 1, origin: r.s.b.Text}
	if r.s.b.Text == "" {
		p.about, p.origin = "A, with a validator", r.s.a.Text
	}
	from := r.get(probeFirstA)
	if tag := from.value(fieldETag); tag != "" {
		p.fields = []Field{{"If-None-Match", tag}}
	} else if date := from.value(fieldLastModified); date != "" {
		p.fields = []Field{{"If-Modified-Since", date}}
	}
	return p, len(p.fields) > 0
}

// ifPrefixed: only then is there something to tell apart.
func ifPrefixed(p probe) step {
	return func(r *run) (probe, bool) { return p, p.origin != "" && r.get(probePrefixed).reflects() }
}

// follow goes one step after a redirect that stays on the server.
func follow(r *run) (probe, bool) {
	for _, name := range []string{probePlain, probeSlash} {
		if u := r.target(r.get(name)); u != nil && ownOrigin(u) == ownOrigin(r.s.url) {
			return probe{name: probeFollow, about: "A, where the redirect leads", url: u, origin: r.s.a.Text, private: true}, true
		}
	}
	return probe{}, false
}

// followAway is what a browser sends after a redirect from one site to another:
// Origin: null (Fetch, HTTP-redirect fetch and "serializing a request origin").
// It refuses a Location with credentials.
func followAway(r *run) (probe, bool) {
	u := r.target(r.get(probePlain))
	if u == nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || ownOrigin(u) == ownOrigin(r.s.url) {
		return probe{}, false
	}
	return probe{name: probeAway, about: "null, where the redirect leads", url: u, origin: "null", private: true}, true
}

// missing is a path beside the given one that nobody has.
func (s *subject) missing() *url.URL {
	u := *s.url
	path := u.EscapedPath()
	u.RawPath = path[:strings.LastIndexByte(path, '/')+1] + "veneer-doctor-no-such-path"
	u.Path, _ = url.PathUnescape(u.RawPath) // what url.Parse took can be unescaped
	u.RawQuery = ""
	return &u
}

// slash adds a slash to the path, or takes it away. The root has one always.
func slash(r *run) (probe, bool) {
	u := *r.s.url
	path, found := strings.CutSuffix(u.EscapedPath(), "/")
	if !found {
		path += "/"
	}
	u.RawPath = path
	u.Path, _ = url.PathUnescape(path)
	return probe{name: probeSlash, about: "A, slash changed", url: &u, origin: r.s.a.Text}, path != ""
}

// withKey is the URL of one cache key of this run.
func (r *run) withKey(key int) *url.URL {
	u := *r.s.url
	if key == 0 || !r.unique {
		return &u
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "veneer-doctor=" + r.nonce + "-" + strconv.Itoa(key)
	return &u
}
