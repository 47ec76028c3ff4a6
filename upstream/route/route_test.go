package route

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// entriesOf makes entries of "host path" lines, each with its line as value.
func entriesOf(lines ...string) []Entry[string] {
	var out []Entry[string]
	for _, l := range lines {
		host, path, _ := strings.Cut(l, " ")
		out = append(out, Entry[string]{host, path, l})
	}
	return out
}

func TestLookup(t *testing.T) {
	table, conflicts := New(entriesOf(
		" /", " /api/", " /api", " /api/users/", " /static*", " /only", "* /star",
		"example.com /", "example.com /api/", "example.com:8443 /", "EXAMPLE.org. /x",
		"*.example.com /", "*.example.com:8443 /api/", "*.a.example.com /deep/",
		"[2001:DB8::1] /", "[2001:db8::1]:81 /", " /a%2fb/", " /%7Euser/", " /caf\u00e9/", "xn--bcher-kva.example /",
	))
	if conflicts != nil {
		t.Fatal(conflicts)
	}
	for _, c := range []struct{ host, path, want string }{
		{"other.test", "/", " /"},
		{"other.test", "/api", " /api"},
		{"other.test", "/api/", " /api/"},
		{"other.test", "/api/x", " /api/"},
		{"other.test", "/apix", " /"},
		{"other.test", "/api/users", " /api/"},
		{"other.test", "/api/users/7", " /api/users/"},
		{"other.test", "/static", " /static*"},
		{"other.test", "/statics.css", " /static*"},
		{"other.test", "/only", " /only"},
		{"other.test", "/only/", " /"},
		{"other.test", "/star", "* /star"},
		{"other.test", "*", " /"},
		{"other.test", "", " /"},
		{"", "/api", " /api"},
		{"example.com", "/api/x", "example.com /api/"},
		{"example.com", "/api", "example.com /"}, // the host wins over the longer path
		{"Example.COM.", "/", "example.com /"},
		{"example.com:80", "/", "example.com /"},
		{"example.com:8443", "/api/", "example.com:8443 /"}, // with port is more specific
		{"example.org", "/x", "EXAMPLE.org. /x"},
		{"example.org", "/api/x", " /api/"}, // falls through to any host
		{"www.example.com", "/x", "*.example.com /"},
		{"a.b.example.com", "/x", "*.example.com /"},
		{"www.example.com:8443", "/api/x", "*.example.com:8443 /api/"},
		{"www.example.com:8443", "/x", "*.example.com /"},
		{"b.a.example.com", "/deep/x", "*.a.example.com /deep/"},
		{"b.a.example.com", "/x", "*.example.com /"},
		{"a.example.com", "/deep/x", "*.example.com /"},
		{".example.com", "/", " /"},
		{"notexample.com", "/", " /"},
		{"[2001:db8::1]", "/", "[2001:DB8::1] /"},
		{"[2001:db8::1]:80", "/", "[2001:DB8::1] /"},
		{"[2001:db8::1]:81", "/", "[2001:db8::1]:81 /"},
		{"other.test", "/a%2Fb/c", " /a%2fb/"},
		{"other.test", "/a/b/c", " /"}, // "%2F" and "/" differ
		{"other.test", "/~user/", " /%7Euser/"},
		{"other.test", "/caf%C3%A9/x", " /caf\u00e9/"},
		{"XN--Bcher-KVA.example", "/", "xn--bcher-kva.example /"},
		{strings.Repeat("a", 300) + ".example.com", "/", " /"},
	} {
		if got, ok := table.Lookup(c.host, c.path); got != c.want || !ok {
			t.Errorf("%q %q: got %q, want %q", c.host, c.path, got, c.want)
		}
	}
}

func TestNothingMatches(t *testing.T) {
	var zero Table[int]
	if v, ok := zero.Lookup("a", "/"); v != 0 || ok {
		t.Errorf("got %v, %v", v, ok)
	}
	table, _ := New(entriesOf("a.example /x/", "*.b.example /"))
	for _, c := range [][2]string{{"a.example", "/x"}, {"a.example", "/"}, {"b.example", "/"}, {"c.example", "/x/"}, {"", "/"}} {
		if got, ok := table.Lookup(c[0], c[1]); ok {
			t.Errorf("%v: got %q", c, got)
		}
	}
}

func TestConflicts(t *testing.T) {
	table, got := New(entriesOf("example.com /a/", " /x", "EXAMPLE.com. /a/*", " /%78", "*.example.com:81 /", "*.Example.com:81 ", "example.com /a"))
	both := func(a, b, witness string) string {
		return "both " + a + " and " + b + " match " + witness + " and nothing makes one of them more specific"
	}
	want := []Conflict{
		{0, 2, "example.com", "/a/", both(`"example.com/a/"`, `"EXAMPLE.com./a/*"`, "example.com/a/")},
		{1, 3, "example.com", "/x", both(`"/x"`, `"/%78"`, "example.com/x")},
		{4, 5, "www.example.com:81", "/", both(`"*.example.com:81/"`, `"*.Example.com:81/"`, "www.example.com:81/")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, c := range got {
		if first, ok := table.Lookup(c.Host, c.Path); !ok || first != entriesOf("example.com /a/", " /x", "", "", "*.example.com:81 /")[c.First].Value {
			t.Errorf("%v: the witness leads to %q", c, first)
		}
		if c.Error() != c.Problem {
			t.Errorf("got %q", c.Error())
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct{ host, path, want string }{
		{"a b", "/", "is not a name"},
		{"a..b", "/", "is not a name"},
		{"*.", "/", "is not a name"},
		{"a.*.b", "/", "is not a name"},
		{"*a.b", "/", "is not a name"},
		{"bücher.example", "/", "xn--"},
		{"https://a", "/", "port"},
		{"a:b:80", "/", "is not a name"},
		{"a:", "/", "empty port"},
		{"a:0", "/", "port"},
		{"a:080", "/", "port"},
		{"a:65536", "/", "port"},
		{"[::1", "/", "IPv6"},
		{"[::1%25eth0]", "/", "IPv6"},
		{"[1.2.3.4]", "/", "IPv6"},
		{"[[::1]]", "/", "IPv6"},
		{"[]", "/", "IPv6"},
		{"::1", "/", "is not a name"},
		{strings.Repeat("a", 64), "/", "is not a name"},
		{strings.Repeat("a.", 127) + "a", "/", "longer"},
		{"", "api", "does not begin"},
		{"", "*", "does not begin"},
		{"", "/a*b", "at its end"},
		{"", "/a**", "at its end"},
		{"", "/a?b", "only the path"},
		{"", "/a#b", "only the path"},
		{"", "/a%", "percent"},
		{"", "/a%zz", "percent"},
		{"", "/a/../b", "dot segment"},
		{"", "/a/%2e/b", "dot segment"},
	} {
		_, got := New([]Entry[int]{{c.host, c.path, 0}})
		if len(got) != 1 || got[0].First != 0 || got[0].Second != 0 || !strings.Contains(got[0].Problem, c.want) {
			t.Errorf("%q %q: got %v, want %q", c.host, c.path, got, c.want)
		}
	}
}

// naive is the specification: every entry is tried, the most specific wins.
func naive(entries []Entry[int], host, path string) (int, bool) {
	if path == "" || path[0] != '/' {
		path = "/"
	}
	name, port := splitPort(strings.ToLower(host))
	name = strings.TrimSuffix(name, ".")
	best, rank := -1, [4]int{}
	for i, e := range entries {
		p, problem := parsePattern(e.Host, e.Path)
		if problem != "" {
			continue
		}
		wantName, wantPort := splitPort(p.host)
		exact := p.host != "" && !p.wildcard && name == wantName
		wild := p.wildcard && strings.HasSuffix(name, wantName) && len(name) > len(wantName)
		if p.host != "" && !exact && !wild || wantPort != "" && wantPort != port || len(host) > maxHost && p.host != "" {
			continue
		}
		if !(path == p.path || p.prefix && strings.HasPrefix(path, p.path)) {
			continue
		}
		r := [4]int{len(wantName), len(wantPort), 0, len(p.path)}
		if exact {
			r[0] = 1000
		}
		if !p.prefix {
			r[2] = 1
		}
		if best < 0 || less(rank, r) {
			best, rank = i, r
		}
	}
	if best < 0 {
		return 0, false
	}
	return entries[best].Value, true
}

func less(a, b [4]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false // the earlier of two that conflict stays
}

func agree(t interface{ Fatalf(string, ...any) }, entries []Entry[int], host, path string) {
	table, conflicts := New(entries)
	got, ok := table.Lookup(host, path)
	want, wantOK := naive(entries, host, path)
	if got != want || ok != wantOK {
		t.Fatalf("%+v: %q %q: got %d %v, want %d %v (conflicts %v)", entries, host, path, got, ok, want, wantOK, conflicts)
	}
	for _, c := range conflicts {
		if c.First == c.Second {
			continue
		}
		for _, i := range [...]int{c.First, c.Second} {
			if _, ok := naive(entries[i:i+1], c.Host, c.Path); !ok {
				t.Fatalf("entry %d, %+v, does not match the witness %q %q", i, entries[i], c.Host, c.Path)
			}
		}
	}
}

func TestAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`(\*\.)?([ab]\.){0,2}[ab](:8[01])?|`)
		path := rapid.StringMatching(`(/[ab]{0,2}){1,3}\*?`)
		var entries []Entry[int]
		for i := range rapid.IntRange(0, 12).Draw(t, "entries") {
			entries = append(entries, Entry[int]{host.Draw(t, "host"), path.Draw(t, "path"), i})
		}
		for range 8 {
			agree(t, entries, strings.TrimPrefix(host.Draw(t, "request host"), "*"), strings.TrimSuffix(path.Draw(t, "request path"), "*"))
		}
	})
}

func FuzzLookup(f *testing.F) {
	f.Add("a.example", "/a/", "*.example", "/a", "a.example:80", "/a/b")
	f.Add("", "/", "[::1]:81", "/*", "[::1]:81", "*")
	f.Add("*.b", "/%41", "b", "/a%2f*", "x.b", "/A")
	f.Fuzz(func(t *testing.T, host1, path1, host2, path2, host, path string) {
		agree(t, []Entry[int]{{host1, path1, 1}, {host2, path2, 2}}, host, path)
		if p, prefix, problem := parsePath(path1); problem == "" {
			if again, _, problem := parsePath(p); problem != "" || again != p {
				t.Fatalf("%q is not canonical: %q %s (prefix %v)", p, again, problem, prefix)
			}
			if _, err := url.PathUnescape(p); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// many is a table of n routes over some hosts.
func many(n int) *Table[int] {
	var entries []Entry[int]
	for i := range n {
		entries = append(entries, Entry[int]{fmt.Sprintf("h%d.example.com", i%100), fmt.Sprintf("/service/%d/v1/", i), i})
	}
	table, conflicts := New(append(entries, Entry[int]{"*.example.com", "/service/", -1}))
	if conflicts != nil {
		panic(conflicts[0])
	}
	return table
}

func TestManyRoutes(t *testing.T) {
	table := many(10000)
	for i := range 10000 {
		got, ok := table.Lookup(fmt.Sprintf("h%d.example.com", i%100), fmt.Sprintf("/service/%d/v1/x", i))
		if got != i || !ok {
			t.Fatalf("%d: got %d %v", i, got, ok)
		}
	}
	if got, _ := table.Lookup("h1.example.com", "/service/0/v1/x"); got != -1 {
		t.Errorf("got %d", got)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{100, 10000} {
		table := many(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				table.Lookup("h42.example.com:443", "/service/42/v1/users/7")
			}
		})
	}
}
