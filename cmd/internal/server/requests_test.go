package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// echo answers with what it was given.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprintf(w, "limit %d", tooLarge.Limit)
		return
	}
	fmt.Fprintf(w, "%s %s host=%s body=%q err=%v", r.Method, r.URL.EscapedPath(), r.Host, content, err)
})

// answer is what a client sees of one request: what counts is the status, who
// answered, and whether the connection goes on.
type answer struct {
	Status int
	Type   string
	Text   string
	Closed bool
}

// Raw bytes as a hostile or careless client sends them. The table also states
// what net/http does in silence, so that a new version of it that differs is
// noticed.
func TestRawRequests(t *testing.T) {
	s := start(t, Config{Handler: echo, Limits: Limits{BodyBytes: 10}})
	const plain, problemJSON = "text/plain; charset=utf-8", "application/problem+json"
	problemText := func(token, title string, status int, detail string) string {
		return fmt.Sprintf(`{"type":"urn:veneer:problem:%s","title":%q,"status":%d,"detail":%q}`, token, title, status, detail)
	}
	for _, c := range []struct {
		name, raw string
		want      answer
	}{
		{"ordinary", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", answer{200, plain, `GET /a host=h body="" err=<nil>`, false}},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", answer{200, plain, `GET /a host= body="" err=<nil>`, true}},
		{"path with two slashes", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", answer{200, plain, `GET //a//b host=h body="" err=<nil>`, false}},
		{"content", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz", answer{200, plain, `POST /a host=h body="xyz" err=<nil>`, false}},
		{"expectation", "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\nxyz", answer{417, "", "", true}},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", answer{200, "", "", false}},

		// Framing.
		{"chunked closes", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n",
			answer{200, plain, `POST /a host=h body="xyz" err=<nil>`, true}},
		{"chunked with a length closes", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{200, plain, `POST /a host=h body="" err=<nil>`, true}},
		{"two lengths", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nxyz", answer{400, plain, "400 Bad Request", true}},
		{"odd length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nxyz", answer{400, plain, "400 Bad Request", true}},
		{"unknown coding", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", answer{501, plain, "Unsupported transfer encoding", true}},
		{"space before the colon", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", answer{400, plain, "400 Bad Request: invalid header name", true}},
		{"bare LF is taken", "GET /a HTTP/1.1\nHost: h\n\n", answer{200, plain, `GET /a host=h body="" err=<nil>`, false}},
		{"obs-fold is joined", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", answer{200, plain, `GET /a host=h body="" err=<nil>`, false}},
		{"a bad chunk", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
			answer{200, plain, `POST /a host=h body="" err=invalid byte in chunk length`, true}},

		// Host.
		{"no Host", "GET /a HTTP/1.1\r\n\r\n", answer{400, plain, "400 Bad Request: missing required Host header", true}},
		{"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", answer{400, plain, "400 Bad Request", true}},
		{"absolute-form wins", "GET http://real/a HTTP/1.1\r\nHost: other\r\n\r\n", answer{200, plain, `GET /a host=real body="" err=<nil>`, false}},
		{"absolute-form without path", "GET http://real HTTP/1.1\r\nHost: other\r\n\r\n", answer{200, plain, `GET  host=real body="" err=<nil>`, false}},

		// Targets.
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{400, problemJSON, problemText("bad-request", "Bad Request", 400, "the request target has a fragment"), true}},
		{"userinfo", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{400, problemJSON, problemText("bad-request", "Bad Request", 400, "the request target has userinfo"), true}},
		{"other scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{400, problemJSON, problemText("bad-request", "Bad Request", 400, "the request target must be a path or an absolute http or https URI"), true}},
		{"GET *", "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{400, problemJSON, problemText("bad-request", "Bad Request", 400, "the request target must be a path or an absolute http or https URI"), true}},
		{"opaque", "GET http:x HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{400, problemJSON, problemText("bad-request", "Bad Request", 400, "the request target must be a path or an absolute http or https URI"), true}},
		{"CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
			answer{501, problemJSON, problemText("not-implemented", "Not Implemented", 501, "CONNECT asks for a tunnel, and this is no forward proxy"), true}},

		// Sizes.
		{"declared too large", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890", answer{413, plain, "limit 10", true}},
		{"chunks too large", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", answer{413, plain, "limit 10", true}},
		{"just fits", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", answer{200, plain, `POST /a host=h body="0123456789" err=<nil>`, false}},
		{"head too large", "GET /a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n",
			answer{431, problemJSON, problemText("bad-request", "Request Header Fields Too Large", 431, "the request's target and fields are larger than this server takes"), true}},
		{"target too long", "GET /" + strings.Repeat("x", 40<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n",
			answer{414, problemJSON, problemText("bad-request", "Request URI Too Long", 414, "the request's target is longer than this server takes"), true}},
		{"head far too large", "GET /a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 140<<10) + "\r\n\r\n",
			answer{431, plain, "431 Request Header Fields Too Large", true}},
		{"no HTTP", "\x16\x03\x01\x00\r\n\r\n", answer{400, plain, "400 Bad Request", true}},
		{"NUL in a value", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", answer{400, plain, "400 Bad Request", true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, ask(t, s, c.raw)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// ask sends raw bytes and then, if the connection is still open, one more
// request, which must be answered by itself.
func ask(t *testing.T, s *Server, raw string) answer {
	t.Helper()
	c := dial(t, s)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	res, content := readResponse(t, r)
	got := answer{Status: res.StatusCode, Type: res.Header.Get("Content-Type"), Text: content}
	if _, err := io.WriteString(c, "GET /next HTTP/1.1\r\nHost: next\r\n\r\n"); err != nil {
		got.Closed = true
		return got
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		got.Closed = true
		return got
	}
	next, err := io.ReadAll(res.Body)
	if want := `GET /next host=next body="" err=<nil>`; err != nil || string(next) != want {
		t.Errorf("next request: got %q, error %v, want %q", next, err, want)
	}
	return got
}

// The fields of an answer of the server's own, all of them.
func TestProblemFields(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s)
	fmt.Fprint(c, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodHead})
	if err != nil {
		t.Fatal(err)
	}
	res.Header.Del("Date")
	want := http.Header{
		"Content-Type":           {"application/problem+json"},
		"Content-Length":         {"116"},
		"Cache-Control":          {"no-store"},
		"Cache-Status":           {"veneer; detail=overload"},
		"Connection":             {"close"},
		"X-Content-Type-Options": {"nosniff"},
	}
	if res.Close {
		res.Header.Set("Connection", "close") // ReadResponse takes it out
	}
	if diff := cmp.Diff(want, res.Header); diff != "" || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d\n%s", res.StatusCode, diff)
	}
}

// Whatever the target, refuse decides without a panic, and lets nothing pass
// that a handler could not route.
func FuzzRefuse(f *testing.F) {
	for _, target := range []string{"/", "/a?b#c", "*", "http://h/p", "http://u:p@h/", "ftp://h", "http:x", "//h/p", "/%zz", "", "h:80"} {
		f.Add("GET", target)
	}
	f.Add("CONNECT", "h:80")
	s := &Server{limits: Limits{HeaderBytes: 1 << 10}}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http has answered 400
		}
		r := &http.Request{Method: method, URL: u, RequestURI: target}
		if s.refuse(r) != nil {
			return
		}
		if len(target) > s.limits.HeaderBytes {
			t.Errorf("a target of %d bytes passed", len(target))
		}
		if method == "CONNECT" || strings.Contains(target, "#") || u.Opaque != "" || u.User != nil {
			t.Errorf("%s %q passed", method, target)
		}
		if u.Path != "" && u.Path[0] != '/' {
			t.Errorf("path %q of %q passed", u.Path, target)
		}
	})
}
