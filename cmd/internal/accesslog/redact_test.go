package accesslog

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// deep is an "=" that is encoded so often.
func deep(times int) string { return "%" + strings.Repeat("25", times-1) + "3D" }

func TestRedaction(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"a", "a"},
		{"token", "token"},
		{"a=1&b=2", "a=1&b=2"},
		{"access_token=x", "access_token=REDACTED"},
		{"a=1&Access_Token=x&b=2", "a=1&Access_Token=REDACTED&b=2"},
		{"access%5ftoken=x", "access%5ftoken=REDACTED"},
		{"%74oken=x", "%74oken=REDACTED"},
		{"a=1;sig=x;b", "a=1;sig=REDACTED;b"},
		{"key=a=b", "key=REDACTED"},
		{"key=", "key=REDACTED"},
		{"monkey=1&keyword=2", "monkey=1&keyword=2"},
		{"user[password]=x", "user[password]=REDACTED"},
		{"X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-Security-Token=c&X-Amz-Date=d", "X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED&X-Amz-Date=d"},
		{"u=/p?api_key=x&b=2", "u=/p?api_key=REDACTED&b=2"},
		{"&&=&=token", "&&=&=token"},
		{"%=1&%2=2&to%ken=3", "%=1&%2=2&to%ken=3"},
		{strings.Repeat("x", 500) + "token=1", strings.Repeat("x", 500) + "token=REDACTED"},
		{"bearer=x&Bearer_=y", "bearer=REDACTED&Bearer_=REDACTED"},
		{"to%256ben=x&%252574oken=y&%25256bey=z", "to%256ben=REDACTED&%252574oken=REDACTED&%25256bey=REDACTED"},
		{"a%26code=x&a%26coda=x", "a%26code=REDACTED&a%26coda=x"},
		{"token%3Dx=5&token%3Dx&a", "REDACTED&REDACTED&a"},
		{"next=https%3A%2F%2Fa.example%2F%3Ftoken%3Dx%26b%3D1&c=d", "next=REDACTED&c=d"},
		{"next=https%253A%252F%252Fa.example%252F%253Fb%253D1%2526key%253Dx", "next=REDACTED"},
		{"next=https%3A%2F%2Fa.example%2F%3Fb%3D1%26c%3D2", "next=https%3A%2F%2Fa.example%2F%3Fb%3D1%26c%3D2"},
		{"next=https://a.example/?b=1&c=2", "next=https://a.example/?b=1&c=2"},
		{"next=https://me:pw@a.example/", "next=REDACTED"},
		{"next=https%3A%2F%2Fme%3Apw%40a.example%2F", "next=REDACTED"},
		{"https%3A%2F%2Fme%3Apw%40a.example%2F", "REDACTED"},
		{"https%3A%2F%2Fme%3Ap=w%40a.example%2F", "REDACTED"},
		{"mail=me@a.example&mail=me%40a.example&at=/@me//x/@", "mail=me@a.example&mail=me%40a.example&at=/@me//x/@"},
		{"filter=token=x&filter=page=1", "filter=REDACTED&filter=page=1"},
		{"state=YWJj%3D%3D&state=YWJj==", "state=YWJj%3D%3D&state=YWJj=="},
		{"a=100%&b=%zz&c=%25&d=%2525", "a=100%&b=%zz&c=%25&d=%2525"},
		{"a=" + deep(maxFolds) + "&b=" + deep(maxFolds+1), "a=" + deep(maxFolds) + "&b=REDACTED"},
		{deep(maxFolds+1) + "=1", "REDACTED"},
	} {
		e := entry{scratch: new(scratch)}
		if got := e.query(c.query); got != c.want {
			t.Errorf("%q: got %q, want %q", c.query, got, c.want)
		}
		if got := string(AppendQuery([]byte("before?"), c.query)); got != "before?"+c.want {
			t.Errorf("%q: appended %q, want %q", c.query, got, c.want)
		}
	}
	for _, c := range []struct{ url, want string }{
		{"https://app.example/", "https://app.example/"},
		{"https://me:pw@app.example/a@b?c=d", "https://REDACTED@app.example/a@b?c=d"},
		{"https://app.example/cb#id_token=x", "https://app.example/cb#id_token=REDACTED"},
		{"https://app.example/?a=1&code=x#b=2", "https://app.example/?a=1&code=REDACTED#b=2"},
		{"nonsense", "nonsense"},
		{"?password=x", "?password=REDACTED"},
	} {
		e := entry{scratch: new(scratch)}
		if got := e.url(c.url); got != c.want {
			t.Errorf("%q: got %q, want %q", c.url, got, c.want)
		}
	}
}

// decodeAll is fold in other words: a triple at a time, as often as it takes,
// which it returns.
func decodeAll(s string) (decoded string, rounds int) {
	for ; ; rounds++ {
		var b strings.Builder
		for rest := s; rest != ""; {
			if c, err := url.PathUnescape(rest[:min(3, len(rest))]); rest[0] == '%' && err == nil {
				b.WriteString(c)
				rest = rest[3:]
				continue
			}
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
		if b.String() == s {
			return asciiLower(s), rounds
		}
		s = b.String()
	}
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(delimiters, r) })
}

// leak returns a pair of a query whose name, or a name in it, says that it holds
// a secret, and that shows it, or one with a user before a host; "" is none.
// rounds is how deep it had to look.
func leak(query string) (what string, rounds int) {
	for _, pair := range split(query) {
		decoded, n := decodeAll(pair)
		rounds = max(rounds, n)
		for _, piece := range split(decoded) {
			parts := strings.Split(piece, "=")
			for i, name := range parts[:len(parts)-1] {
				named := slices.Contains(secretNames, name) || slices.ContainsFunc(secretParts, func(p string) bool { return strings.Contains(name, p) })
				if named && !strings.HasPrefix(parts[i+1], asciiLower(redacted)) {
					what = pair
				}
			}
		}
		for _, after := range strings.Split(decoded, "//")[1:] {
			if authority := strings.FieldsFunc("x"+after, func(r rune) bool { return strings.ContainsRune("/?#", r) })[0]; strings.Contains(authority, "@") {
				what = pair
			}
		}
	}
	return what, rounds
}

// FuzzRedact: however a query is encoded, what is logged of it shows no value of
// a parameter whose name says that it is secret; and what has none is logged as
// it is.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		"a=1&b=2", "access_token=x", "to%256ben=x", "next=https%3A%2F%2Fme%3Apw%40a.example%2F%3Ftoken%3Dx%26b%3D1", "token%3Dx=5", "a=%2&5=%3d",
		"a%26code=x", "%25%33%44=token%3D1", "key=a=b;c?d#e", "u=//a@b/%2f%2fc%40d", deep(maxFolds+1) + "=1", "b=%ff%c3%28&c=\u212a", "K%65Y%3dv", "a=b%3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = clip(s)
		got := string(AppendQuery(nil, s))
		if what, _ := leak(got); what != "" {
			t.Errorf("%q is logged as %q, which shows %q", s, got, what)
		}
		if again := string(AppendQuery(nil, got)); len(got) <= maxText && again != got {
			t.Errorf("%q, logged as %q, is logged as %q the next time", s, got, again)
		}
		count := func(s string) int {
			return len(strings.FieldsFunc("x"+s, func(r rune) bool { return !strings.ContainsRune(delimiters, r) }))
		}
		if count(got) != count(s) {
			t.Errorf("%q is logged as %q: other delimiters", s, got)
		}
		if what, rounds := leak(s); got != s && what == "" && rounds <= maxFolds {
			t.Errorf("%q has no secret and is logged as %q", s, got)
		}
		if prefix := bytes.Repeat([]byte("p"), 3); !bytes.HasPrefix(AppendQuery(prefix, s), prefix) {
			t.Error("what was there before is another text")
		}
	})
}
