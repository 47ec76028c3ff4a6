package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
)

// recorded is what the records of a tier say of content and age, a line each.
func (x *tier) recorded() string {
	synctest.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for i := range x.log {
		d := &x.log[i]
		fmt.Fprintf(&b, "%v %d sent=%d", d.Result, d.Status, d.Sent)
		if age, ttl, ok := d.Freshness(); ok {
			fmt.Fprintf(&b, " age=%v ttl=%v", age, ttl)
		}
		if d.Left {
			b.WriteString(" left")
		}
		if d.Cut {
			b.WriteString(" cut")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// What is recorded of an answer is what its client got.
func TestRecordedContent(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			io.WriteString(w, "posted")
			return
		}
		w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=60")
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Length", "12")
		switch r.URL.Path {
		case "/short":
			drip(w, time.Second, "hello", "")
		case "/private":
			w.Header().Set("Cache-Control", "no-store")
			fallthrough
		default:
			io.WriteString(w, "hello, world")
		}
	}, func(x *tier) {
		for _, q := range []struct{ method, path, field string }{
			{"GET", "/a", ""},
			{"GET", "/a", ""},
			{"HEAD", "/a", ""},
			{"GET", "/a", `If-None-Match: "a"`},
			{"GET", "/a", "Range: bytes=0-4"},
			{"GET", "/a", "Range: bytes=20-"},
			{"GET", "/private", ""},
			{"HEAD", "/private", ""},
			{"POST", "/a", ""},
			{"GET", "/short", ""},
			{"GET", "/b", ""},
		} {
			if q.field == "" {
				x.do(q.method, q.path, nil)
			} else {
				x.do(q.method, q.path, nil, q.field)
			}
			after(time.Second)
		}
		after(70 * time.Second)
		x.get("/b")
		after(time.Second) // it is validated meanwhile
		many := x.get("/b", "Range: bytes=0-1, 5-6")
		want := `miss 200 sent=12 age=0s ttl=1m0s
hit 200 sent=12 age=1s ttl=59s
hit 200 sent=0 age=2s ttl=58s
hit 304 sent=0 age=3s ttl=57s
hit 206 sent=5 age=4s ttl=56s
hit 416 sent=0 age=5s ttl=55s
miss 200 sent=12
miss 200 sent=0
bypass 200 sent=6
miss 200 sent=5 age=0s ttl=1m0s cut
miss 200 sent=12 age=0s ttl=1m0s
stale 200 sent=12 age=1m11s ttl=-11s
hit 206 sent=` + fmt.Sprint(len(many.body)) + ` age=1s ttl=59s
`
		if diff := cmp.Diff(want, x.recorded()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Whoever leaves is recorded as gone, with what was written until then.
func TestRecordedLeaving(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
			return
		}
		drip(w, time.Second, "one", "two", "three", strings.Repeat("x", 1<<20))
	}, func(x *tier) {
		for _, c := range []struct {
			path string
			read int64
		}{{"/silent", 0}, {"/drip", 6}} {
			conn, err := x.front.dial(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			go io.WriteString(conn, "GET "+c.path+" HTTP/1.1\r\nHost: site.example\r\n\r\n")
			after(500 * time.Millisecond)
			if c.read > 0 {
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					t.Fatal(err)
				}
			}
			conn.Close()
			after(10 * time.Second)
		}
		if diff := cmp.Diff("bypass 0 sent=0 left\nmiss 200 sent=3 left\n", x.recorded()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Of a connection that changed protocol all is counted that its client was sent.
func TestRecordedUpgrade(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		rw.Flush()
	}, func(x *tier) {
		conn, err := x.front.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		if b, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(b), "\r\n\r\nhello") {
			t.Errorf("%q, %v", b, err)
		}
		conn.Close()
		if diff := cmp.Diff("bypass 101 sent=5\n", x.recorded()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A Decision of no stored response has no freshness.
func TestNoFreshness(t *testing.T) {
	if age, ttl, ok := new(cache.Decision).Freshness(); age != 0 || ttl != 0 || ok {
		t.Errorf("%v, %v, %v", age, ttl, ok)
	}
}
