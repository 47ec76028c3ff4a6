package rfc9111

import "time"

// Source says what a freshness lifetime is from (RFC 9111 §4.2.1). The zero
// value is NoLifetime.
type Source uint8

// The sources of a lifetime.
const (
	NoLifetime     Source = iota // the response says nothing, and nothing may be guessed
	SMaxAge                      // s-maxage
	MaxAge                       // max-age
	Expires                      // Expires less Date
	InvalidExpires               // an Expires that is no date: already expired (§5.3)
	RouteDefault                 // Policy.DefaultTTL
	LastModified                 // a tenth of Date less Last-Modified (§4.2.2)
)

// Explicit reports whether the response states the lifetime itself.
func (s Source) Explicit() bool { return s >= SMaxAge && s <= InvalidExpires }

// lifetime returns the freshness lifetime of a response and where it is from:
// s-maxage, then max-age, then Expires less Date (RFC 9111 §4.2.1), then what
// is guessed. With a targeted field in force Expires does not count (RFC 9213
// §2.2).
func (d *Directives) lifetime(r *Response, m *Meta, p *Policy) (time.Duration, Source) {
	switch expires := r.Header["Expires"]; {
	case d.SMaxAge.Present():
		return d.SMaxAge.Duration(), SMaxAge
	case d.MaxAge.Present():
		return d.MaxAge.Duration(), MaxAge
	case d.Target != "" || len(expires) == 0:
		return d.guessedLifetime(r.Status, m, p)
	default:
		// An Expires that is not a date is in the past (§5.3), and it states
		// something: the lifetime is not to be guessed.
		t, valid := onlyDate(expires, m.ResponseTime)
		if !valid {
			return 0, InvalidExpires
		}
		return min(max(t.Sub(m.Date), 0), maxDelta*time.Second), Expires
	}
}

// guessedLifetime is the lifetime of a response that states none: the route's,
// or a tenth of the time since it was modified (§4.2.2).
func (d *Directives) guessedLifetime(status int, m *Meta, p *Policy) (time.Duration, Source) {
	switch {
	case !d.cacheableByDefault(status):
		return 0, NoLifetime
	case p.DefaultTTL > 0:
		return p.DefaultTTL, RouteDefault
	case m.LastModified.IsZero():
		return 0, NoLifetime
	}
	limit := p.HeuristicLimit
	if limit <= 0 {
		limit = defaultHeuristicLimit
	}
	return min(max(m.Date.Sub(m.LastModified)/10, 0), limit), LastModified
}

// cacheableByDefault reports whether a response may be stored without explicit
// freshness (§3, §4.2.2).
func (d *Directives) cacheableByDefault(status int) bool {
	return d.Public || heuristicStatus(status)
}

// heuristicStatus reports whether status is heuristically cacheable (RFC 9110
// §15.1). 206 is one, but a part is never stored here.
func heuristicStatus(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// storableStatus reports whether status is that of a final response which may
// stand for itself (§3). A 304 speaks of another response. RFC 6585 forbids
// storing 428, 429, 431 and 511: they are about one client.
func storableStatus(status int) bool {
	switch status {
	case 206, 304, 428, 429, 431, 511:
		return false
	}
	return status >= 200 && status <= 599
}

// understood reports whether the caching requirements of status are known here
// (§3, must-understand): those that RFC 9110 §15 and RFC 7725 define, less those
// that are never stored.
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 205,
		status >= 300 && status <= 303,
		status == 305, status == 307, status == 308,
		status >= 400 && status <= 417,
		status == 421, status == 422, status == 426, status == 451,
		status >= 500 && status <= 505:
		return true
	}
	return false
}

// onlyDate reads a field that must have one line.
func onlyDate(lines []string, now time.Time) (time.Time, bool) {
	if len(lines) != 1 {
		return time.Time{}, false
	}
	return ParseDate(lines[0], now)
}

// firstDate reads the first line of a field. For Date: dropping it because
// there is a second one would make the response look younger.
func firstDate(lines []string, now time.Time) (time.Time, bool) {
	if len(lines) == 0 {
		return time.Time{}, false
	}
	return ParseDate(lines[0], now)
}
