package key

import (
	"encoding/binary"
	"strings"
)

// Prefix is what target URIs begin with: a scheme and a whole host, and then
// the beginning of path and query as text. "/news" is the beginning of "/news",
// "/news/a" and "/newsletter": who means a directory ends it in "/". Make it
// with NewPrefix; it is immutable.
type Prefix struct {
	target  Target
	inQuery bool // the path is whole, and Query what the query begins with
}

// NewPrefix brings a prefix to the canonical form of Query.Canonical, with its
// errors. With inQuery it reaches beyond a "?". An escape has to be whole. The
// query is compared as it is keyed: routes that sort parameters, or ignore
// some, have done so.
func NewPrefix(scheme, host, escapedPath, rawQuery string, inQuery bool) (Prefix, error) {
	if !inQuery {
		rawQuery = ""
	}
	t, err := (*Query)(nil).Canonical(scheme, host, escapedPath, rawQuery)
	return Prefix{t, inQuery}, err
}

// String returns p as text.
func (p Prefix) String() string {
	if p.inQuery && p.target.Query == "" {
		return p.target.String() + "?"
	}
	return p.target.String()
}

// First returns the key of the first target URI, in the order of CompareURIs,
// that can have the prefix. Those that have it follow one another from there.
func (p Prefix) First() string { return string(URIKey(nil, p.target)) }

// Begins reports whether the target URI with the key uri (Key.URI) begins with
// p. It allocates nothing.
func (p Prefix) Begins(uri string) bool {
	u, ok := split(uri)
	t := &p.target
	switch {
	case !ok, u[0] != t.Scheme, u[1] != t.Host:
		return false
	case p.inQuery:
		return u[2] == t.Path && strings.HasPrefix(u[3], t.Query)
	}
	return strings.HasPrefix(u[2], t.Path)
}

// CompareURIs orders the keys of target URIs (Key.URI) by scheme, host, path
// and query, so that those with a common Prefix stand side by side. The result
// is 0 for equal ones only. What is no such key comes last. It allocates
// nothing.
func CompareURIs(a, b string) int {
	if n := site(a); n > 0 && len(b) >= n && a[:n] == b[:n] {
		// Nearly always: of one scheme and host, which need not be taken apart.
		path, query, ok := cutTwo(a[n:])
		path2, query2, ok2 := cutTwo(b[n:])
		if ok && ok2 {
			if c := strings.Compare(path, path2); c != 0 {
				return c
			}
			return strings.Compare(query, query2)
		}
	}
	return compareParts(a, b)
}

// compareParts is CompareURIs for whatever they are.
func compareParts(a, b string) int {
	x, ok := split(a)
	y, ok2 := split(b)
	switch {
	case ok && ok2:
		for i := range x {
			if c := strings.Compare(x[i], y[i]); c != 0 {
				return c
			}
		}
	case ok:
		return -1
	case ok2:
		return 1
	}
	return strings.Compare(a, b)
}

// site returns how many bytes scheme and host take at the head of the key of a
// target URI, 0 when one of them is longer than most.
func site(uri string) int {
	n := 0
	for range 2 {
		if n >= len(uri) || uri[n] >= 0x80 {
			return 0
		}
		n += 1 + int(uri[n])
	}
	if n > len(uri) {
		return 0
	}
	return n
}

// cutTwo takes apart what is a path and a query and nothing else.
func cutTwo(s string) (path, query string, ok bool) {
	if path, s, ok = cutText(s); !ok {
		return "", "", false
	}
	query, s, ok = cutText(s)
	return path, query, ok && s == ""
}

// split returns scheme, host, path and query of the key of a target URI.
func split(uri string) (parts [4]string, ok bool) {
	for i := range parts {
		if parts[i], uri, ok = cutText(uri); !ok {
			return parts, false
		}
	}
	return parts, uri == ""
}

// cutText is cutFramed for a string, of which it shares the memory.
func cutText(s string) (text, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	n, w := uint64(s[0]), 1
	if n >= 0x80 {
		n, w = uvarint(s)
	}
	if w <= 0 || n > uint64(len(s)-w) {
		return "", "", false
	}
	return s[w : w+int(n)], s[w+int(n):], true
}

// uvarint is binary.Uvarint for a string.
func uvarint(s string) (n uint64, w int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Uvarint(b[:copy(b[:], s)])
}
