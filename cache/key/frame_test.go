package key

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var target = Target{Scheme: "https", Host: "example.com", Path: "/a", Query: "b=1"}

func TestAppendAndParse(t *testing.T) {
	fields := http.Header{
		"X-Tenant": {"blue", ""},
		"X-Empty":  {""},
		"Cookie":   {"sid=1; b=2; sid=3", "lang = de ;sid"},
	}
	for _, c := range []struct {
		name           string
		spec           Spec
		method, bucket string
		want           Parts
		text           string
	}{
		{
			name: "bucket", method: "GET", bucket: "https://app.example",
			want: Parts{Target: target, Method: "GET", Bucket: "https://app.example"},
			text: "GET https://example.com/a?b=1 origin=https://app.example",
		}, {
			name: "no origin", method: "HEAD",
			want: Parts{Target: target, Method: "GET"},
			text: "GET https://example.com/a?b=1 origin=none",
		}, {
			name: "exact", spec: Spec{Origin: OriginExact}, method: "POST", bucket: "none",
			want: Parts{Target: target, Method: "POST", Origin: OriginExact, Bucket: "none"},
			text: "POST https://example.com/a?b=1 origin=none",
		}, {
			name: "shared", spec: Spec{Origin: OriginShared}, method: "GET", bucket: "https://app.example",
			want: Parts{Target: target, Method: "GET", Origin: OriginShared},
			text: "GET https://example.com/a?b=1 origin=shared",
		}, {
			name: "fields and cookies", method: "GET",
			spec: Spec{Origin: OriginShared, Headers: []string{"X-Tenant", "X-Empty", "X-None", "Authorization"}, Cookies: []string{"sid", "lang", "none"}},
			want: Parts{
				Target: target, Method: "GET", Origin: OriginShared,
				Headers: []Part{{"X-Tenant", []string{"blue", ""}}, {"X-Empty", []string{""}}, {"X-None", nil}, {"Authorization", nil}},
				Cookies: []Part{{"sid", []string{"1", "3"}}, {"lang", []string{"de"}}, {"none", nil}},
			},
			text: `GET https://example.com/a?b=1 origin=shared header:X-Tenant="blue","" header:X-Empty="" header:X-None absent` +
				` header:Authorization absent cookie:sid=<1 bytes>,<1 bytes> cookie:lang=<2 bytes> cookie:none absent`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := c.spec.Append([]byte("overwritten"), c.method, target, c.bucket, fields)
			got, err := Parse(k.Bytes)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if text := Describe(k.Bytes); text != c.text {
				t.Errorf("got  %s\nwant %s", text, c.text)
			}
			if uri := URIKey(nil, target); !bytes.Equal(uri, k.URI()) {
				t.Errorf("URIKey %q, Key.URI %q", uri, k.URI())
			}
		})
	}
}

func TestAppendWithoutFields(t *testing.T) {
	s := Spec{}
	k := s.Append(nil, "GET", target, "", nil)
	if got, err := Parse(k.Bytes); err != nil || got.Method != "GET" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseOfPartsOfAKey(t *testing.T) {
	got, err := Parse(URIKey(nil, target))
	if diff := cmp.Diff(Parts{Target: target, Origin: OriginShared}, got); diff != "" || err != nil {
		t.Errorf("URI: %v\n%s", err, diff)
	}
	if text := Describe(URIKey(nil, target)); text != "https://example.com/a?b=1" {
		t.Errorf("URI: %s", text)
	}
	s := Spec{}
	flight := Select([]string{"A", "B"}, http.Header{"B": {"x"}}).Append(s.Append(nil, "GET", target, "", nil).Bytes)
	got, err = Parse(flight)
	want := Parts{Target: target, Method: "GET", Selecting: []Part{{"A", nil}, {"B", []string{"x"}}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("flight: %v\n%s", err, diff)
	}
	if text := Describe(flight); text != `GET https://example.com/a?b=1 origin=none vary:A absent vary:B="x"` {
		t.Errorf("flight: %s", text)
	}
}

func TestDescribeOfForeignBytes(t *testing.T) {
	s := Spec{Headers: []string{"X"}}
	long := s.Append(nil, "GET", target, "", http.Header{"X": {strings.Repeat("\x00", 5000)}})
	for _, b := range [][]byte{nil, {}, []byte("GET http://a/"), {0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xff}, 5000), long.Bytes} {
		text := Describe(b)
		if text == "" || len(text) > maxDescription || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Errorf("%.20q: %q", b, text)
		}
	}
}

// request is all that a key is made of, drawn so that neighbours collide if
// any frame leaks.
type request struct {
	Spec   Spec
	Method string
	Target Target
	Bucket string
	Fields http.Header
}

var anyRequest = rapid.Custom(func(t *rapid.T) request {
	text := rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00", "\x01a", "M\x03GET", "=\x01a", "H\x01A", "none", "https://x"})
	lines := rapid.SliceOfN(text, 0, 2)
	h := http.Header{}
	for _, name := range []string{"A", "B", "Cookie"} {
		if v := lines.Draw(t, name); len(v) > 0 {
			h[name] = v
		}
	}
	return request{
		Spec: Spec{
			Origin:  rapid.SampledFrom([]OriginMode{OriginBucket, OriginShared, OriginExact}).Draw(t, "mode"),
			Headers: rapid.SampledFrom([][]string{nil, {"A"}, {"B"}, {"A", "B"}}).Draw(t, "headers"),
			Cookies: rapid.SampledFrom([][]string{nil, {"a"}, {"a", "b"}}).Draw(t, "cookies"),
		},
		Method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", ""}).Draw(t, "method"),
		Target: Target{text.Draw(t, "scheme"), text.Draw(t, "host"), text.Draw(t, "path"), text.Draw(t, "query")},
		Bucket: text.Draw(t, "bucket"),
		Fields: h,
	}
})

// parts is what Parse must find in the key of r.
func (r request) parts() Parts {
	p := Parts{Target: r.Target, Method: r.Method, Origin: r.Spec.Origin, Bucket: r.Bucket}
	if p.Method == "HEAD" {
		p.Method = "GET"
	}
	if p.Origin == OriginShared {
		p.Bucket = ""
	}
	for _, name := range r.Spec.Headers {
		p.Headers = append(p.Headers, Part{name, r.Fields[name]})
	}
	for _, name := range r.Spec.Cookies {
		p.Cookies = append(p.Cookies, Part{name, cookieValues(r.Fields["Cookie"], name)})
	}
	return p
}

// cookieValues is the plainest reading of Cookie lines.
func cookieValues(lines []string, name string) (values []string) {
	for _, pair := range strings.Split(strings.Join(lines, ";"), ";") {
		n, v, ok := strings.Cut(pair, "=")
		if ok && strings.Trim(n, " \t") == name {
			values = append(values, strings.Trim(v, " \t"))
		}
	}
	return values
}

func TestParseUndoesAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRequest.Draw(t, "request")
		got, err := Parse(r.Spec.Append(nil, r.Method, r.Target, r.Bucket, r.Fields).Bytes)
		if diff := cmp.Diff(r.parts(), got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// Two requests build one key only if every part of them is equal, and one
// target's URI part is never the head of another's key.
func TestDistinctRequestsHaveDistinctKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyRequest.Draw(t, "a"), anyRequest.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b.Spec, b.Target, b.Method = a.Spec, a.Target, a.Method
		}
		names := []string{"A", "B"}
		sa, sb := Select(names, a.Fields), Select(names, b.Fields)
		ka := a.Spec.Append(nil, a.Method, a.Target, a.Bucket, a.Fields)
		kb := b.Spec.Append(nil, b.Method, b.Target, b.Bucket, b.Fields)
		equal := cmp.Equal(a.parts(), b.parts(), cmpopts.EquateEmpty())
		if bytes.Equal(ka.Bytes, kb.Bytes) != equal {
			t.Fatalf("equal requests: %v; keys %q and %q", equal, ka.Bytes, kb.Bytes)
		}
		if bytes.HasPrefix(kb.Bytes, ka.URI()) != (a.Target == b.Target) {
			t.Fatalf("URI %q is the head of %q", ka.URI(), kb.Bytes)
		}
		equal = equal && sa.Equal(&sb)
		if bytes.Equal(sa.Append(ka.Bytes), sb.Append(kb.Bytes)) != equal {
			t.Fatalf("equal with variants: %v; keys %q and %q", equal, ka.Bytes, kb.Bytes)
		}
	})
}

func FuzzParse(f *testing.F) {
	s := Spec{Headers: []string{"A"}, Cookies: []string{"b"}}
	f.Add(s.Append(nil, "GET", target, "x", http.Header{"A": {"1"}, "Cookie": {"b=2"}}).Bytes)
	f.Add(URIKey(nil, target))
	f.Add([]byte("\x00\x00\x00\x00="))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil && !cmp.Equal(p, Parts{}) {
			t.Fatalf("parts beside an error: %+v", p)
		}
		if text := Describe(b); text == "" || len(text) > maxDescription {
			t.Fatalf("description %q", text)
		}
	})
}
