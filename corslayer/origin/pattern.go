package origin

import (
	"slices"
	"strconv"
	"strings"
)

// Shape says which hosts a Pattern stands for.
type Shape uint8

const (
	// Exact: one host.
	Exact Shape = iota
	// Subdomains: https://*.example.com, one label or more before the domain.
	Subdomains
	// OneLabel: https://+.example.com, one label before the domain.
	OneLabel
	// InLabel: https://app-*.example.com, one label before the domain, of
	// which a part is fixed; the wildcard stands for at least one byte.
	InLabel
)

// Pattern is one rule of a list. It is immutable; the zero value matches
// nothing. ParsePattern makes one.
type Pattern struct {
	shape          Shape
	scheme         string
	prefix, suffix string // of the first label, InLabel only
	host           string // Exact: the host; otherwise the domain after the first label
	ports          portSet
}

// portSet is a set of ports in which 0 is the scheme's default port.
type portSet struct {
	any  bool
	list []uint16 // sorted, without duplicates
}

func (s *portSet) has(p uint16) bool {
	if s == nil {
		return false
	}
	if s.any {
		return true
	}
	_, found := slices.BinarySearch(s.list, p)
	return found
}

func (s *portSet) covers(t *portSet) bool {
	if s.any || t.any {
		return s.any
	}
	for _, p := range t.list {
		if !s.has(p) {
			return false
		}
	}
	return true
}

// Shape returns which hosts the pattern stands for.
func (p Pattern) Shape() Shape { return p.shape }

// Scheme returns the scheme.
func (p Pattern) Scheme() string { return p.scheme }

// Domain returns the host of an Exact pattern, and otherwise the domain that
// its hosts are below.
func (p Pattern) Domain() string { return p.host }

// Single returns the one origin that the pattern stands for, or false when
// there may be more.
func (p Pattern) Single() (string, bool) {
	if p.shape != Exact || p.ports.any || len(p.ports.list) != 1 {
		return "", false
	}
	return p.String(), true
}

// Open reports whether the number of origins that the pattern lets in depends
// on others than its author: a wildcard in the host or for the port.
func (p Pattern) Open() bool { return p.shape != Exact || p.ports.any }

// Loopback reports whether every host of the pattern is the browser's own
// machine.
func (p Pattern) Loopback() bool { return loopback(p.host) }

// String returns the pattern as ParsePattern reads it, in one canonical form.
func (p Pattern) String() string {
	var b strings.Builder
	b.WriteString(p.scheme)
	b.WriteString("://")
	switch p.shape {
	case Subdomains:
		b.WriteString("*.")
	case OneLabel:
		b.WriteString("+.")
	case InLabel:
		b.WriteString(p.prefix + "*" + p.suffix + ".")
	}
	b.WriteString(p.host)
	switch {
	case p.ports.any:
		b.WriteString(":*")
	case len(p.ports.list) > 1:
		b.WriteString(":[")
		for i, port := range p.ports.list {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(int(port)))
		}
		b.WriteByte(']')
	case len(p.ports.list) == 1 && p.ports.list[0] != 0:
		b.WriteString(":" + strconv.Itoa(int(p.ports.list[0])))
	}
	return b.String()
}

// Match reports whether the pattern lets o in. It is the plain definition; Set
// gives the same answer in time that does not depend on the number of rules.
func (p Pattern) Match(o Origin) bool {
	return p.scheme == o.Scheme && p.ports.has(o.Port) && p.matchHost(o.Host)
}

func (p Pattern) matchHost(host string) bool {
	if p.shape == Exact {
		return host == p.host
	}
	sub, ok := strings.CutSuffix(host, "."+p.host)
	if !ok || p.shape == Subdomains {
		return ok
	}
	if strings.Contains(sub, ".") {
		return false
	}
	return p.shape == OneLabel || p.matchLabel(sub)
}

func (p Pattern) matchLabel(label string) bool {
	return len(label) > len(p.prefix)+len(p.suffix) &&
		strings.HasPrefix(label, p.prefix) && strings.HasSuffix(label, p.suffix)
}

// Covers reports whether every origin that q lets in is let in by p too.
func (p Pattern) Covers(q Pattern) bool {
	return p.scheme == q.scheme && p.ports.covers(&q.ports) && p.coversHost(q)
}

func (p Pattern) coversHost(q Pattern) bool {
	if q.shape == Exact {
		return p.matchHost(q.host)
	}
	same := p.host == q.host
	switch p.shape {
	case Subdomains:
		return same || strings.HasSuffix(q.host, "."+p.host)
	case OneLabel:
		return same && q.shape != Subdomains
	case InLabel:
		return same && q.shape == InLabel &&
			strings.HasPrefix(q.prefix, p.prefix) && strings.HasSuffix(q.suffix, p.suffix)
	}
	return false
}
