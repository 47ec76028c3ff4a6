package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseCases feed the test, the fuzz targets and the benchmark.
var parseCases = []struct {
	name string
	in   string
	want Origin // Text is in; the zero value means bad
}{
	{"name", "https://app.example.com", Origin{"", "https", "app.example.com", 0}},
	{"port", "http://localhost:3000", Origin{"", "http", "localhost", 3000}},
	{"other scheme's default port", "http://a.example:443", Origin{"", "http", "a.example", 443}},
	{"highest port", "https://a.example:65535", Origin{"", "https", "a.example", 65535}},
	{"IPv4", "http://192.0.2.1:8080", Origin{"", "http", "192.0.2.1", 8080}},
	{"IPv4 zeros", "http://0.0.0.0", Origin{"", "http", "0.0.0.0", 0}},
	{"IPv6", "http://[2001:db8::1]:8080", Origin{"", "http", "[2001:db8::1]", 8080}},
	{"IPv6 loopback", "http://[::1]", Origin{"", "http", "[::1]", 0}},
	{"IPv6 all zeros", "http://[::]", Origin{"", "http", "[::]", 0}},
	{"IPv6 gap at the end", "http://[2001:db8::]", Origin{"", "http", "[2001:db8::]", 0}},
	{"IPv6 full", "http://[1:2:3:4:5:6:7:8]", Origin{"", "http", "[1:2:3:4:5:6:7:8]", 0}},
	{"IPv6 mapped, as the URL standard writes it", "http://[::ffff:7f00:1]", Origin{"", "http", "[::ffff:7f00:1]", 0}},
	{"extension", "chrome-extension://abcdefghijklmnop", Origin{"", "chrome-extension", "abcdefghijklmnop", 0}},
	{"underscore", "https://my_app.example", Origin{"", "https", "my_app.example", 0}},
	{"trailing dot is another name", "https://example.com.", Origin{"", "https", "example.com.", 0}},
	{"punycode", "https://xn--bcher-kva.example", Origin{"", "https", "xn--bcher-kva.example", 0}},
	{"label of 63", "https://" + strings.Repeat("a", 63) + ".x", Origin{"", "https", strings.Repeat("a", 63) + ".x", 0}},

	{"empty", "", Origin{}},
	{"null is no tuple", "null", Origin{}},
	{"star", "*", Origin{}},
	{"no scheme", "example.com", Origin{}},
	{"no host", "https://", Origin{}},
	{"empty scheme", "://a", Origin{}},
	{"upper-case scheme", "HTTPS://a.example", Origin{}},
	{"upper-case host", "https://A.example", Origin{}},
	{"not ASCII", "https://bücher.example", Origin{}},
	{"trailing slash", "https://a.example/", Origin{}},
	{"path", "https://a.example/x", Origin{}},
	{"query", "https://a.example?x", Origin{}},
	{"user", "https://u@a.example", Origin{}},
	{"two origins, space", "https://a.example https://b.example", Origin{}},
	{"two origins, comma", "https://a.example,https://b.example", Origin{}},
	{"leading space", " https://a.example", Origin{}},
	{"line break", "https://a.example\r\nx: y", Origin{}},
	{"NUL", "https://a\x00.example", Origin{}},
	{"empty label", "https://a..example", Origin{}},
	{"leading dot", "https://.example", Origin{}},
	{"label of 64", "https://" + strings.Repeat("a", 64) + ".x", Origin{}},
	{"host of 254", "https://" + strings.Repeat("a.", 126) + "ab", Origin{}},
	{"default port", "https://a.example:443", Origin{}},
	{"default port of http", "http://a.example:80", Origin{}},
	{"no port after colon", "https://a.example:", Origin{}},
	{"port zero", "https://a.example:0", Origin{}},
	{"port with leading zero", "https://a.example:08080", Origin{}},
	{"port too high", "https://a.example:65536", Origin{}},
	{"port not decimal", "https://a.example:80a", Origin{}},
	{"two ports", "https://a.example:1:2", Origin{}},
	{"IPv4 with three parts", "http://1.2.3", Origin{}},
	{"IPv4 with five parts", "http://1.2.3.4.5", Origin{}},
	{"IPv4 leading zero", "http://1.2.3.04", Origin{}},
	{"IPv4 too high", "http://1.2.3.256", Origin{}},
	{"IPv4 in hexadecimal", "http://0x7f000001", Origin{}},
	{"IPv4 with a dot", "http://1.2.3.4.", Origin{}},
	{"ends in a number", "http://a.1", Origin{}},
	{"IPv6 not compressed", "http://[0:0:0:0:0:0:0:1]", Origin{}},
	{"IPv6 compressed in the wrong place", "http://[1::2:0:0:0:3]", Origin{}},
	{"IPv6 one zero compressed", "http://[1:2:3::5:6:7:8]", Origin{}},
	{"IPv6 two gaps", "http://[1::2::3]", Origin{}},
	{"IPv6 upper case", "http://[2001:DB8::1]", Origin{}},
	{"IPv6 leading zero", "http://[2001:0db8::1]", Origin{}},
	{"IPv6 dotted", "http://[::ffff:127.0.0.1]", Origin{}},
	{"IPv6 zone", "http://[fe80::1%25eth0]", Origin{}},
	{"IPv6 without brackets", "http://2001:db8::1", Origin{}},
	{"IPv6 not closed", "http://[::1", Origin{}},
	{"IPv6 with a tail", "http://[::1]x", Origin{}},
	{"IPv6 with single colons", "http://[:1:2:3:4:5:6:7:8:]", Origin{}},
	{"IPv6 nothing", "http://[]", Origin{}},
	{"IPv6 nine pieces", "http://[1:2:3:4:5:6:7:8:9]", Origin{}},
	{"scheme of 65", strings.Repeat("a", 65) + "://a", Origin{}},
	{"too long", "https://" + strings.Repeat("a", 1<<20), Origin{}},
}

func TestC2Parse(t *testing.T) {
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			valid := want != Origin{}
			if valid {
				want.Text = c.in
			}
			got, ok := Parse(c.in)
			if diff := cmp.Diff(want, got); ok != valid || diff != "" {
				t.Errorf("ok %v, want %v; diff:\n%s", ok, valid, diff)
			}
		})
	}
}

func TestMaxLen(t *testing.T) {
	if MaxLen != 326 {
		t.Errorf("MaxLen is %d", MaxLen)
	}
	host := strings.TrimSuffix(strings.Repeat(strings.Repeat("a", 63)+".", 4), ".")[:253]
	longest := strings.Repeat("s", 64) + "://" + host + ":65535"
	if _, ok := Parse(longest); !ok || len(longest) != MaxLen {
		t.Errorf("the longest origin (%d bytes) is refused", len(longest))
	}
}

func TestC1C3Classify(t *testing.T) {
	type result struct {
		Text  string
		Class Class
	}
	for _, c := range []struct {
		name  string
		lines []string
		want  result
	}{
		{"no field", nil, result{"", None}},
		{"valid", []string{"https://a.example"}, result{"https://a.example", Valid}},
		{"null", []string{"null"}, result{"null", Null}},
		{"Null", []string{"Null"}, result{"", Bad}},
		{"empty", []string{""}, result{"", Bad}},
		{"two lines", []string{"https://a.example", "https://a.example"}, result{"", Bad}},
		{"two nulls", []string{"null", "null"}, result{"", Bad}},
		{"list", []string{"https://a.example, https://b.example"}, result{"", Bad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, class := Classify(c.lines)
			if diff := cmp.Diff(c.want, result{o.String(), class}); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := []string{None.String(), Bad.String(), Null.String(), Valid.String(), Class(9).String()}; !cmp.Equal(got, []string{"none", "bad", "null", "valid", "unknown"}) {
		t.Errorf("names: %q", got)
	}
}

func TestLoopback(t *testing.T) {
	for s, want := range map[string]bool{
		"http://localhost":           true,
		"http://localhost.:81":       true,
		"http://app.localhost:3000":  true,
		"http://127.0.0.1":           true,
		"http://127.9.9.9:1":         true,
		"http://[::1]:3000":          true,
		"http://127.example":         false,
		"http://notlocalhost":        false,
		"http://localhost.example":   false,
		"http://10.0.0.1":            false,
		"http://[::2]":               false,
		"http://127.0.0.1.nip.local": false,
	} {
		o, ok := Parse(s)
		if !ok || o.Loopback() != want {
			t.Errorf("%s: parsed %v, loopback %v, want %v", s, ok, o.Loopback(), want)
		}
	}
}

// Whatever parses is made of nothing but its parts, and is safe in a field.
func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := Parse(s)
		if !ok {
			if (o != Origin{}) {
				t.Errorf("refused %q, and returned %+v", s, o)
			}
			return
		}
		p := Pattern{scheme: o.Scheme, host: o.Host, ports: portSet{list: []uint16{o.Port}}}
		if p.String() != s || o.Text != s || len(s) > MaxLen {
			t.Errorf("parse %q, print %q", s, p.String())
		}
		if strings.ContainsAny(s, " ,;\"\\\r\n\t\x00") || strings.ToLower(s) != s {
			t.Errorf("accepted %q", s)
		}
		q, err := ParsePattern(s)
		if strings.HasPrefix(s, "file:") {
			return
		}
		if single, ok := q.Single(); err != nil || !ok || single != s {
			t.Errorf("%q is no rule: %v", s, err)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	for _, s := range []string{"https://app.example.com", "http://[2001:db8::1]:8080", "https://" + strings.Repeat("a", 1<<20)} {
		lines := []string{s}
		b.Run(s[:min(len(s), 26)], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(lines)
			}
		})
	}
}
