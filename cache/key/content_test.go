package key

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The fields that are negotiated.
const (
	ae = "Accept-Encoding"
	al = "Accept-Language"
)

// contents are a stored field and content, and whether a request gets it.
var contents = []struct {
	name            string
	field           string
	stored, content string
	request         string
	want            bool
}{
	{"vary-normalise-lang-select", al, "en, de", "de", "fr;q=0.5, de;q=1.0", true},
	{"language alone", al, "en, de", "de", "de", true},
	{"language in any case", al, "en, De", "dE", "DE", true},
	{"language liked less", al, "en, de", "de", "fr, de;q=0.5", false},
	{"language tied", al, "en, de", "de", "fr, de", false},
	{"language excluded", al, "en, de", "de", "fr;q=0.5, de;q=0", false},
	{"language excluded alone", al, "en, de", "de", "de;q=0", false},
	{"language not asked for", al, "en, de", "de", "fr", false},
	{"language of a wider range", al, "en, de-AT", "de-AT", "de", false},
	{"language of a narrower range", al, "en, de", "de", "de-AT", false},
	{"language chosen for a region", al, "de-AT, de;q=0.9", "de", "de", false},
	{"request names a region", al, "en, de", "de", "de, de-AT;q=0.5", false},
	{"language not asked for then", al, "en", "de", "de", false},
	{"language refused then", al, "en, de;q=0", "de", "de", false},
	{"language by star", al, "en, *", "de", "de", false},
	{"star alike", al, "en, de", "de", "de, *", false},
	{"star liked less", al, "en, de", "de", "de, *;q=0.5", true},
	{"several languages", al, "en, de", "de, en", "de", false},
	{"no Content-Language", al, "en, de", "", "de", false},
	{"Content-Language star", al, "en, *", "*", "*", false},
	{"languages rubbish", al, "en, de", "de", "de, x_y;q=0.1", false},

	{"coding liked best", ae, "gzip", "gzip", "gzip, br;q=0.5", true},
	{"coding liked less", ae, "gzip", "gzip", "gzip;q=0.5, br", false},
	{"coding tied with one not offered", ae, "gzip", "gzip", "gzip, br", false},
	{"coding preferred in a tie", ae, "gzip, deflate, br", "br", "br, gzip", true},
	{"coding lost in a tie", ae, "gzip, deflate, br", "br", "deflate, gzip", false},
	{"tie then, preference now", ae, "gzip, br", "br", "gzip, br;q=0.5", false},
	{"better one not available", ae, "br, gzip;q=0.5", "gzip", "br, gzip", true},
	{"excluded", ae, "gzip, br", "gzip", "gzip;q=0, br;q=0.5", false},
	{"not listed", ae, "gzip, br", "gzip", "br", false},
	{"alias", ae, "gzip", "x-gzip", "gzip, br;q=0.1", true},
	{"bare in spite of all", ae, "gzip, br", "", "gzip", true},
	{"bare in spite of all, other weights", ae, "gzip, br", "identity", "br;q=0.1", true},
	{"bare and more asked for", ae, "gzip", "", "gzip, br", false},
	{"bare excluded", ae, "gzip, br", "", "gzip, identity;q=0", false},
	{"bare liked best", ae, "gzip, br", "", "identity, gzip;q=0.5", true},
	{"bare and nothing accepted", ae, "gzip, br", "", "", true},
	{"coded and nothing accepted", ae, "gzip, br", "gzip", "", false},
	{"star then", ae, "*", "gzip", "gzip", false},
	{"star now", ae, "gzip", "gzip", "gzip, *;q=0.1", false},
	{"not accepted then", ae, "br", "gzip", "gzip", false},
	{"two codings", ae, "gzip, br", "gzip, br", "gzip", false},
	{"codings rubbish", ae, "gzip", "gzip", "gzip;q=9", false},

	{"another field", "Foo", "a", "a", "b", false},
}

func TestMatchesContent(t *testing.T) {
	for _, c := range contents {
		t.Run(c.name, func(t *testing.T) {
			s := Select([]string{c.field}, fields(c.field+": "+c.stored))
			if got := s.MatchesContent(fields(c.field+": "+c.request), c.content, c.content); got != c.want {
				t.Errorf("got %v", got)
			}
			if s.MatchesContent(bare, c.content, c.content) {
				t.Error("matches a request without the field")
			}
			s = Select([]string{c.field}, bare)
			if s.MatchesContent(fields(c.field+": "+c.request), c.content, c.content) {
				t.Error("matches what was stored without the field")
			}
		})
	}
}

var bare = fields()

// An upstream that likes codings in some order and has some of them gives the
// representation that MatchesContent says, and never one that is excluded.
func TestMatchesContentAgreesWithNegotiation(t *testing.T) {
	codings := []string{"gzip", "br", "zstd", "identity"}
	list := rapid.Custom(func(t *rapid.T) string {
		var members []string
		for _, c := range rapid.Permutation(codings).Draw(t, "order") {
			if w := rapid.SampledFrom([]string{"-", "-", "", ";q=0.5", ";q=0.2", ";q=0"}).Draw(t, c); w != "-" {
				members = append(members, c+w)
			}
		}
		return strings.Join(members, ", ")
	})
	rapid.Check(t, func(t *rapid.T) {
		taste := rapid.Permutation(codings).Draw(t, "taste")
		available := taste[:rapid.IntRange(0, len(taste)).Draw(t, "available")]
		if !slices.Contains(available, "identity") {
			available = append(slices.Clone(available), "identity")
		}
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		chosen, ok := negotiate(available, a)
		if !ok {
			return
		}
		s := Select([]string{"Accept-Encoding"}, fields("Accept-Encoding: "+a))
		if !s.MatchesContent(fields("Accept-Encoding: "+b), chosen, "") {
			return
		}
		if again, ok := negotiate(available, b); !ok || again != chosen {
			t.Fatalf("of %v, %q got %s and %q would get %s, %v", available, a, chosen, b, again, ok)
		}
	})
}

// negotiate chooses as RFC 9110 §12.5.3 asks, in a tie the first available.
func negotiate(available []string, accept string) (chosen string, ok bool) {
	var l weighted
	l.parseValue("Accept-Encoding", accept)
	best := -1
	for _, c := range available {
		if w, ok := l.codingWeight(c); ok && w > best {
			chosen, best = c, w
		}
	}
	return chosen, best >= 0
}
