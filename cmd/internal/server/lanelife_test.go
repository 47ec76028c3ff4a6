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
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
)

// laned serves a site with a lane in memory, in a bubble.
func laned(t *testing.T, limits Limits, conversation string, f func(s *site, srv *Server, l *memoryListener)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, conversation)
		srv, l, stop := startInMemory(t, Config{Handler: s, Lane: s.engine, Limits: limits})
		f(s, srv, l)
		stop()
		s.close()
	})
}

// A client that waits after a hit has its idle time, and up to a quarter more.
func TestLaneIdle(t *testing.T) {
	laned(t, Limits{IdleTimeout: 80 * time.Second}, "/own/page", func(s *site, _ *Server, l *memoryListener) {
		c := l.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		for range 5 {
			fmt.Fprint(c, fetch("/own/page", gzip))
			readResponse(t, r)
			<-time.After(79 * time.Second)
		}
		fmt.Fprint(c, fetch("/own/page", gzip))
		readResponse(t, r)
		began := time.Now()
		_, err := r.ReadByte()
		if took := time.Since(began); err != io.EOF || took < 80*time.Second || took > 100*time.Second || s.handled > 0 {
			t.Errorf("%v after %v, %d handled", err, took, s.handled)
		}
	})
}

// A head that does not come to its end is cut in time, behind hits too.
func TestLaneSlowHead(t *testing.T) {
	laned(t, Limits{HeaderTimeout: 10 * time.Second}, "/own/page", func(_ *site, _ *Server, l *memoryListener) {
		c := l.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		fmt.Fprint(c, fetch("/own/page", gzip))
		readResponse(t, r)
		began := time.Now()
		var writer sync.WaitGroup
		writer.Go(func() {
			for _, b := range []byte(fetch("/own/page", "X: "+strings.Repeat("x", 100))) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		})
		defer writer.Wait()
		got, _ := io.ReadAll(r)
		if took := time.Since(began); strings.Contains(string(got), "200") || took != 10*time.Second {
			t.Errorf("got %q after %v", got, took)
		}
	})
}

// A client that takes nothing of a hit is cut; one that takes a little now and
// then is not.
func TestLaneStall(t *testing.T) {
	laned(t, Limits{WriteStall: 20 * time.Second}, "/own/large", func(_ *site, _ *Server, l *memoryListener) {
		slow, stalled := l.dial(), l.dial()
		defer slow.Close()
		defer stalled.Close()
		fmt.Fprint(slow, fetch("/own/large"))
		fmt.Fprint(stalled, fetch("/own/large"))
		room := make([]byte, 1000)
		got := 0
		for got < 20_000 {
			<-time.After(15 * time.Second)
			n, err := slow.Read(room)
			if got += n; err != nil {
				t.Fatalf("cut after %d bytes: %v", got, err)
			}
		}
		if n, err := io.Copy(io.Discard, stalled); n > 4096 {
			t.Errorf("a client that stalled got %d bytes, and %v", n, err)
		}
	})
}

// A stop waits for an answer that the lane writes, and for nothing else.
func TestLaneShutdown(t *testing.T) {
	laned(t, Limits{}, "/own/large", func(_ *site, srv *Server, l *memoryListener) {
		busy, waiting := l.dial(), l.dial()
		defer busy.Close()
		defer waiting.Close()
		fmt.Fprint(waiting, fetch("/own/large"))
		readResponse(t, bufio.NewReader(waiting))
		fmt.Fprint(busy, fetch("/own/large"))
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- srv.Shutdown(context.Background()) }()
		if _, err := waiting.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the waiting connection: %v", err)
		}
		<-time.After(time.Second)
		select {
		case err := <-stopped:
			t.Fatalf("stopped while an answer was written: %v", err)
		default:
		}
		r := bufio.NewReader(busy)
		if _, content := readResponse(t, r); len(content) != 20_000 {
			t.Errorf("%d bytes", len(content))
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("after the answer: %v", err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A stop that has no patience cuts it.
func TestLaneShutdownCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "/own/large")
		limits, err := Limits{}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		l := newMemoryListener()
		srv := newServer(Config{Handler: s, Lane: s.engine}, limits, nil, []boundListener{{Listener: l}})
		served := make(chan error, 1)
		go func() { served <- srv.Serve(context.Background()) }()
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, fetch("/own/large"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if n, _ := io.Copy(io.Discard, c); n > 20_000 {
			t.Errorf("%d bytes came", n)
		}
		<-served
		s.close()
	})
}

// At the limit of connections one that waits behind a hit makes room, and one
// that is being answered does not.
func TestLaneEviction(t *testing.T) {
	laned(t, Limits{Connections: 2}, "/own/large", func(_ *site, _ *Server, l *memoryListener) {
		busy, waiting := l.dial(), l.dial()
		defer busy.Close()
		defer waiting.Close()
		fmt.Fprint(busy, fetch("/own/large"))
		fmt.Fprint(waiting, fetch("/own/large"))
		readResponse(t, bufio.NewReader(waiting))
		<-time.After(5 * time.Second)
		third := l.dial()
		defer third.Close()
		fmt.Fprint(third, fetch("/own/large"))
		if _, content := readResponse(t, bufio.NewReader(third)); len(content) != 20_000 {
			t.Errorf("%d bytes", len(content))
		}
		if _, err := waiting.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the waiting connection: %v", err)
		}
		if _, content := readResponse(t, bufio.NewReader(busy)); len(content) != 20_000 {
			t.Errorf("%d bytes", len(content))
		}
	})
}

// A client that leaves while its miss is fetched is noticed, also when it has
// sent the next request; then that one is not answered either.
func TestLaneClientLeaves(t *testing.T) {
	laned(t, Limits{}, "/own/page", func(s *site, _ *Server, l *memoryListener) {
		for name, behind := range map[string]string{"nothing behind": "", "a request behind": fetch("/own/page", gzip)} {
			c := l.dial()
			began, before := time.Now(), s.handled
			fmt.Fprint(c, fetch("/slow/other"+strings.Repeat("x", s.handled))+behind)
			synctest.Wait()
			c.Close()
			synctest.Wait()
			if s.handled != before+1 {
				t.Errorf("%s: %d handled", name, s.handled-before)
			}
			if behind == "" && time.Since(began) != 0 {
				t.Errorf("%s: noticed after %v", name, time.Since(began))
			}
			<-time.After(2 * time.Second)
		}
	})
}

// Many clients, a plan that changes, and stored responses that go away: every
// answer is whole and the right one. It is for the race detector.
func TestLaneConcurrent(t *testing.T) {
	laned(t, Limits{}, "/own/page/own/large/shared/page", func(s *site, _ *Server, l *memoryListener) {
		ctx, cancel := context.WithCancel(context.Background())
		var others sync.WaitGroup
		others.Go(func() {
			for ctx.Err() == nil {
				<-time.After(time.Millisecond)
				_, _ = s.store.Clear(ctx)
				s.engine.Swap(&cache.Plan{Router: s.routes})
			}
		})
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				c := l.dial()
				defer c.Close()
				r := bufio.NewReader(c)
				for k := range 100 {
					o := []string{listed, partner}[(i+k)%2]
					target := []string{"/own/page", "/own/large", "/shared/page"}[k%3]
					fmt.Fprint(c, fetch(target, "Origin: "+o, gzip))
					res, content := readResponse(t, r)
					want := fmt.Sprintf("[%s %s gzip]", target, o)
					if target == "/shared/page" {
						want = "[/shared/page  gzip]"
					}
					if res.Header.Get("Access-Control-Allow-Origin") != o || !strings.HasPrefix(content, want) {
						t.Errorf("%s from %s: %v %.80q", target, o, res.Header, content)
					}
					<-time.After(time.Duration(i) * 100 * time.Microsecond)
				}
			})
		}
		clients.Wait()
		cancel()
		others.Wait()
	})
}

// What a lane adds to a connection that waits is its own few fields.
func TestLaneMemory(t *testing.T) {
	const n = 500
	measure := func(lane bool) (bytes int64) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "/own/page")
			cfg := Config{Handler: s}
			if lane {
				cfg.Lane = s.engine
			}
			_, l, stop := startInMemory(t, cfg)
			before := heap()
			conns := make([]net.Conn, n)
			for i := range conns {
				conns[i] = l.dial()
				fmt.Fprint(conns[i], fetch("/own/page", gzip))
				readResponse(t, bufio.NewReader(conns[i]))
			}
			synctest.Wait()
			bytes = (heap() - before) / n
			for _, c := range conns {
				c.Close()
			}
			stop()
			s.close()
		})
		return bytes
	}
	without, with := measure(false), measure(true)
	t.Logf("bytes of heap a connection that waits: %d without a lane, %d with one", without, with)
	if with > without+1024 {
		t.Errorf("a lane adds %d bytes to a connection", with-without)
	}
}

func heap() int64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TLS: HTTP/1.1 has a lane, HTTP/2 has none, and both say that they are secure.
func TestLaneTLS(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "lane")
	s := newLastingSite(t, "")
	srv := start(t, Config{HTTPS: &files, Handler: s, Lane: s.engine})
	address := srv.Addrs()[0].String()
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		client := &http.Client{Transport: transport}
		for i := range 4 {
			before := s.count()
			r, _ := http.NewRequest("GET", "https://"+address+"/own/large", nil)
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(res.Body)
			res.Body.Close()
			hit := strings.HasPrefix(res.Header.Get("Cache-Status"), "veneer; hit")
			if err != nil || len(content) != 20_000 || res.ProtoMajor == 2 != http2 || hit != (http2 || i > 0) {
				t.Errorf("HTTP/2 %v, request %d: %v, %d bytes, %s, %v", http2, i, err, len(content), res.Proto, res.Header)
			}
			if handled := s.count() - before; handled == 0 != (hit && !http2) {
				t.Errorf("HTTP/2 %v, request %d: %d handled", http2, i, handled)
			}
		}
		transport.CloseIdleConnections()
	}
}

// A handshake that fails is net/http's to answer, and one that does not end is
// cut by the stop.
func TestLaneHandshakes(t *testing.T) {
	files, _ := writeCertificate(t, t.TempDir(), "lane")
	s := newLastingSite(t, "")
	srv := start(t, Config{HTTPS: &files, Handler: s, Lane: s.engine})
	c := dial(t, srv)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	got, _ := io.ReadAll(c)
	contains(t, "clear text", string(got), "400 Bad Request", "HTTP request to an HTTPS server")
	dial(t, srv) // stays silent until the test ends
}
