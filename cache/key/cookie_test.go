package key

import (
	"net/http"
	"slices"
	"testing"
)

func TestKeyedCookies(t *testing.T) {
	s := Spec{Cookies: []string{"sid", "lang"}}
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"none", nil, ""},
		{"others only", []string{"a=1; b=2"}, ""},
		{"some", []string{"a=1; sid=2; b=3; lang=de"}, "sid=2; lang=de"},
		{"order and repetition kept", []string{"lang=de; sid=2; sid=1"}, "lang=de; sid=2; sid=1"},
		{"lines", []string{"sid=1", "a=2", "lang=x"}, "sid=1; lang=x"},
		{"whitespace", []string{" sid \t=\t 1 ;lang=a b"}, "sid=1; lang=a b"},
		{"quotes do not protect", []string{`a="x; sid=1"`}, `sid=1"`},
		{"case counts", []string{"SID=1"}, ""},
		{"without equals sign", []string{"sid; lang"}, ""},
		{"empty value", []string{"sid="}, "sid="},
		{"equals sign in the value", []string{"sid=a=b"}, "sid=a=b"},
		{"empty pairs", []string{";;sid=1;;"}, "sid=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := s.KeyedCookies(http.Header{"Cookie": c.lines}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := (&Spec{}).KeyedCookies(http.Header{"Cookie": {"sid=1"}}); got != "" {
		t.Errorf("without keyed cookies: %q", got)
	}
}

// What goes upstream is what is keyed: reading the filtered field gives the
// same values, and a plain reading of the raw one too.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; sid=2", "sid=3")
	f.Add(`sid="a;b"; sid`, ";=;==")
	f.Add(" sid\t= x ", "")
	f.Fuzz(func(t *testing.T, one, two string) {
		s := Spec{Cookies: []string{"sid", "b"}}
		raw := []string{one, two}
		kept := []string{s.KeyedCookies(http.Header{"Cookie": raw})}
		key := func(lines []string) []byte {
			return s.Append(nil, "GET", target, "", http.Header{"Cookie": lines}).Bytes
		}
		if !slices.Equal(key(raw), key(kept)) {
			t.Fatalf("%q is keyed unlike its filtered form %q", raw, kept)
		}
		p, err := Parse(key(raw))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Cookies {
			if want := cookieValues(raw, c.Name); !slices.Equal(c.Values, want) {
				t.Fatalf("%q: %s is %q, want %q", raw, c.Name, c.Values, want)
			}
		}
	})
}
