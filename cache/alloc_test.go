//go:build !race

package cache_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/store/memory"
)

// sink is a ResponseWriter that keeps its header map, as a server's would if
// it cost nothing.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.bytes += len(p); return len(p), nil }

// hot is an Engine at a standing clock with one stored response.
func hot(tb testing.TB, fields http.Header) (*cache.Engine, *http.Request) {
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	engine := cache.New(cache.Config{
		Now: func() time.Time { return now },
		Plan: &cache.Plan{Router: everyRoute{&cache.Route{
			Name: "hot", CORS: noCORS{}, Store: store, MaxObject: 1 << 20, Variants: 32,
			Upstream: answers(func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				for name, lines := range fields {
					h[name] = lines
				}
				io.WriteString(w, "hello, world")
			}),
		}}},
	})
	tb.Cleanup(func() { engine.Close(tb.Context()); store.Close() })
	r := httptest.NewRequest("GET", "http://site.example/path?q=1", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	r.Header.Set("Origin", "https://app.example")
	w := &sink{header: http.Header{}}
	engine.ServeHTTP(w, r)
	for store.Stats().Objects == 0 { // the fill's goroutine stores it
		runtime.Gosched()
	}
	clear(w.header)
	engine.ServeHTTP(w, r)
	if got := w.header.Get("Cache-Status"); got != "veneer; hit; ttl=60" {
		tb.Fatalf("not a hit: %q", got)
	}
	return engine, r
}

// answers is a RoundTripper that answers in the process.
type answers http.HandlerFunc

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w, r)
	res := w.Result()
	res.ContentLength = int64(w.Body.Len())
	return res, nil
}

var hotFields = http.Header{
	"Cache-Control": {"max-age=60"}, "Content-Type": {"text/plain"},
	"Etag": {`"a"`}, "Vary": {"Accept-Encoding"},
}

func TestHitAllocatesNothing(t *testing.T) {
	engine, r := hot(t, hotFields)
	w := &sink{header: http.Header{}}
	for _, c := range []struct {
		name  string
		edit  func()
		want  int
		bytes int
	}{
		{"GET", func() {}, 200, 12},
		{"304", func() { r.Header["If-None-Match"] = []string{`"a"`} }, 304, 0},
		{"HEAD", func() { r.Header.Del("If-None-Match"); r.Method = "HEAD" }, 200, 0},
	} {
		c.edit()
		w.bytes = 0
		clear(w.header)
		engine.ServeHTTP(w, r)
		if w.status != c.want || w.bytes != c.bytes {
			t.Fatalf("%s: %d with %d bytes", c.name, w.status, w.bytes)
		}
		if n := testing.AllocsPerRun(500, func() { clear(w.header); engine.ServeHTTP(w, r) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// Through net/http a hit may not cost more than a trivial handler that sends
// the same fields.
func TestHitThroughServerAllocations(t *testing.T) {
	engine, _ := hot(t, hotFields)
	trivial := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, lines := range hotFields {
			h[name] = lines
		}
		h.Set("Content-Length", "12")
		h.Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		h.Set("Age", "7")
		h.Set("Via", "1.1 veneer")
		h.Set("Cache-Status", "veneer; hit; ttl=57")
		io.WriteString(w, "hello, world")
	})
	ours, theirs := serverAllocs(t, engine), serverAllocs(t, trivial)
	t.Logf("allocations a request: %.1f through the engine, %.1f through a trivial handler", ours, theirs)
	if ours > theirs+0.5 {
		t.Errorf("a hit costs %.1f allocations, a trivial handler %.1f", ours, theirs)
	}
}

// serverAllocs counts the allocations of a request on a kept connection, the
// server's and those of a client that is the same for all.
func serverAllocs(t *testing.T, h http.Handler) float64 {
	srv := httptest.NewServer(h)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := []byte("GET /path?q=1 HTTP/1.1\r\nHost: site.example\r\nAccept-Encoding: gzip, deflate, br\r\nOrigin: https://app.example\r\n\r\n")
	buf := make([]byte, 4096)
	return testing.AllocsPerRun(300, func() {
		if _, err := conn.Write(head); err != nil {
			t.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("hello, world")); {
			m, err := conn.Read(buf[n:])
			if err != nil {
				t.Fatalf("%v after %q", err, buf[:n])
			}
			n += m
		}
	})
}
