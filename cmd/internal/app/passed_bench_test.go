package app

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"veneer/cmd/internal/config"
)

// A page that must not be stored, as it goes over the wire.
var unstorable = []byte("HTTP/1.1 200 OK\r\nDate: Wed, 26 Nov 2025 02:00:00 GMT\r\nContent-Type: text/plain\r\n" +
	"Cache-Control: no-store\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))

// What wrk sends, and what a browser does.
var (
	bareHead    = []byte("GET /a/page HTTP/1.1\r\nHost: site.example\r\n\r\n")
	browserHead = []byte("GET /a/page?id=17 HTTP/1.1\r\nHost: site.example\r\nConnection: keep-alive\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: application/json, text/plain, */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n" +
		"Cookie: session=0123456789abcdef; theme=dark\r\nReferer: http://site.example/a/\r\n" +
		"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n" +
		"Sec-Ch-Ua: \"Chromium\";v=\"140\"\r\nSec-Ch-Ua-Mobile: ?0\r\nSec-Ch-Ua-Platform: \"Linux\"\r\n\r\n")
)

// rawUpstream answers every request with the same bytes and allocates nothing,
// so that what is counted is the proxy's.
func rawUpstream(tb testing.TB, answer []byte) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(c, answer)
		}
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func answerAll(c net.Conn, answer []byte) {
	defer c.Close()
	buf := make([]byte, 8<<10)
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		if n += m; !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			continue
		}
		n = 0
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// rawClient asks on one connection and reads answers of 1024 bytes of content.
type rawClient struct {
	tb   testing.TB
	conn net.Conn
	head []byte
	buf  []byte
}

func newRawClient(tb testing.TB, addr string, head []byte) *rawClient {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &rawClient{tb: tb, conn: conn, head: head, buf: make([]byte, 16<<10)}
}

func (c *rawClient) ask() {
	if _, err := c.conn.Write(c.head); err != nil {
		c.tb.Fatal(err)
	}
	for n := 0; ; {
		m, err := c.conn.Read(c.buf[n:])
		if err != nil {
			c.tb.Fatalf("%v after %q", err, c.buf[:n])
		}
		n += m
		if end := bytes.Index(c.buf[:n], []byte("\r\n\r\n")); end >= 0 && n >= end+4+1024 {
			return
		}
	}
}

// reverseProxy is what the standard library has for the job, with a transport
// that keeps its connections.
func reverseProxy(tb testing.TB, up *url.URL) string {
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(up); r.SetXForwarded() },
		Transport: transport,
	})
	tb.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s.Listener.Addr().String()
}

// passing is an App in front of the upstream.
func passing(tb testing.TB, up *url.URL) string {
	c, problems := config.Quick(up.String(), "127.0.0.1:0", nil)
	if c == nil {
		tb.Fatal(problems)
	}
	a, err := Build(c, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- a.Run(context.Background()) }()
	tb.Cleanup(func() {
		_ = a.Drain(context.Background())
		<-ran
	})
	return a.Addrs()[0].String()
}

// What a request costs whose answer cannot be stored, beside the standard
// library's proxy.
func BenchmarkPassed(b *testing.B) {
	for _, head := range []struct {
		name string
		head []byte
	}{{"bare", bareHead}, {"browser", browserHead}} {
		for _, proxy := range []struct {
			name  string
			start func(testing.TB, *url.URL) string
		}{{"veneer", passing}, {"ReverseProxy", reverseProxy}} {
			b.Run(head.name+"/"+proxy.name, func(b *testing.B) {
				addr := proxy.start(b, rawUpstream(b, unstorable))
				newRawClient(b, addr, head.head).ask() // leaves the mark
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					c := newRawClient(b, addr, head.head)
					for pb.Next() {
						c.ask()
					}
				})
			})
		}
	}
}
