package lane

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const plainHead = "GET /a/b%20c?q=1 HTTP/1.1\r\nHost: site.example\r\nOrigin: https://app.example.com\r\nAccept:  */* \r\nX-Empty:\r\n\r\n"

// heads are what parse says of bytes.
var heads = []struct {
	name, text string
	want       verdict
}{
	{"plain", plainHead, plain},
	{"plain HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", plain},
	{"keep-alive", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", plain},
	{"more behind it", plainHead + "GET ", plain},
	{"content", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n", framed},
	{"content of a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", framed},
	{"unsafe, no content", "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", framed},
	{"twice the same", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 1\r\n\r\n", framed},
	{"target with a quote", "GET /\" HTTP/1.1\r\nHost: a\r\n\r\n", framed},
	{"too many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", maxFields) + "\r\n", framed},
	{"too many fields, and a coding", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", maxFields) + "Transfer-Encoding: chunked\r\n\r\n", foreign},
	{"too many fields, and a second Host", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", maxFields) + "Host: b\r\n\r\n", foreign},
	{"other method", "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", foreign},
	{"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", foreign},
	{"nothing", "", incomplete},
	{"half a line", "GET / HT", incomplete},
	{"a CR", "GET / HTTP/1.1\r", incomplete},
	{"no end", "GET / HTTP/1.1\r\nHost: a\r\n", incomplete},
	{"no end after a CR", "GET / HTTP/1.1\r\nHost: a\r\n\r", incomplete},
}

func TestParse(t *testing.T) {
	for _, c := range heads {
		var h head
		if got := h.parse([]byte(c.text)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	var h head
	h.parse([]byte(plainHead))
	type fields map[string][]string
	got := fields{}
	for _, name := range []string{"Host", "Origin", "Accept", "X-Empty", "X-Absent", "Orijin"} {
		got[name] = h.Values(name)
	}
	want := fields{"Host": {"site.example"}, "Origin": {"https://app.example.com"}, "Accept": {"*/*"}, "X-Empty": {""}, "X-Absent": nil, "Orijin": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if h.method != "GET" || h.path != "/a/b%20c" || h.query != "q=1" || h.host != "site.example" || h.size != len(plainHead) || h.length != -1 {
		t.Errorf("%+v", h)
	}
}

// As long as bytes are missing, and none is wrong, a head is incomplete.
func TestParsePrefixes(t *testing.T) {
	var h head
	for i := range plainHead {
		if got := h.parse([]byte(plainHead[:i])); got != incomplete {
			t.Errorf("%q: %v", plainHead[:i], got)
		}
	}
}

// What the lane takes for a head, net/http takes for the same one, to the byte,
// and for one that needs nothing but an answer.
func FuzzParse(f *testing.F) {
	for _, c := range heads {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h head
		v := h.parse(b)
		if v < framed {
			return
		}
		rest := bytes.NewReader(b)
		in := bufio.NewReaderSize(rest, 16)
		r, err := http.ReadRequest(in)
		if err != nil {
			// net/http says so, and ends the connection. The engine refuses the
			// one thing that a plain head may have wrong.
			if v == plain && !strings.Contains(err.Error(), "invalid URL escape") {
				t.Fatalf("%v", err)
			}
			return
		}
		read := len(b) - rest.Len() - in.Buffered()
		if read != h.size {
			t.Fatalf("net/http's head has %d bytes, the lane's %d", read, h.size)
		}
		if len(r.TransferEncoding) > 0 || r.Close || r.Header["Expect"] != nil || r.Header["Upgrade"] != nil || !r.ProtoAtLeast(1, 1) {
			t.Fatalf("taken: %q", b[:h.size])
		}
		if r.ContentLength != max(h.length, 0) || r.Method != h.method || r.Host != h.host {
			t.Fatalf("%d %s %s, and the lane has %d %s %s", r.ContentLength, r.Method, r.Host, h.length, h.method, h.host)
		}
		if v == plain {
			samePlain(t, &h, r)
		}
	})
}

func samePlain(t *testing.T, h *head, r *http.Request) {
	target := h.path
	if strings.Contains(r.RequestURI, "?") {
		target += "?" + h.query
	}
	if target != r.RequestURI || r.URL.RawQuery != h.query {
		t.Fatalf("target %q, and the lane has %q and %q", r.RequestURI, h.path, h.query)
	}
	got := http.Header{}
	for i := range h.n {
		if name := http.CanonicalHeaderKey(h.names[i]); name != "Host" {
			got[name] = h.Values(name)
		}
	}
	if diff := cmp.Diff(r.Header, got); diff != "" {
		t.Fatalf("fields (-net/http +lane):\n%s", diff)
	}
}
