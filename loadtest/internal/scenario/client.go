package scenario

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/process"
)

// ask is a request.
type ask struct {
	class   string // its latencies are measured together
	doc     faulty.Doc
	target  string // of doc
	visitor visitor
	method  string // GET when empty
	tag     string // If-None-Match
	known   known  // what was behind the tag
	whole   bool   // with Range: bytes=0-, so that a 206 has all of it
}

// get is the ordinary request for a document.
func get(class string, d faulty.Doc, v visitor) ask {
	return ask{class: class, doc: d, target: d.Target(), visitor: v}
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
	err     error // no whole response
	sent    time.Time
	done    time.Time
	tries   int // times that it was put on a connection
}

func (a *answer) failed() bool { return a.err != nil || a.status >= 500 }

func (a *answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d %s, %d bytes", a.status, http.StatusText(a.status), len(a.body))
}

// client sends requests over connections that it keeps. It is safe for
// concurrent use.
type client struct {
	transport *http.Transport
	base      string
	dialled   atomic.Int64 // connections
	ended     atomic.Int64 // of them
}

// line is a connection that tells of its end: the other side has closed it, or
// has said that it would, which makes the transport close it.
type line struct {
	net.Conn
	once  sync.Once
	ended func()
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		l.once.Do(l.ended)
	}
	return n, err
}

func (l *line) Close() error {
	l.once.Do(l.ended)
	return l.Conn.Close()
}

// patience ends a request that nobody answers.
const patience = 30 * time.Second

func newClient(p Proxy, secure bool) *client {
	address, dialer := p.Address(secure), net.Dialer{}
	c := &client{base: "http://" + process.Host}
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			c.dialled.Add(1)
			return &line{Conn: conn, ended: func() { c.ended.Add(1) }}, nil
		},
		MaxIdleConnsPerHost: 4096, IdleConnTimeout: time.Minute, DisableCompression: true,
		Protocols: new(http.Protocols),
	}
	c.transport = t
	t.Protocols.SetHTTP1(!secure)
	t.Protocols.SetHTTP2(secure)
	if secure {
		t.TLSClientConfig = &tls.Config{RootCAs: p.Roots(), ServerName: process.Host, MinVersion: tls.VersionTLS12}
		c.base = "https://" + process.Host
	}
	return c
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// do sends a request and reads the whole response.
func (c *client) do(ctx context.Context, a *ask) *answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var tries atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { tries.Add(1) }})
	got := &answer{sent: time.Now()}
	c.exchange(ctx, a, got)
	got.done, got.tries = time.Now(), int(tries.Load())
	return got
}

func (c *client) exchange(ctx context.Context, a *ask, got *answer) {
	r, err := http.NewRequestWithContext(ctx, a.method, c.base+a.target, http.NoBody)
	if err != nil {
		got.err = err
		return
	}
	if a.visitor.lines != nil {
		r.Header["Origin"] = a.visitor.lines
	}
	if a.tag != "" {
		r.Header.Set("If-None-Match", a.tag)
	}
	if a.whole {
		r.Header.Set("Range", "bytes=0-")
	}
	if a.method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", http.MethodPut)
	}
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		got.err = err
		return
	}
	defer res.Body.Close()
	got.status, got.header = res.StatusCode, res.Header
	got.body, got.err = readAll(res)
	got.trailer = res.Trailer
}

// readAll reads the content into one piece of its length.
func readAll(res *http.Response) ([]byte, error) {
	if res.ContentLength <= 0 || res.ContentLength > 64<<20 || res.Request.Method == http.MethodHead {
		return io.ReadAll(res.Body)
	}
	b := make([]byte, res.ContentLength)
	if n, err := io.ReadFull(res.Body, b); err != nil {
		return b[:n], err
	}
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n > 0 {
		return b, errors.Join(err, fmt.Errorf("%d bytes follow the content", n))
	}
	return b, nil
}
