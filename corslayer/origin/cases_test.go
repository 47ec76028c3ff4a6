package origin

import (
	"fmt"
	"strings"
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
	{in: "http://[0:0::1]", why: "it is not the compressed form of an IPv6 address", fix: "write http://[::1]"},
	{in: "http://1.2.3.256", why: "it is not an IPv4 address as browsers write it", fix: "write four decimal numbers without leading zeros"},
	{in: "https://a.example:443", why: "browsers leave the default port out", fix: "write https://a.example"},
	{in: "https://*.example:[443,8443]", why: "browsers leave the default port out", fix: "write https://*.example, in an entry of its own"},
	{in: "https://a.example:0", why: "the port is not a number from 1 to 65535", fix: "write it without leading zeros, or :* for any port"},
	{in: "https://a.example:", why: "the port is not a number from 1 to 65535", fix: "write https://a.example"},
	{in: "https://a.example:08080", why: "the port is not a number from 1 to 65535", fix: "write it without leading zeros, or :* for any port"},
	{in: "http://[::1::]", why: "it is not the compressed form of an IPv6 address", fix: "write it as browsers do, such as [2001:db8::1]"},
	{in: "HTTPS://U@A.example:443/", why: "browsers send origins in lower case", fix: "write https://a.example"},
	{in: "https://*.A.example:8443/x?y#z", why: "browsers send origins in lower case", fix: "write https://*.a.example:8443"},
	{in: "https://A..example/", why: "browsers send origins in lower case", fix: "write it in lower case"},
	{in: "https://Bücher.example/", why: "browsers send host names in ASCII", fix: "write https://xn--bcher-kva.example"},
	{in: "'https://app.example.com'", why: "it has quotation marks in it", fix: "write https://app.example.com"},
	{in: "https://'app'.example.com", why: "it has quotation marks in it", fix: "remove them"},
	{in: " https://a.example", why: "it has white space", fix: "write https://a.example"},
	{in: "https://a.example,https://b.example", why: "it is more than one origin", fix: "write one entry for each"},
	{in: "https://u@a..example", why: "an origin has no user name", fix: "remove what ends at the @"},
	{in: "https://a..example/", why: "an origin does not end in a slash", fix: "remove the slash"},
	{in: "https://a..example/x", why: "an origin has no path", fix: "remove what begins at the slash"},
	{in: "https://a..example?x", why: "an origin has no query", fix: "remove what begins at the ?"},
	{in: "https://a..example#x", why: "an origin has no fragment", fix: "remove what begins at the #"},
	{in: "https://a.example:80,81", why: "the port is not a number from 1 to 65535", fix: "write several ports as :[8080,8081]"},
	{in: "https://a.example:[80", why: "the list of ports does not end", fix: "write :[8080,8081]"},
	{in: "https://a.example:[" + strings.Repeat("8,", 64) + "8]", why: "it lists more than 64 ports", fix: "write :* for any port, or two entries"},
}

// bigSets feed the allocation gate and the benchmark.
func bigSets(t interface{ Fatal(...any) }) map[string]*Set {
	sets := make(map[string]*Set)
	for _, n := range []int{1, 1_000, 100_000} {
		rules := make([]Pattern, n)
		for i := range rules {
			rules[i] = mustPattern(t, fmt.Sprintf("https://app%d.example.com", i))
		}
		sets[fmt.Sprintf("%d origins", n)] = NewSet(rules...)
	}
	var rules []Pattern
	for i := range 250 {
		for _, form := range []string{"https://*.d%d.example", "https://+.e%d.example:*", "https://app-%d-*.example.com", "https://*-%d.example.com"} {
			rules = append(rules, mustPattern(t, fmt.Sprintf(form, i)))
		}
	}
	sets["1000 patterns"] = NewSet(rules...)
	return sets
}

// asks are origins of every kind, from an exact one to a hostile one.
var asks = []string{
	"https://app0.example.com", "https://app99999.example.com", "https://stranger.example.com", "http://[2001:db8::1]:8080",
	"https://a.b.c.d7.example", "https://a.e9.example:9000", "https://app-17-x.example.com", "https://x-249.example.com",
	"https://" + strings.Repeat("a.", 120) + "example", "null", "bad origin",
}
