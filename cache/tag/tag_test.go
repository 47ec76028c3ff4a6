package tag

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func many(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprint("t", i)
	}
	return tags
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name             string
		surrogate, cache []string
		want             []string
	}{
		{"none", nil, nil, nil},
		{"empty lines", []string{"", "  \t"}, []string{"", " , ,,"}, nil},
		{"surrogate key", []string{"a b  c\td "}, nil, []string{"a", "b", "c", "d"}},
		{"cache tag", nil, []string{"a,b , c,\td"}, []string{"a", "b", "c", "d"}},
		{"both, in order", []string{"s2 s1", "s3"}, []string{"c2,c1", "c3"}, []string{"s2", "s1", "s3", "c2", "c1", "c3"}},
		{"duplicates", []string{"a b a", "b"}, []string{"a,c,c"}, []string{"a", "b", "c"}},
		{"the other one's separator", []string{"a,b c"}, []string{"d e,f"}, []string{"a,b", "c", "d e", "f"}},
		{"case counts", []string{"A a"}, nil, []string{"A", "a"}},
		{"beyond ASCII", []string{"größe"}, nil, []string{"größe"}},
		{"control characters", []string{"a\x01 b \x7f"}, []string{"c\td,e"}, []string{"b", "e"}},
		{"longest", []string{strings.Repeat("x", MaxLength) + " b"}, nil, []string{strings.Repeat("x", MaxLength), "b"}},
		{"too long", []string{strings.Repeat("x", MaxLength+1) + " b"}, nil, []string{"b"}},
		{"as many as there may be", []string{strings.Join(many(MaxTags), " ")}, []string{"late"}, many(MaxTags)},
		{"too many", nil, []string{strings.Join(many(MaxTags+50), ",")}, many(MaxTags)},
		{"duplicates among many", []string{strings.Join(append(many(100), many(100)...), " ")}, nil, many(100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{"Surrogate-Key": c.surrogate, "Cache-Tag": c.cache, "Other": {"x"}}
			if diff := cmp.Diff(c.want, Parse(h)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a": true, "a b": true, " a": false, "a\t": false, "a\nb": false, "a\x00": false, "ä": true,
		strings.Repeat("x", MaxLength): true, strings.Repeat("x", MaxLength+1): false,
	} {
		if got := Valid(s); got != want {
			t.Errorf("Valid(%q) = %v, want %v", s, got, want)
		}
	}
}

// Whatever the fields hold: the result keeps its bounds, has no duplicates, is
// made of what stands in the fields, and reads back as itself.
func FuzzParse(f *testing.F) {
	f.Add("a b", "c,d")
	f.Add(" \t", ",,")
	f.Add("a\x00b \x7f é", "a b , c\t,d")
	f.Add(strings.Join(many(300), " "), strings.Repeat("y", 300))
	f.Fuzz(func(t *testing.T, surrogate, cache string) {
		tags := Parse(http.Header{"Surrogate-Key": {surrogate}, "Cache-Tag": {cache}})
		if len(tags) > MaxTags {
			t.Fatalf("%d tags", len(tags))
		}
		sorted := slices.Sorted(slices.Values(tags))
		if len(slices.Compact(sorted)) != len(tags) {
			t.Fatalf("duplicates in %q", tags)
		}
		var again []string
		for _, tag := range tags {
			if !Valid(tag) || !strings.Contains(surrogate, tag) && !strings.Contains(cache, tag) {
				t.Fatalf("tag %q", tag)
			}
			field := "Cache-Tag"
			if strings.Contains(tag, ",") {
				field = "Surrogate-Key"
			}
			again = append(again, Parse(http.Header{field: {tag}})...)
		}
		if !slices.Equal(again, tags) {
			t.Fatalf("%q reads back as %q", tags, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	h := http.Header{"Surrogate-Key": {strings.Join(many(20), " ")}}
	b.ReportAllocs()
	for b.Loop() {
		Parse(h)
	}
}
