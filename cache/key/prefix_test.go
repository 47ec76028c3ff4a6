package key

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPrefix(t *testing.T) {
	type given struct {
		scheme, host, path, query string
		inQuery                   bool
	}
	for _, c := range []struct {
		given    given
		text     string // "" where it is refused
		has, not []string
	}{
		{given{"https", "a.example", "", "", false}, "https://a.example/",
			[]string{"https://a.example/", "https://a.example/x?y"}, []string{"http://a.example/", "https://a.example.test/", "https://b.a.example/", "https://a.example:8443/"}},
		{given{"HTTPS", "A.example.:443", "/n%65ws", "", false}, "https://a.example/news",
			[]string{"https://a.example/news", "https://a.example/news/1", "https://a.example/newsletter", "https://a.example/news?q"}, []string{"https://a.example/new", "https://a.example/News"}},
		{given{"http", "a", "/img/", "", false}, "http://a/img/", []string{"http://a/img/", "http://a/img/a"}, []string{"http://a/img", "http://a/imgs/"}},
		{given{"http", "a", "/s", "q=", true}, "http://a/s?q=", []string{"http://a/s?q=", "http://a/s?q=1"}, []string{"http://a/s", "http://a/s?a=1", "http://a/s/?q=1", "http://a/sq=1"}},
		{given{"http", "a", "/s", "", true}, "http://a/s?", []string{"http://a/s", "http://a/s?q"}, []string{"http://a/s/", "http://a/sq"}},
		{given{"http", "", "/", "", false}, "", nil, nil},
		{given{"ftp", "a", "/", "", false}, "", nil, nil},
		{given{"http", "a", "/a%2", "", false}, "", nil, nil},
	} {
		p, err := NewPrefix(c.given.scheme, c.given.host, c.given.path, c.given.query, c.given.inQuery)
		if err != nil || c.text == "" {
			if (err == nil) != (c.text != "") {
				t.Errorf("%+v: error %v", c.given, err)
			}
			continue
		}
		if p.String() != c.text {
			t.Errorf("%+v: got %s, want %s", c.given, p, c.text)
		}
		for _, u := range c.has {
			if !p.Begins(uriOf(u)) {
				t.Errorf("%s is not found to begin %s", p, u)
			}
		}
		for _, u := range c.not {
			if p.Begins(uriOf(u)) {
				t.Errorf("%s is found to begin %s", p, u)
			}
		}
	}
}

// uriOf is the key of a URI in canonical form.
func uriOf(text string) string {
	var t Target
	text, t.Query, _ = strings.Cut(text, "?")
	t.Scheme, text, _ = strings.Cut(text, "://")
	at := strings.IndexByte(text, '/')
	t.Host, t.Path = text[:at], text[at:]
	return string(URIKey(nil, t))
}

// The URIs that have a prefix stand side by side, from First on, whatever
// stands beside them, and the order is one.
func TestPrefixIsARange(t *testing.T) {
	part := rapid.StringMatching(`[ab/.]{0,3}`)
	junk := rapid.SampledFrom([]string{"", "\x01", "\x05http", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x00x"})
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) string {
			if rapid.IntRange(0, 9).Draw(t, "junk") == 0 {
				return junk.Draw(t, "bytes")
			}
			scheme := rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme")
			host := rapid.SampledFrom([]string{"a", "a.b", strings.Repeat("a", 200)}).Draw(t, "host")
			return string(URIKey(nil, Target{scheme, host, "/" + part.Draw(t, "path"), part.Draw(t, "query")}))
		})
		all := rapid.SliceOfN(one, 0, 40).Draw(t, "all")
		slices.SortFunc(all, CompareURIs)
		for i := 1; i < len(all); i++ {
			c := CompareURIs(all[i-1], all[i])
			if c > 0 || (c == 0) != (all[i-1] == all[i]) || CompareURIs(all[i], all[i-1]) != -c || compareParts(all[i-1], all[i]) != c {
				t.Fatalf("%q and %q: %d", all[i-1], all[i], c)
			}
		}
		p, err := NewPrefix("http", "a", "/"+part.Draw(t, "beginning"), part.Draw(t, "query"), rapid.Bool().Draw(t, "in query"))
		if err != nil {
			t.Fatal(err)
		}
		at, _ := slices.BinarySearchFunc(all, p.First(), CompareURIs)
		for at < len(all) && p.Begins(all[at]) {
			at++
		}
		for i, u := range all {
			if p.Begins(u) && (i >= at || CompareURIs(u, p.First()) < 0) {
				t.Fatalf("%s: %q stands apart", p, u)
			}
		}
	})
}
