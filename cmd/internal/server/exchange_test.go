package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const fault = `{"type":"urn:veneer:problem:internal","title":"Internal Server Error","status":500,"detail":"the request could not be handled"}`

// A panic is answered while nothing was sent, and cuts the response otherwise;
// in both cases the connection ends over HTTP/1.1.
func TestPanic(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "one")
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		status  int // 0: no response
		content string
		cut     bool
		logged  bool
	}{
		{"before anything", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.Header().Set("Content-Encoding", "gzip")
			panic("secret")
		}, 500, fault, false, true},
		{"an error", func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) }, 500, fault, false, true},
		{"after an informational response", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			panic("secret")
		}, 500, fault, false, true},
		{"after the first bytes", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("secret")
		}, 200, "half", true, true},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "", true, false},
		{"wrapped abort", func(http.ResponseWriter, *http.Request) {
			panic(fmt.Errorf("gone: %w", http.ErrAbortHandler))
		}, 0, "", true, false},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s h2=%t", c.name, h2), func(t *testing.T) {
				var log logBuffer
				s := start(t, Config{HTTPS: &files, Handler: c.handler, Log: log.logger()})
				res, err := client(t, pool, h2).Get("https://" + s.Addrs()[0].String())
				if err != nil {
					if c.status != 0 {
						t.Fatal(err)
					}
				} else {
					defer res.Body.Close()
					content, err := io.ReadAll(res.Body)
					if res.StatusCode != c.status || string(content) != c.content || (err != nil) != c.cut {
						t.Errorf("status %d, content %q, error %v", res.StatusCode, content, err)
					}
					if !h2 && !c.cut && !res.Close {
						t.Error("the connection goes on")
					}
				}
				if logged := strings.Contains(log.String(), "panic in a handler"); logged != c.logged {
					t.Errorf("log: %s", log.String())
				}
				if c.logged {
					contains(t, "log", log.String(), "level=ERROR", "stack=", "exchange_test.go")
				}
			})
		}
	}
}

// net/http leaves a hijacked connection to the handler, and a handler that has
// panicked closes nothing.
func TestPanicAfterHijack(t *testing.T) {
	s := start(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Error(err)
		}
		panic("secret")
	})})
	c := dial(t, s)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// All ways to write give the same content over both protocols.
func TestWays(t *testing.T) {
	long := strings.Repeat("0123456789", 10_000)
	ways := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("a"))
		_, _ = io.WriteString(w, "b")
		w.(http.Flusher).Flush()
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader(long))
		if n, err := w.Write([]byte(long)); n != len(long) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	})
	files, pool := writeCertificate(t, t.TempDir(), "one")
	s := start(t, Config{HTTPS: &files, Handler: ways})
	for _, h2 := range []bool{false, true} {
		if got := get(t, client(t, pool, h2), "https://"+s.Addrs()[0].String()); got != "ab"+long+long {
			t.Errorf("h2=%t: %d bytes", h2, len(got))
		}
	}
}

// Over HTTP/2 there is no connection to take over.
func TestHijackOverHTTP2(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "one")
	s := start(t, Config{HTTPS: &files, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		fmt.Fprint(w, errors.Is(err, http.ErrNotSupported))
	})})
	if got := get(t, client(t, pool, true), "https://"+s.Addrs()[0].String()); got != "true" {
		t.Errorf("got %s", got)
	}
}

// A lower limit for one handler.
func TestLimitBody(t *testing.T) {
	s := start(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		LimitBody(w, r, 3)
		echo(w, r)
	})})
	for _, c := range []struct{ content, want string }{
		{"", `POST / host=h body="" err=<nil>`},
		{"abc", `POST / host=h body="abc" err=<nil>`},
		{"abcd", "limit 3"},
	} {
		conn := dial(t, s)
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(c.content), c.content)
		res, got := readResponse(t, bufio.NewReader(conn))
		if got != c.want || res.Close != (len(c.content) > 3) {
			t.Errorf("%q: got %q, closing %t", c.content, got, res.Close)
		}
	}
}

// inMemoryHTTP2 serves handler over TLS and net.Pipe, and returns a client.
// The caller calls the returned function before the bubble ends.
func inMemoryHTTP2(t *testing.T, limits Limits, handler http.Handler) (*http.Client, func()) {
	t.Helper()
	s, c, ended := serverInMemoryHTTP2(t, limits, handler, func(c net.Conn) net.Conn { return c })
	return c, func() {
		c.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		ended()
	}
}

// serverInMemoryHTTP2 is inMemoryHTTP2 for who ends the server himself, and then
// calls ended. wrap makes the client's side of a connection.
func serverInMemoryHTTP2(t *testing.T, limits Limits, handler http.Handler, wrap func(net.Conn) net.Conn) (_ *Server, _ *http.Client, ended func()) {
	t.Helper()
	files, _ := writeCertificate(t, t.TempDir(), "one")
	cert, err := newCertificate(files)
	if err != nil {
		t.Fatal(err)
	}
	if limits, err = limits.withDefaults(); err != nil {
		t.Fatal(err)
	}
	l := newMemoryListener()
	s := newServer(Config{Handler: handler}, limits, cert, []boundListener{{Listener: l, tls: true}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	var h2 http.Protocols
	h2.SetHTTP2(true)
	tr := &http.Transport{Protocols: &h2, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		// What is tested is not who the server is.
		c := tls.Client(wrap(l.dial()), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		return c, c.HandshakeContext(ctx)
	}}
	return s, &http.Client{Transport: tr}, func() { <-served }
}

// An HTTP/2 client that does not open its flow-control window loses the stream
// after the stall time; the connection stays.
func TestHTTP2WriteStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall = 8 * time.Second
		written := make(chan string, 1)
		c, stop := inMemoryHTTP2(t, Limits{WriteStall: stall}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/small" {
				_, _ = io.WriteString(w, "ok")
				return
			}
			began := time.Now()
			n, err := w.Write(make([]byte, 64<<20))
			written <- fmt.Sprintf("all=%t failed=%t after %v", n == 64<<20, err != nil, time.Since(began))
		}))
		defer stop()
		res, err := c.Get("https://h/big")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, want := <-written, fmt.Sprintf("all=false failed=true after %v", stall); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("the client took the response for complete")
		}
		if got := get(t, c, "https://h/small"); got != "ok" {
			t.Errorf("the next request: %q", got)
		}
	})
}

// A slow reader is never cut, however long the response takes.
func TestHTTP2SlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 8 << 20
		c, stop := inMemoryHTTP2(t, Limits{WriteStall: 8 * time.Second}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
		}))
		defer stop()
		res, err := c.Get("https://h/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		n := int64(0)
		for err == nil {
			<-time.After(4 * time.Second)
			var read int64
			read, err = io.CopyN(io.Discard, res.Body, 128<<10)
			n += read
		}
		if !errors.Is(err, io.EOF) || n != size {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// Over HTTP/2 a stalled body ends its own request only, and one that waits for
// the handler does not end at all.
func TestHTTP2BodyStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := inMemoryHTTP2(t, Limits{BodyStall: 8 * time.Second}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/patient" {
				<-time.After(time.Hour)
			}
			began := time.Now()
			content, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s deadline=%t after %v", content, errors.Is(err, os.ErrDeadlineExceeded), time.Since(began))
		}))
		defer stop()
		post := func(path string, body io.Reader) string {
			t.Helper()
			res, err := c.Post("https://h"+path, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			content, _ := io.ReadAll(res.Body)
			return string(content)
		}
		body, feed := io.Pipe()
		go func() { _, _ = io.WriteString(feed, "x") }()
		if got, want := post("/", body), "x deadline=true after 8s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		_ = feed.Close()
		if got, want := post("/patient", strings.NewReader("xyz")), "xyz deadline=false after 0s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// A head that is too large has an answer that can be read, on both protocols.
func TestHeadTooLarge(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "one")
	s := start(t, Config{HTTPS: &files, Handler: text("never")})
	for _, h2 := range []bool{false, true} {
		r, err := http.NewRequest("GET", "https://"+s.Addrs()[0].String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Big", strings.Repeat("x", 40<<10))
		res, err := client(t, pool, h2).Do(r)
		if err != nil {
			t.Fatalf("h2=%t: %v", h2, err)
		}
		res.Body.Close()
		if res.StatusCode != 431 || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("h2=%t: %d %v", h2, res.StatusCode, res.Header)
		}
	}
}
