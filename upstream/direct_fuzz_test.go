package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer is all of a response that a caller can see.
type answer struct {
	Failed  bool
	Status  int
	Length  int64
	Header  http.Header
	Body    string
	Broken  bool
	Trailer http.Header
}

// answerOf sends response to a request and closes the connection.
func answerOf(t *testing.T, method, response string, direct bool) answer {
	p := newPool(t, nil, "http://h.example")
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
				io.WriteString(far, response)
			}
		}()
		return near, nil
	}
	p.transport.DialContext = dial
	p.group.servers[0].direct.dial = dial
	if !direct {
		p.group.servers[0].direct = nil
	}
	defer p.Close()
	res, err := p.RoundTrip(newRequest(t, method, "/", nil))
	if err != nil {
		return answer{Failed: true}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	a := answer{Status: res.StatusCode, Length: res.ContentLength, Header: res.Header, Body: string(b), Broken: err != nil}
	if err == nil {
		a.Trailer = res.Trailer
	}
	return a
}

// FuzzDirect: whatever a server sends, the direct way makes of it what
// http.Transport does.
func FuzzDirect(f *testing.F) {
	for _, s := range []string{
		okResponse, "", "HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 200 OK\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3\r\nhel\r\n0\r\nA: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nhel\r\nzz",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nextra",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 099 Odd\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nEtag: \"a\"\r\n\r\n", "SSH-2.0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close, X\r\nX: 1\r\nContent-Length: 2\r\n\r\nok",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, response string, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		want, got := answerOf(t, method, response, false), answerOf(t, method, response, true)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-transport +direct)\n%s", response, diff)
		}
	})
}
