package key

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseRefuses(t *testing.T) {
	uri := string(URIKey(nil, target))
	for _, c := range []struct{ name, bytes string }{
		{"nothing", ""},
		{"text", "GET https://example.com/"},
		{"target cut short", uri[:len(uri)-1]},
		{"three strings", "\x00\x00\x00"},
		{"tag without a length", uri + "M"},
		{"tag unknown", uri + "Z\x00"},
		{"value of nothing", uri + "=\x00"},
		{"value of the method", uri + "M\x03GET=\x01a"},
		{"value of the origin", uri + "B\x00=\x01a"},
		{"value cut short", uri + "H\x01A=\x02a"},
		{"length over all bounds", uri + "M\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a"},
		{"length without an end", uri + "M\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.bytes))
			if diff := cmp.Diff(Parts{}, got); diff != "" || err == nil {
				t.Errorf("error %v\n%s", err, diff)
			}
			if text := Describe([]byte(c.bytes)); !strings.HasPrefix(text, `not a key: "`) {
				t.Errorf("described as %s", text)
			}
		})
	}
}

func TestDescribeHidesSecretsAndControls(t *testing.T) {
	names := []string{"Authorization", "Cookie", "X"}
	h := http.Header{"Authorization": {"Bearer hidden"}, "Cookie": {"sid=hidden"}, "X": {"a\r\nb"}}
	s := Spec{Headers: names, Cookies: []string{"sid"}}
	k := s.Append(nil, "G\nT", target, "o\x7f", h)
	got := Describe(Select(names, h).Append(k.Bytes))
	want := `G\x0aT https://example.com/a?b=1 origin=o\x7f` +
		` header:Authorization=<13 bytes> header:Cookie=<10 bytes> header:X="a\r\nb" cookie:sid=<6 bytes>` +
		` vary:Authorization=<13 bytes> vary:Cookie=<10 bytes> vary:X="a\r\nb"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Every spelling of a host is one host, and a host that is accepted holds
// nothing that could end a line or begin another part of a URI.
func TestCanonicalHostProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "B", "-", "_", ".", "..", ":", "80", "443", "8080", "0", "[", "]", "::1", "::FFFF:1.2.3.4", "%", "@", "/", "\x00", "\n", " ", "ü",
		}), 0, 6).Draw(t, "host"), "")
		scheme := rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme")
		got, err := canonicalHost(scheme, raw)
		if err != nil {
			return
		}
		if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]") != "" || got == "" {
			t.Fatalf("%q is accepted as %q", raw, got)
		}
		if again, err := canonicalHost(scheme, got); err != nil || again != got {
			t.Fatalf("%q: not idempotent: %q → %q, %v", raw, got, again, err)
		}
		if upper, err := canonicalHost(scheme, strings.ToUpper(raw)); err != nil || upper != got {
			t.Fatalf("%q is %q, in upper case %q, %v", raw, got, upper, err)
		}
	})
}

// A Spec and a Selecting are shared by all requests of a route.
func TestSharedUse(t *testing.T) {
	s := Spec{Query: Query{Sort: true, Ignore: []string{"utm_*"}}, Headers: []string{"X"}, Cookies: []string{"sid"}}
	h := http.Header{"X": {"1"}, "Cookie": {"sid=2"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"de, en;q=0.5"}}
	v := Select([]string{"Accept-Encoding", "Accept-Language", "Cookie"}, h)
	build := func() string {
		u, err := s.Query.Canonical("http", "A:80", "/%61", "b&a&utm_x=1")
		if err != nil || !v.Matches(h) || !v.MatchesContent(h, "br", "de") {
			t.Error("the request does not match", err)
		}
		return string(v.Append(s.Append(nil, "GET", u, "", h).Bytes))
	}
	want := build()
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 50 {
				if got := build(); got != want {
					t.Errorf("got %q, want %q", got, want)
					return
				}
			}
		})
	}
	g.Wait()
}

// Many variants under one key: a request selects the one that was stored for
// it, however it spells its fields, and only that.
func TestOneVariantIsSelected(t *testing.T) {
	names, _ := Names([]string{"Accept-Encoding", "accept-language"})
	var variants []Selecting
	encodings := []string{"", "gzip", "br, gzip", "gzip, br;q=0.5", "gzip;q=0", "identity", "*"}
	languages := []string{"", "de", "de, en;q=0.5", "en, de;q=0.5", "de-AT", "*"}
	for _, e := range encodings {
		for _, l := range languages {
			variants = append(variants, Select(names, http.Header{"Accept-Encoding": {e}, "Accept-Language": {l}}))
		}
	}
	variants = append(variants, Select(names, http.Header{}))
	for i, e := range encodings {
		for j, l := range languages {
			request := http.Header{
				"Accept-Encoding": {strings.ToUpper(strings.ReplaceAll(e, ", ", " ,\t"))},
				"Accept-Language": strings.Split(strings.ToUpper(l), ", "),
			}
			want := i*len(languages) + j
			for k := range variants {
				if got := variants[k].Matches(request); got != (k == want) {
					t.Errorf("%v and %q: match %v", request, variants[k].Values, got)
				}
			}
		}
	}
}
