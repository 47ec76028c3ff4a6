package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// patternCases feed the test and the fuzz target.
var patternCases = []struct {
	in    string
	print string // the canonical form; "" when refused
	why   string // when refused
	fix   string
}{
	{in: "https://app.example.com", print: "https://app.example.com"},
	{in: "https://*.example.com", print: "https://*.example.com"},
	{in: "https://+.example.com", print: "https://+.example.com"},
	{in: "https://app-*.example.com", print: "https://app-*.example.com"},
	{in: "https://*-app.example.com", print: "https://*-app.example.com"},
	{in: "https://a-*-z.example.com:8443", print: "https://a-*-z.example.com:8443"},
	{in: "http://localhost:*", print: "http://localhost:*"},
	{in: "http://*.localhost:*", print: "http://*.localhost:*"},
	{in: "http://[::1]:*", print: "http://[::1]:*"},
	{in: "http://localhost:[8081,8080,8081]", print: "http://localhost:[8080,8081]"},
	{in: "http://localhost:[8080]", print: "http://localhost:8080"},
	{in: "https://*.com", print: "https://*.com"},
	{in: "https://*.example.com.", print: "https://*.example.com."},
	{in: "chrome-extension://abc", print: "chrome-extension://abc"},

	{in: "", why: "it is empty", fix: "write an origin such as https://app.example.com"},
	{in: "*", why: "* stands for every origin and is no pattern", fix: "let it stand alone in the list"},
	{in: "null", why: "null is shared by sandboxed frames, local files and redirects of anybody", fix: "allow_null: true, if that is meant"},
	{in: "file:///x", why: "pages from files have the origin null", fix: "serve the page over http://localhost"},
	{in: "example.com", why: "it has no scheme", fix: "begin with https://"},
	{in: "https://a.example, https://b.example", why: "it has white space", fix: "write one origin for each entry, without spaces"},
	{in: "https://A.example", why: "browsers send origins in lower case", fix: "write https://a.example"},
	{in: "https://Bücher.example", why: "browsers send host names in ASCII", fix: "write https://xn--bcher-kva.example"},
	{in: "https://*.münchen.example:8443", why: "browsers send host names in ASCII", fix: "write https://*.xn--mnchen-3ya.example:8443"},
	{in: "https://☃.example", why: "browsers send host names in ASCII", fix: "write the host in punycode (xn--…)"},
	{in: "https://\xff.example", why: "browsers send host names in ASCII", fix: "write the host in punycode (xn--…)"},
	{in: "https://u:p@a.example", why: "an origin has no user name", fix: "write https://a.example"},
	{in: "https://a.example/", why: "an origin does not end in a slash", fix: "write https://a.example"},
	{in: "https://a.example/app", why: "an origin has no path", fix: "write https://a.example"},
	{in: "https://a.example?x", why: "an origin has no query", fix: "write https://a.example"},
	{in: "https://a.example#x", why: "an origin has no fragment", fix: "write https://a.example"},
	{in: "https://", why: "it has no host", fix: "write an origin such as https://app.example.com"},
	{in: "https://a..example", why: "the host has an empty label", fix: "remove the dot that is too much"},
	{in: "https://.example", why: "the host has an empty label", fix: "remove the dot that is too much"},
	{in: "https://*..example", why: "the host has an empty label", fix: "remove the dot that is too much"},
	{in: "https://a!b.example", why: "the host has a character that no host has", fix: "use letters, digits, hyphens and dots"},
	{in: "https://a!*.example", why: "the host has a character that no host has", fix: "use letters, digits, hyphens and dots"},
	{in: "https://" + strings.Repeat("a", 64) + ".x", why: "a label of the host has more than 63 bytes", fix: "shorten it"},
	{in: "https://" + strings.Repeat("a", 63) + "*.x", why: "a label of the host has more than 63 bytes", fix: "shorten it"},
	{in: "https://" + strings.Repeat("a.", 130) + "x", why: "the host has more than 253 bytes", fix: "shorten it"},
	{in: "https://*." + strings.Repeat("a.", 125) + "ab", why: "the domain is too long to have a name below it", fix: "a host has at most 253 bytes"},
	{in: "https://" + strings.Repeat("a", 1100), why: "it is longer than 1024 bytes", fix: "split the list of ports"},
	{in: "*://a.example", why: "the scheme cannot be a wildcard", fix: "write one entry for http and one for https"},
	{in: "1http://a.example", why: "the scheme is not valid", fix: "begin with https://"},
	{in: "https://*", why: "it lets in every host", fix: `write "*" for all origins, without credentials`},
	{in: "https://*.", why: "it lets in every host", fix: `write "*" for all origins, without credentials`},
	{in: "https://*.*.example", why: "the wildcard is in the wrong place", fix: "*.domain for any depth, +.domain for one label, name-*.domain inside the first label"},
	{in: "https://a.*.example", why: "the wildcard is in the wrong place", fix: "*.domain for any depth, +.domain for one label, name-*.domain inside the first label"},
	{in: "https://a+.example", why: "the wildcard is in the wrong place", fix: "*.domain for any depth, +.domain for one label, name-*.domain inside the first label"},
	{in: "https://a*b*.example", why: "it has two wildcards", fix: "a pattern has one, in its first label"},
	{in: "https://**.example", why: "it has two wildcards", fix: "a pattern has one, in its first label"},
	{in: "http://*.0.0.1", why: "an IP address has no subdomains", fix: "list the addresses"},
	{in: "http://[*::1]", why: "an IP address has no subdomains", fix: "list the addresses"},
	{in: "http://[0:0::1]", why: "it is not the compressed form of an IPv6 address", fix: "write it as browsers do, such as [2001:db8::1]"},
	{in: "http://1.2.3.256", why: "it is not an IPv4 address as browsers write it", fix: "write four decimal numbers without leading zeros"},
	{in: "https://a.example:443", why: "browsers leave the default port out", fix: "write https://a.example, in an entry of its own"},
	{in: "https://*.example:[443,8443]", why: "browsers leave the default port out", fix: "write https://*.example, in an entry of its own"},
	{in: "https://a.example:0", why: "the port is not a number from 1 to 65535", fix: "write it without leading zeros, or :* for any port"},
	{in: "https://a.example:", why: "the port is not a number from 1 to 65535", fix: "write it without leading zeros, or :* for any port"},
	{in: "https://a.example:80,81", why: "the port is not a number from 1 to 65535", fix: "write several ports as :[8080,8081]"},
	{in: "https://a.example:[80", why: "the list of ports does not end", fix: "write :[8080,8081]"},
	{in: "https://a.example:[" + strings.Repeat("8,", 64) + "8]", why: "it lists more than 64 ports", fix: "write :* for any port, or two entries"},
}

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
			return
		}
		q, err := ParsePattern(p.String())
		if err != nil || !cmp.Equal(p, q, cmp.AllowUnexported(Pattern{}, portSet{})) {
			t.Errorf("%q prints as %s, which reads as %v, %v", s, p, q, err)
		}
		if !p.Covers(q) {
			t.Errorf("%s does not cover itself", p)
		}
	})
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
