package origin

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The grammar of case C2 a second time, in other words: a regular expression,
// and the standard library's addresses. It shares no code with the package.
var serialised = regexp.MustCompile(`^([a-z][a-z0-9+.-]{0,63})://(\[[0-9a-f:]+\]|(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?)(?::([1-9][0-9]{0,4}))?$`)

// ports that a serialised origin leaves out.
var defaults = map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443", "ftp": "21"}

var numeric = regexp.MustCompile(`(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$`)

func isSerialised(s string) bool {
	m := serialised.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	scheme, host, port := m[1], m[2], m[3]
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n > 65535 || port == defaults[scheme]) {
		return false
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner = strings.TrimSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if err != nil || !ip.Is6() {
			return false
		}
		if !ip.Is4In6() {
			return ip.String() == inner
		}
		b := ip.As16()
		hex := func(i int) string { return strconv.FormatUint(uint64(b[i])<<8|uint64(b[i+1]), 16) }
		return inner == "::ffff:"+hex(12)+":"+hex(14)
	}
	if numeric.MatchString(host) {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is4() && ip.String() == host
	}
	return len(host) <= 253
}

// Parse accepts what the grammar says, and nothing else.
func FuzzParseAgreesWithTheGrammar(f *testing.F) {
	for _, c := range parseCases {
		f.Add(c.in)
	}
	for _, s := range asks {
		f.Add(s)
	}
	for _, s := range []string{"http://0x", "http://a.0xg", "http://1.2.3.4.5", "http://01.2.3.4", "http://[::ffff:0:0]", "http://[::1:0:0:0:0:0:0]", "ws://a:80", "ftp://a:21", "x://a:80", "https://a-.-b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := Parse(s); ok != isSerialised(s) {
			t.Errorf("%q: parsed %v, and the grammar says %v", s, ok, isSerialised(s))
		}
	})
}

// What mend returns is a pattern, it leaves a pattern alone, and mending twice
// changes nothing more.
func FuzzMend(f *testing.F) {
	for _, c := range patternCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePattern(s); err == nil {
			if got, ok := mend(p.String()); !ok || got != p.String() {
				t.Errorf("%s is a pattern, and is mended to %q, %v", p, got, ok)
			}
		}
		mended, ok := mend(s)
		if !ok {
			return
		}
		if _, err := ParsePattern(mended); err != nil {
			t.Errorf("%q is mended to what is no pattern: %v", s, err)
		}
		if again, ok := mend(mended); !ok || again != mended {
			t.Errorf("%q is mended to %q, and that to %q", s, mended, again)
		}
	})
}

func TestMend(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/":                   "https://a.example",
		"HTTPS://A.Example:443/Path?q#f":       "https://a.example",
		"http://u:p@a.example:8080":            "http://a.example:8080",
		"http://a.example:80":                  "http://a.example",
		"http://a.example:443":                 "http://a.example:443",
		"https://*.A.example/":                 "https://*.a.example",
		"https://app-*.A.example:*/":           "https://app-*.a.example:*",
		"https://+.a.example:[8081,8080]/":     "https://+.a.example:[8081,8080]",
		`"https://a.example"`:                  "https://a.example",
		"'https://a.example/'":                 "https://a.example",
		"`https://a.example`":                  "https://a.example",
		"\thttps://a.example\r\n":              "https://a.example",
		"http://[0:0:0:0:0:0:0:1]:3000/":       "http://[::1]:3000",
		"http://[2001:DB8::1]":                 "http://[2001:db8::1]",
		"http://[::ffff:127.0.0.1]":            "http://[::ffff:7f00:1]",
		"https://MÜNCHEN.example/":             "https://xn--mnchen-3ya.example",
		"a.example":                            "",
		"https://":                             "",
		"file:///x":                            "",
		"https://*":                            "",
		"https://a.*.example/":                 "",
		"https://a..example/":                  "",
		"http://[fe80::1%25eth0]":              "",
		"http://[1.2.3.4]":                     "",
		"http://1.2.3.04/":                     "",
		"https://a.example, https://b.test":    "",
		"https://" + strings.Repeat("a", 2000): "",
	} {
		if got, ok := mend(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
	}
}
