package rfc9111

import (
	"net/http"
	"time"

	"veneer/cache/cachestatus"
)

// Reuse says what to do with a stored response that a request selected.
type Reuse uint8

const (
	// UseFresh: send it; it is fresh (§4.2).
	UseFresh Reuse = iota
	// UseStale: send it; it is stale and may be (§4.2.4). WantsRefresh says
	// whether to revalidate it in the background.
	UseStale
	// MustValidate: ask the upstream with SetValidators first (§4.3.1).
	MustValidate
	// MustForward: it cannot be used, and has no validator to ask with.
	MustForward
	// OnlyIfCachedFails: it cannot be used, and the client asked not to go
	// forward: 504 (§5.2.1.7).
	OnlyIfCachedFails
)

// String returns the name of the constant's meaning, for explain.
func (r Reuse) String() string {
	switch r {
	case UseFresh:
		return "fresh"
	case UseStale:
		return "stale"
	case MustValidate:
		return "validate"
	case MustForward:
		return "forward"
	case OnlyIfCachedFails:
		return "only-if-cached"
	}
	return "unknown"
}

// Decide says whether the stored response of m may answer a request with the
// directives q at now, and where it may not, or only stale, why (RFC 9111 §4).
// It allocates nothing.
//
// A request's no-store does not keep it from being answered (§5.2.1.5).
func Decide(m *Meta, q RequestDirectives, now time.Time) (Reuse, cachestatus.Reason) {
	age := m.Age(now)
	reason := unusable(m, q, age)
	switch {
	case reason == cachestatus.None && age < m.Lifetime:
		return UseFresh, cachestatus.None
	case reason == cachestatus.None:
		return UseStale, cachestatus.Stale
	case q.OnlyIfCached:
		return OnlyIfCachedFails, cachestatus.OnlyIfCached
	case m.HasValidator():
		return MustValidate, reason
	}
	return MustForward, reason
}

// unusable returns why a response of that age may not be used without
// validation, or None.
func unusable(m *Meta, q RequestDirectives, age time.Duration) cachestatus.Reason {
	fresh := age < m.Lifetime
	switch {
	case q.NoCache:
		return cachestatus.RequestNoCache
	case m.Flags.Has(NoCache):
		return cachestatus.NoCache
	case !fresh && m.Flags.Has(MustRevalidate):
		return cachestatus.MustRevalidate
	// RFC 8246 §2: a reload (max-age=0) of what never changes is not worth
	// asking; a forced one (no-cache) is.
	case tooOld(q, age) && !(fresh && m.Flags.Has(Immutable)):
		return cachestatus.RequestMaxAge
	case q.MinFresh.Present() && m.Lifetime-age < q.MinFresh.Duration():
		return cachestatus.RequestMinFresh
	case !fresh && !staleAllowed(m, q, age-m.Lifetime):
		return cachestatus.Stale
	}
	return cachestatus.None
}

// tooOld reports whether the client wants a younger response (§5.2.1.1).
// max-age=0 is never satisfied: at age zero too it is what a reload sends.
func tooOld(q RequestDirectives, age time.Duration) bool {
	return q.MaxAge.Present() && (age > q.MaxAge.Duration() || q.MaxAge.Duration() == 0)
}

// staleAllowed reports whether the response may be used although it has been
// stale for so long. The client's word is the narrower one: max-stale permits
// and bounds (§5.2.1.2), and max-age without it accepts nothing stale.
func staleAllowed(m *Meta, q RequestDirectives, stale time.Duration) bool {
	switch {
	case q.MaxStale.Present():
		return stale <= q.MaxStale.Duration() || q.MaxStale == Seconds(maxDelta)
	case q.MaxAge.Present():
		return false
	}
	return stale < m.StaleRevalidate
}

// WantsRefresh reports whether a response that is used stale at now is to be
// revalidated in the background (RFC 5861 §3): it is within its
// stale-while-revalidate window. Outside of it, it was the client's max-stale
// that let it pass, and nobody asked for a refresh.
func (m *Meta) WantsRefresh(now time.Time) bool {
	stale := -m.TTL(now)
	return stale >= 0 && stale < m.StaleRevalidate
}

// HasValidator reports whether the upstream can be asked if the response is
// still good (§4.3.1).
func (m *Meta) HasValidator() bool { return m.ETag != "" || !m.LastModified.IsZero() }

// StaleOnError reports whether the stored response may answer at now because
// the upstream could not be reached or answered with an ErrorStatus (RFC 5861
// §4, RFC 9111 §4.2.4). It may when it is fresh and only the request wanted
// more, or stale within stale-if-error or the route's grace. Neither under
// no-cache in the request or the response, nor stale under must-revalidate,
// proxy-revalidate or s-maxage. Other request directives do not count:
// stale-if-error applies "regardless of other freshness information".
func StaleOnError(m *Meta, q RequestDirectives, now time.Time) bool {
	stale := -m.TTL(now)
	switch {
	case q.NoCache || m.Flags.Has(NoCache):
		return false
	case stale < 0:
		return true
	case m.Flags.Has(MustRevalidate):
		return false
	}
	return stale < max(m.StaleError, m.StaleRevalidate, q.StaleIfError.Duration())
}

// ErrorStatus reports whether status is an error in the sense of
// stale-if-error (RFC 5861 §4).
func ErrorStatus(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// SetValidators makes h the fields of a conditional request for the stored
// response (§4.3.1): it sets If-None-Match and If-Modified-Since, or removes
// the one that there is no validator for, and removes the client's other
// preconditions, which are evaluated on the answer. When the response has no
// validator it returns false and leaves h as it is.
func SetValidators(h http.Header, m *Meta) bool {
	if !m.HasValidator() {
		return false
	}
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		delete(h, name)
	}
	if m.ETag != "" {
		h["If-None-Match"] = []string{m.ETag}
	}
	if !m.LastModified.IsZero() {
		h["If-Modified-Since"] = []string{formatDate(m.LastModified)}
	}
	return true
}

// formatDate writes an IMF-fixdate.
func formatDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
