package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestC2Parse(t *testing.T) {
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			valid := want != Origin{}
			if valid {
				want.Text = c.in
			}
			got, ok := Parse(c.in)
			if diff := cmp.Diff(want, got); ok != valid || diff != "" {
				t.Errorf("ok %v, want %v; diff:\n%s", ok, valid, diff)
			}
		})
	}
}

func TestMaxLen(t *testing.T) {
	if MaxLen != 326 {
		t.Errorf("MaxLen is %d", MaxLen)
	}
	host := strings.TrimSuffix(strings.Repeat(strings.Repeat("a", 63)+".", 4), ".")[:253]
	longest := strings.Repeat("s", 64) + "://" + host + ":65535"
	if _, ok := Parse(longest); !ok || len(longest) != MaxLen {
		t.Errorf("the longest origin (%d bytes) is refused", len(longest))
	}
}

func TestC1C3Classify(t *testing.T) {
	type result struct {
		Text  string
		Class Class
	}
	for _, c := range []struct {
		name  string
		lines []string
		want  result
	}{
		{"no field", nil, result{"", None}},
		{"valid", []string{"https://a.example"}, result{"https://a.example", Valid}},
		{"null", []string{"null"}, result{"null", Null}},
		{"Null", []string{"Null"}, result{"", Bad}},
		{"empty", []string{""}, result{"", Bad}},
		{"two lines", []string{"https://a.example", "https://a.example"}, result{"", Bad}},
		{"two nulls", []string{"null", "null"}, result{"", Bad}},
		{"list", []string{"https://a.example, https://b.example"}, result{"", Bad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, class := Classify(c.lines)
			if diff := cmp.Diff(c.want, result{o.String(), class}); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := []string{None.String(), Bad.String(), Null.String(), Valid.String(), Class(9).String()}; !cmp.Equal(got, []string{"none", "bad", "null", "valid", "unknown"}) {
		t.Errorf("names: %q", got)
	}
}

func TestLoopback(t *testing.T) {
	for s, want := range map[string]bool{
		"http://localhost":           true,
		"http://localhost.:81":       true,
		"http://app.localhost:3000":  true,
		"http://127.0.0.1":           true,
		"http://127.9.9.9:1":         true,
		"http://[::1]:3000":          true,
		"http://127.example":         false,
		"http://notlocalhost":        false,
		"http://localhost.example":   false,
		"http://10.0.0.1":            false,
		"http://[::2]":               false,
		"http://127.0.0.1.nip.local": false,
	} {
		o, ok := Parse(s)
		if !ok || o.Loopback() != want {
			t.Errorf("%s: parsed %v, loopback %v, want %v", s, ok, o.Loopback(), want)
		}
	}
}

// Whatever parses is made of nothing but its parts, and is safe in a field.
func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := Parse(s)
		if !ok {
			if (o != Origin{}) {
				t.Errorf("refused %q, and returned %+v", s, o)
			}
			return
		}
		p := Pattern{scheme: o.Scheme, host: o.Host, ports: portSet{list: []uint16{o.Port}}}
		if p.String() != s || o.Text != s || len(s) > MaxLen {
			t.Errorf("parse %q, print %q", s, p.String())
		}
		if strings.ContainsAny(s, " ,;\"\\\r\n\t\x00") || strings.ToLower(s) != s {
			t.Errorf("accepted %q", s)
		}
		q, err := ParsePattern(s)
		if strings.HasPrefix(s, "file:") {
			return
		}
		if single, ok := q.Single(); err != nil || !ok || single != s {
			t.Errorf("%q is no rule: %v", s, err)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	for _, s := range []string{"https://app.example.com", "http://[2001:db8::1]:8080", "https://" + strings.Repeat("a", 1<<20)} {
		lines := []string{s}
		b.Run(s[:min(len(s), 26)], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(lines)
			}
		})
	}
}
