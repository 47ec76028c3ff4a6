package rfc9111

import "time"

// Meta is what freshness, reuse and validation need to know of a stored
// response. It is computed once, when the response is stored or freshened,
// and immutable after that.
type Meta struct {
	RequestTime  time.Time     // when the request that brought the response was sent
	ResponseTime time.Time     // when the response was received (§4.2.3 response_time)
	InitialAge   time.Duration // corrected_initial_age (§4.2.3)
	Lifetime     time.Duration // freshness_lifetime (§4.2.1); 0 is stale at once

	// How long past its lifetime the response may be served while it is
	// revalidated in the background (RFC 5861 §3), and when the upstream
	// fails (RFC 5861 §4, or the route's grace). Zero: not at all.
	StaleRevalidate, StaleError time.Duration

	Date         time.Time // Date, or ResponseTime where it was absent or invalid
	LastModified time.Time // zero when absent or invalid
	ETag         string    // the entity-tag as it stands in the field; "" when absent or invalid
	Flags        Flags
}

// Flags are yes-or-no facts about a stored response.
type Flags uint16

const (
	// NoCache: validate before every use (§5.2.2.4), qualified form included.
	NoCache Flags = 1 << iota
	// MustRevalidate: never serve stale (§5.2.2.2, §5.2.2.8, and s-maxage, §5.2.2.10).
	MustRevalidate
	// Explicit: the freshness lifetime was said by the response, not guessed (§4.2.2).
	Explicit
	// SharesAuthorized: may be reused for requests with Authorization (§3.5).
	SharesAuthorized
	// Immutable: a client's reload need not be forwarded while it is fresh (RFC 8246).
	Immutable
)

// Has reports whether all flags of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Age returns current_age at now (§4.2.3), never negative. The time in the
// cache is bounded by the longest lifetime there is, so that the sum cannot
// overflow into youth.
func (m *Meta) Age(now time.Time) time.Duration {
	resident := min(max(now.Sub(m.ResponseTime), 0), maxDelta*time.Second)
	return m.InitialAge + resident
}

// TTL returns the freshness that is left at now; zero or less is stale (§4.2).
func (m *Meta) TTL(now time.Time) time.Duration { return m.Lifetime - m.Age(now) }

// Fresh reports whether the response is fresh at now: the lifetime exceeds the
// current age (§4.2).
func (m *Meta) Fresh(now time.Time) bool { return m.TTL(now) > 0 }
