package rfc9111

import (
	"strings"
	"time"
)

// ParseDate reads an HTTP-date (RFC 9110 §5.6.7) in its three forms:
//
//	Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
//	Sunday, 06-Nov-94 08:49:37 GMT   RFC 850, obsolete
//	Sun Nov  6 08:49:37 1994         asctime, obsolete
//
// and in no other: http.ParseTime takes one-digit hours and doubled spaces,
// which make an Expires invalid and so the response stale. Names and GMT have
// no case. The name of the day is checked for its form only, since a wrong one
// is common and says nothing about the date.
//
// A two-digit year is the latest that lies no more than 50 years after now.
func ParseDate(s string, now time.Time) (time.Time, bool) {
	switch {
	case len(s) == 29 && s[3] == ',':
		return parseIMF(s)
	case len(s) == 24 && s[3] == ' ':
		return parseAsctime(s)
	default:
		return parseRFC850(s, now)
	}
}

// parseIMF reads an IMF-fixdate; s has 29 bytes.
func parseIMF(s string) (time.Time, bool) {
	if !shortDay(s[:3]) || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || !isGMT(s[25:]) {
		return time.Time{}, false
	}
	return civil(number(s[12:16]), month(s[8:11]), number(s[5:7]), s[17:25])
}

// parseAsctime reads an asctime-date; s has 24 bytes. A day below ten is
// padded with a space.
func parseAsctime(s string) (time.Time, bool) {
	if !shortDay(s[:3]) || s[7] != ' ' || s[10] != ' ' || s[19] != ' ' {
		return time.Time{}, false
	}
	day := number(s[8:10])
	if s[8] == ' ' {
		day = number(s[9:10])
	}
	return civil(number(s[20:24]), month(s[4:7]), day, s[11:19])
}

// parseRFC850 reads an rfc850-date.
func parseRFC850(s string, now time.Time) (time.Time, bool) {
	name, rest, ok := strings.Cut(s, ", ")
	if !ok || len(rest) != 22 || rest[2] != '-' || rest[6] != '-' || rest[9] != ' ' || !isGMT(rest[18:]) || !longDay(name) {
		return time.Time{}, false
	}
	year := number(rest[7:9])
	if year < 0 {
		return time.Time{}, false
	}
	limit := now.UTC().AddDate(50, 0, 0)
	for year += limit.Year() / 100 * 100; ; year -= 100 {
		t, ok := civil(year, month(rest[3:6]), number(rest[:2]), rest[10:18])
		// A 29 February may exist in one century and not in the next.
		if (ok && !t.After(limit)) || year <= limit.Year()-200 {
			return t, ok
		}
	}
}

// civil joins the parts of a date. Parts that are not numbers are negative.
func civil(year int, month time.Month, day int, clock string) (time.Time, bool) {
	if clock[2] != ':' || clock[5] != ':' {
		return time.Time{}, false
	}
	hour, minute, second := number(clock[:2]), number(clock[3:5]), number(clock[6:8])
	if year < 0 || month == 0 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}, false
	}
	t := time.Date(year, month, day, hour, minute, min(second, 59), 0, time.UTC)
	if t.Day() != day {
		return time.Time{}, false // 31 June
	}
	// A leap second is the instant after :59.
	return t.Add(time.Duration(second/60) * time.Second), true
}

// number reads a field of digits of fixed width; -1 when one is not a digit.
func number(s string) int {
	n := 0
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// isGMT reports whether s ends a date in GMT.
func isGMT(s string) bool { return s[0] == ' ' && strings.EqualFold(s[1:], "GMT") }

// month returns the month with the three-letter name s, or 0.
func month(s string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(m.String()[:3], s) {
			return m
		}
	}
	return 0
}

// shortDay reports whether s is the three-letter name of a day.
func shortDay(s string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String()[:3], s) {
			return true
		}
	}
	return false
}

// longDay reports whether s is the whole name of a day.
func longDay(s string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), s) {
			return true
		}
	}
	return false
}
