package cache

import (
	"strings"

	"veneer/cache/key"
)

// Dot segments are part of the key and are sent on as they came: what they
// mean is the upstream's to say. But a route is chosen by the path, and its
// policy and the fields that it sets must not be had for a path that the
// upstream may take for another one.

// resolvesElsewhere reports whether the path, with its dot segments resolved
// (RFC 3986 §5.2.4) as the most generous server would, has another route, or
// leads above the root.
func (s *steps) resolvesElsewhere(t key.Target) (other, escapes bool) {
	if !hasDots(t.Path) {
		return false, false
	}
	path, escapes := resolveDots(t.Path)
	route, ok := s.plan.Router.Lookup(t.Host, path)
	return !ok || route != s.route, escapes
}

// decoder reads a path as servers do that decode before they split.
var decoder = strings.NewReplacer("%2E", ".", "%2F", "/", "%5C", "/", "\\", "/")

// hasDots reports whether a canonical path may have a dot segment. It allocates
// nothing for paths without an escape.
func hasDots(path string) bool {
	if strings.IndexByte(path, '%') >= 0 || strings.IndexByte(path, '\\') >= 0 {
		path = decoder.Replace(path)
	}
	if !strings.Contains(path, "/.") {
		return false // a segment begins behind a slash, as the path with one
	}
	for rest := path; ; {
		segment, after, more := strings.Cut(rest, "/")
		if dotSegment(segment) > 0 {
			return true
		}
		if !more {
			return false
		}
		rest = after
	}
}

// dotSegment returns how many dots a dot segment has, 0 for any other. What
// stands behind ";" is a parameter to some servers.
func dotSegment(s string) int {
	name, _, _ := strings.Cut(s, ";")
	if name == "." || name == ".." {
		return len(name)
	}
	return 0
}

// resolveDots removes the dot segments of a path that begins with "/", and
// reports whether they lead above it.
func resolveDots(path string) (resolved string, escapes bool) {
	segments := strings.Split(decoder.Replace(path), "/")[1:]
	var out []string
	for i, s := range segments {
		dots := dotSegment(s)
		if dots == 2 {
			if len(out) == 0 {
				escapes = true
			} else {
				out = out[:len(out)-1]
			}
		}
		if dots == 0 {
			out = append(out, s)
		} else if i == len(segments)-1 {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/"), escapes
}
