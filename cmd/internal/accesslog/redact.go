package accesslog

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"
)

// Secrets end up in URLs, and logs are read by more people than secrets are for.
// So the values of parameters are not logged whose name gives them away, nor
// values with such a parameter in them, or with a user before a host (RFC 3986
// §3.2.1): often a value is a URL. Either may be percent-encoded, and more than
// once. That is a list of names: a secret under another name, or in a path, is
// logged.

const redacted = "REDACTED"

// secretNames are parameters that hold a secret, secretParts what the names of
// others have in them. In lower case.
var (
	secretNames = []string{
		"auth", "authorization", "code", "key", "sig", "hmac", "pin", "otp", "sid", "ticket", "assertion", "samlresponse", "samlrequest",
	}
	secretParts = []string{
		"token", "secret", "passw", "pwd", "passphrase", "signature", "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key",
		"private_key", "credential", "session", "oauth", "jwt", "bearer",
	}
)

// query returns what is logged of a query. It is good until the entry is asked
// for the next text.
func (e *entry) query(s string) string {
	s = clip(s)
	if plain(s) {
		return s
	}
	e.plain = appendRedacted(e.plain[:0], s)
	return view(e.plain)
}

// url is query for a URL: what of it is a query or a fragment, and who stands
// before the host (RFC 3986 §3.2.1).
func (e *entry) url(s string) string {
	s = clip(s)
	end := strings.IndexAny(s, "?#")
	if end < 0 {
		end = len(s)
	}
	b := appendWithoutUser(e.plain[:0], s[:end])
	if end < len(s) {
		b = appendRedacted(append(b, s[end]), s[end+1:])
	}
	e.plain = b
	return view(b)
}

func appendWithoutUser(b []byte, s string) []byte {
	scheme, rest, ok := strings.Cut(s, "//")
	if !ok {
		return append(b, s...)
	}
	authority, _, _ := strings.Cut(rest, "/")
	user := strings.LastIndexByte(authority, '@')
	if user < 0 {
		return append(b, s...)
	}
	b = append(append(b, scheme...), "//"...)
	return append(append(b, redacted...), rest[user:]...)
}

// delimiters end a parameter; "?" does for a query that holds another one as it
// is.
const delimiters = "&;?#"

// appendRedacted writes a query.
func appendRedacted(b []byte, s string) []byte {
	for s != "" {
		pair, end := s, ""
		if i := strings.IndexAny(s, delimiters); i >= 0 {
			pair, end = s[:i], s[i:i+1]
		}
		s = s[len(pair)+len(end):]
		b = append(appendPair(b, pair), end...)
	}
	return b
}

// appendPair writes one parameter.
func appendPair(b []byte, pair string) []byte {
	name, v, has := strings.Cut(pair, "=")
	if !has {
		name, v = "", pair
	}
	b, folded, ok := fold(b, name)
	if !plain(name) {
		if !ok || holds(folded) { // "token%3Dx=5"
			return append(b, redacted...)
		}
		folded = folded[bytes.LastIndexAny(folded, delimiters)+1:]
	}
	if !secret(folded) {
		if plain(v) {
			return append(b, pair...)
		}
		if b, folded, ok = fold(b, v); ok && !holds(folded) {
			if b, folded, _ = fold(b, pair); user(folded) { // "//me:p=w@host"
				return append(b, redacted...)
			}
			return append(b, pair...)
		}
	}
	if has {
		b = append(append(b, name...), '=')
	}
	return append(b, redacted...)
}

// plain reports whether nothing in s is a parameter or a user, nor encoded.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '=' || c == '%' || c == '@' {
			return false
		}
	}
	return true
}

// secret reports whether a parameter of that folded name holds one.
func secret(name []byte) bool {
	for i, c := range name {
		for _, part := range partsFrom[c] {
			if strings.HasPrefix(view(name[i:]), part) {
				return true
			}
		}
	}
	return slices.Contains(secretNames, view(name))
}

// partsFrom are secretParts by their first byte: most bytes of a name begin none.
var partsFrom = func() (from [256][]string) {
	for _, part := range secretParts {
		from[part[0]] = append(from[part[0]], part)
	}
	return from
}()

// holds reports whether folded text has a parameter in it that holds a secret,
// or a user before a host.
func holds(text []byte) bool {
	from := 0
	for i, c := range text {
		switch c {
		case '=':
			if secret(text[from:i]) {
				return true
			}
			from = i + 1
		case '&', ';', '?', '#': // delimiters
			from = i + 1
		}
	}
	return user(text)
}

// user reports whether folded text has one before a host.
func user(text []byte) bool {
	for {
		_, rest, ok := bytes.Cut(text, []byte("//"))
		if !ok {
			return false
		}
		authority := rest
		if i := bytes.IndexAny(rest, "/?#"); i >= 0 {
			authority = rest[:i]
		}
		if bytes.IndexByte(authority, '@') >= 0 {
			return true
		}
		text = rest
	}
}

// maxFolds is how often a text may be encoded, and be looked at. Nobody means
// well with more.
const maxFolds = 8

// fold returns s in lower case and without percent-encoding (RFC 3986 §2.1), of
// whatever depth up to maxFolds: deeper it is not ok. What is no encoding stays.
// It is written behind the end of b, where it is good until b is appended to; the
// b that is returned has room for it.
func fold(b []byte, s string) (same, folded []byte, ok bool) {
	n := len(b)
	b = append(b, s...)
	folded = b[n:]
	for range maxFolds + 1 { // the last finds nothing
		short := unescape(folded)
		if len(short) == len(folded) {
			for i, c := range folded {
				if 'A' <= c && c <= 'Z' {
					folded[i] = c | 0x20
				}
			}
			return b[:n], folded, true
		}
		folded = short
	}
	return b[:n], folded, false
}

// unescape decodes p once, in place.
func unescape(p []byte) []byte {
	first := bytes.IndexByte(p, '%')
	if first < 0 {
		return p
	}
	n := first
	for i := first; i < len(p); i++ {
		c := p[i]
		if c == '%' && i+2 < len(p) {
			if high, low := unhex(p[i+1]), unhex(p[i+2]); high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		p[n] = c
		n++
	}
	return p[:n]
}

// unhex returns the value of a hexadecimal digit, and more than 15 for anything
// else.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// view is b as a string, good until b changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
