package rfc9111

import (
	"net/http"
	"slices"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"veneer/cache/cachestatus"
)

// SetCookiePolicy says what is done with a response that has Set-Cookie and
// would be stored otherwise (RFC 9111 §7.3).
type SetCookiePolicy uint8

const (
	// SetCookieBypass stores it only where the response says that it may be
	// shared: public, s-maxage, or a lifetime in a targeted field.
	SetCookieBypass SetCookiePolicy = iota
	// SetCookieStrip stores it without the field.
	SetCookieStrip
	// SetCookieStore stores it as it is: every client gets the same cookie.
	SetCookieStore
)

// Policy is what a route says about storing and staleness where the response
// says nothing. It is read only; the zero value adds nothing to the standard.
type Policy struct {
	// Targets are the targeted fields that count (RFC 9213 §2.2), canonical,
	// the most specific first.
	Targets []string
	// DefaultTTL is the lifetime of a response that has no explicit one and a
	// status that is heuristically cacheable. It takes the place of the
	// heuristic. Zero: none.
	DefaultTTL time.Duration
	// HeuristicLimit bounds what is guessed from Last-Modified. Zero: 24 h.
	HeuristicLimit time.Duration
	// Grace and StaleWhileRevalidate stand in for stale-if-error and
	// stale-while-revalidate (RFC 5861).
	Grace, StaleWhileRevalidate time.Duration
	SetCookie                   SetCookiePolicy
}

// defaultHeuristicLimit bounds a guessed lifetime (§4.2.2 asks for a warning
// beyond 24 hours in its older editions; caches keep to it as a bound).
const defaultHeuristicLimit = 24 * time.Hour

// Response is a response to be assessed, with what counts of its request.
// Nothing in it is changed.
type Response struct {
	Method         string
	Request        Fields // the fields of the client's request; nil is none
	RequestNoStore bool   // the request said no-store and the route honours it
	Status         int
	Header         http.Header
	// RequestTime and ResponseTime are request_time and response_time of
	// RFC 9111 §4.2.3. A RequestTime of zero is taken as ResponseTime.
	RequestTime, ResponseTime time.Time
}

// requestLines returns the lines of a field of the request.
func (r *Response) requestLines(name string) []string {
	if r.Request == nil {
		return nil
	}
	return r.Request.Values(name)
}

// Assess decides whether r may be stored (RFC 9111 §3) and has any use
// afterwards. With the reason None it returns the Meta to store it with; with
// any other the Meta is zero and the reason says why not.
//
// Of a POST it looks at the freshness only, which must be explicit and not used
// up; that its Content-Location is the target URI (RFC 9110 §9.3.3) is for the
// caller to know.
func Assess(r *Response, p *Policy) (Meta, cachestatus.Reason) {
	d := ParseResponse(r.Header, p.Targets)
	if reason := prohibited(r, &d, p); reason != cachestatus.None {
		return Meta{}, reason
	}
	m := newMeta(r, &d, p)
	if reason := useless(r, &d, &m); reason != cachestatus.None {
		return Meta{}, reason
	}
	if reason := veto(r, &d); reason != cachestatus.None {
		return Meta{}, reason
	}
	return m, cachestatus.None
}

// prohibited returns the first rule of §3 that forbids storing r, whatever its
// freshness is.
func prohibited(r *Response, d *Directives, p *Policy) cachestatus.Reason {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return cachestatus.Method
	case r.RequestNoStore:
		return cachestatus.RequestNoStore
	case r.Status == http.StatusPartialContent:
		return cachestatus.Partial
	case !storableStatus(r.Status):
		return cachestatus.NotFinal
	case hasMember(r.Header["Vary"], "*"):
		return cachestatus.VaryStar
	case d.MustUnderstand && !understood(r.Status):
		return cachestatus.MustUnderstand
	// must-understand is said by who means no-store for caches that do not
	// know the status (§5.2.2.3).
	case d.NoStore && !d.MustUnderstand:
		return cachestatus.NoStore
	case d.Private:
		return cachestatus.Private
	case len(r.requestLines("Authorization")) > 0 && !d.sharesAuthorized():
		return cachestatus.Authorization
	case len(r.Header["Set-Cookie"]) > 0 && p.SetCookie == SetCookieBypass && !d.sharesCookies():
		return cachestatus.SetCookie
	}
	return cachestatus.None
}

// sharesAuthorized reports whether a response to a request with Authorization
// may be stored (§3.5).
func (d *Directives) sharesAuthorized() bool {
	return d.Public || d.MustRevalidate || d.SMaxAge.Present()
}

// sharesCookies reports whether the response says so clearly that it is for
// everybody that its cookies must be, or that they are not stored anyway.
func (d *Directives) sharesCookies() bool {
	return d.Public || d.SMaxAge.Present() ||
		d.Target != "" && d.MaxAge.Present() ||
		slices.Contains(d.PrivateFields, "Set-Cookie")
}

// newMeta computes what reuse needs to know of r.
func newMeta(r *Response, d *Directives, p *Policy) Meta {
	m := Meta{RequestTime: r.RequestTime, ResponseTime: r.ResponseTime, Date: r.ResponseTime}
	if m.RequestTime.IsZero() || m.RequestTime.After(m.ResponseTime) {
		m.RequestTime = m.ResponseTime
	}
	if t, ok := firstDate(r.Header["Date"], r.ResponseTime); ok {
		m.Date = t
	}
	if t, ok := onlyDate(r.Header["Last-Modified"], r.ResponseTime); ok {
		m.LastModified = t
	}
	if tags := r.Header["Etag"]; len(tags) == 1 && validTag(tags[0]) {
		m.ETag = tags[0]
	}
	m.InitialAge = initialAge(&m, r.Header["Age"])
	m.Flags = d.flags()
	var source Source
	if m.Lifetime, source = d.lifetime(r, &m, p); source.Explicit() {
		m.Flags |= Explicit
	}
	// §4.2.4: never stale against a directive that prohibits it.
	if m.Flags&(NoCache|MustRevalidate) == 0 {
		m.StaleRevalidate = orDefault(d.StaleWhileRevalidate, p.StaleWhileRevalidate)
		m.StaleError = orDefault(d.StaleIfError, p.Grace)
	}
	return m
}

// initialAge is corrected_initial_age (§4.2.3).
func initialAge(m *Meta, age []string) time.Duration {
	apparent, value, delay := ages(m, age)
	return min(max(apparent, value+min(delay, maxDelta*time.Second), 0), maxDelta*time.Second)
}

// ages returns what the age on arrival is computed from (§4.2.3).
func ages(m *Meta, age []string) (apparent, value, delay time.Duration) {
	// Date has whole seconds: a part of one is its resolution, not an age.
	return m.ResponseTime.Sub(m.Date).Truncate(time.Second), parseAge(age), m.ResponseTime.Sub(m.RequestTime)
}

// flags returns the flags that the directives set.
func (d *Directives) flags() Flags {
	var f Flags
	// A field that no-cache lists must not be sent unvalidated (§5.2.2.4);
	// validating the whole response is the simple way to keep to that.
	if d.NoCache || len(d.NoCacheFields) > 0 {
		f |= NoCache
	}
	if d.MustRevalidate || d.ProxyRevalidate || d.SMaxAge.Present() {
		f |= MustRevalidate
	}
	if d.sharesAuthorized() {
		f |= SharesAuthorized
	}
	if d.Immutable {
		f |= Immutable
	}
	return f
}

// orDefault returns what the response said, or else what the route says.
func orDefault(said Delta, route time.Duration) time.Duration {
	if said.Present() {
		return said.Duration()
	}
	return max(route, 0)
}

// useless returns why storing r would serve nothing: there is no freshness
// lifetime, it is used up, and nothing could be validated or served stale.
func useless(r *Response, d *Directives, m *Meta) cachestatus.Reason {
	age, explicit := m.InitialAge, m.Flags.Has(Explicit)
	switch {
	case r.Method == http.MethodPost && (!explicit || age >= m.Lifetime || m.Flags.Has(NoCache)):
		return cachestatus.Method
	case !explicit && !d.cacheableByDefault(r.Status):
		return cachestatus.NoFreshness
	// A page that was made for who holds the cookie, and says nothing.
	case !explicit && len(r.requestLines("Cookie")) > 0:
		return cachestatus.Cookie
	case m.ETag != "" || !m.LastModified.IsZero():
		return cachestatus.None
	case m.Flags.Has(NoCache):
		return cachestatus.NoCache
	case age < m.Lifetime:
		return cachestatus.None
	case staleUse(d, m) && age < m.Lifetime+max(m.StaleRevalidate, m.StaleError):
		return cachestatus.None
	case explicit:
		return cachestatus.Expired
	}
	return cachestatus.NoFreshness
}

// staleUse reports whether a response that is stale on arrival is kept for its
// staleness alone. The route's grace does not make every page storable that
// never was fresh: then the response must have asked for it.
func staleUse(d *Directives, m *Meta) bool {
	return m.Lifetime > 0 || d.StaleWhileRevalidate.Present() || d.StaleIfError.Present()
}

// veto asks cachecontrol for a second opinion on what is about to be stored.
// It reads the directives that are in force, so it can find only what the rules
// above let slip.
func veto(r *Response, d *Directives) cachestatus.Reason {
	object := cacheobject.Object{
		ReqMethod:      r.Method,
		RespStatusCode: r.Status,
		RespHeaders:    r.Header,
		RespDirectives: &cacheobject.ResponseCacheDirectives{
			NoStore:              d.NoStore && !d.MustUnderstand,
			PrivatePresent:       d.Private,
			Public:               d.Public,
			MustRevalidate:       d.MustRevalidate,
			MaxAge:               toLibrary(d.MaxAge),
			SMaxAge:              toLibrary(d.SMaxAge),
			StaleIfError:         toLibrary(d.StaleIfError),
			StaleWhileRevalidate: toLibrary(d.StaleWhileRevalidate),
		},
	}
	if heuristicStatus(r.Status) {
		object.RespStatusCode = http.StatusOK // it does not know 308
	}
	if lines := r.requestLines("Authorization"); len(lines) > 0 {
		object.ReqHeaders = http.Header{"Authorization": lines}
	}
	var results cacheobject.ObjectResults
	cacheobject.CachableResponseObject(&object, &results)
	if len(results.OutReasons) == 0 {
		return cachestatus.None
	}
	switch results.OutReasons[0] {
	case cacheobject.ReasonResponseNoStore:
		return cachestatus.NoStore
	case cacheobject.ReasonResponsePrivate:
		return cachestatus.Private
	case cacheobject.ReasonRequestAuthorizationHeader:
		return cachestatus.Authorization
	case cacheobject.ReasonRequestMethodPOST:
		return cachestatus.Method
	}
	return cachestatus.NoFreshness
}
