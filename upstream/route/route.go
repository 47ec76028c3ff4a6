// Package route is a table from host and path to whatever is routed there. It
// knows nothing of what that is, and matches against the escaped path in
// canonical form, the same bytes that are keyed and sent upstream, so that
// "%2F" never opens a route that "/" does.
package route

import "strings"

// Entry is one line of a Table.
//
// Host is a host name in any case, "*.example.com" for one or more labels in
// front of example.com (not example.com itself), or "" for any host. With
// ":port" it matches that port only, without it every port. An IPv6 address
// stands in brackets.
//
// Path begins with "/". It is a prefix when it ends in "/" ("/" matches all),
// exact otherwise: "/api/" does not match "/api". A "*" at the end makes a
// prefix of what stands before it: "/api*" matches "/api", "/api/x" and
// "/apix"; "/api/*" is the same as "/api/". "" is "/". It is written in escaped
// form and is brought to canonical form (RFC 3986 §6.2.2) by New.
type Entry[T any] struct {
	Host, Path string
	Value      T
}

// Conflict says why an entry was refused. First and Second are indexes into
// the entries that New got; both match the witness Host and Path and neither
// is more specific. When Second equals First the entry is malformed, and there
// is no witness.
type Conflict struct {
	First, Second int
	Host, Path    string // what both match
	Problem       string // a sentence for the operator
}

// Error returns the problem.
func (c Conflict) Error() string { return c.Problem }

// Table finds the value for a host and a path. It is immutable and safe for
// concurrent use; the zero value matches nothing.
type Table[T any] struct {
	values []T
	exact  map[string]*paths // by host, and by host:port
	suffix map[string]*paths // by what follows the "*" of a wildcard
	any    *paths
}

// New compiles entries. It reports every entry that is malformed or that
// matches the same set as an earlier one; the Table then has the rest, and a
// caller that wants all or nothing drops it.
func New[T any](entries []Entry[T]) (*Table[T], []Conflict) {
	t := &Table[T]{exact: map[string]*paths{}, suffix: map[string]*paths{}}
	var conflicts []Conflict
	taken := map[pattern]int{}
	for i, e := range entries {
		p, problem := parsePattern(e.Host, e.Path)
		if problem != "" {
			conflicts = append(conflicts, Conflict{First: i, Second: i, Problem: problem})
			continue
		}
		if first, dup := taken[p]; dup {
			host, path := p.witness()
			conflicts = append(conflicts, Conflict{
				First: first, Second: i, Host: host, Path: path,
				Problem: "both " + describe(entries[first].Host, entries[first].Path) + " and " +
					describe(e.Host, e.Path) + " match " + host + path + " and nothing makes one of them more specific",
			})
			continue
		}
		taken[p] = i
		t.values = append(t.values, e.Value)
		t.paths(p).add(p.path, p.prefix, len(t.values)-1)
	}
	return t, conflicts
}

func describe(host, path string) string {
	if path == "" {
		path = "/"
	}
	return `"` + host + path + `"`
}

// paths returns the place where the entries of p's host are.
func (t *Table[T]) paths(p pattern) *paths {
	if p.host == "" {
		if t.any == nil {
			t.any = &paths{}
		}
		return t.any
	}
	m := t.exact
	if p.wildcard {
		m = t.suffix
	}
	if m[p.host] == nil {
		m[p.host] = &paths{}
	}
	return m[p.host]
}

// maxHost is the longest host with port that is looked up, in bytes; a longer
// one can match no name (RFC 1035 §3.1), only entries for any host.
const maxHost = 260

// Lookup returns the value of the most specific entry that matches. host is a
// Host field, in any case, with or without port; path is the escaped canonical
// path. A more specific host wins over a longer path: exact over wildcard,
// longer wildcard over shorter, with port over without, any host last. A host
// without a matching path falls through to the next. Among the paths of a host
// an exact one wins, then the longest prefix.
//
// "*", the target of OPTIONS for the server as a whole, matches "/" entries
// like any path. Lookup allocates nothing; its time grows with the lengths of
// host and path and not with the number of entries.
func (t *Table[T]) Lookup(host, path string) (v T, ok bool) {
	if path == "" || path[0] != '/' {
		path = "/"
	}
	i := -1
	if len(host) <= maxHost && len(t.exact)+len(t.suffix) > 0 {
		i = t.named(host, path)
	}
	if i < 0 {
		i = t.any.lookup(path)
	}
	if i < 0 {
		return v, false
	}
	return t.values[i], true
}

// named looks a host up among the entries that have one.
func (t *Table[T]) named(host, path string) int {
	var buf [maxHost]byte
	name, port := splitPort(host)
	name = strings.TrimSuffix(name, ".")
	full := append(buf[:0], name...)
	for i, c := range full {
		if 'A' <= c && c <= 'Z' {
			full[i] = c + 'a' - 'A'
		}
	}
	n := len(full)
	if port != "" {
		full = append(append(full, ':'), port...)
	}
	if i := probe(t.exact, full, n, path); i >= 0 {
		return i
	}
	if len(t.suffix) == 0 {
		return -1
	}
	for at := 1; at < n; at++ { // a label stands in front of every dot that counts
		if full[at] != '.' {
			continue
		}
		if i := probe(t.suffix, full[at:], n-at, path); i >= 0 {
			return i
		}
	}
	return -1
}

// probe looks up host with its port, and then host[:n] without it.
func probe(m map[string]*paths, host []byte, n int, path string) int {
	if len(host) > n {
		if i := m[string(host)].lookup(path); i >= 0 {
			return i
		}
	}
	return m[string(host[:n])].lookup(path)
}

// splitPort cuts host[:port]; an IPv6 address keeps its brackets.
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || i < strings.LastIndexByte(host, ']') {
		return host, ""
	}
	return host[:i], host[i+1:]
}
