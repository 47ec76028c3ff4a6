package key

import (
	"slices"
	"strings"
)

// apply keeps the parameters that count, in the order that counts. raw is in
// canonical form, and so is the result; it is raw itself where nothing changes.
func (q *Query) apply(raw string) string {
	if q == nil || raw == "" || q.keepsAll() {
		return raw
	}
	if q.settled(raw) {
		return raw
	}
	return q.rewrite(raw)
}

// rewrite returns raw with the parameters that count, in their order.
func (q *Query) rewrite(raw string) string {
	var stack [32]string
	params := stack[:0]
	for p := range strings.SplitSeq(raw, "&") {
		if q.counts(paramName(p)) {
			params = append(params, p)
		}
	}
	if q.Sort {
		slices.SortStableFunc(params, func(a, b string) int {
			return compareNames(paramName(a), paramName(b))
		})
	}
	return strings.Join(params, "&")
}

// keepsAll reports whether q leaves every query as it is.
func (q *Query) keepsAll() bool {
	return !q.Sort && len(q.Ignore) == 0 && !q.allows()
}

// allows reports whether q has an allow list.
func (q *Query) allows() bool { return q.AllowSet || len(q.Allow) > 0 }

// settled reports whether apply would change nothing.
func (q *Query) settled(raw string) bool {
	last := ""
	for i := 0; ; {
		p, rest, more := strings.Cut(raw[i:], "&")
		name := paramName(p)
		if !q.counts(name) || q.Sort && compareNames(name, last) < 0 {
			return false
		}
		if !more {
			return true
		}
		last, i = name, len(raw)-len(rest)
	}
}

// counts reports whether the parameter with the encoded name counts.
func (q *Query) counts(name string) bool {
	if q.allows() {
		return matchesAny(q.Allow, name)
	}
	return !matchesAny(q.Ignore, name)
}

// paramName returns the encoded name of a parameter.
func paramName(param string) string {
	name, _, _ := strings.Cut(param, "=")
	return name
}

// matchesAny reports whether a pattern matches the encoded name. Patterns are
// written decoded, so that they hold for every spelling of a name.
func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

func matches(pattern, name string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	for i := range len(prefix) {
		if name == "" {
			return false
		}
		var c byte
		if c, name = nextDecoded(name); c != prefix[i] {
			return false
		}
	}
	return open || name == ""
}

// compareNames orders encoded names by what they stand for: parameters whose
// names an upstream takes for equal must keep their order.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		var x, y byte
		x, a = nextDecoded(a)
		y, b = nextDecoded(b)
		if x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// nextDecoded cuts the first byte, decoded as a form would (WHATWG URL §5.1),
// off a canonical name that is not empty.
func nextDecoded(name string) (c byte, rest string) {
	c, n := unit(name)
	switch {
	case n == 0:
		return '%', name[1:]
	case n == 1 && c == '+':
		c = ' '
	}
	return c, name[n:]
}
