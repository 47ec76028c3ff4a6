package bare

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// talk sends the parts, one write each, and returns what is answered until the
// server hangs up.
func talk(t *testing.T, answer answerer, parts ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		serve(server, answer)
		close(done)
	}()
	for _, p := range parts {
		if _, err := io.WriteString(client, p); err != nil {
			break // it has hung up
		}
	}
	_ = client.(*net.TCPConn).CloseWrite()
	<-done
	got, _ := io.ReadAll(client) // a reset comes where the server had more to read
	return string(got)
}

func TestServe(t *testing.T) {
	echo := func(head []byte) []byte { return fmt.Appendf(nil, "[%s]", head) }
	for _, c := range []struct {
		name  string
		parts []string
		want  string
	}{
		{"one", []string{"GET / HTTP/1.1\r\n\r\n"}, "[GET / HTTP/1.1]"},
		{"in parts", []string{"GET / HT", "TP/1.1\r\nA: b\r", "\n\r", "\n"}, "[GET / HTTP/1.1\r\nA: b]"},
		{"pipelined", []string{"a\r\n\r\nb\r\n\r\nc\r\n\r", "\nd\r\n\r\ne"}, "[a][b][c][d]"},
		{"not a whole head", []string{"GET / HTTP/1.1\r\n"}, ""},
		{"a head without end", []string{strings.Repeat("x", 20<<10), "\r\n\r\n"}, ""},
	} {
		if got := talk(t, echo, c.parts...); got != c.want {
			t.Errorf("%s: answers %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHeadIsHTTP(t *testing.T) {
	raw := append(head(fields, "https://a.example", 5), "12345"...)
	res, err := http.ReadResponse(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(raw))), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil || string(content) != "12345" || res.StatusCode != http.StatusOK {
		t.Errorf("status %d, content %q, %v", res.StatusCode, content, err)
	}
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Vary": "Origin", "Via": "1.1 veneer"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestUpstream(t *testing.T) {
	a := newApp(options{size: 3, store: true, origins: []string{"https://a.example", "https://b.example"}})
	for _, c := range []struct{ line, allowed string }{
		{"Origin: https://a.example", "https://a.example"},
		{"oRIGIN:https://b.example ", "https://b.example"},
		{"Origin: https://c.example", ""},
		{"X-Origin: https://a.example", ""},
		{"Origin", ""},
	} {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(a.answer([]byte("GET /page HTTP/1.1\r\nHost: h\r\n"+c.line+"\r\nA: b")))), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != c.allowed {
			t.Errorf("%s: allows %q, want %q", c.line, got, c.allowed)
		}
		if got := res.Header.Get("Cache-Control"); got != "public, max-age=3600" {
			t.Errorf("Cache-Control is %q", got)
		}
	}
	if got := string(a.answer([]byte("GET " + CountPath + " HTTP/1.1\r\nHost: h"))); !strings.HasSuffix(got, "\r\n\r\n5") {
		t.Errorf("5 requests are counted as %q", got)
	}
	if got := string(newApp(options{}).answer([]byte("GET / HTTP/1.1"))); !strings.Contains(got, "Cache-Control: no-store\r\n") {
		t.Errorf("what may not be stored is %q", got)
	}
}

func TestRunErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()
	for want, args := range map[string][]string{
		"no such server":              {},
		`cannot serve "x"`:            {"x"},
		"not defined":                 {"floor", "-nonsense"},
		"cannot listen on " + address: {"floor", "-http", address},
		"cannot load":                 {"nethttp", "-https", "127.0.0.1:0"},
	} {
		if err := Run(context.Background(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", args, err, want)
		}
	}
	if err := Run(context.Background(), []string{"upstream", "-http", "127.0.0.1:0", "-sink", address}); err == nil {
		t.Error("the sink listens where somebody else does")
	}
}

func TestServersEndWithTheirContext(t *testing.T) {
	for _, role := range []string{"floor", "nethttp", "reverse", "upstream"} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- Run(ctx, []string{role, "-http", "127.0.0.1:0"}) }()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}
