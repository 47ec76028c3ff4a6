//go:build !race

package key

import (
	"net/http"
	"strings"
	"testing"
)

// gate fails when f allocates.
func gate(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	q := Query{Sort: true, Ignore: []string{"utm_*"}}
	for _, c := range []struct{ host, path, query string }{
		{"example.com", "/", ""},
		{"example.com:8080", "/a/b.html", "a=1&b=%2B"},
		{"[::1]:81", "/%C3%BC/%2E%2E/%2F", "b+c=1"},
		{"example.com:443", "/", ""},
		{"example.com.", "/", ""},
	} {
		gate(t, "Canonical "+c.host+c.path, func() {
			if _, err := q.Canonical("https", c.host, c.path, c.query); err != nil {
				t.Error(err)
			}
		})
	}

	h := http.Header{
		"X-Tenant": {"blue"}, "Cookie": {"a=1; sid=2"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"}, "Accept-Language": {"de-AT,de;q=0.9,en;q=0.8"},
	}
	buf := make([]byte, 0, 512)
	s := Spec{Headers: []string{"X-Tenant", "X-None"}, Cookies: []string{"sid", "none"}}
	gate(t, "Append", func() { s.Append(buf, "GET", target, "https://app.example", h) })
	gate(t, "URIKey", func() { URIKey(buf, target) })

	for _, names := range [][]string{
		nil, {"Origin"}, {"Accept-Encoding"}, {"Accept-Encoding", "Accept-Language", "Cookie", "Origin", "X-Tenant"},
	} {
		v := Select(names, h)
		gate(t, "Matches", func() {
			if !v.Matches(h) {
				t.Error("no match")
			}
		})
		gate(t, "Selecting.Append", func() { v.Append(buf) })
	}
	content := Select([]string{"Accept-Encoding"}, http.Header{"Accept-Encoding": {"gzip, br"}})
	gate(t, "MatchesContent", func() {
		if content.MatchesContent(h, "br", "") {
			t.Error("match")
		}
	})
}

// The hot path costs about as much as a map lookup or two: a benchmark for
// benchstat, not a gate.
func BenchmarkKey(b *testing.B) {
	q, s := Query{}, Spec{}
	h := http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}}
	v := Select([]string{"Accept-Encoding"}, h)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		t, _ := q.Canonical("https", "example.com", "/some/path/app.js", "v=17")
		s.Append(buf, "GET", t, "https://app.example", h)
		v.Matches(h)
	}
}

func TestPrefixAllocations(t *testing.T) {
	p, err := NewPrefix("http", "a.example", "/b", "", false)
	if err != nil {
		t.Fatal(err)
	}
	a, b := uriOf("http://a.example/b"+strings.Repeat("c", 200)), uriOf("http://a.example/b"+strings.Repeat("c", 201))
	if n := testing.AllocsPerRun(100, func() { _ = p.Begins(a); _ = CompareURIs(a, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
