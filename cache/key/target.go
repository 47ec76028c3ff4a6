package key

import (
	"fmt"
	"net/url"
)

// Target is a target URI (RFC 9110 §7.1) in the one canonical form that is
// keyed and sent upstream. Make it with Query.Canonical; two Targets name the
// same resource for the cache exactly if they are equal.
//
// The strings may share memory with the request that they were made from.
type Target struct {
	Scheme string // "http" or "https"
	Host   string // lower case, without the scheme's default port
	Path   string // escaped, begins with "/"; these bytes go upstream
	Query  string // escaped, without "?"; "" when there is none
}

// Canonical brings a target URI to its canonical form. escapedPath is the path
// as it was sent (EscapedPath gets it from a url.URL), rawQuery what stood
// after the first "?".
//
//   - Scheme and host are lower case (RFC 3986 §6.2.2.1). The scheme's default
//     port, an empty port and one trailing dot of the host are dropped, so that
//     no spelling of a host gets past a rule for it.
//   - Percent-encoding is normalised (RFC 3986 §6.2.2.2): unreserved bytes are
//     decoded, hex digits are upper case, bytes that cannot stand in a path or
//     query are encoded. Nothing else is decoded: %2F, %25, %00 and reserved
//     bytes stay, because decoding them changes what the URI means.
//   - Dot segments stay as they were sent, and decoding never makes one:
//     /a/%2e%2e/b becomes /a/%2E%2E/b. To remove them would be the other half
//     of §6.2.2.3, but upstreams disagree on them; a key of their own is safe.
//   - An empty path is "/" (§6.2.3). Duplicate slashes stay.
//   - An invalid escape in the path is an error. In the query its "%" becomes
//     "%25": browsers send "?q=100%" as it was typed.
//   - "/a?" and "/a" are the same target: an empty query is dropped, so that a
//     query of ignored parameters alone keys like none.
//   - "+" and ";" in the query mean what the upstream makes of them.
//
// What q ignores leaves the target, and with it the upstream request: a
// parameter outside the key must not decide the response. A nil q keeps all.
//
// An error means that the request must be answered with 400. Canonical
// allocates nothing when its input is canonical already. It is safe for
// concurrent use.
func (q *Query) Canonical(scheme, host, escapedPath, rawQuery string) (Target, error) {
	s, err := canonicalScheme(scheme)
	if err != nil {
		return Target{}, err
	}
	h, err := canonicalHost(s, host)
	if err != nil {
		return Target{}, err
	}
	p, err := canonicalPath(escapedPath)
	if err != nil {
		return Target{}, err
	}
	return Target{Scheme: s, Host: h, Path: p, Query: q.apply(canonicalQuery(rawQuery))}, nil
}

// EscapedPath returns the path of u as it was sent. It differs from
// u.EscapedPath where the path has a byte that should have been escaped: that
// method then encodes the decoded path anew, and %2F becomes "/".
func EscapedPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// URL returns t as a URL for an upstream request: path and query go out
// exactly as they are keyed. Scheme and Host are the target's, not the
// upstream server's.
func (t Target) URL() *url.URL {
	u := &url.URL{Scheme: t.Scheme, Host: t.Host, Path: t.Path, RawQuery: t.Query}
	if p, err := url.PathUnescape(t.Path); err == nil {
		u.Path, u.RawPath = p, t.Path
	}
	return u
}

// String returns t as a URI.
func (t Target) String() string {
	s := t.Scheme + "://" + t.Host + t.Path
	if t.Query != "" {
		s += "?" + t.Query
	}
	return s
}

// The classes of bytes that RFC 3986 and RFC 9110 tell apart.
const (
	unreserved = 1 << iota // §2.3
	pathByte               // pchar or "/", §3.3, without "%"
	queryByte              // pchar, "/" or "?", §3.4, without "%"
	tokenByte              // RFC 9110 §5.6.2
	hostByte               // what a reg-name may hold here; narrower than §3.2.2
)

var class = func() (t [256]uint8) {
	set := func(bytes string, bits uint8) {
		for i := range len(bytes) {
			t[bytes[i]] |= bits
		}
	}
	const alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	set(alnum, unreserved|pathByte|queryByte|tokenByte|hostByte)
	set("-._~", unreserved|pathByte|queryByte)
	set("!$&'()*+,;=:@/", pathByte|queryByte)
	set("?", queryByte)
	set("!#$%&'*+-.^_`|~", tokenByte)
	set("-_.", hostByte)
	return t
}()

// is reports whether c belongs to one of the classes in bits.
func is(c byte, bits uint8) bool { return class[c]&bits != 0 }

// canonicalPath returns p in canonical form, p itself where it already is.
func canonicalPath(p string) (string, error) {
	if p == "" {
		return "/", nil
	}
	if p[0] != '/' {
		return "", targetError("path", p, `does not begin with "/"`)
	}
	i := plain(p, pathByte)
	if i == len(p) {
		return p, nil
	}
	return rewrittenPath(p, i)
}

// rewrittenPath is canonicalPath for what is no canonical path at p[i]. Like all
// that needs room on the stack it is a function of its own, for a goroutine of
// HTTP/2 begins with a small one.
func rewrittenPath(p string, i int) (string, error) {
	for p[i-1] == '.' { // an escaped dot belongs to the dots before it
		i--
	}
	var stack [512]byte
	out := append(stack[:0], p[:i]...)
	word := is(p[i-1], unreserved)
	for i < len(p) {
		c, n := unit(p[i:])
		if n == 0 {
			return "", targetError("path", p, "has an invalid percent-encoding")
		}
		if c == '.' {
			end, decode := dots(p, i, word)
			out = appendDots(out, p[i:end], decode)
			i = end
			continue
		}
		out = appendUnit(out, c, n, pathByte)
		word = is(c, unreserved)
		i += n
	}
	return same(p, out), nil
}

// dots finds the end of the run of dots, escaped or not, at p[i:], and reports
// whether its escapes may be decoded. They may not where the run could be read
// as a dot segment: one or two dots with no word on either side. "/" bounds a
// segment, and so may whatever an upstream decodes or cuts off (%2F, %5C, ";").
func dots(p string, i int, wordBefore bool) (end int, decode bool) {
	count := 0
	for end = i; end < len(p); count++ {
		c, n := unit(p[end:])
		if n == 0 || c != '.' {
			break
		}
		end += n
	}
	if end < len(p) {
		if c, n := unit(p[end:]); n > 0 && is(c, unreserved) {
			return end, true
		}
	}
	return end, wordBefore || count > 2
}

// appendDots writes a run of dots.
func appendDots(dst []byte, run string, decode bool) []byte {
	for i := 0; i < len(run); {
		_, n := unit(run[i:])
		if n == 3 && !decode {
			dst = append(dst, "%2E"...)
		} else {
			dst = append(dst, '.')
		}
		i += n
	}
	return dst
}

// canonicalQuery returns q with its percent-encoding normalised, q itself
// where it already is. "&", "=" and "+" keep their places.
func canonicalQuery(q string) string {
	i := plain(q, queryByte)
	if i == len(q) {
		return q
	}
	return rewrittenQuery(q, i)
}

func rewrittenQuery(q string, i int) string {
	var stack [512]byte
	out := append(stack[:0], q[:i]...)
	for i < len(q) {
		c, n := unit(q[i:])
		if n == 0 {
			c, n = '%', 1
		}
		out = appendUnit(out, c, n, queryByte)
		i += n
	}
	return same(q, out)
}

// plain returns how many bytes at the head of s are of the class and need no
// closer look.
func plain(s string, bits uint8) int {
	for i := range len(s) {
		if !is(s[i], bits) {
			return i
		}
	}
	return len(s)
}

// unit returns the first byte that s, which is not empty, stands for and how
// many bytes it is written with: 1, 3 when it is percent-encoded, 0 when s
// begins with an invalid escape.
func unit(s string) (c byte, n int) {
	if s[0] != '%' {
		return s[0], 1
	}
	if len(s) < 3 {
		return 0, 0
	}
	hi, ok := unhex(s[1])
	lo, ok2 := unhex(s[2])
	if !ok || !ok2 {
		return 0, 0
	}
	return hi<<4 | lo, 3
}

// appendUnit writes a byte that was written with n bytes.
func appendUnit(dst []byte, c byte, n int, allowed uint8) []byte {
	if is(c, unreserved) || n == 1 && is(c, allowed) {
		return append(dst, c)
	}
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// same returns s, or a part of it, when it has the bytes of out: that costs no
// allocation.
func same(s string, out []byte) string {
	if len(s) >= len(out) && s[:len(out)] == string(out) {
		return s[:len(out)]
	}
	return string(out)
}

// targetError says why a part of a target URI cannot be used. Only the head of
// the value is shown: a client chooses its length.
func targetError(part, value, why string) error {
	if len(value) > 100 {
		value = value[:100] + "..."
	}
	return fmt.Errorf("cannot use %s %q of the target URI: it %s", part, value, why)
}
