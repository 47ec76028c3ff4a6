package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a server does wrong, and what comes of it.
func TestMisbehaviour(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name string
		raw  string
		want result
	}{
		{"ends early", ok + "Content-Length: 5\r\n\r\nhel", result{Status: 200, Body: "hel", Broken: true}},
		{"ends in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", result{Status: 200, Body: "hel", Broken: true}},
		{"ends between chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", result{Status: 200, Body: "hel", Broken: true}},
		{"bad chunk size", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nzz\r\nlo", result{Status: 200, Body: "hel", Broken: true}},
		{"no end of trailers", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\nX: 1", result{Status: 200, Body: "hel", Broken: true}},
		{"two lengths", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", result{Kind: "upstream-protocol"}},
		{"list of lengths", ok + "Content-Length: 5, 5\r\n\r\nhello", result{Kind: "upstream-protocol"}},
		{"signed length", ok + "Content-Length: +5\r\n\r\nhello", result{Kind: "upstream-protocol"}},
		{"two codings", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"bad status", "HTTP/1.1 2 OK\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"status below 100", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"unasked switch", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"head ends early", "HTTP/1.1 200 OK\r\nContent-", result{Kind: "upstream-protocol"}},
		{"head too large", ok + "X: " + strings.Repeat("a", maxResponseHeader) + "\r\n\r\n", result{Kind: "upstream-protocol"}},
		{"endless interim responses", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 10000), result{Kind: "upstream-protocol"}},
		{"nothing", "", result{Kind: "upstream-unreachable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, answeringOnce(c.raw))
			p := newPool(t, nil, raw.url)
			if diff := cmp.Diff(c.want, do(t, p, newRequest(t, "GET", "/", nil))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if heads, _ := raw.seen(); len(heads) != 1 {
				t.Errorf("%d requests", len(heads))
			}
			if s := p.Servers()[0]; s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// An HTTP/2 server whose length fields are wrong: net/http passes them on.
func TestMisbehaviourOfHTTP2(t *testing.T) {
	for _, c := range []struct {
		name, method, status string
		fields               []string // name, value
		data                 string
		want                 result
	}{
		{"good", "GET", "200", []string{"content-length", "2"}, "ok", result{Status: 200, Body: "ok"}},
		{"no length", "GET", "200", nil, "ok", result{Status: 200, Body: "ok"}},
		{"doubled length", "GET", "200", []string{"content-length", "2", "content-length", "2"}, "ok", result{Kind: "upstream-protocol"}},
		{"differing lengths", "GET", "200", []string{"content-length", "2", "content-length", "3"}, "ok", result{Kind: "upstream-protocol"}},
		{"list of lengths", "GET", "200", []string{"content-length", "2, 2"}, "ok", result{Kind: "upstream-protocol"}},
		{"signed length", "GET", "200", []string{"content-length", "+2"}, "ok", result{Kind: "upstream-protocol"}},
		{"no number", "HEAD", "200", []string{"content-length", "x"}, "", result{Kind: "upstream-protocol"}},
		{"shorter", "GET", "200", []string{"content-length", "3"}, "ok", result{Status: 200, Body: "ok", Broken: true}},
		{"longer", "GET", "200", []string{"content-length", "1"}, "ok", result{Status: 200, Body: "o", Broken: true}},
		{"nothing of it", "GET", "200", []string{"content-length", "3"}, "", result{Status: 200, Broken: true}},
		{"not modified with a length", "GET", "304", []string{"content-length", "3"}, "", result{Status: 304}},
		{"no content with content", "GET", "204", []string{"content-length", "2"}, "ok", result{Status: 204}},
		{"head", "HEAD", "200", []string{"content-length", "3"}, "", result{Status: 200}},
		{"connection fields", "GET", "200", []string{"transfer-encoding", "chunked", "connection", "close", "keep-alive", "a"}, "ok", result{Status: 200, Body: "ok"}},
		{"status of four digits", "GET", "1200", nil, "ok", result{Kind: "upstream-protocol"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := serveFrames(t, func(fr *http2.Framer, id uint32) {
				fr.WriteHeaders(http2.HeadersFrameParam{
					StreamID: id, BlockFragment: block(append([]string{":status", c.status}, c.fields...)), EndHeaders: true, EndStream: c.data == "",
				})
				if c.data != "" {
					fr.WriteData(id, true, []byte(c.data))
				}
			})
			r := newRequest(t, c.method, "/", nil)
			if diff := cmp.Diff(c.want, do(t, p, r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if s := p.Servers()[0]; s.InFlight != 0 || s.Fails != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// A stream that is reset says nothing about the connection: it neither counts
// nor is it repeated.
func TestStreamReset(t *testing.T) {
	streams := 0
	p := serveFrames(t, func(fr *http2.Framer, id uint32) {
		streams++
		fr.WriteRSTStream(id, http2.ErrCodeInternal)
	})
	if got := do(t, p, newRequest(t, "GET", "/", nil)); got.Kind != "upstream-protocol" {
		t.Errorf("got %+v", got)
	}
	if s := p.Servers()[0]; s.Fails != 0 || streams != 1 {
		t.Errorf("got %+v, %d streams", s, streams)
	}
}

func block(fields []string) []byte {
	var b strings.Builder
	enc := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return []byte(b.String())
}

// serveFrames is a Pool with one HTTP/2 server that answers each request by
// hand, on one goroutine.
func serveFrames(t *testing.T, answer func(fr *http2.Framer, id uint32)) *Pool {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.StartTLS()
	tlsConfig := s.TLS.Clone()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	s.Close()
	tlsConfig.NextProtos = []string{"h2"}
	raw := serveRaw(t, func(_ *raw, _ int, c net.Conn, _ *bufio.Reader) {
		tc := tlsServer(c, tlsConfig)
		defer tc.Close()
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(tc, preface); err != nil {
			return
		}
		fr := http2.NewFramer(tc, tc)
		fr.WriteSettings()
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := f.(*http2.HeadersFrame); ok {
				answer(fr, h.StreamID)
			}
		}
	})
	return newPool(t, func(c *Config) { c.TLS = roots }, strings.Replace(raw.url, "http:", "https:", 1))
}

// The content's error says what happened, for errors.Is too.
func TestShortContentError(t *testing.T) {
	raw := serveRaw(t, answeringOnce("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"))
	p := newPool(t, nil, raw.url)
	res, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	if e := asError(t, err); !errors.Is(err, io.ErrUnexpectedEOF) || e.HTTPStatus() != 502 || e.Token() != "upstream-protocol" {
		t.Errorf("got %v", err)
	}
}

// A client that breaks its own request takes no server out.
func TestClientFailures(t *testing.T) {
	failing := errors.New("the client's connection broke")
	slow := make(chan struct{})
	defer close(slow)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	})
	for _, c := range []struct {
		name string
		edit func(*http.Request) *http.Request
		want func(*Error) bool
	}{
		{"content breaks", func(r *http.Request) *http.Request {
			r.Method, r.ContentLength = "POST", 9
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("hel"), errReader{failing}))
			return r
		}, func(e *Error) bool { return e.Kind == Content && errors.Is(e, failing) }},
		{"content too large", func(r *http.Request) *http.Request {
			r.Method, r.ContentLength = "POST", -1
			r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("hello")), 3)
			return r
		}, func(e *Error) bool { var m *http.MaxBytesError; return e.Kind == Content && errors.As(e, &m) }},
		{"cancelled", func(r *http.Request) *http.Request {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			return r.WithContext(ctx)
		}, func(e *Error) bool { return e.Kind == Aborted && errors.Is(e, context.Canceled) }},
		{"invalid field", func(r *http.Request) *http.Request {
			r.Header["X"] = []string{"a\r\nb"}
			return r
		}, func(e *Error) bool { return e.Kind == Protocol }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(t, func(c *Config) { c.MaxFails = 1 }, url)
			_, err := p.RoundTrip(c.edit(newRequest(t, "GET", "/", nil)))
			if e := asError(t, err); !c.want(e) {
				t.Errorf("got %d %v", e.Kind, e)
			}
			if s := p.Servers()[0]; !s.Healthy || s.Fails != 0 || s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Slow servers, on synthetic time.
func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration // of the request; 0: none
		silent   bool          // the connection itself hangs
		after    time.Duration
		fails    int
	}{
		{"head", 0, false, 60 * time.Second, 0},
		{"request", 3 * time.Second, false, 3 * time.Second, 0},
		{"connect", 0, true, 5 * time.Second, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, nil, "http://slow.example")
				far, near := net.Pipe()
				go io.Copy(io.Discard, far)
				p.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					if c.silent {
						<-time.After(p.config.Timeouts.Connect)
						return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
					}
					return near, nil
				}
				ctx := context.Background()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := p.RoundTrip(newRequest(t, "POST", "/", nil).WithContext(ctx))
				e := asError(t, err)
				if got := time.Since(start); e.HTTPStatus() != 504 || e.Token() != "upstream-timeout" || got != c.after {
					t.Errorf("after %v: %v", got, e)
				}
				if s := p.Servers()[0]; s.Fails != c.fails {
					t.Errorf("got %+v", s)
				}
				far.Close()
				near.Close()
			})
		})
	}
}

func TestErrorsAreComplete(t *testing.T) {
	var got []string
	for k := Unreachable; k <= Content; k++ {
		e := &Error{Kind: k, Server: "10.0.0.1:80", Err: io.EOF}
		got = append(got, fmt.Sprintf("%d %s", e.HTTPStatus(), e.Token()))
		if !strings.Contains(e.Error(), "10.0.0.1:80: EOF") || strings.Contains(e.Token(), "10.") {
			t.Errorf("got %v", e)
		}
	}
	want := []string{"502 upstream-unreachable", "504 upstream-timeout", "502 upstream-protocol", "503 no-healthy-server", "508 loop", "504 upstream-timeout", "408 request-timeout"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
