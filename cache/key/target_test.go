package key

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// targets is the list that the table test, the fuzz seeds and the wire test
// share. want is empty where the target is refused.
var targets = []struct {
	name                      string
	scheme, host, path, query string
	want                      string
}{
	{"canonical", "https", "example.com", "/a/b", "c=d", "https://example.com/a/b?c=d"},
	{"scheme and host case", "HTTPS", "EXAMPLE.com", "/A", "", "https://example.com/A"},
	{"empty path", "http", "a", "", "", "http://a/"},
	{"asterisk form", "http", "a", "*", "", ""},
	{"relative path", "http", "a", "b", "", ""},
	{"unknown scheme", "ftp", "a", "/", "", ""},
	{"no scheme", "", "a", "/", "", ""},

	{"default port http", "http", "a:80", "/", "", "http://a/"},
	{"default port https", "https", "a:443", "/", "", "https://a/"},
	{"other's default port", "http", "a:443", "/", "", "http://a:443/"},
	{"port", "http", "a:8080", "/", "", "http://a:8080/"},
	{"empty port", "http", "a:", "/", "", "http://a/"},
	{"port with zeros", "http", "a:0080", "/", "", "http://a/"},
	{"port with zeros kept", "http", "a:08080", "/", "", "http://a:8080/"},
	{"port 0", "http", "a:0", "/", "", ""},
	{"port out of range", "http", "a:65536", "/", "", ""},
	{"signed port", "http", "a:+80", "/", "", ""},
	{"port is text", "http", "a:b", "/", "", ""},
	{"two ports", "http", "a:1:2", "/", "", ""},
	{"trailing dot", "http", "a.example.", "/", "", "http://a.example/"},
	{"trailing dot and port", "http", "A.example.:81", "/", "", "http://a.example:81/"},
	{"two trailing dots", "http", "a..", "/", "", ""},
	{"empty label", "http", "a..b", "/", "", ""},
	{"leading dot", "http", ".a", "/", "", ""},
	{"dot alone", "http", ".", "/", "", ""},
	{"no host", "http", "", "/", "", ""},
	{"port alone", "http", ":80", "/", "", ""},
	{"underscore", "http", "a_b.c-d", "/", "", "http://a_b.c-d/"},
	{"userinfo", "http", "u@a", "/", "", ""},
	{"slash in host", "http", "a/b", "/", "", ""},
	{"space in host", "http", "a b", "/", "", ""},
	{"escaped host", "http", "%61", "/", "", ""},
	{"host with NUL", "http", "a\x00b", "/", "", ""},
	{"raw IDN", "http", "bücher.example", "/", "", ""},
	{"host too long", "http", strings.Repeat("a.", 127) + "aa", "/", "", ""},
	{"longest host", "http", strings.Repeat("a.", 126) + "a.", "/", "", "http://" + strings.Repeat("a.", 126) + "a/"},
	{"IPv4", "http", "127.0.0.1:8080", "/", "", "http://127.0.0.1:8080/"},
	{"IPv6", "http", "[::1]", "/", "", "http://[::1]/"},
	{"IPv6 long form", "https", "[2001:DB8:0:0:0:0:0:1]:443", "/", "", "https://[2001:db8::1]/"},
	{"IPv6 and port", "http", "[::1]:81", "/", "", "http://[::1]:81/"},
	{"IPv6 zone", "http", "[fe80::1%25eth0]", "/", "", ""},
	{"IPv6 unclosed", "http", "[::1", "/", "", ""},
	{"IPv6 and rubbish", "http", "[::1]a", "/", "", ""},
	{"IPv4 in brackets", "http", "[127.0.0.1]", "/", "", ""},
	{"empty brackets", "http", "[]", "/", "", ""},
	{"IPvFuture", "http", "[v1.x]", "/", "", ""},

	{"unreserved decoded", "http", "a", "/%41%7e%2D%5f%30", "", "http://a/A~-_0"},
	{"hex upper case", "http", "a", "/%c3%bc%2f", "", "http://a/%C3%BC%2F"},
	{"reserved kept encoded", "http", "a", "/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40", "", "http://a/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40"},
	{"reserved kept raw", "http", "a", "/!$&'()*+,;=:@", "", "http://a/!$&'()*+,;=:@"},
	{"slash NUL backslash percent", "http", "a", "/%2f%00%5c%25%2541", "", "http://a/%2F%00%5C%25%2541"},
	{"raw bytes encoded", "http", "a", "/ü[\"<>\\^`{|} \x7f\x00]", "", "http://a/%C3%BC%5B%22%3C%3E%5C%5E%60%7B%7C%7D%20%7F%00%5D"},
	{"delimiters encoded", "http", "a", "/a?b#c", "", "http://a/a%3Fb%23c"},
	{"escape cut short", "http", "a", "/%4", "", ""},
	{"lone percent", "http", "a", "/100%", "", ""},
	{"bad hex", "http", "a", "/%zz", "", ""},
	{"bad second hex", "http", "a", "/a%4g", "", ""},
	{"bad hex after dots", "http", "a", "/%2e%2g", "", ""},
	{"double slashes", "http", "a", "//a//b//", "", "http://a//a//b//"},
	{"authority look-alike", "http", "a", "//evil.example/x", "", "http://a//evil.example/x"},

	{"dot segments kept", "http", "a", "/a/../b/./c", "", "http://a/a/../b/./c"},
	{"encoded dot segments kept", "http", "a", "/a/%2e%2e/b/%2E/c", "", "http://a/a/%2E%2E/b/%2E/c"},
	{"half encoded", "http", "a", "/.%2e/%2e./x", "", "http://a/.%2E/%2E./x"},
	{"encoded at the end", "http", "a", "/a/%2e%2e", "", "http://a/a/%2E%2E"},
	{"before encoded slash", "http", "a", "/%2e%2e%2fetc", "", "http://a/%2E%2E%2Fetc"},
	{"after encoded slash", "http", "a", "/a%2f%2e%2e", "", "http://a/a%2F%2E%2E"},
	{"after backslash", "http", "a", `/a\%2e%2e\b`, "", "http://a/a%5C%2E%2E%5Cb"},
	{"before parameter", "http", "a", "/%2e%2e;x/", "", "http://a/%2E%2E;x/"},
	{"three dots", "http", "a", "/%2e%2e%2e", "", "http://a/..."},
	{"dot in a word", "http", "a", "/a%2ehtml", "", "http://a/a.html"},
	{"dot before a word", "http", "a", "/%2e%68tml", "", "http://a/.html"},
	{"dot after a word", "http", "a", "/a%2e%2e/", "", "http://a/a../"},
	{"raw dots then encoded", "http", "a", "/a..%2e/", "", "http://a/a.../"},

	{"query verbatim", "http", "a", "/", "b=2&a=1&b=1;c+d&&e", "http://a/?b=2&a=1&b=1;c+d&&e"},
	{"query escapes", "http", "a", "/", "%61=%2b%26%c3&b=%20", "http://a/?a=%2B%26%C3&b=%20"},
	{"query raw bytes", "http", "a", "/", "f[a]=|\"&u=ü#?/", "http://a/?f%5Ba%5D=%7C%22&u=%C3%BC%23?/"},
	{"query lone percent", "http", "a", "/", "q=100%&r=%zz&s=%%41", "http://a/?q=100%25&r=%25zz&s=%25A"},
	{"query percent makes no escape", "http", "a", "/", "%%341", "http://a/?%2541"},
	{"query encoded dots", "http", "a", "/", "%2e%2e", "http://a/?.."},
	{"query is a question mark", "http", "a", "/", "?", "http://a/??"},
}

func TestCanonical(t *testing.T) {
	for _, c := range targets {
		t.Run(c.name, func(t *testing.T) {
			got, err := (*Query)(nil).Canonical(c.scheme, c.host, c.path, c.query)
			if (err != nil) != (c.want == "") {
				t.Fatalf("error %v, want target %q", err, c.want)
			}
			if err != nil {
				if got != (Target{}) {
					t.Errorf("a target beside an error: %+v", got)
				}
				return
			}
			if got.String() != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			again, err := (&Query{}).Canonical(got.Scheme, got.Host, got.Path, got.Query)
			if err != nil || again != got {
				t.Errorf("not idempotent: %v, %v", again, err)
			}
		})
	}
}

func TestErrorsAreShort(t *testing.T) {
	_, err := (*Query)(nil).Canonical("http", "a", "/"+strings.Repeat("x", 1<<16)+"%", "")
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("got an error of %d bytes", len(err.Error()))
	}
}

// The bytes that are keyed are the bytes that a real request line carries.
func TestTargetGoesOutAsItIsKeyed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	address := server.Listener.Addr().String()

	for _, c := range targets {
		if c.want == "" {
			continue
		}
		target, err := (*Query)(nil).Canonical(c.scheme, c.host, c.path, c.query)
		if err != nil {
			t.Fatal(err)
		}
		u := target.URL()
		u.Scheme, u.Host = "http", address
		response, err := client.Do(&http.Request{Method: "GET", URL: u, Host: target.Host})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		sent, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := target.Path
		if target.Query != "" {
			want += "?" + target.Query
		}
		if string(sent) != want {
			t.Errorf("%s: sent %q, keyed %q", c.name, sent, want)
		}
	}
}

func TestURL(t *testing.T) {
	got := Target{Scheme: "https", Host: "a:81", Path: "/a%2Fb/c", Query: "q"}.URL()
	want := &url.URL{Scheme: "https", Host: "a:81", Path: "/a/b/c", RawPath: "/a%2Fb/c", RawQuery: "q"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEscapedPath(t *testing.T) {
	for _, sent := range []string{"/a", "/a%2Fb", `/a"%2Fb`, "/%41", "//a//b", "/[x]", "/ü"} {
		u, err := url.ParseRequestURI(sent)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := canonicalPath(EscapedPath(u))
		want, _ := canonicalPath(sent)
		if got != want {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

// pathText draws paths that are rich in what canonicalisation looks at.
func pathText(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "Z", ".", "..", "/", "//", "%2e", "%2E", "%2f", "%2F", "%5c", "%25", "%00", "%41", "%7e", "%c3%bc",
		"ü", ";", ":", "@", "[", "%5B", "+", "%2B", " ", "?", "%3f", `\`, "&", "=", "41",
	}), 0, 12).Draw(t, "path")
	return "/" + strings.Join(pieces, "")
}

// Canonical paths are idempotent, url-clean, and say the same, segment by
// segment, as what was sent.
func TestCanonicalPathProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkPath(t, pathText(t)) })
}

// failer is what testing and rapid share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkPath(t failer, sent string) {
	t.Helper()
	got, err := canonicalPath(sent)
	decoded, bad := url.PathUnescape(sent)
	if sent == "" || sent[0] != '/' {
		return
	}
	if (err != nil) != (bad != nil) {
		t.Fatalf("%q: error %v, net/url says %v", sent, err, bad)
	}
	if err != nil {
		return
	}
	if again, err := canonicalPath(got); err != nil || again != got {
		t.Fatalf("%q: not idempotent: %q → %q, %v", sent, got, again, err)
	}
	if escaped := (Target{Path: got}).URL().EscapedPath(); escaped != got {
		t.Fatalf("%q: keyed %q, net/url would send %q", sent, got, escaped)
	}
	if again, err := url.PathUnescape(got); err != nil || again != decoded {
		t.Fatalf("%q: means %q, canonical %q means %q", sent, decoded, got, again)
	}
	before, after := strings.Split(sent, "/"), strings.Split(got, "/")
	if len(before) != len(after) {
		t.Fatalf("%q: canonical %q has other segments", sent, got)
	}
	for i := range before {
		x, _ := url.PathUnescape(before[i])
		y, _ := url.PathUnescape(after[i])
		if x != y {
			t.Fatalf("%q: segment %q became %q", sent, before[i], after[i])
		}
		if isDots(before[i]) != isDots(after[i]) {
			t.Fatalf("%q: a dot segment came or went: %q", sent, got)
		}
	}
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

// respell writes a canonical path in another way that RFC 3986 §6.2.2 calls
// equal. Dots stay: an encoded dot segment is a target of its own.
func respell(t *rapid.T, canonical string) string {
	var b strings.Builder
	for i := 0; i < len(canonical); i++ {
		c := canonical[i]
		switch {
		case c == '%' && rapid.Bool().Draw(t, "lower"):
			b.WriteString(strings.ToLower(canonical[i : i+3]))
			i += 2
		case c == '%':
			b.WriteString(canonical[i : i+3])
			i += 2
		case c != '.' && is(c, unreserved) && rapid.Bool().Draw(t, "escape"):
			const hex = "0123456789abcdef"
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Two spellings that RFC 3986 §6.2.2 calls equal have one key, and targets
// that are not equal have two.
func TestEqualSpellingsHaveOneKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path, err := canonicalPath(pathText(t))
		if err != nil {
			return
		}
		query := canonicalQuery(pathText(t))
		a := Target{Scheme: "http", Host: "a", Path: path, Query: query}
		b, err := (&Query{}).Canonical("HTTP", "A.:80", respell(t, path), respell(t, query))
		if err != nil || a != b {
			t.Fatalf("%v and %v, %v", a, b, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, c := range targets {
		f.Add(c.scheme, c.host, c.path, c.query)
	}
	f.Fuzz(func(t *testing.T, scheme, host, path, query string) {
		for _, q := range []*Query{nil, {Sort: true}, {Ignore: []string{"utm_*", "a"}}, {Allow: []string{"a", "b*"}, Sort: true}} {
			got, err := q.Canonical(scheme, host, path, query)
			if err != nil {
				if got != (Target{}) {
					t.Fatalf("a target beside an error: %+v", got)
				}
				continue
			}
			again, err := q.Canonical(got.Scheme, got.Host, got.Path, got.Query)
			if err != nil || again != got {
				t.Fatalf("not idempotent: %+v → %+v, %v", got, again, err)
			}
			if u, err := url.Parse(got.String()); err != nil || u.Host != got.Host || u.RawQuery != got.Query || u.EscapedPath() != got.Path {
				t.Fatalf("net/url reads %q as %+v, %v", got, u, err)
			}
			if i := plain(strings.ReplaceAll(got.Query, "%", ""), queryByte); i < len(strings.ReplaceAll(got.Query, "%", "")) {
				t.Fatalf("query %q has bytes that no query has", got.Query)
			}
		}
		checkPath(t, path)
	})
}
