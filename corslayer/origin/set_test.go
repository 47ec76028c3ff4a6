package origin

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Labels and domains from a small alphabet, so that rules and origins meet.
var (
	genLabel  = rapid.StringMatching(`[ab-]{1,4}`)
	genDomain = rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(genLabel, 1, 3).Draw(t, "labels"), ".")
	})
	genPorts   = rapid.SampledFrom([]string{"", "", ":*", ":8080", ":[8080,8081]"})
	genPattern = rapid.Custom(func(t *rapid.T) string {
		first := rapid.SampledFrom([]string{"", "*.", "+.", "a*.", "*a.", "a*b.", "ab*-.", "-*."}).Draw(t, "first")
		return rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme") + "://" + first + genDomain.Draw(t, "domain") + genPorts.Draw(t, "ports")
	})
	genOrigin = rapid.Custom(func(t *rapid.T) string {
		port := rapid.SampledFrom([]string{"", ":8080", ":8081", ":1"}).Draw(t, "port")
		return rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme") + "://" + genDomain.Draw(t, "host") + port
	})
)

// The index gives the same answer as asking every rule.
func TestSetAgreesWithRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []Pattern
		for _, s := range rapid.SliceOfN(genPattern, 0, 8).Draw(t, "rules") {
			rules = append(rules, mustPattern(t, s))
		}
		set := NewSet(rules...)
		for _, s := range rapid.SliceOfN(genOrigin, 1, 8).Draw(t, "origins") {
			agree(t, set, rules, s)
		}
	})
}

// What a rule covers, it lets in.
func TestCoversMeansMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := mustPattern(t, genPattern.Draw(t, "p")), mustPattern(t, genPattern.Draw(t, "q"))
		o, ok := Parse(genOrigin.Draw(t, "origin"))
		if ok && p.Covers(q) && q.Match(o) && !p.Match(o) {
			t.Errorf("%s covers %s, but not %s", p, q, o)
		}
	})
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		p, q string
		want bool
	}{
		{"https://*.x.example", "https://a.x.example", true},
		{"https://*.x.example", "https://+.x.example", true},
		{"https://*.x.example", "https://*.a.x.example", true},
		{"https://*.x.example", "https://*.ax.example", false},
		{"https://*.x.example", "https://x.example", false},
		{"https://*.x.example", "https://a.x.example:8080", false},
		{"https://*.x.example:*", "https://a.x.example:8080", true},
		{"https://+.x.example", "https://*.x.example", false},
		{"https://+.x.example", "https://a-*.x.example", true},
		{"https://a*.x.example", "https://ab*.x.example", true},
		{"https://a*.x.example", "https://*a.x.example", false},
		{"http://localhost:*", "http://localhost:[80,81]", false}, // not a rule: default port
		{"http://localhost:*", "http://localhost:[81,82]", true},
		{"http://localhost:[81,82]", "http://localhost:81", true},
		{"http://localhost:[81,82]", "http://localhost:*", false},
	} {
		q, err := ParsePattern(c.q)
		if err != nil {
			continue
		}
		if got := mustPattern(t, c.p).Covers(q); got != c.want {
			t.Errorf("%s covers %s: got %v, want %v", c.p, c.q, got, c.want)
		}
	}
}

// Rules of one domain add up.
func TestSetUnion(t *testing.T) {
	set := NewSet(mustPattern(t, "https://*.x.example:8080"), mustPattern(t, "https://*.x.example:8081"),
		mustPattern(t, "https://a-*.x.example"), mustPattern(t, "https://a-*-z.x.example"), mustPattern(t, "https://*-z.x.example"))
	for s, want := range map[string]Match{
		"https://q.x.example:8080":  MatchPattern,
		"https://q.x.example:8081":  MatchPattern,
		"https://q.x.example":       NoMatch,
		"https://a-1.x.example":     MatchPattern,
		"https://1-z.x.example":     MatchPattern,
		"https://a-1.q.x.example":   NoMatch,
		"https://a-z.x.example":     MatchPattern,
		"https://1-y.x.example":     NoMatch,
		"https://a-1.x.example:81":  NoMatch,
		"https://a-1-z.x.example":   MatchPattern,
		"https://-z.x.example":      NoMatch,
		"https://a-1.x.example.org": NoMatch,
	} {
		o, ok := Parse(s)
		if got := set.Match(o); !ok || got != want {
			t.Errorf("%s: parsed %v, got %v, want %v", s, ok, got, want)
		}
	}
}

func TestZeroSet(t *testing.T) {
	var set Set
	o, _ := Parse("https://a.example")
	if got := set.Match(o); got != NoMatch {
		t.Errorf("the zero Set lets %s in: %v", o, got)
	}
	if (Pattern{}).Match(Origin{}) {
		t.Error("the zero Pattern matches")
	}
}

// FuzzSet draws the rules from a list of lines and asks index and rules.
func FuzzSet(f *testing.F) {
	f.Add("https://*.a.b\nhttps://+.b:*\nhttps://x-*.b", "https://x-1.b")
	f.Add("http://localhost:[80,8080]\nhttp://[::1]:*", "http://[::1]:9")
	for _, s := range asks {
		f.Add("https://app0.example.com", s)
		f.Add("https://app0.example.com\nhttps://app1.example.com", s)
	}
	f.Fuzz(func(t *testing.T, list, s string) {
		var rules []Pattern
		for line := range strings.SplitSeq(list, "\n") {
			if p, err := ParsePattern(line); err == nil && len(rules) < 16 {
				rules = append(rules, p)
			}
		}
		set := NewSet(rules...)
		agree(t, set, rules, s)
		for _, p := range rules {
			// Origins made from the rules are the ones that meet them.
			agree(t, set, rules, strings.NewReplacer("*", "a", "+", "b").Replace(p.String()))
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	sets := bigSets(b)
	names := make([]string, 0, len(sets))
	for name := range sets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			lines := []string{"https://app-17-x.example.com"}
			for b.Loop() {
				sets[name].Classify(lines)
			}
		})
	}
}
