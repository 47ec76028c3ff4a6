package rfc9111

import (
	"net/http"
	"strings"
	"time"
)

// Precondition is the outcome of a request's preconditions (RFC 9110 §13).
type Precondition uint8

const (
	// Proceed: answer as if there were none.
	Proceed Precondition = iota
	// NotModified: 304 (§15.4.5).
	NotModified
	// Failed: 412 (§15.5.13).
	Failed
)

// Evaluate evaluates the preconditions of a request on the stored response of
// m with that status, in the order of RFC 9110 §13.2.2. They count only where
// the answer would be 2xx (§13.2.1). What cannot be read is ignored. It
// allocates nothing.
//
// If-None-Match compares weakly and keeps If-Modified-Since from being looked
// at. If-Modified-Since compares with Last-Modified, or with Date where there
// is none (RFC 9111 §4.3.2).
//
// If-Match and If-Unmodified-Since speak to the origin server, and RFC 9111
// §4.3.2 would have a cache forward them: see ForOrigin. Where a caller
// evaluates them all the same, they compare strongly, with Last-Modified only.
func Evaluate(method string, f Fields, m *Meta, status int) Precondition {
	if status < 200 || status > 299 {
		return Proceed
	}
	if match := f.Values("If-Match"); len(match) > 0 {
		if !matches(match, m.ETag, strongMatch) {
			return Failed
		}
	} else if t, ok := onlyDate(f.Values("If-Unmodified-Since"), m.ResponseTime); ok && m.LastModified.After(t) {
		return Failed
	}
	read := method == http.MethodGet || method == http.MethodHead
	if none := f.Values("If-None-Match"); len(none) > 0 {
		switch {
		case !matches(none, m.ETag, WeakMatch):
			return Proceed
		case read:
			return NotModified
		}
		return Failed
	}
	if t, ok := onlyDate(f.Values("If-Modified-Since"), m.ResponseTime); ok && read && !m.modified().After(t) {
		return NotModified
	}
	return Proceed
}

// ForOrigin reports whether a request has preconditions that only an origin
// server evaluates (RFC 9111 §4.3.2): If-Match and If-Unmodified-Since.
func ForOrigin(f Fields) bool {
	return len(f.Values("If-Match")) > 0 || len(f.Values("If-Unmodified-Since")) > 0
}

// modified is when the response was last modified, as far as is known (RFC
// 9111 §4.3.2).
func (m *Meta) modified() time.Time {
	if m.LastModified.IsZero() {
		return m.Date.Truncate(time.Second)
	}
	return m.LastModified
}

// IfRange reports whether a Range field is to be heeded (RFC 9110 §13.1.5,
// §14.2): If-Range is absent, or has the strong validator of the stored
// response. A date must equal Last-Modified, which is strong when it lies at
// least a second before Date (§8.8.2.2). In any doubt the answer is the whole.
func IfRange(f Fields, m *Meta) bool {
	lines := f.Values("If-Range")
	switch {
	case len(lines) == 0:
		return true
	case len(lines) > 1:
		return false
	case validTag(lines[0]):
		return strongMatch(lines[0], m.ETag)
	}
	t, ok := ParseDate(lines[0], m.ResponseTime)
	return ok && !m.LastModified.IsZero() && t.Equal(m.LastModified) &&
		m.Date.Sub(m.LastModified) >= time.Second
}

// matches reports whether a list of entity-tags has one that equals tag, or is
// "*", which any stored response matches.
func matches(lines []string, tag string, equal func(a, b string) bool) bool {
	for _, line := range lines {
		for rest := line; rest != ""; {
			var one string
			if one, rest = cutTag(rest); one == "*" || equal(one, tag) {
				return true
			}
		}
	}
	return false
}

// cutTag returns the first element of a list of entity-tags, and what follows.
// An element that is neither "*" nor an entity-tag comes back as "".
func cutTag(s string) (tag, rest string) {
	s = strings.TrimLeft(s, ", \t")
	end := tagLength(s)
	if end == 0 && strings.HasPrefix(s, "*") {
		end = 1
	}
	junk, rest, _ := strings.Cut(s[end:], ",")
	if strings.Trim(junk, " \t") != "" {
		return "", rest
	}
	return s[:end], rest
}

// tagLength returns the length of the entity-tag (RFC 9110 §8.8.3) that s
// begins with, or zero.
func tagLength(s string) int {
	i := len(s) - len(strings.TrimPrefix(s, "W/"))
	if i >= len(s) || s[i] != '"' {
		return 0
	}
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// validTag reports whether s is an entity-tag.
func validTag(s string) bool { return s != "" && tagLength(s) == len(s) }

// WeakMatch is the weak comparison of two entity-tags (RFC 9110 §8.8.3.2); an
// absent one, "", matches nothing. A 304 whose ETag does not match the stored
// one speaks of another representation (RFC 9111 §4.3.4).
func WeakMatch(a, b string) bool {
	return a != "" && strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// strongMatch is the strong comparison (§8.8.3.2).
func strongMatch(a, b string) bool {
	return a != "" && a == b && !strings.HasPrefix(a, "W/")
}
