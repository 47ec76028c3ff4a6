package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePattern(t *testing.T) {
	for _, c := range patternCases {
		t.Run(c.in[:min(len(c.in), 40)], func(t *testing.T) {
			p, err := ParsePattern(c.in)
			if c.print != "" {
				if err != nil || p.String() != c.print {
					t.Errorf("got %s, %v; want %s", p, err, c.print)
				}
				return
			}
			got, _ := err.(*Fault)
			if diff := cmp.Diff(&Fault{c.in, c.why, c.fix}, got); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultText(t *testing.T) {
	_, err := ParsePattern("https://a.example/")
	if got, want := err.Error(), `cannot use origin "https://a.example/": an origin does not end in a slash`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err = ParsePattern("https://" + strings.Repeat("a", 2000))
	if got := err.Error(); len(got) > 200 {
		t.Errorf("an error of %d bytes", len(got))
	}
}

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		pattern string
		in, out []string
	}{
		{"https://*.x.example", []string{"https://a.x.example", "https://a.b.x.example"},
			[]string{"https://x.example", "https://ax.example", "http://a.x.example", "https://a.x.example:8443", "https://a.x.example.", "https://x.example.evil"}},
		{"https://+.x.example", []string{"https://a.x.example"}, []string{"https://a.b.x.example", "https://x.example"}},
		{"https://app-*.x.example", []string{"https://app-1.x.example", "https://app--.x.example"},
			[]string{"https://app-.x.example", "https://app-1.a.x.example", "https://app.x.example", "https://xapp-1.x.example"}},
		{"https://a*a.x.example", []string{"https://aba.x.example", "https://aaa.x.example"}, []string{"https://aa.x.example", "https://a.x.example"}},
		{"http://localhost:*", []string{"http://localhost", "http://localhost:1", "http://localhost:65535"}, []string{"https://localhost", "http://a.localhost"}},
		{"https://+.x.example:[8080,9090]", []string{"https://a.x.example:8080", "https://a.x.example:9090"}, []string{"https://a.x.example", "https://a.x.example:8081"}},
		{"http://[::1]:*", []string{"http://[::1]", "http://[::1]:3000"}, []string{"http://[::2]"}},
	} {
		p := mustPattern(t, c.pattern)
		s := NewSet(p)
		check := func(text string, want bool) {
			o, ok := Parse(text)
			if !ok || p.Match(o) != want || (s.Match(o) != NoMatch) != want {
				t.Errorf("%s and %s: parsed %v, pattern %v, set %v, want %v", c.pattern, text, ok, p.Match(o), s.Match(o), want)
			}
		}
		for _, text := range c.in {
			check(text, true)
		}
		for _, text := range c.out {
			check(text, false)
		}
	}
}

func TestPatternFacts(t *testing.T) {
	type facts struct {
		Single, PublicSuffix, Open, Loopback bool
		Shape                                Shape
		Scheme, Domain                       string
	}
	for s, want := range map[string]facts{
		"https://a.github.io":     {Single: true, Scheme: "https", Domain: "a.github.io"},
		"https://*.github.io":     {PublicSuffix: true, Open: true, Shape: Subdomains, Scheme: "https", Domain: "github.io"},
		"https://a-*.co.uk":       {PublicSuffix: true, Open: true, Shape: InLabel, Scheme: "https", Domain: "co.uk"},
		"https://+.com":           {PublicSuffix: true, Open: true, Shape: OneLabel, Scheme: "https", Domain: "com"},
		"https://*.com.":          {PublicSuffix: true, Open: true, Shape: Subdomains, Scheme: "https", Domain: "com."},
		"https://*.internal":      {Open: true, Shape: Subdomains, Scheme: "https", Domain: "internal"},
		"http://*.localhost":      {Open: true, Loopback: true, Shape: Subdomains, Scheme: "http", Domain: "localhost"},
		"http://127.0.0.1:*":      {Open: true, Loopback: true, Scheme: "http", Domain: "127.0.0.1"},
		"http://localhost:[1,2]":  {Loopback: true, Scheme: "http", Domain: "localhost"},
		"https://*.x.example.com": {Open: true, Shape: Subdomains, Scheme: "https", Domain: "x.example.com"},
	} {
		p := mustPattern(t, s)
		_, single := p.Single()
		got := facts{single, p.PublicSuffix(), p.Open(), p.Loopback(), p.Shape(), p.Scheme(), p.Domain()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s, diff)
		}
	}
}

func mustPattern(t interface{ Fatal(...any) }, s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The sample strings of RFC 3492 §7.1, and some host names.
func TestPunycode(t *testing.T) {
	for in, want := range map[string]string{
		"ليهمابتكلموشعربي؟": "egbpdaj6bu4bxfgehfvwxn",
		"他们为什么不说中文":         "ihqwcrb4cv8a8dqg056pqjye",
		"bücher":            "bcher-kva",
		"mañana":            "maana-pta",
		"3年b組金八先生":          "3b-ww4c5e180e575a65lsy2b",
		"そのスピードで":           "d9juau41awczczp",
		"почемужеонинеговорятпорусски": "b1abfaaepdrnnbgefbadotcwatmq2g4l",
	} {
		if got := encodePunycode([]rune(in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
