package key

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	many := make([]string, maxNames+1)
	for i := range many {
		many[i] = fmt.Sprintf("X-%02d", i)
	}
	for _, c := range []struct {
		name string
		vary []string
		want []string
		star bool
	}{
		{"absent", nil, nil, false},
		{"empty", []string{"", " , ,"}, nil, false},
		{"one", []string{"Accept-Encoding"}, []string{"Accept-Encoding"}, false},
		{"canonical and sorted", []string{"origin,\taccept-ENCODING ,Cookie"}, []string{"Accept-Encoding", "Cookie", "Origin"}, false},
		{"duplicates over lines", []string{"foo, Foo", "FOO,bar"}, []string{"Bar", "Foo"}, false},
		{"vary-syntax-star", []string{"*"}, nil, true},
		{"vary-syntax-star-star", []string{"*, *"}, nil, true},
		{"vary-syntax-star-star-lines", []string{"*", "*"}, nil, true},
		{"vary-syntax-empty-star", []string{", *"}, nil, true},
		{"vary-syntax-empty-star-lines", []string{"", "*"}, nil, true},
		{"vary-syntax-star-foo", []string{"*, Foo"}, nil, true},
		{"vary-syntax-foo-star", []string{"Foo, *"}, nil, true},
		{"not a name", []string{"foo bar"}, nil, true},
		{"not a name either", []string{"foo", `"bar"`}, nil, true},
		{"as many as may be", many[:maxNames], many[:maxNames], false},
		{"too many", many, nil, true},
		{"too many lines of few names", slices.Repeat([]string{"a,b"}, 100), []string{"A", "B"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, star := Names(c.vary)
			if diff := cmp.Diff(c.want, got); diff != "" || star != c.star {
				t.Errorf("star %v, want %v\n%s", star, c.star, diff)
			}
		})
	}
}

// fields makes a request from "Name: value" lines.
func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h[name] = append(h[name], value)
	}
	return h
}

// The names are ids of the http-cache-tests suite where they begin with vary-.
func TestMatches(t *testing.T) {
	const ae, al = "Accept-Encoding: ", "Accept-Language: "
	for _, c := range []struct {
		name            string
		vary            string
		stored, request http.Header
		want            bool
	}{
		{"vary-match", "Foo", fields("Foo: 1"), fields("Foo: 1"), true},
		{"vary-no-match", "Foo", fields("Foo: 1"), fields("Foo: 2"), false},
		{"vary-omit-stored", "Foo", fields(), fields("Foo: 1"), false},
		{"vary-omit", "Foo", fields("Foo: 1"), fields(), false},
		{"vary-cache-key", "Foo", fields("Foo: 1", "Other: 2"), fields("Foo: 1", "Other: 3"), true},
		{"vary-2-no-match", "Foo, Bar", fields("Foo: 1", "Bar: a"), fields("Foo: 2", "Bar: a"), false},
		{"vary-3-order", "Foo, Bar, Baz", fields("Foo: 1", "Bar: abc4", "Baz: 7"), fields("Foo: 1", "Bar: abc", "Baz: 7"), false},
		{"vary-3-omit", "Foo, Bar, Baz", fields("Foo: 1", "Baz: 7"), fields("Foo: 1", "Baz: 7"), true},
		{"vary-normalise-combine", "Foo", fields("Foo: 1, 2"), fields("Foo: 1", "Foo: 2"), true},
		{"vary-normalise-space", "Foo", fields("Foo: 1,2"), fields("Foo:  1, 2 "), true},
		{"vary-normalise-lang-order", "Accept-Language", fields(al + "en, de"), fields(al + "de, en"), true},
		{"vary-normalise-lang-case", "Accept-Language", fields(al + "en, de"), fields(al + "eN, De"), true},
		{"vary-normalise-lang-space", "Accept-Language", fields(al + "en, de"), fields(al + " en ,   de"), true},
		{"no Vary", "", fields("Foo: 1"), fields(), true},
		{"empty is not absent", "Foo", fields("Foo: "), fields(), false},
		{"absent is not empty", "Foo", fields(), fields("Foo: "), false},
		{"empty is empty", "Foo", fields("Foo: "), fields("Foo: "), true},
		{"order of other fields counts", "Foo", fields("Foo: 1, 2"), fields("Foo: 2, 1"), false},
		{"case of other fields counts", "Foo", fields("Foo: a"), fields("Foo: A"), false},
		{"whitespace within counts once", "Foo", fields("Foo: a \t b"), fields("Foo: a b"), true},
		{"quoted whitespace counts", "Foo", fields(`Foo: "a,b"`), fields(`Foo: "a, b"`), false},
		{"cookies as sent", "Cookie", fields("Cookie: a=1,2"), fields("Cookie: a=1, 2"), false},
		{"cookie lines are one list", "Cookie", fields("Cookie: a=1; b=2"), fields("Cookie: a=1", "Cookie: b=2"), true},
		{"codings in any order", "Accept-Encoding", fields(ae + "gzip, deflate, br"), fields(ae + "br,gzip , deflate"), true},
		{"codings over lines", "Accept-Encoding", fields(ae + "gzip, br"), fields(ae+"br", ae+"gzip"), true},
		{"codings in any case", "Accept-Encoding", fields(ae + "gzip"), fields(ae + "GZip"), true},
		{"coding excluded", "Accept-Encoding", fields(ae + "gzip"), fields(ae + "gzip;q=0"), false},
		{"codings fewer", "Accept-Encoding", fields(ae + "gzip, br"), fields(ae + "gzip"), false},
		{"codings unknown", "Accept-Encoding", fields(ae + "gzip, dcb"), fields(ae + "gzip"), false},
		{"weights of one order", "Accept-Encoding", fields(ae + "br, gzip;q=0.8"), fields(ae + "gzip;q=0.5,br;q=0.9"), true},
		{"weights of another order", "Accept-Encoding", fields(ae + "br, gzip;q=0.8"), fields(ae + "br;q=0.8, gzip"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, _ := Names([]string{c.vary})
			s := Select(names, c.stored)
			if got := s.Matches(c.request); got != c.want {
				t.Errorf("stored %q, request %v: got %v", s.Values, c.request, got)
			}
			o := Select(names, c.request)
			if got := s.Equal(&o); got != c.want {
				t.Errorf("Equal says %v", got)
			}
			if c.want && !s.MatchesContent(c.request, "x", "y") {
				t.Error("MatchesContent is narrower")
			}
		})
	}
}

func TestSetStored(t *testing.T) {
	names, _ := Names([]string{"Accept-Encoding, Foo, Bar, Host, Connection, Transfer-Encoding"})
	s := Select(names, fields("Accept-Encoding: BR , gzip;q=0.5", "Foo: a", "Foo: b", "Connection: x"))
	h := fields("Accept-Encoding: zstd", "Bar: 1", "Other: 2", "Connection: close", "Transfer-Encoding: chunked")
	SetStored(h, &s)
	want := fields("Accept-Encoding: br, gzip;q=0.975", "Foo: a, b", "Other: 2", "Connection: close", "Transfer-Encoding: chunked")
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

// Selecting values outlive the request: they may not share its memory.
func TestSelectCopies(t *testing.T) {
	if got := Select(nil, nil); !got.Equal(&Selecting{}) || got.Append(nil) != nil {
		t.Errorf("without names: %+v", got)
	}
	s := Select([]string{"Foo"}, fields("Foo: 1"))
	if diff := cmp.Diff(Selecting{Names: []string{"Foo"}, Values: []string{"1"}}, s); diff != "" {
		t.Error(diff)
	}
}

// A request selects what it brought, a validation selects what is stored, and
// Matches agrees with Equal.
func TestSelectingProperties(t *testing.T) {
	names := []string{"Accept-Encoding", "Accept-Language", "Cookie", "Foo"}
	request := rapid.Custom(func(t *rapid.T) http.Header {
		h := http.Header{}
		for _, name := range names {
			text := anyValue
			if rapid.Bool().Draw(t, "list") {
				text = anyList
			}
			if lines := rapid.SliceOfN(text, 0, 2).Draw(t, name); len(lines) > 0 {
				h[name] = lines
			}
		}
		return h
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := request.Draw(t, "a"), request.Draw(t, "b")
		sa, sb := Select(names, a), Select(names, b)
		if !sa.Matches(a) || !sa.MatchesContent(a, "", "") {
			t.Fatalf("%v does not select what it brought: %q", a, sa.Values)
		}
		if sa.Matches(b) != sa.Equal(&sb) || sb.Matches(a) != sa.Equal(&sb) {
			t.Fatalf("Matches and Equal disagree on %q and %q", sa.Values, sb.Values)
		}
		SetStored(b, &sa)
		if !sa.Matches(b) {
			t.Fatalf("a validation with %v does not select %q", b, sa.Values)
		}
	})
}
