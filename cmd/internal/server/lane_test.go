package server

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conversations are what clients send: the seeds of the fuzzing, and what the
// lane must or must not answer itself.
var conversations = []struct {
	name    string
	text    string
	handled int // requests that are none for the lane
}{
	{"a hit", fetch("/own/page", "Origin: "+listed, gzip), 0},
	{"by pattern", fetch("/own/page", "Origin: "+partner, gzip), 0},
	{"no Origin", fetch("/own/page", gzip), 0},
	{"a refused origin that nobody stored for", fetch("/own/page", "Origin: "+stranger, gzip) + fetch("/own/page", "Origin: "+stranger, gzip), 1},
	{"null", fetch("/shared/page", "Origin: null", gzip), 0},
	{"a bad Origin", fetch("/pass/page", "Origin: "+listed+"/", gzip), 1},
	{"two Origins", fetch("/own/page", "Origin: "+listed, "Origin: "+listed, gzip), 1},
	{"one entry for all origins", fetch("/shared/page", "Origin: "+listed, gzip) + fetch("/shared/page", "Origin: "+partner, gzip) +
		fetch("/shared/page", gzip) + fetch("/shared/page", "Origin: "+stranger, gzip) + fetch("/shared/odd", "Origin: "+partner), 0},
	{"any origin", fetch("/star/page", "Origin: "+stranger, gzip) + fetch("/star/page", gzip) + fetch("/star/page", "Origin: null", gzip), 0},
	{"one origin", fetch("/static/page", "Origin: "+listed, gzip) + fetch("/static/page", gzip), 0},
	{"enforced", fetch("/strict/page", "Origin: "+stranger, gzip), 1},
	{"pass", fetch("/pass/page", "Origin: "+partner, gzip) + fetch("/pass/open", "Origin: "+listed), 0},
	{"off", fetch("/off/odd", "Origin: "+listed) + fetch("/off/odd"), 0},
	{"HEAD", message("HEAD", "/own/page", "Origin: "+listed, gzip) + message("HEAD", "/own/large") + message("HEAD", "/own/nothing"), 0},
	{"HEAD of what has no length", message("HEAD", "/own/moved") + fetch("/own/moved"), 1},
	{"all kinds of responses", fetch("/own/large") + fetch("/own/aged") + fetch("/own/empty") + fetch("/own/gone") + fetch("/own/moved") +
		fetch("/own/nothing") + fetch("/own/odd") + fetch("/own/forever") + fetch("/own/open"), 0},
	{"what is not fresh", fetch("/own/stale") + fetch("/own/secret") + fetch("/own/validated"), 3},
	{"not stored", fetch("/own/other") + fetch("/own/other"), 1},
	{"no route", fetch("/nowhere/page"), 1},
	{"another variant", fetch("/own/page"), 1},
	{"the same variant in other words", fetch("/own/page", "accept-encoding:   GZIP;q=1.0 "), 0},
	{"variants of two fields", fetch("/own/lang", "Accept-Language: de", "X-Tenant: a") + fetch("/own/lang", "Accept-Language: de", "X-Tenant: a"), 1},
	{"304", fetch("/own/page", "Origin: "+listed, gzip, `If-None-Match: "b", W/"a"`) + fetch("/own/page", gzip, "If-None-Match: *"), 0},
	{"304 by date", fetch("/own/large", "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"), 0},
	{"no 304", fetch("/own/page", gzip, `If-None-Match: "b"`) + fetch("/own/page", gzip, "If-Modified-Since: yesterday"), 0},
	{"no 304 for a refused origin", fetch("/shared/page", "Origin: "+stranger, gzip, `If-None-Match: "a"`), 0},
	{"no 304 with a cookie", fetch("/static/page", "Origin: "+listed, gzip, `If-None-Match: "a"`, "Cookie: a=b"), 0},
	{"If-Match", fetch("/own/page", gzip, `If-Match: "a"`), 1},
	{"a range", fetch("/own/large", "Range: bytes=0-9") + message("HEAD", "/own/large", "Range: bytes=0-9"), 2},
	{"a reload", fetch("/own/page", gzip, "Cache-Control: max-age=0") + fetch("/own/page", gzip, "Pragma: no-cache") + fetch("/own/page", gzip, "Cache-Control: no-cache"), 3},
	{"directives that are content", fetch("/own/page", gzip, "Cache-Control: max-age=300, only-if-cached") + fetch("/own/forever", "Cache-Control: max-age=0"), 0},
	{"directives that are not honoured", fetch("/keyed/page", gzip, "Cache-Control: no-cache"), 0},
	{"no-store in the request", fetch("/own/page", gzip, "Cache-Control: no-store"), 1},
	{"Authorization", fetch("/own/page", gzip, "Authorization: Bearer x") + fetch("/own/public", "Authorization: Bearer x"), 1},
	{"keyed by field, cookie and query", fetch("/keyed/page?utm_source=x", gzip) + fetch("/keyed/page", gzip, "X-Tenant: a") + fetch("/keyed/page", gzip, "Cookie: sid=1; a=b"), 2},
	{"debug fields", fetch("/own/page", gzip, "Veneer-Debug: 1"), 1},
	{"escapes", fetch("/own/%70age", gzip) + fetch("/own/p%2Fage", gzip) + fetch("/own/page%zz", gzip) + fetch("/own/page?%zz", gzip), 1},
	{"escapes in the query", fetch("/own/page?%zz", gzip) + fetch("/own/page?%zz", gzip), 1},
	{"dot segments", fetch("/own/../pass/page", gzip) + fetch("/own/./page", gzip) + fetch("/own/%2e%2e/x", gzip), 3},
	{"slashes", fetch("//own/page", gzip) + fetch("/own//page", gzip), 2},
	{"hosts", fetch("/own/page", gzip) + "GET /own/page HTTP/1.1\r\nhost: SITE.example:80\r\n" + gzip + "\r\n\r\n", 0},
	{"another host", "GET /own/page HTTP/1.1\r\nHost: other.example\r\n" + gzip + "\r\n\r\n", 1},
	{"a preflight", message("OPTIONS", "/own/page", "Origin: "+listed, "Access-Control-Request-Method: PUT") + fetch("/own/page", gzip), 1},
	{"content, then a hit", message("POST", "/own/large", "Content-Length: 5") + "hello" + fetch("/own/page", gzip), 1},
	{"no content in length", fetch("/own/page", gzip, "Content-Length: 0") + fetch("/own/page", gzip), 1},
	{"content of a GET", fetch("/own/page", gzip, "Content-Length: 44") + fetch("/own/page", gzip)[:44] + fetch("/own/page", gzip), 1},
	{"unsafe", message("DELETE", "/own/page") + fetch("/own/page", gzip) + fetch("/own/page", gzip), 2},
	{"a hit behind a slow miss", fetch("/slow/other") + fetch("/own/page", gzip) + fetch("/own/large"), 1},
	{"a hundred at once", strings.Repeat(fetch("/own/page", gzip), 100), 0},
	{"large ones at once", strings.Repeat(fetch("/own/large"), 20), 0},
	{"hits and misses in turn", strings.Repeat(fetch("/own/page", gzip)+fetch("/own/secret"), 10), 10},
	{"more than a buffer behind a slow miss", fetch("/slow/other") + strings.Repeat(fetch("/own/page", gzip), 100), 1},
	{"keep-alive", fetch("/own/page", gzip, "Connection: Keep-Alive") + fetch("/own/page", gzip), 0},
	{"the last request", fetch("/own/page", gzip) + fetch("/own/page", gzip, "Connection: close") + fetch("/own/page", gzip), 1},
	{"an expectation", message("POST", "/own/page", "Expect: 100-continue", "Content-Length: 2") + "ok" + fetch("/own/page", gzip), 2},
	// After 20 that are no hits the engine is asked again at the 25th, which is one.
	{"no hits for a while", strings.Repeat(fetch("/own/secret", gzip), 20) + strings.Repeat(fetch("/own/page", gzip), 10), 24},
	{"an upgrade", fetch("/own/page", gzip, "Connection: Upgrade", "Upgrade: h2c") + fetch("/own/page", gzip), 2},
	{"chunked", message("POST", "/own/page", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n" + fetch("/own/page", gzip), 1},
	{"a head of 5 KiB", fetch("/own/page", gzip, "X-Long: "+strings.Repeat("a", 5000)) + fetch("/own/page", gzip), 2},
	{"sixty fields", fetch("/own/page", append(slices.Repeat([]string{"X: 1"}, 60), gzip)...) + fetch("/own/page", gzip), 1},
	{"a field twice", fetch("/own/page", gzip, "X-A: 1", "x-a: 2") + fetch("/own/page", gzip), 1},

	// What must not be taken for anything else than net/http takes it for.
	{"bare LF", strings.ReplaceAll(fetch("/own/page", gzip), "\r\n", "\n") + fetch("/own/page", gzip), 2},
	{"one bare LF", "GET /own/page HTTP/1.1\r\nHost: site.example\n" + gzip + "\r\n\r\n", 1},
	{"bare CR", fetch("/own/page", gzip, "X: a\rb"), 0},
	{"CR CR LF", "GET /own/page HTTP/1.1\r\r\nHost: site.example\r\n\r\n", 0},
	{"NUL", fetch("/own/page", gzip, "X: a\x00b"), 0},
	{"obs-text", fetch("/own/page", gzip, "X: \xff"), 1},
	{"a tab", fetch("/own/page", gzip, "X:\ta"), 1},
	{"obs-fold", fetch("/own/page", gzip, "X: a\r\n b"), 1},
	{"obs-fold that hides a field", fetch("/own/page", gzip, "X: a\r\n Content-Length: 30") + fetch("/own/page", gzip), 2},
	{"white space first", " " + fetch("/own/page", gzip), 0},
	{"an empty line first", "\r\n" + fetch("/own/page", gzip), 0},
	{"space before the colon", fetch("/own/page", gzip, "Content-Length : 3") + "abc", 0},
	{"no colon", fetch("/own/page", gzip, "nonsense"), 0},
	{"no name", fetch("/own/page", gzip, ": x"), 0},
	{"no Host", "GET /own/page HTTP/1.1\r\n" + gzip + "\r\n\r\n", 0},
	{"an empty Host", "GET /own/page HTTP/1.1\r\nHost:\r\n" + gzip + "\r\n\r\n", 1},
	{"two Hosts", fetch("/own/page", gzip, "Host: evil.example"), 0},
	{"a bad Host", "GET /own/page HTTP/1.1\r\nHost: a b\r\n\r\n" + "GET /own/page HTTP/1.1\r\nHost: a/b\r\n\r\n", 0},
	{"absolute-form", "GET http://site.example/own/page HTTP/1.1\r\nHost: other.example\r\n" + gzip + "\r\n\r\n", 1},
	{"asterisk-form", message("OPTIONS", "*") + fetch("/own/page", gzip), 1},
	{"CONNECT", message("CONNECT", "site.example:80"), 0},
	{"HTTP/1.0", "GET /own/page HTTP/1.0\r\nHost: site.example\r\n\r\n" + fetch("/own/page", gzip), 1},
	{"HTTP/1.2", "GET /own/page HTTP/1.2\r\nHost: site.example\r\n\r\n", 1},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
	{"two spaces", "GET  /own/page HTTP/1.1\r\nHost: site.example\r\n\r\n" + "GET /own/page  HTTP/1.1\r\nHost: site.example\r\n\r\n", 0},
	{"a fragment", fetch("/own/page#x", gzip) + fetch("/own/page", gzip), 0},
	{"a target that ought to be escaped", fetch("/own/page?a|b", gzip) + fetch("/own/page", gzip), 1},
	{"a method in lower case", message("get", "/own/page", gzip), 1},
	{"a method of its own", message("PURGE", "/own/page", gzip) + fetch("/own/page", gzip), 2},
	{"CL and TE", message("POST", "/own/page", "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n" + fetch("/own/page", gzip), 1},
	{"TE and CL", message("POST", "/own/page", "Transfer-Encoding: chunked", "Content-Length: 300") + "0\r\n\r\n" + fetch("/own/page", gzip), 1},
	{"TE.TE", message("POST", "/own/page", "Transfer-Encoding: chunked", "Transfer-Encoding: x") + "0\r\n\r\n" + fetch("/own/page", gzip), 0},
	{"two lengths", message("POST", "/own/page", "Content-Length: 3", "Content-Length: 4") + "abcd" + fetch("/own/page", gzip), 0},
	{"two equal lengths", message("POST", "/own/page", "Content-Length: 3", "Content-Length: 3") + "abc" + fetch("/own/page", gzip), 2},
	{"a list of lengths", message("POST", "/own/page", "Content-Length: 3, 3") + "abc", 0},
	{"a signed length", message("POST", "/own/page", "Content-Length: +3") + "abc", 0},
	{"a huge length", message("POST", "/own/page", "Content-Length: 99999999999999999999") + "abc", 0},
	{"a request in the content", message("POST", "/own/page", "Content-Length: "+strconv.Itoa(len(fetch("/own/page", gzip)))) + fetch("/own/page", gzip), 1},
	{"half a head", fetch("/own/page", gzip)[:30], 0},
	{"half a head behind a hit", fetch("/own/page", gzip) + fetch("/own/page", gzip)[:30], 0},
	{"a byte behind a hit", fetch("/own/page", gzip) + "G", 0},
	{"nonsense behind a hit", fetch("/own/page", gzip) + "0\n", 0},
	{"more nonsense behind a hit", fetch("/own/page", gzip) + "0\n\n\n", 0},
	{"content that does not come", message("POST", "/own/page", "Content-Length: 10") + "hello", 1},
}

const gzip = "Accept-Encoding: gzip"

// fetch is a request; the rest of its fields are given.
func fetch(target string, fields ...string) string { return message("GET", target, fields...) }

func message(method, target string, fields ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: site.example\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

func TestLane(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			if handled := compare(t, [][]byte{[]byte(c.text)}); handled != c.handled {
				t.Errorf("%d requests came to the handler, want %d", handled, c.handled)
			}
		})
	}
}

// compare lets a client talk to a server without a lane and to one with it, and
// fails the test where it could see a difference, or the operator could.
func compare(t *testing.T, pieces [][]byte) (handled int) {
	t.Helper()
	want, _ := converse(t, pieces, false)
	got, handled := converse(t, pieces, true)
	if handled > 0 {
		// A fetch looks once more before it asks the upstream, and may find
		// what the request before it has just stored.
		want.Hits, got.Hits = 0, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q without a lane and with one (-want +got):\n%s", pieces, diff)
	}
	return handled
}

// A head may come in any two pieces, and byte by byte.
func TestLaneTorn(t *testing.T) {
	text := []byte(fetch("/own/page", "Origin: "+listed, gzip) + message("POST", "/own/other", "Content-Length: 3") + "abc" + fetch("/own/large"))
	for at := range text {
		if handled := compare(t, [][]byte{text[:at], text[at:]}); handled != 1 {
			t.Errorf("cut at %d, %d requests came to the handler", at, handled)
		}
	}
	if handled := compare(t, slices.Collect(slices.Chunk(text, 1))); handled != 1 {
		t.Errorf("byte by byte, %d requests came to the handler", handled)
	}
}

// FuzzLane: whatever a client sends, and in whatever pieces, a server with a lane
// and one without answer alike, and record the same.
func FuzzLane(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(c.text), uint64(0))
		f.Add([]byte(c.text), uint64(len(c.text)))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 8<<10 {
			return
		}
		compare(t, cut(text, seed))
	})
}

// cut cuts text into at most eight pieces; 0 leaves it whole.
func cut(text []byte, seed uint64) (pieces [][]byte) {
	random := rand.New(rand.NewPCG(seed, 0))
	for n := min(seed, uint64(random.IntN(8))); n > 0 && len(text) > 1; n-- {
		at := 1 + random.IntN(len(text)-1)
		pieces, text = append(pieces, text[:at]), text[at:]
	}
	return append(pieces, text)
}
