package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"veneer/upstream/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newPool makes a Pool for the servers, with trust in loopback peers when
// trusted is set, and closes it with the test.
func newPool(t *testing.T, change func(*Config), servers ...string) *Pool {
	t.Helper()
	c := Config{Name: "test"}
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		c.Servers = append(c.Servers, u)
	}
	if change != nil {
		change(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// newRequest is a request as the engine makes it for a client's.
func newRequest(t *testing.T, method, target string, header http.Header) *http.Request {
	t.Helper()
	u, err := url.Parse("https://www.example.com" + target)
	if err != nil {
		t.Fatal(err)
	}
	if header == nil {
		header = http.Header{}
	}
	r := &http.Request{
		Method: method, URL: u, Host: "www.example.com", Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "192.0.2.7:4711",
	}
	return r.WithContext(t.Context())
}

// serve starts a server and closes it with the test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// raw is a listener whose connections are handled by hand.
type raw struct {
	url string
	l   net.Listener

	mu    sync.Mutex // guards what follows
	heads []string   // the request heads that were read
	conns int
}

// serveRaw starts a listener. handle gets each connection with its number,
// from 0, after nothing was read, and closes it by returning.
func serveRaw(t *testing.T, handle func(r *raw, n int, c net.Conn, br *bufio.Reader)) *raw {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{url: "http://" + l.Addr().String(), l: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			n := r.conns
			r.conns++
			r.mu.Unlock()
			stop := context.AfterFunc(t.Context(), func() { c.Close() })
			all.Go(func() {
				defer stop()
				defer c.Close()
				handle(r, n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return r
}

// head reads a request head and remembers it. It reports false at the end.
func (r *raw) head(br *bufio.Reader) bool {
	var b strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return false
		}
		if line == "\r\n" {
			break
		}
		b.WriteString(line)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heads = append(r.heads, b.String())
	return true
}

// seen returns the request heads and the number of connections so far.
func (r *raw) seen() ([]string, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.heads...), r.conns
}

// answering answers every request on every connection with the same bytes.
func answering(response string) func(*raw, int, net.Conn, *bufio.Reader) {
	return func(r *raw, _ int, c net.Conn, br *bufio.Reader) {
		for r.head(br) {
			io.WriteString(c, response)
		}
	}
}

// answeringOnce answers one request a connection and then closes it.
func answeringOnce(response string) func(*raw, int, net.Conn, *bufio.Reader) {
	return func(r *raw, _ int, c net.Conn, br *bufio.Reader) {
		if r.head(br) {
			io.WriteString(c, response)
		}
	}
}

// resetting reads a request and resets the connection.
func resetting(r *raw, _ int, c net.Conn, br *bufio.Reader) {
	r.head(br)
	c.(*net.TCPConn).SetLinger(0)
}

// refused is the address of a port on which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// result is what an exchange came to.
type result struct {
	Status int    // of the response, or 0
	Kind   string // token of the error, or ""
	Body   string
	Broken bool // the content ended with an error that wraps io.ErrUnexpectedEOF or says what broke
}

// do makes an exchange and reads all of it.
func do(t *testing.T, p *Pool, r *http.Request) result {
	t.Helper()
	res, err := p.RoundTrip(r)
	if err != nil {
		return result{Kind: asError(t, err).Token()}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		asError(t, err)
	}
	return result{Status: res.StatusCode, Body: string(b), Broken: err != nil}
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %T %v", err, err)
	}
	return e
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var trustDocumentation = forward.NewTrust(netip.MustParsePrefix("192.0.2.0/24"))

func tlsServer(c net.Conn, config *tls.Config) net.Conn { return tls.Server(c, config) }
