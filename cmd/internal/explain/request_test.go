package explain

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"veneer/cache"
)

// questions are what New is asked, in tests and as seeds. want is what is in
// the error; "" is none.
var questions = []struct {
	name, method, url string
	fields            []string
	status            int
	response          []string
	want              string
}{
	{"plain", "", "https://api.example/x?b=1&a=2", nil, 0, nil, ""},
	{"everything", "PUT", "http://API.example:81/%2e%2e/x", []string{"origin: https://a.example", "Cookie:a=1", "X:", "Accept:  text/html \t", "Accept: */*", "Content-Length: 7"}, 503, []string{"cache-control: max-age=1", "Vary: A", "Vary: B"}, ""},
	{"Host", "GET", "http://127.0.0.1:8080/", []string{"Host: api.example"}, 0, nil, ""},
	{"chunked", "POST", "http://a/", []string{"Transfer-Encoding: chunked", "Content-Length: 5"}, 0, nil, ""},
	{"method of its own", "M-SEARCH", "http://a/", nil, 0, nil, ""},
	{"IPv6", "", "http://[::1]:8080/", nil, 0, nil, ""},

	{"relative", "", "/x", nil, 0, nil, "it must be absolute"},
	{"other scheme", "", "ftp://a/", nil, 0, nil, "it must be absolute"},
	{"opaque", "", "http:a", nil, 0, nil, "it must be absolute"},
	{"empty", "", "", nil, 0, nil, "it must be absolute"},
	{"fragment", "", "http://a/#x", nil, 0, nil, "no fragment"},
	{"empty fragment", "", "http://a/#", nil, 0, nil, "no fragment"},
	{"user", "", "http://me:secret@a/", nil, 0, nil, "user name"},
	{"space", "", "http://a/x y", nil, 0, nil, "a space"},
	{"control", "", "http://a/x\x01", nil, 0, nil, "cannot read the URL"},
	{"escape", "", "http://a/%zz", nil, 0, nil, "cannot read the URL"},
	{"too long", "", "http://a/" + strings.Repeat("x", maxURL), nil, 0, nil, "4096 are the most"},
	{"method with a space", "GET /", "http://a/", nil, 0, nil, "it is no token"},
	{"long method", strings.Repeat("A", 33), "http://a/", nil, 0, nil, "it is no token"},
	{"no colon", "", "http://a/", []string{"Origin"}, 0, nil, `request field 1: there is no colon after "Origin"`},
	{"no name", "", "http://a/", []string{": x"}, 0, nil, `the name ""`},
	{"bad name", "", "http://a/", []string{"Bad Name: x"}, 0, nil, `the name "Bad Name"`},
	{"line break", "", "http://a/", nil, 0, []string{"X: a\r\nSet-Cookie: b"}, `the value of the response field "X"`},
	{"too long a field", "", "http://a/", []string{"X: " + strings.Repeat("x", maxField)}, 0, nil, `field "X" of 4099 bytes`},
	{"too many", "", "http://a/", make([]string, maxFields+1), 0, nil, "cannot use 65 request fields"},
	{"two hosts", "", "http://a/", []string{"Host: a", "Host: b"}, 0, nil, "two Host fields"},
	{"length", "", "http://a/", []string{"Content-Length: x"}, 0, nil, `Content-Length "x"`},
	{"negative length", "", "http://a/", nil, 0, []string{"Content-Length: -1"}, `response field Content-Length "-1"`},
	{"two lengths", "", "http://a/", nil, 0, []string{"Content-Length: 1", "Content-Length: 2"}, "one number"},
	{"interim", "", "http://a/", nil, 103, nil, "a final one"},
	{"no status", "", "http://a/", nil, 600, nil, "a final one"},
}

func TestNew(t *testing.T) {
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			r, err := New(q.method, q.url, q.fields, q.status, q.response)
			switch {
			case q.want == "" && err != nil:
				t.Errorf("got the error %v", err)
			case q.want != "" && (err == nil || !strings.Contains(err.Error(), q.want)):
				t.Errorf("got %v, want %q in it", err, q.want)
			case err == nil:
				checkRoundTrip(t, r)
			case strings.Contains(err.Error(), "secret"):
				t.Errorf("a credential is in %v", err)
			}
		})
	}
}

// checkRoundTrip sends a question through the admin API's query and compares.
func checkRoundTrip(t *testing.T, r *Request) {
	t.Helper()
	q, err := url.ParseQuery(r.Query().Encode())
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromQuery(q)
	if err != nil {
		t.Fatalf("FromQuery(%v): %v", q, err)
	}
	if d := cmp.Diff(r, again, cmp.AllowUnexported(Request{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("through a query (-asked +read):\n%s", d)
	}
}

// What the engine is asked is what was written.
func TestHTTP(t *testing.T) {
	r, err := New("POST", "http://127.0.0.1:81/a%2Fb?q", []string{"host: api.example", "origin: null", "Transfer-Encoding: chunked"}, 301, []string{"etag: x"})
	if err != nil {
		t.Fatal(err)
	}
	want := &http.Request{
		Method: "POST", URL: &url.URL{Scheme: "http", Host: "127.0.0.1:81", Path: "/a/b", RawPath: "/a%2Fb", RawQuery: "q"},
		Host: "api.example", Header: http.Header{"Origin": {"null"}}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: -1, TransferEncoding: []string{"chunked"}, RemoteAddr: "127.0.0.1:0",
	}
	if d := cmp.Diff(want, r.HTTP(), cmpopts.IgnoreUnexported(http.Request{})); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if d := cmp.Diff(cache.Assumption{Status: 301, Header: http.Header{"Etag": {"x"}}}, r.Assumption()); d != "" {
		t.Errorf("assumption (-want +got):\n%s", d)
	}
	r.HTTP().Header.Set("Origin", "changed")
	if got := r.HTTP().Header.Get("Origin"); got != "null" {
		t.Errorf("the request is not the caller's own: %q", got)
	}
}

func TestFromQuery(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"url=http%3A%2F%2Fa%2F", ""},
		{"url=http%3A%2F%2Fa%2F&header=A%3A+1&header=B%3A+2&status=200&response_header=C%3A+3", ""},
		{"", "cannot explain without a url"},
		{"url=http%3A%2F%2Fa%2F&url=http%3A%2F%2Fb%2F", "the parameter url twice"},
		{"url=http%3A%2F%2Fa%2F&methd=PUT", `the parameter "methd"`},
		{"url=http%3A%2F%2Fa%2F&status=ok", `the status "ok"`},
		{"url=http%3A%2F%2Fa%2F&status=42", "cannot assume the status 42"},
		{"url=http%3A%2F%2Fa%2F&header=A", "there is no colon"},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = FromQuery(q)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.query, err, c.want)
		}
	}
}

// Whatever is asked: no panic, errors are short, and what is accepted is a
// request that could be sent, and survives the admin API's query.
func FuzzNew(f *testing.F) {
	for _, q := range questions {
		f.Add(q.method, q.url, strings.Join(q.fields, "\n"), q.status, strings.Join(q.response, "\n"))
	}
	f.Fuzz(func(t *testing.T, method, url, fields string, status int, response string) {
		var lines [2][]string
		for i, text := range []string{fields, response} {
			if text != "" {
				lines[i] = strings.Split(text, "\n")
			}
		}
		r, err := New(method, url, lines[0], status, lines[1])
		if err != nil {
			if len(err.Error()) > 600 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		checkRoundTrip(t, r)
		var b strings.Builder
		if err := r.HTTP().Header.Write(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
			if strings.ContainsAny(line, "\r\n\x00") || line != "" && !strings.Contains(line, ": ") {
				t.Errorf("the fields break apart: %q", b.String())
			}
		}
	})
}
