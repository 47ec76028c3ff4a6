package origin

import (
	_ "embed"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// ancestorsText lists the domains that are no public suffix and have one below
// them (amazonaws.com, ck), one a line, sorted. TestAncestors makes it of the
// rules of golang.org/x/net/publicsuffix, which has no list to ask.
//
//go:embed ancestors.txt
var ancestorsText string

// ancestors is ancestorsText as a set. It is made when the first wildcard is
// checked.
var ancestors = sync.OnceValue(func() map[string]struct{} {
	set := make(map[string]struct{})
	for domain := range strings.Lines(ancestorsText) {
		set[strings.TrimSuffix(domain, "\n")] = struct{}{}
	}
	return set
})

// PublicSuffix reports whether the wildcard stands for names that anybody can
// register: those below a suffix of the public suffix list, private section
// included (*.co.uk, *.github.io), and, where it stands for any depth, those
// below a domain that has such a suffix below it (*.amazonaws.com). A domain
// that the list does not know is no suffix.
//
// One label before such a domain is the suffix itself, and nobody's to register
// (+.amazonaws.com). It is where the list says that every label makes a suffix
// (*.code.run): those are handed out one by one, and have pages of their own.
func (p Pattern) PublicSuffix() bool {
	if p.shape == Exact {
		return false
	}
	domain := strings.TrimSuffix(p.host, ".")
	if suffix, icann := publicsuffix.PublicSuffix(domain); suffix == domain && (icann || strings.Contains(suffix, ".")) {
		return true
	}
	const label = "-." // no rule names it
	if suffix, _ := publicsuffix.PublicSuffix(label + domain); suffix == label+domain {
		return true
	}
	_, above := ancestors()[domain]
	return above && p.shape == Subdomains
}
