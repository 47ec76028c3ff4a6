package accesslog

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"
)

// Secrets end up in URLs, and logs are read by more people than secrets are for.
// So the values of parameters are not logged whose name gives them away. That is
// a list of names: a secret under another name, or in a path, is logged.

const redacted = "REDACTED"

// secretNames are parameters that hold a secret, secretParts what the names of
// others have in them. In lower case.
var (
	secretNames = []string{
		"auth", "authorization", "code", "key", "sig", "hmac", "pin", "otp", "sid", "ticket", "assertion", "samlresponse", "samlrequest",
	}
	secretParts = []string{
		"token", "secret", "passw", "pwd", "passphrase", "signature", "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key",
		"private_key", "credential", "session", "oauth", "jwt",
	}
)

// query returns what is logged of a query. It is good until the entry is asked
// for the next text.
func (e *entry) query(s string) string {
	s = clip(s)
	if strings.IndexByte(s, '=') < 0 {
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

// appendRedacted writes a query.
func appendRedacted(b []byte, s string) []byte {
	for s != "" {
		pair := s
		if i := strings.IndexAny(s, "&;?#"); i >= 0 { // "?": a query that holds another one as it is
			pair = s[:i+1]
		}
		s = s[len(pair):]
		name, v, has := strings.Cut(pair, "=")
		if !has || !secret(name) {
			b = append(b, pair...)
			continue
		}
		b = append(append(b, name...), '=')
		b = append(b, redacted...)
		if n := len(v); n > 0 && strings.IndexByte("&;?#", v[n-1]) >= 0 {
			b = append(b, v[n-1])
		}
	}
	return b
}

// maxName bounds what is looked at of a parameter's name, in bytes.
const maxName = 64

// secret reports whether a parameter of that name, as it stands in a query, holds
// one.
func secret(name string) bool {
	var lower [maxName]byte
	n := 0
	for i := 0; i < len(name) && n < maxName; i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) {
			if high, low := unhex(name[i+1]), unhex(name[i+2]); high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[n] = c
		n++
	}
	b := lower[:n]
	return slices.Contains(secretNames, view(b)) ||
		slices.ContainsFunc(secretParts, func(part string) bool { return bytes.Contains(b, []byte(part)) })
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
