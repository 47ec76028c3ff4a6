package origin

import (
	"math/bits"
	"slices"
	"strings"
)

// Match says how a Set let an origin in.
type Match uint8

const (
	// NoMatch: no rule lets the origin in.
	NoMatch Match = iota
	// MatchExact: a rule names the origin.
	MatchExact
	// MatchPattern: a rule with a wildcard lets it in, and perhaps any number
	// of others.
	MatchPattern
)

// Set is a compiled list of rules, immutable and safe for concurrent use. The
// zero value lets nothing in.
//
// Single origins are one map. Rules with a wildcard are indexed by scheme and
// domain; inside a domain by the fixed parts of the label. So the time of a
// match is bounded by the length of the origin, never by the number of rules.
type Set struct {
	exact     map[string]struct{}            // serialised origins
	maxExact  int                            // the longest key in exact
	only      string                         // the key in exact, where there is just one
	anyPort   map[string]struct{}            // scheme://host of rules for any port
	domains   map[string]map[string]*subtree // scheme, then domain
	maxDomain int                            // the longest key in domains
}

// subtree holds the rules for the names below one domain.
type subtree struct {
	deep   *portSet // Subdomains
	single *portSet // OneLabel
	inside *affixes // InLabel
}

// affixes index InLabel rules by prefix, then by suffix. Bit n of a mask says
// that some key has n bytes (a label has at most 63), so that only lengths
// that exist are tried.
type affixes struct {
	prefixLens uint64
	byPrefix   map[string]*suffixes
}

type suffixes struct {
	lens  uint64
	ports map[string]*portSet
}

// NewSet compiles patterns. It keeps none of them.
func NewSet(patterns ...Pattern) *Set {
	s := &Set{exact: make(map[string]struct{}, len(patterns))}
	for _, p := range patterns {
		s.add(p)
	}
	if len(s.exact) == 1 {
		for text := range s.exact {
			s.only = text
		}
	}
	return s
}

func (s *Set) add(p Pattern) {
	switch {
	case p.shape != Exact:
		s.addWildcard(p)
	case p.ports.any:
		if s.anyPort == nil {
			s.anyPort = make(map[string]struct{})
		}
		s.anyPort[p.scheme+"://"+p.host] = struct{}{}
	default:
		for i := range p.ports.list {
			one := p
			one.ports.list = p.ports.list[i : i+1]
			text := one.String()
			s.exact[text] = struct{}{}
			s.maxExact = max(s.maxExact, len(text))
		}
	}
}

func (s *Set) addWildcard(p Pattern) {
	if s.domains == nil {
		s.domains = make(map[string]map[string]*subtree)
	}
	byDomain := s.domains[p.scheme]
	if byDomain == nil {
		byDomain = make(map[string]*subtree)
		s.domains[p.scheme] = byDomain
	}
	t := byDomain[p.host]
	if t == nil {
		t = new(subtree)
		byDomain[p.host] = t
	}
	s.maxDomain = max(s.maxDomain, len(p.host))
	switch p.shape {
	case Subdomains:
		t.deep = t.deep.union(p.ports)
	case OneLabel:
		t.single = t.single.union(p.ports)
	case InLabel:
		t.addInside(p)
	}
}

func (t *subtree) addInside(p Pattern) {
	if t.inside == nil {
		t.inside = &affixes{byPrefix: make(map[string]*suffixes)}
	}
	a := t.inside
	a.prefixLens |= 1 << len(p.prefix)
	x := a.byPrefix[p.prefix]
	if x == nil {
		x = &suffixes{ports: make(map[string]*portSet)}
		a.byPrefix[p.prefix] = x
	}
	x.lens |= 1 << len(p.suffix)
	x.ports[p.suffix] = x.ports[p.suffix].union(p.ports)
}

// union returns the ports of s, which may be nil, and t. It keeps neither list.
func (s *portSet) union(t portSet) *portSet {
	u := &portSet{any: t.any, list: slices.Clone(t.list)}
	if s != nil {
		u.any = u.any || s.any
		u.list = append(u.list, s.list...)
	}
	slices.Sort(u.list)
	u.list = slices.Compact(u.list)
	return u
}

// Classify is the package's Classify, and Match for what is Valid, in one: it
// is what a request costs. The text is that of a Valid or a Null origin. An
// origin that a rule names is found by its bytes, without being parsed: the
// rules hold serialised origins only. It allocates nothing.
func (s *Set) Classify(lines []string) (text string, c Class, m Match) {
	if len(lines) == 1 && s.isExact(lines[0]) {
		return lines[0], Valid, MatchExact
	}
	o, c := Classify(lines)
	if c != Valid {
		return o.Text, c, NoMatch
	}
	return o.Text, c, s.matchOpen(o)
}

// Match says whether and how the set lets o in. It allocates nothing.
func (s *Set) Match(o Origin) Match {
	if s.isExact(o.Text) {
		return MatchExact
	}
	return s.matchOpen(o)
}

// isExact reports whether a rule names the origin of that text.
func (s *Set) isExact(text string) bool {
	switch {
	case s.only != "":
		return text == s.only
	case len(text) > s.maxExact:
		return false // nor is it hashed, however long it is
	}
	_, ok := s.exact[text]
	return ok
}

// matchOpen asks the rules that name no single origin.
func (s *Set) matchOpen(o Origin) Match {
	if o.Scheme == "" {
		return NoMatch // not a tuple origin
	}
	if len(s.anyPort) > 0 {
		if _, ok := s.anyPort[o.authority()]; ok {
			return MatchPattern
		}
	}
	if byDomain := s.domains[o.Scheme]; byDomain != nil && s.matchName(byDomain, o) {
		return MatchPattern
	}
	return NoMatch
}

// matchName tries every domain that the host is below.
func (s *Set) matchName(byDomain map[string]*subtree, o Origin) bool {
	label, domain, ok := strings.Cut(o.Host, ".")
	for first := true; ok; first = false {
		if len(domain) <= s.maxDomain {
			if t := byDomain[domain]; t != nil && t.match(label, first, o.Port) {
				return true
			}
		}
		_, domain, ok = strings.Cut(domain, ".")
	}
	return false
}

func (t *subtree) match(label string, direct bool, port uint16) bool {
	if t.deep.has(port) {
		return true
	}
	if !direct {
		return false
	}
	return t.single.has(port) || t.inside != nil && t.inside.match(label, port)
}

func (a *affixes) match(label string, port uint16) bool {
	for lens := a.prefixLens; lens != 0; lens &= lens - 1 {
		n := bits.TrailingZeros64(lens)
		if n >= len(label) {
			return false
		}
		if x := a.byPrefix[label[:n]]; x != nil && x.match(label[n:], port) {
			return true
		}
	}
	return false
}

// match is given the label without its prefix; at least one byte must be left
// for the wildcard.
func (x *suffixes) match(rest string, port uint16) bool {
	for lens := x.lens; lens != 0; lens &= lens - 1 {
		n := bits.TrailingZeros64(lens)
		if n >= len(rest) {
			return false
		}
		if x.ports[rest[len(rest)-n:]].has(port) {
			return true
		}
	}
	return false
}
