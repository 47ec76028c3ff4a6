package rfc9111

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// responseCases are shared by the table and the fuzz test.
var responseCases = []struct {
	name  string
	lines []string
	want  Directives
}{
	{"absent", nil, Directives{}},
	{"empty", []string{""}, Directives{}},
	{"max-age", []string{"max-age=3600"}, Directives{MaxAge: Seconds(3600)}},
	{"case", []string{"MaX-aGe=3600, No-StOrE"}, Directives{MaxAge: Seconds(3600), NoStore: true}},
	{"extensions are ignored", []string{`foobar, max-age=3600, x=1, y="z"`}, Directives{MaxAge: Seconds(3600)}},
	{"two lines", []string{"max-age=60", "s-maxage=30"}, Directives{MaxAge: Seconds(60), SMaxAge: Seconds(30)}},
	{"leading zeros", []string{"max-age=003600"}, Directives{MaxAge: Seconds(3600)}},
	{"2^31", []string{"max-age=2147483648"}, Directives{MaxAge: Seconds(maxDelta)}},
	{"past 64 bits", []string{"max-age=99999999999999999999999"}, Directives{MaxAge: Seconds(maxDelta)}},
	{"quoted delta", []string{`max-age="3600"`}, Directives{MaxAge: Seconds(3600)}},
	{"single quotes", []string{"max-age='3600'"}, Directives{MaxAge: Seconds(0)}},
	{"negative", []string{"max-age=-3600"}, Directives{MaxAge: Seconds(0)}},
	{"fraction", []string{"max-age=3600.0"}, Directives{MaxAge: Seconds(0)}},
	{"trailing letter", []string{"max-age=3600a"}, Directives{MaxAge: Seconds(0)}},
	{"leading letter", []string{"max-age=a3600"}, Directives{MaxAge: Seconds(0)}},
	{"no value", []string{"max-age"}, Directives{MaxAge: Seconds(0)}},
	{"empty value", []string{"max-age=, public"}, Directives{MaxAge: Seconds(0), Public: true}},
	{"space before =", []string{"max-age =3600"}, Directives{MaxAge: Seconds(0)}},
	{"space after =", []string{"max-age= 3600"}, Directives{MaxAge: Seconds(0)}},
	{"text after the value", []string{"max-age=3600 60"}, Directives{MaxAge: Seconds(0)}},
	{"parameter", []string{"max-age=3600;x"}, Directives{MaxAge: Seconds(0)}},
	{"duplicate, first wins", []string{"max-age=1800, max-age=1"}, Directives{MaxAge: Seconds(1800)}},
	{"duplicate, first wins, stale", []string{"max-age=1", "max-age=1800"}, Directives{MaxAge: Seconds(1)}},
	{"duplicate, the first is invalid", []string{"max-age=x, max-age=1800"}, Directives{MaxAge: Seconds(0)}},
	{"in a quoted string, before", []string{`extension="max-age=3600", max-age=1`}, Directives{MaxAge: Seconds(1)}},
	{"in a quoted string, after", []string{`max-age=1, extension="max-age=3600"`}, Directives{MaxAge: Seconds(1)}},
	{"in a quoted string, both quoted", []string{`extension="max-age=3600", max-age="1"`}, Directives{MaxAge: Seconds(1)}},
	{"escape in a quoted string", []string{`extension="\", no-store, \"", max-age=1`}, Directives{MaxAge: Seconds(1)}},
	{"invalid delta keeps no-store", []string{"no-store, max-age=abc"}, Directives{NoStore: true, MaxAge: Seconds(0)}},
	{"invalid delta keeps no-store after it", []string{"max-age=abc, no-store"}, Directives{NoStore: true, MaxAge: Seconds(0)}},
	{"no-store with an argument", []string{"no-store=1"}, Directives{NoStore: true}},
	{"no-store after junk", []string{"max-age=60;no-store"}, Directives{NoStore: true, MaxAge: Seconds(0)}},
	{"no-store after a space", []string{"max-age= no-store"}, Directives{NoStore: true, MaxAge: Seconds(0)}},
	{"missing comma", []string{"public no-store"}, Directives{NoStore: true}},
	{"missing comma, private", []string{"max-age=60 private"}, Directives{Private: true, MaxAge: Seconds(0)}},
	{"unterminated quote", []string{`max-age=60, x="a, public`}, Directives{NoStore: true}},
	{"quote where none may be", []string{`max-age=60, x"a, no-store"`}, Directives{NoStore: true}},
	{"quoted member", []string{`"a", max-age=60`}, Directives{NoStore: true}},
	{"quote over two lines", []string{`x="a`, "no-store", `b"`}, Directives{NoStore: true}},
	{"an escape at the end", []string{`max-age=60, x="a\`}, Directives{NoStore: true}},
	{"commas only", []string{", ,,"}, Directives{}},
	{"not a token", []string{"&&&&&, max-age=60"}, Directives{MaxAge: Seconds(60)}},
	{"equals only", []string{"=no-store, max-age=60"}, Directives{NoStore: true, MaxAge: Seconds(60)}},
	{"no-cache", []string{"no-cache"}, Directives{NoCache: true}},
	{"no-cache with fields", []string{`no-cache="set-cookie, X-A", max-age=5`}, Directives{NoCacheFields: []string{"Set-Cookie", "X-A"}, MaxAge: Seconds(5)}},
	{"no-cache with fields, twice", []string{`no-cache="b"`, `no-cache="a"`}, Directives{NoCacheFields: []string{"A", "B"}}},
	{"no-cache with and without fields", []string{`no-cache="a", no-cache`}, Directives{NoCache: true}},
	{"unquoted field swallows nothing", []string{"no-cache=Set-Cookie,no-store"}, Directives{NoStore: true, NoCacheFields: []string{"Set-Cookie"}}},
	{"private", []string{"private, max-age=3600"}, Directives{Private: true, MaxAge: Seconds(3600)}},
	{"private with fields", []string{`max-age=1, private="x-user"`}, Directives{PrivateFields: []string{"X-User"}, MaxAge: Seconds(1)}},
	{"private with an empty list", []string{`private=""`}, Directives{Private: true}},
	{"private with a list that is none", []string{`private="a b"`}, Directives{Private: true}},
	{"private with an escape", []string{`private="\a"`}, Directives{Private: true}},
	{"public with an argument grants nothing", []string{"public=yes"}, Directives{}},
	{"stale directives", []string{"max-age=1, stale-while-revalidate=60, stale-if-error=30"}, Directives{MaxAge: Seconds(1), StaleWhileRevalidate: Seconds(60), StaleIfError: Seconds(30)}},
	{"stale directives without a value", []string{"stale-while-revalidate, stale-if-error"}, Directives{StaleWhileRevalidate: Seconds(0), StaleIfError: Seconds(0)}},
	{"all flags", []string{"no-store,no-cache,private,public,must-revalidate,proxy-revalidate,must-understand,immutable,no-transform"}, Directives{
		NoStore: true, NoCache: true, Private: true, Public: true, MustRevalidate: true, ProxyRevalidate: true,
		MustUnderstand: true, Immutable: true, NoTransform: true}},
	{"too long", []string{"max-age=60, x=" + strings.Repeat("a", maxResponseField)}, Directives{NoStore: true}},
	{"too long in all", []string{strings.Repeat("max-age=60,", 500), strings.Repeat("max-age=60,", 500)}, Directives{NoStore: true}},
}

func TestParseResponse(t *testing.T) {
	for _, c := range responseCases {
		t.Run(c.name, func(t *testing.T) {
			got := ParseResponse(http.Header{"Cache-Control": c.lines}, nil)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.lines, diff)
			}
		})
	}
}

var bothTargets = []string{"Veneer-Cache-Control", "Cdn-Cache-Control"}

func TestParseTargeted(t *testing.T) {
	const cdn = "Cdn-Cache-Control"
	for _, c := range []struct {
		name   string
		header http.Header
		want   Directives
	}{
		{"replaces", http.Header{cdn: {"max-age=3600"}, "Cache-Control": {"no-store, max-age=1"}}, Directives{Target: cdn, MaxAge: Seconds(3600)}},
		{"the first target wins", http.Header{"Veneer-Cache-Control": {"max-age=1"}, cdn: {"no-store"}}, Directives{Target: "Veneer-Cache-Control", MaxAge: Seconds(1)}},
		{"an invalid first target", http.Header{"Veneer-Cache-Control": {"max-age = 1"}, cdn: {"max-age=2"}}, Directives{Target: cdn, MaxAge: Seconds(2)}},
		{"empty", http.Header{cdn: {""}, "Cache-Control": {"max-age=1"}}, Directives{MaxAge: Seconds(1)}},
		{"white space", http.Header{cdn: {"  "}, "Cache-Control": {"max-age=1"}}, Directives{MaxAge: Seconds(1)}},
		{"syntax error", http.Header{cdn: {"max-age=10000, &&&&&"}, "Cache-Control": {"no-store"}}, Directives{NoStore: true}},
		{"space before =", http.Header{cdn: {"max-age =100"}, "Cache-Control": {"max-age=1"}}, Directives{MaxAge: Seconds(1)}},
		{"space after =", http.Header{cdn: {"max-age= 100"}, "Cache-Control": {"max-age=1"}}, Directives{MaxAge: Seconds(1)}},
		{"wrong case", http.Header{cdn: {"MaX-aGe=100"}, "Cache-Control": {"max-age=1"}}, Directives{MaxAge: Seconds(1)}},
		{"wrong type", http.Header{cdn: {`max-age="10000"`}, "Cache-Control": {"no-store"}}, Directives{Target: cdn}},
		{"fraction", http.Header{cdn: {"max-age=10.5, s-maxage=(1 2)"}}, Directives{Target: cdn}},
		{"negative", http.Header{cdn: {"max-age=-1"}}, Directives{Target: cdn, MaxAge: Seconds(0)}},
		{"large", http.Header{cdn: {"max-age=99999999999"}}, Directives{Target: cdn, MaxAge: Seconds(maxDelta)}},
		{"parameters and unknown members", http.Header{cdn: {"foobar, max-age=60;for=you"}}, Directives{Target: cdn, MaxAge: Seconds(60)}},
		{"two lines", http.Header{cdn: {"max-age=60", "must-revalidate"}}, Directives{Target: cdn, MaxAge: Seconds(60), MustRevalidate: true}},
		{"false", http.Header{cdn: {"no-store=?0, private=?0, public=?0"}}, Directives{Target: cdn}},
		{"a prohibition of the wrong type", http.Header{cdn: {`no-store=1, private="a", no-cache=("a" "b")`}}, Directives{Target: cdn, NoStore: true, Private: true, NoCache: true}},
		{"a grant of the wrong type", http.Header{cdn: {`public=1, immutable="x", must-understand=2`}}, Directives{Target: cdn}},
		{"all", http.Header{cdn: {"no-store, no-cache, private, must-revalidate, proxy-revalidate, no-transform, public, immutable, must-understand, max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4"}}, Directives{
			Target: cdn, NoStore: true, NoCache: true, Private: true, MustRevalidate: true, ProxyRevalidate: true, NoTransform: true,
			Public: true, Immutable: true, MustUnderstand: true,
			MaxAge: Seconds(1), SMaxAge: Seconds(2), StaleWhileRevalidate: Seconds(3), StaleIfError: Seconds(4)}},
		{"too long", http.Header{cdn: {"max-age=1, x=" + strings.Repeat("a", maxResponseField)}}, Directives{Target: cdn, NoStore: true}},
		{"not a target here", http.Header{"Surrogate-Control": {"max-age=60"}}, Directives{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, ParseResponse(c.header, bothTargets)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

var requestCases = []struct {
	name  string
	lines []string
	want  RequestDirectives
}{
	{"absent", nil, NoRequestDirectives},
	{"extension", []string{"nothing-to-see-here"}, NoRequestDirectives},
	{"no-cache", []string{"no-cache"}, RequestDirectives{NoCache: true}},
	{"reload", []string{"max-age=0"}, RequestDirectives{MaxAge: Seconds(0)}},
	{"only-if-cached", []string{"only-if-cached"}, RequestDirectives{OnlyIfCached: true}},
	{"no-store", []string{"no-store"}, RequestDirectives{NoStore: true}},
	{"all", []string{"max-age=1, max-stale=2, min-fresh=3", "NO-CACHE, no-store, no-transform, only-if-cached, stale-if-error=4"}, RequestDirectives{
		MaxAge: Seconds(1), MaxStale: Seconds(2), MinFresh: Seconds(3), StaleIfError: Seconds(4),
		NoCache: true, NoStore: true, NoTransform: true, OnlyIfCached: true}},
	{"max-stale without a value", []string{"max-stale"}, RequestDirectives{MaxStale: Seconds(maxDelta)}},
	{"max-stale, the first counts", []string{"max-stale=5, max-stale"}, RequestDirectives{MaxStale: Seconds(5)}},
	{"max-stale that cannot be read", []string{"max-stale=x"}, NoRequestDirectives},
	{"min-fresh that cannot be read", []string{"min-fresh=x"}, RequestDirectives{MinFresh: Seconds(maxDelta)}},
	{"max-age that cannot be read", []string{"max-age=x"}, RequestDirectives{MaxAge: Seconds(0)}},
	{"field names mean nothing", []string{`no-cache="a"`}, RequestDirectives{NoCache: true}},
	{"no-store after a space", []string{"x= no-store"}, RequestDirectives{NoStore: true}},
	{"unterminated quote", []string{`x="no-store`}, RequestDirectives{NoCache: true, NoStore: true}},
	{"too long", []string{strings.Repeat(`a="",`, 1<<18)}, RequestDirectives{NoCache: true, NoStore: true}},
}

func TestParseRequest(t *testing.T) {
	for _, c := range requestCases {
		t.Run(c.name, func(t *testing.T) {
			got := ParseRequest(http.Header{"Cache-Control": c.lines})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%.80q (-want +got):\n%s", c.lines, diff)
			}
		})
	}
}

func TestPragma(t *testing.T) {
	for _, c := range []struct {
		name   string
		header http.Header
		want   RequestDirectives
	}{
		{"alone", http.Header{"Pragma": {"no-cache"}}, RequestDirectives{NoCache: true}},
		{"in a list, any case", http.Header{"Pragma": {"x , NO-cache"}}, RequestDirectives{NoCache: true}},
		{"on the second line", http.Header{"Pragma": {"x", "no-cache"}}, RequestDirectives{NoCache: true}},
		{"something else", http.Header{"Pragma": {"unrecognised-extension"}}, NoRequestDirectives},
		{"beside Cache-Control", http.Header{"Pragma": {"no-cache"}, "Cache-Control": {"x"}}, NoRequestDirectives},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ParseRequest(c.header); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A field that is well formed says the same in any order of its members.
func TestOrderDoesNotMatter(t *testing.T) {
	members := []string{"no-store", "no-cache", `private="a, b"`, "max-age=7", "s-maxage=8", "public", "must-understand", `x="no-store, \" y"`, "y=z"}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfDistinct(rapid.SampledFrom(members), func(s string) string { return s }).Draw(t, "members")
		one := ParseResponse(http.Header{"Cache-Control": {strings.Join(some, ",")}}, nil)
		other := ParseResponse(http.Header{"Cache-Control": rapid.Permutation(some).Draw(t, "lines")}, nil)
		if diff := cmp.Diff(one, other); diff != "" {
			t.Fatalf("(-joined +lines):\n%s", diff)
		}
	})
}

// visibleToken reports, by a reading of its own, whether the text has the
// directive name outside of quoted strings as a member or among what makes no
// sense.
func visibleToken(text, name string) bool {
	var open strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			open.WriteByte('"')
		case !quoted:
			open.WriteByte(c)
		}
	}
	for _, piece := range strings.FieldsFunc(open.String(), func(r rune) bool {
		return r != '=' && (r > 0x7f || !isTokenByte(byte(r)))
	}) {
		before, _, _ := strings.Cut(piece, "=")
		if strings.EqualFold(before, name) {
			return true
		}
	}
	return false
}

// Whatever stands around it, a prohibition is heard.
func FuzzParseResponse(f *testing.F) {
	for _, c := range responseCases {
		f.Add(strings.Join(c.lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		d := ParseResponse(http.Header{"Cache-Control": lines}, nil)
		if d.NoStore {
			return // nothing is stricter
		}
		for _, line := range lines {
			if visibleToken(line, "no-store") {
				t.Errorf("%q: no-store is lost", line)
			}
			if visibleToken(line, "private") && !d.Private && len(d.PrivateFields) == 0 {
				t.Errorf("%q: private is lost", line)
			}
			if visibleToken(line, "no-cache") && !d.NoCache && len(d.NoCacheFields) == 0 {
				t.Errorf("%q: no-cache is lost", line)
			}
		}
		again, ok := canonical(lines, responseGrammar, maxResponseField)
		if !ok {
			t.Fatalf("%q: read although it cannot be", text)
		}
		if diff := cmp.Diff(d, ParseResponse(http.Header{"Cache-Control": {again}}, nil)); diff != "" {
			t.Errorf("%q is canonically %q, which says (-want +got):\n%s", text, again, diff)
		}
	})
}

func FuzzParseTargeted(f *testing.F) {
	for _, s := range []string{"max-age=3600", "no-store", `private="a"`, "max-age=10000, &&&&&", "no-store=?0", "a=(1 2);b, max-age=-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := ParseResponse(http.Header{"Cdn-Cache-Control": {text}, "Cache-Control": {"no-store"}}, bothTargets)
		if d.Target == "" && !d.NoStore {
			t.Errorf("%q: neither it nor Cache-Control counts: %+v", text, d)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, c := range requestCases {
		f.Add(strings.Join(c.lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		d := ParseRequest(http.Header{"Cache-Control": lines})
		for _, line := range lines {
			if visibleToken(line, "no-store") && !d.NoStore {
				t.Errorf("%q: no-store is lost", line)
			}
			if visibleToken(line, "no-cache") && !d.NoCache {
				t.Errorf("%q: no-cache is lost", line)
			}
		}
	})
}
