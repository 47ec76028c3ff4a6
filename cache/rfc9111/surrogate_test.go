package rfc9111

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var surrogateCases = []struct {
	name  string
	lines []string
	want  Directives // with the Target left out
	said  bool
}{
	{"absent", nil, Directives{}, false},
	{"empty", []string{""}, Directives{}, false},
	{"max-age", []string{"max-age=600"}, Directives{MaxAge: Seconds(600)}, true},
	{"names have no case", []string{"MaX-aGe=600, No-Cache"}, Directives{MaxAge: Seconds(600), NoCache: true}, true},
	{"clamped", []string{"max-age=99999999999"}, Directives{MaxAge: Seconds(maxDelta)}, true},
	{"unknown members", []string{`content="ESI/1.0", foobar, max-age=600`}, Directives{MaxAge: Seconds(600)}, true},
	{"only unknown members", []string{`content="ESI/1.0"`}, Directives{}, false},
	{"for us", []string{"max-age=600;veneer"}, Directives{MaxAge: Seconds(600)}, true},
	{"for us, spaced", []string{"max-age=600 ; Veneer , no-cache"}, Directives{MaxAge: Seconds(600), NoCache: true}, true},
	{"for us among others", []string{"max-age=600;abc;veneer"}, Directives{MaxAge: Seconds(600)}, true},
	{"for nobody in particular", []string{"no-store;"}, Directives{NoStore: true}, true},
	{"for another", []string{"max-age=600;abc"}, Directives{}, false},
	{"the other's is not ours", []string{"no-store;abc, max-age=60", "max-age=600;abc"}, Directives{MaxAge: Seconds(60)}, true},
	{"the first of two", []string{"max-age=60, max-age=600"}, Directives{MaxAge: Seconds(60)}, true},
	{"with an extension", []string{"max-age=600+60;veneer"}, Directives{MaxAge: Seconds(600)}, true},
	{"junk is not trusted", []string{"max-age=600+60 foo"}, Directives{MaxAge: Seconds(0)}, true},
	{"white space is not trusted", []string{"max-age =600"}, Directives{MaxAge: Seconds(0)}, true},
	{"negative", []string{"max-age=-1"}, Directives{MaxAge: Seconds(0)}, true},
	{"an open quote", []string{`max-age=600, content="ESI`}, unreadable, true},
	{"a quote in the address", []string{`max-age=600;"veneer"`}, unreadable, true},
	{"too long", []string{"max-age=600" + strings.Repeat(" ", maxResponseField)}, unreadable, true},
}

func TestParseSurrogate(t *testing.T) {
	for _, c := range surrogateCases {
		t.Run(c.name, func(t *testing.T) {
			got, said := parseSurrogate(c.lines)
			if diff := cmp.Diff(c.want, got); diff != "" || said != c.said {
				t.Errorf("said %v, want %v; directives (-want +got):\n%s", said, c.said, diff)
			}
		})
	}
}

// Like any targeted field it replaces Cache-Control, and only where a route
// has chosen it.
func TestSurrogateReplaces(t *testing.T) {
	h := http.Header{"Surrogate-Control": {"max-age=600;veneer"}, "Cache-Control": {"no-store"}}
	chosen := ParseResponse(h, []string{surrogateControl})
	if diff := cmp.Diff(Directives{MaxAge: Seconds(600), Target: surrogateControl}, chosen); diff != "" {
		t.Errorf("chosen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Directives{NoStore: true}, ParseResponse(h, nil)); diff != "" {
		t.Errorf("not chosen (-want +got):\n%s", diff)
	}
	h["Surrogate-Control"] = []string{"max-age=600;abc"}
	if diff := cmp.Diff(Directives{NoStore: true}, ParseResponse(h, []string{surrogateControl})); diff != "" {
		t.Errorf("for another (-want +got):\n%s", diff)
	}
}

// Without an address the field says what Cache-Control would.
func FuzzParseSurrogate(f *testing.F) {
	for _, c := range surrogateCases {
		f.Add(strings.Join(c.lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		got, said := parseSurrogate(lines)
		if !said && !cmp.Equal(got, Directives{}) {
			t.Errorf("%q: says nothing, and yet %+v", text, got)
		}
		if strings.ContainsAny(text, ";+") {
			return
		}
		if diff := cmp.Diff(ParseResponse(http.Header{"Cache-Control": lines}, nil), got); diff != "" {
			t.Errorf("%q (-Cache-Control +Surrogate-Control):\n%s", text, diff)
		}
	})
}
