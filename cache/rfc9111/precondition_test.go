package rfc9111

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEvaluate(t *testing.T) {
	tagged := Meta{ResponseTime: epoch, Date: epoch, ETag: `"abcdef"`, LastModified: epoch.Add(-3000 * time.Second)}
	weak := Meta{ResponseTime: epoch, Date: epoch, ETag: `W/"abcdef"`}
	dated := Meta{ResponseTime: epoch, Date: epoch, LastModified: epoch.Add(-3000 * time.Second)}
	plain := Meta{ResponseTime: epoch, Date: epoch}
	rfc850 := epoch.Add(-3000 * time.Second).Format("Monday, 02-Jan-06 15:04:05 GMT")
	const get = http.MethodGet
	for _, c := range []struct {
		name   string
		method string
		fields http.Header
		m      Meta
		status int
		want   Precondition
	}{
		{"none", get, header(), tagged, 200, Proceed},
		{"If-None-Match", get, header("If-None-Match", `"abcdef"`), tagged, 200, NotModified},
		{"HEAD", http.MethodHead, header("If-None-Match", `"abcdef"`), tagged, 200, NotModified},
		{"another method", http.MethodPut, header("If-None-Match", `"abcdef"`), tagged, 200, Failed},
		{"another tag", get, header("If-None-Match", `"x"`), tagged, 200, Proceed},
		{"weak against strong", get, header("If-None-Match", `W/"abcdef"`), tagged, 200, NotModified},
		{"strong against weak", get, header("If-None-Match", `"abcdef"`), weak, 200, NotModified},
		{"first of a list", get, header("If-None-Match", `"abcdef", "1234", "5678"`), tagged, 200, NotModified},
		{"middle of a list", get, header("If-None-Match", `"1234", "abcdef", "5678"`), tagged, 200, NotModified},
		{"last of a list", get, header("If-None-Match", `"1234","5678" ,"abcdef"`), tagged, 200, NotModified},
		{"second line", get, header("If-None-Match", `"1234"`, "If-None-Match", `"abcdef"`), tagged, 200, NotModified},
		{"comma within a tag", get, header("If-None-Match", `"a, b", "abcdef"`), Meta{ETag: `"b"`}, 200, Proceed},
		{"after an element that is none", get, header("If-None-Match", `abc, W/, "abcdef"`), tagged, 200, NotModified},
		{"without quotes", get, header("If-None-Match", `abcdef`), tagged, 200, Proceed},
		{"small w", get, header("If-None-Match", `w/"abcdef"`), tagged, 200, Proceed},
		{"text after it", get, header("If-None-Match", `"abcdef"x`), tagged, 200, Proceed},
		{"no end", get, header("If-None-Match", `"abcdef`), tagged, 200, Proceed},
		{"obs-text", get, header("If-None-Match", "\"abcdef\xc3\xbc\""), Meta{ETag: "\"abcdef\xc3\xbc\""}, 200, NotModified},
		{"any", get, header("If-None-Match", `*`), plain, 200, NotModified},
		{"any, among others", get, header("If-None-Match", `"x", *`), plain, 200, NotModified},
		{"no tag stored", get, header("If-None-Match", `""`), plain, 200, Proceed},
		{"empty field", get, header("If-None-Match", ``), tagged, 200, Proceed},
		{"If-None-Match over If-Modified-Since", get, header("If-None-Match", `"abcdef"`, "If-Modified-Since", at(-90000)), tagged, 200, NotModified},
		{"If-None-Match over If-Modified-Since, other tag", get, header("If-None-Match", `"x"`, "If-Modified-Since", at(0)), tagged, 200, Proceed},
		{"an error", get, header("If-None-Match", `"abcdef"`, "If-Match", `"x"`), tagged, 404, Proceed},
		{"a redirect", get, header("If-Modified-Since", at(0)), tagged, 301, Proceed},
		{"another 2xx", get, header("If-None-Match", `"abcdef"`), tagged, 203, NotModified},
		{"If-Modified-Since", get, header("If-Modified-Since", at(-3000)), dated, 200, NotModified},
		{"later", get, header("If-Modified-Since", at(-2000)), dated, 200, NotModified},
		{"earlier", get, header("If-Modified-Since", at(-3001)), dated, 200, Proceed},
		{"RFC 850", get, header("If-Modified-Since", rfc850), dated, 200, NotModified},
		{"not a date", get, header("If-Modified-Since", "yesterday"), dated, 200, Proceed},
		{"two dates", get, header("If-Modified-Since", at(0), "If-Modified-Since", at(0)), dated, 200, Proceed},
		{"not for POST", http.MethodPost, header("If-Modified-Since", at(0)), dated, 200, Proceed},
		{"Date for want of Last-Modified", get, header("If-Modified-Since", at(0)), plain, 200, NotModified},
		{"before Date", get, header("If-Modified-Since", at(-1)), plain, 200, Proceed},
		{"If-Match", get, header("If-Match", `"abcdef"`), tagged, 200, Proceed},
		{"If-Match, any", get, header("If-Match", `*`), plain, 200, Proceed},
		{"If-Match, another", get, header("If-Match", `"x", "y"`), tagged, 200, Failed},
		{"If-Match is strong", get, header("If-Match", `W/"abcdef"`), weak, 200, Failed},
		{"If-Match, then If-None-Match", get, header("If-Match", `"abcdef"`, "If-None-Match", `"abcdef"`), tagged, 200, NotModified},
		{"If-Unmodified-Since", get, header("If-Unmodified-Since", at(-3000)), dated, 200, Proceed},
		{"If-Unmodified-Since, modified", get, header("If-Unmodified-Since", at(-3001)), dated, 200, Failed},
		{"If-Match over If-Unmodified-Since", get, header("If-Match", `"abcdef"`, "If-Unmodified-Since", at(-3001)), tagged, 200, Proceed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Evaluate(c.method, c.fields, &c.m, c.status); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestForOrigin(t *testing.T) {
	for name, want := range map[string]bool{"If-Match": true, "If-Unmodified-Since": true, "If-None-Match": false, "If-Modified-Since": false, "If-Range": false} {
		if got := ForOrigin(header(name, "x")); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
}

func TestIfRange(t *testing.T) {
	m := Meta{ResponseTime: epoch, Date: epoch, ETag: `"a"`, LastModified: epoch.Add(-time.Minute)}
	for _, c := range []struct {
		name   string
		fields http.Header
		m      Meta
		want   bool
	}{
		{"absent", header(), m, true},
		{"the entity-tag", header("If-Range", `"a"`), m, true},
		{"another", header("If-Range", `"b"`), m, false},
		{"weak", header("If-Range", `W/"a"`), Meta{ETag: `W/"a"`}, false},
		{"weak against strong", header("If-Range", `W/"a"`), m, false},
		{"a list", header("If-Range", `"a", "b"`), m, false},
		{"any", header("If-Range", `*`), m, false},
		{"empty", header("If-Range", ``), m, false},
		{"two lines", header("If-Range", `"a"`, "If-Range", `"a"`), m, false},
		{"the date", header("If-Range", at(-60)), m, true},
		{"a later date", header("If-Range", at(-59)), m, false},
		{"a date that is weak", header("If-Range", at(0)), Meta{Date: epoch, LastModified: epoch}, false},
		{"no date stored", header("If-Range", at(-60)), Meta{Date: epoch}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := IfRange(c.fields, &c.m); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

// An entity-tag matches itself weakly wherever it stands in a list, and nothing
// that is not an entity-tag ever matches.
func FuzzEntityTags(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `"a,b"`, `"`, `W/`, `*`, `""`, "\"\xff\"", `"a" "b"`} {
		f.Add(s, `"x", `)
	}
	f.Fuzz(func(t *testing.T, tag, list string) {
		m := Meta{ETag: tag}
		alone := Evaluate(http.MethodGet, header("If-None-Match", tag), &m, 200)
		if alone == NotModified && !validTag(tag) && !strings.Contains(tag, "*") && !strings.ContainsAny(tag, ", \t") {
			t.Errorf("%q is no entity-tag and matches", tag)
		}
		if !validTag(tag) {
			return
		}
		if got := Evaluate(http.MethodGet, header("If-None-Match", list, "If-None-Match", "\"q\", "+tag), &m, 200); got != NotModified {
			t.Errorf("%q does not match itself after %q", tag, list)
		}
		if IfRange(header("If-Range", tag), &m) == strings.HasPrefix(tag, "W/") {
			t.Errorf("%q: If-Range compares strongly", tag)
		}
	})
}
