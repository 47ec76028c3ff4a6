package origin

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What fuzzing tries to break: each target is a relation between two ways to
// say the same.

// written finds the rule that a fix proposes to write.
var written = regexp.MustCompile(`^write (\S+://[^ ,]+(?:,[0-9][^ ]*)?)`)

// Printing and parsing undo each other, and a fix that says what to write is
// itself accepted.
func FuzzParsePattern(f *testing.F) {
	for _, c := range patternCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePattern(s)
		if err != nil {
			fault, ok := err.(*Fault)
			if !ok || fault.Why == "" || fault.Fix == "" || fault.Value != s || fault.Error() == "" {
				t.Errorf("%q: error %#v", s, err)
			}
			// A fix that says what to write is itself accepted.
			if write := written.FindStringSubmatch(fault.Fix); write != nil {
				if _, err := ParsePattern(write[1]); err != nil {
					t.Errorf("%q: the fix is %q, and %v", s, fault.Fix, err)
				}
			}
			return
		}
		q, err := ParsePattern(p.String())
		if err != nil || !cmp.Equal(p, q, cmp.AllowUnexported(Pattern{}, portSet{})) {
			t.Errorf("%q prints as %s, which reads as %v, %v", s, p, q, err)
		}
		if !p.Covers(q) {
			t.Errorf("%s does not cover itself", p)
		}
		// What names one origin is found by its bytes alone: they must be an
		// origin's.
		if text, single := p.Single(); single {
			if o, ok := Parse(text); !ok || !p.Match(o) {
				t.Errorf("%s is the one origin of a rule, and is none: %v", text, ok)
			}
		}
	})
}

func agree(t interface{ Errorf(string, ...any) }, set *Set, rules []Pattern, s string) {
	o, class := Classify([]string{s})
	want := NoMatch
	for _, p := range rules {
		switch {
		case class != Valid || !p.Match(o):
		case !p.Open():
			want = MatchExact
		case want == NoMatch:
			want = MatchPattern
		}
	}
	text, c, match := set.Classify([]string{s})
	if text != o.Text || c != class || match != want {
		t.Errorf("%q in %v: got %q, %v, %v, want %q, %v, %v", s, rules, text, c, match, o.Text, class, want)
	}
	if text, c, match := set.Classify([]string{s, s}); text != "" || c != Bad || match != NoMatch {
		t.Errorf("two lines %q: got %q, %v, %v", s, text, c, match)
	}
	if got := set.Match(o); got != want {
		t.Errorf("%s in %v: got %v, want %v", s, rules, got, want)
	}
}

// grammar reads a printed pattern as a regular expression over serialised
// origins, knowing nothing of how the package matches.
func grammar(printed string) *regexp.Regexp {
	const label = `[a-z0-9_-]+`
	scheme, rest, _ := strings.Cut(printed, "://")
	host, ports := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') || strings.HasSuffix(rest, "]") && strings.Contains(rest, ":[") {
		if j := strings.LastIndex(rest, ":["); strings.HasSuffix(rest, "]") && j > 0 {
			i = j
		}
		host, ports = rest[:i], rest[i+1:]
	}
	re := "^" + regexp.QuoteMeta(scheme+"://")
	switch before, after, wild := strings.Cut(host, "*"); {
	case strings.HasPrefix(host, "*."):
		re += `(?:` + label + `\.)+` + regexp.QuoteMeta(host[2:])
	case strings.HasPrefix(host, "+."):
		re += label + `\.` + regexp.QuoteMeta(host[2:])
	case wild:
		re += regexp.QuoteMeta(before) + label + regexp.QuoteMeta(after)
	default:
		re += regexp.QuoteMeta(host)
	}
	switch {
	case ports == "*":
		re += `(?::[0-9]+)?`
	case strings.HasPrefix(ports, "["):
		re += `:(?:` + strings.ReplaceAll(strings.Trim(ports, "[]"), ",", "|") + `)`
	case ports != "":
		re += ":" + ports
	}
	return regexp.MustCompile(re + "$")
}

// A pattern matches exactly what its printed form says.
func FuzzPatternGrammar(f *testing.F) {
	for _, c := range patternCases {
		if c.print != "" {
			for _, o := range asks {
				f.Add(c.in, o, "a")
			}
		}
	}
	f.Fuzz(func(t *testing.T, s, o, filler string) {
		p, err := ParsePattern(s)
		if err != nil {
			return
		}
		re := grammar(p.String())
		bare, _, _ := strings.Cut(strings.TrimPrefix(p.String(), p.scheme+"://"), ":")
		filled := strings.NewReplacer("*", filler, "+", filler)
		for _, text := range []string{
			o, filled.Replace(p.String()), p.scheme + "://" + filled.Replace(bare), p.scheme + "://" + filled.Replace(bare) + ":8080",
			p.scheme + "://" + filler + p.host, p.scheme + "://" + p.host, p.scheme + "://" + filler + "." + p.host + ":" + filler,
		} {
			origin, ok := Parse(text)
			if ok && re.MatchString(text) != p.Match(origin) {
				t.Errorf("%s and %s: the grammar says %v, the pattern %v", p, text, re.MatchString(text), p.Match(origin))
			}
		}
	})
}
