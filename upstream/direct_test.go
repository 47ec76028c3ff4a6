package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// get asks for "/" and wants "ok".
func get(t *testing.T, p *Pool) {
	t.Helper()
	if got := do(t, p, newRequest(t, "GET", "/", nil)); got.Body != "ok" || got.Broken {
		t.Fatalf("got %+v", got)
	}
}

// The same connection carries one exchange after the other, whatever kind of
// response ends them.
func TestDirectKeepsItsConnection(t *testing.T) {
	for _, response := range []string{
		okResponse,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okResponse,
	} {
		raw := serveRaw(t, answering(response))
		p := newPool(t, nil, raw.url)
		for range 3 {
			get(t, p)
		}
		if _, conns := raw.seen(); conns != 1 {
			t.Errorf("%d connections for %q", conns, response)
		}
	}
	for _, response := range []string{"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"} {
		raw := serveRaw(t, answering(response))
		p := newPool(t, nil, raw.url)
		for range 2 {
			do(t, p, newRequest(t, "GET", "/", nil))
			do(t, p, newRequest(t, "HEAD", "/", nil))
		}
		if _, conns := raw.seen(); conns != 1 {
			t.Errorf("%d connections for %q", conns, response)
		}
	}
}

// Bytes that nobody asked for must not become the answer to the next request,
// which could be anybody's.
func TestDirectDropsWhatNobodyAskedFor(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for _, c := range []struct{ name, method, response string }{
		{"behind the content", "GET", okResponse + poison},
		{"content of a HEAD", "HEAD", okResponse},
		{"content of a 304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok"},
		{"behind a chunked one", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, func(r *raw, n int, conn net.Conn, br *bufio.Reader) {
				response := okResponse
				if n == 0 {
					response = c.response
				}
				for r.head(br) {
					io.WriteString(conn, response)
				}
			})
			p := newPool(t, nil, raw.url)
			do(t, p, newRequest(t, c.method, "/", nil))
			get(t, p)
			if _, conns := raw.seen(); conns != 2 {
				t.Errorf("%d connections, want 2", conns)
			}
		})
	}
	t.Run("later", func(t *testing.T) {
		say, said := make(chan string), make(chan bool)
		raw := serveRaw(t, func(r *raw, n int, conn net.Conn, br *bufio.Reader) {
			r.head(br)
			io.WriteString(conn, okResponse)
			if n > 0 {
				return
			}
			io.WriteString(conn, <-say)
			said <- true
			r.head(br)
		})
		p := newPool(t, nil, raw.url)
		get(t, p)
		say <- poison
		<-said
		get(t, p)
	})
}

// A kept connection that the server has closed costs nobody anything.
func TestDirectFindsClosedConnections(t *testing.T) {
	raw := serveRaw(t, answeringOnce(okResponse))
	p := newPool(t, nil, raw.url)
	for range 4 {
		get(t, p)
	}
	heads, conns := raw.seen()
	if len(heads) != 4 || conns != 4 || p.Servers()[0].Fails != 0 {
		t.Errorf("%d requests on %d connections: %+v", len(heads), conns, p.Servers()[0])
	}
}

// Nor does it keep a file open in this process.
func TestDirectClosesWhatTheServerHasClosed(t *testing.T) {
	raw := serveRaw(t, answeringOnce(okResponse))
	p := newPool(t, nil, raw.url)
	d := p.group.servers[0].direct
	get(t, p)
	for { // until the end of the connection has come
		d.expire()
		d.mu.Lock()
		n, sweeping := len(d.idle), d.sweeping
		d.mu.Unlock()
		if n == 0 {
			if sweeping {
				t.Error("it goes on looking at nothing")
			}
			return
		}
		runtime.Gosched()
	}
}

// onPipe makes the direct way to the only server of a pool lead to serve.
func onPipe(p *Pool, serve func(net.Conn)) (dials *int) {
	dials = new(int)
	p.group.servers[0].direct.dial = func(context.Context, string, string) (net.Conn, error) {
		*dials++
		near, far := net.Pipe()
		go func() { defer far.Close(); serve(far) }()
		return near, nil
	}
	return dials
}

// answers reads heads and answers each.
func answers(response string) func(net.Conn) {
	return func(c net.Conn) {
		for br := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			io.WriteString(c, response)
		}
	}
}

func TestDirectLetsIdleConnectionsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, func(c *Config) { c.Timeouts.Idle = 10 * time.Second }, "http://h.example")
		defer p.Close()
		dials := onPipe(p, answers(okResponse))
		d := p.group.servers[0].direct
		idle := func() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.idle) }
		get(t, p)
		<-time.After(9 * time.Second)
		get(t, p) // which begins the ten seconds anew
		<-time.After(9 * time.Second)
		synctest.Wait()
		if *dials != 1 || idle() != 1 {
			t.Errorf("%d dials, %d idle, want 1 and 1", *dials, idle())
		}
		<-time.After(time.Second)
		synctest.Wait()
		if idle() != 0 || d.sweeping {
			t.Errorf("%d idle after the time, sweeping: %v", idle(), d.sweeping)
		}
		get(t, p)
		if *dials != 2 {
			t.Errorf("%d dials, want 2", *dials)
		}
	})
}

// A head that does not come in time is a timeout, whenever the connection was
// used before; a stream rests as long as it likes.
func TestDirectTimeouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration // before the request that gets no answer
	}{{"at once", 0}, {"soon", 7 * time.Second}, {"later", 59 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, nil, "http://h.example")
				defer p.Close()
				answered := false
				dials := onPipe(p, func(conn net.Conn) {
					br := bufio.NewReader(conn)
					http.ReadRequest(br)
					if answered {
						t.Error("a second connection")
					}
					answered = true
					io.WriteString(conn, okResponse)
					http.ReadRequest(br)
					io.Copy(io.Discard, br)
				})
				get(t, p)
				<-time.After(c.pause)
				start := time.Now()
				got := do(t, p, newRequest(t, "GET", "/", nil))
				if took := time.Since(start); got.Kind != "upstream-timeout" || took < 60*time.Second || took > 68*time.Second {
					t.Errorf("%+v after %v", got, took)
				}
				if *dials != 1 || p.Servers()[0].Fails != 0 {
					t.Errorf("%d dials, %+v", *dials, p.Servers()[0])
				}
			})
		})
	}
	for _, head := range []string{"Content-Length: 2\r\n", "X: 1\r\n"} {
		t.Run("a stream with "+head, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, nil, "http://h.example")
				defer p.Close()
				onPipe(p, func(conn net.Conn) {
					http.ReadRequest(bufio.NewReader(conn))
					io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+head+"\r\no")
					<-time.After(time.Hour)
					io.WriteString(conn, "k")
				})
				get(t, p)
			})
		})
	}
}

// The end of the request's context ends the exchange at any point, and a Close
// ends a Read that waits.
func TestDirectEndsEarly(t *testing.T) {
	for _, c := range []struct{ name, sent string }{
		{"before the head", ""}, {"in the head", "HTTP/1.1 200"}, {"in the content", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"},
	} {
		for _, by := range []string{"context", "Close"} {
			if by == "Close" && c.name != "in the content" {
				continue
			}
			t.Run(c.name+" by "+by, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPool(t, nil, "http://h.example")
					defer p.Close()
					closed := false
					onPipe(p, func(conn net.Conn) {
						http.ReadRequest(bufio.NewReader(conn))
						io.WriteString(conn, c.sent)
						_, err := conn.Read(make([]byte, 1))
						closed = err != nil
					})
					ctx, cancel := context.WithCancel(t.Context())
					var res *http.Response
					var err error
					go func() {
						if res, err = p.RoundTrip(newRequest(t, "GET", "/", nil).WithContext(ctx)); err == nil {
							_, err = io.ReadAll(res.Body)
						}
					}()
					synctest.Wait()
					if by == "Close" {
						res.Body.Close()
					} else {
						cancel()
					}
					synctest.Wait()
					if e := asError(t, err); by == "context" && e.Kind != Aborted {
						t.Errorf("got %v", e)
					}
					if !closed || p.Servers()[0].InFlight != 0 || p.Servers()[0].Fails != 0 {
						t.Errorf("closed: %v, %+v", closed, p.Servers()[0])
					}
					if res != nil {
						res.Body.Close()
						if _, err := res.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
							t.Errorf("a Read after all: %v", err)
						}
					}
					cancel()
				})
			})
		}
	}
}

// A Pool that was closed keeps nothing, until it is used again.
func TestDirectEnds(t *testing.T) {
	raw := serveRaw(t, answering(okResponse))
	p := newPool(t, func(c *Config) { c.MaxIdlePerServer = 2 }, raw.url)
	d := p.group.servers[0].direct
	idle := func() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.idle) }
	var all []*http.Response
	for range 3 {
		res, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	for _, res := range all {
		io.ReadAll(res.Body)
	}
	if idle() != 2 {
		t.Errorf("%d idle, want 2 of 3", idle())
	}
	res, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	io.ReadAll(res.Body)
	if idle() != 0 {
		t.Errorf("%d idle after Close", idle())
	}
	get(t, p)
	if idle() != 1 {
		t.Errorf("%d idle after another request", idle())
	}
}

func TestDirectConcurrently(t *testing.T) {
	p := newPool(t, func(c *Config) { c.MaxIdlePerServer = 3 }, serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(r.URL.Path, 3000))
	}))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				target := fmt.Sprintf("/%d/%d", i, n)
				ctx, cancel := context.WithCancel(t.Context())
				res, err := p.RoundTrip(newRequest(t, "GET", target, nil).WithContext(ctx))
				if err != nil {
					t.Error(err)
				} else {
					if n%5 == 0 {
						cancel()
					}
					b, err := io.ReadAll(res.Body)
					if err == nil && string(b) != strings.Repeat(target, 3000) {
						t.Errorf("%s: got %.20q", target, b)
					}
					res.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if s := p.Servers()[0]; s.InFlight != 0 || s.Fails != 0 {
		t.Errorf("got %+v", s)
	}
}

// The direct way writes the lines that net/http writes.
func TestDirectWritesWhatTheTransportDoes(t *testing.T) {
	for _, c := range []struct {
		method, target string
		header         http.Header
	}{
		{"GET", "/", nil},
		{"HEAD", "/a%2Fb/%C3%BC?q=1&r=%20", http.Header{"Accept": {"text/html", "*/*"}, "User-Agent": {"a", "b"}}},
		{"GET", "/a|b/<>?x=|", http.Header{"X": {"  y  ", ""}, "Te": {"trailers"}, "Cookie": {"a=b; c=d"}}},
		{"GET", "//a", http.Header{"Expect": {"100-continue"}, "Content-Length": {"0"}, "Host": {"other"}}},
	} {
		var heads [2][]string
		for i := range heads {
			raw := serveRaw(t, answering(okResponse))
			p := newPool(t, func(c *Config) { c.Host = "h.example:81" }, raw.url)
			if i == 1 {
				p.group.servers[0].direct = nil
			}
			do(t, p, newRequest(t, c.method, c.target, c.header.Clone()))
			seen, _ := raw.seen()
			lines := strings.Split(seen[0], "\r\n")
			slices.Sort(lines[2:]) // behind the request line and Host
			heads[i] = lines
		}
		if diff := cmp.Diff(heads[1], heads[0]); diff != "" {
			t.Errorf("%s %s: (-transport +direct)\n%s", c.method, c.target, diff)
		}
	}
	if writable(&http.Request{Host: "a b"}) || writable(&http.Request{Header: http.Header{"X": {"a\r\nb"}}}) || writable(&http.Request{Header: http.Header{"a b": {""}}}) {
		t.Error("it would write what net/http refuses or changes")
	}
}
