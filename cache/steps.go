package cache

import (
	"net/http"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// steps is what steps 1 to 5 find out about a request before anything is
// answered. They read the request through a view, write nothing, and leave no
// trace in any counter: the exchange of a handler and the hit lane both stand
// on them.
type steps struct {
	plan *Plan
	now  time.Time // when the request began, for every decision alike
	req  Request

	route  *Route
	target key.Target
	origin Origin
	seen   requestView

	authorized bool // the request has Authorization
	directives rfc9111.RequestDirectives
	key        key.Key
	keyBuf     []byte
}

// refusal is why a request gets an error instead of an answer. The zero value
// is none.
type refusal struct {
	status int
	reason cachestatus.Reason
	detail string
}

// resolve is step 1: the target URI in canonical form, its route, and what the
// route's policy says of the Origin.
func (s *steps) resolve() refusal {
	q := &s.req
	if q.Method == http.MethodConnect {
		return refusal{http.StatusNotImplemented, cachestatus.NotImplemented, "CONNECT is not supported: this is a reverse proxy."}
	}
	plain := key.Query{}
	scheme := s.scheme()
	target, err := plain.Canonical(scheme, q.Host, q.Path, q.Query)
	if err != nil {
		return refusal{http.StatusBadRequest, cachestatus.BadRequest, "The request target is malformed: " + err.Error() + "."}
	}
	route, ok := s.plan.Router.Lookup(target.Host, target.Path)
	if !ok {
		return refusal{http.StatusNotFound, cachestatus.NoRoute, "No route matches this host and path."}
	}
	s.route, s.target = route, target
	s.origin = route.CORS.Judge(q.Method, q.Fields.Values("Origin")) // errors too are for the client at hand
	s.origin.Full = s.origin.Full || s.origin.FullWithCookie && q.has("Cookie")
	if other, escapes := s.resolvesElsewhere(target); other || escapes {
		return refusal{http.StatusBadRequest, cachestatus.BadRequest, "The path has dot segments that lead to another route: send it resolved (RFC 3986 §5.2.4)."}
	}
	if counted := &route.Key.Query; counted.Sort || counted.AllowSet || len(counted.Ignore) > 0 || len(counted.Allow) > 0 {
		if s.target, err = counted.Canonical(scheme, q.Host, q.Path, q.Query); err != nil {
			return refusal{http.StatusBadRequest, cachestatus.BadRequest, "The query is malformed: " + err.Error() + "."}
		}
	}
	s.seen = requestView{fields: q.Fields}
	if q.read() && !q.upgrades() {
		s.seen.hideOrigin, s.seen.hideRequest = !s.origin.Forward, !s.origin.ForwardRequest
	}
	return refusal{}
}

// scheme returns the scheme that the client used.
func (s *steps) scheme() string {
	if s.plan.Scheme != nil {
		return s.plan.Scheme(&s.req)
	}
	if s.req.Secure {
		return "https"
	}
	return "http"
}

// uncacheable says why the request is outside the cache, or None. It parses
// the request's directives on the way.
func (s *steps) uncacheable() cachestatus.Reason {
	q := &s.req
	if !s.route.IgnoreDirectives {
		s.directives = rfc9111.ParseRequest(q.Fields)
	}
	switch {
	case !q.read():
		return cachestatus.Method
	case s.route.Store == nil:
		return cachestatus.CachingOff
	case s.origin.NoStore:
		return cachestatus.BadOrigin
	case q.upgrades():
		return cachestatus.Upgrade
	case q.Content:
		return cachestatus.RequestBody
	case rfc9111.ForOrigin(q.Fields):
		// Preconditions on the upstream's current representation are not for
		// a cache to evaluate (RFC 9111 §4.3.2).
		return cachestatus.Precondition
	}
	if s.directives.NoStore {
		return cachestatus.RequestNoStore
	}
	return cachestatus.None
}

// primaryKey builds the key of a request that uncacheable let through.
func (s *steps) primaryKey() {
	s.authorized = s.req.has("Authorization")
	s.key = s.route.Key.Append(s.keyBuf[:0], s.req.Method, s.target, s.origin.Bucket, &s.seen)
	s.keyBuf = s.key.Bytes
}

// maxKept bounds the buffers that are kept for the next request, in bytes.
const maxKept = 16 << 10

// kept returns b emptied, or nothing where it has grown too large to keep.
func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}
