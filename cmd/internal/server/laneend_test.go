package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
)

// A stop that finds the lane in the middle of an answer on a socket lets it be
// written, and then the connection ends: its own goroutine closes it, and Close
// waits for whoever is in a call on the socket.
func TestLaneSocketShutdown(t *testing.T) {
	s := newLastingSite(t, "/own/huge")
	srv := start(t, Config{Handler: s, Lane: s.engine})
	c := dial(t, srv)
	_ = c.SetDeadline(time.Now().Add(8 * time.Second))
	r := bufio.NewReader(c)
	fmt.Fprint(c, fetch("/own/huge"))
	readResponse(t, r)
	const n = 40 // more than the buffers of the two sockets hold
	fmt.Fprint(c, strings.Repeat(fetch("/own/huge"), n))
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	comesTrue(t, "an answer under way", func() bool { return srv.conns.snapshot()[0].lane.Load().Writes() })
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Shutdown(context.Background()) }()
	<-srv.stopping
	readResponse(t, r)
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("after the answers: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A connection that was upgraded behind a hit is told to end as any other: it is
// not cut.
func TestLaneShutdownUpgraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "/own/page")
		srv, l, stop := startInMemory(t, Config{Lane: s.engine, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			<-r.Context().Done()
			fmt.Fprint(c, "bye")
		})})
		c := l.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		fmt.Fprint(c, fetch("/own/page", gzip))
		readResponse(t, r)
		fmt.Fprint(c, fetch("/own/other", "Connection: Upgrade", "Upgrade: x"))
		synctest.Wait()
		go func() { _ = srv.Shutdown(context.Background()) }()
		if last, err := io.ReadAll(r); string(last) != "bye" || err != nil {
			t.Errorf("got %q, %v", last, err)
		}
		stop()
		s.close()
	})
}

// The end of one direction passes through a lane.
func TestLaneCloseWrite(t *testing.T) {
	s := newLastingSite(t, "")
	hijacked := make(chan net.Conn, 1)
	srv := start(t, Config{Lane: s.engine, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		hijacked <- c
	})})
	c := dial(t, srv)
	fmt.Fprint(c, fetch("/own/other", "Connection: Upgrade", "Upgrade: x"))
	there := <-hijacked
	defer there.Close()
	half, ok := there.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("no CloseWrite")
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	fmt.Fprint(c, "x")
	if n, err := there.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Half a head that is not for the lane has no more time than any other.
func TestLaneSlowForeignHead(t *testing.T) {
	for name, head := range map[string]string{
		"foreign": fetch("/own/page", "Upgrade: x", "Y: y")[:62],
		"large":   fetch("/own/page", "X: "+strings.Repeat("x", 5000))[:4500],
		"framed":  fetch("/own/page", "X: 1", "X: 2")[:50],
	} {
		laned(t, Limits{HeaderTimeout: 10 * time.Second, IdleTimeout: 100 * time.Second}, "/own/page", func(_ *site, _ *Server, l *memoryListener) {
			c := l.dial()
			defer c.Close()
			r := bufio.NewReader(c)
			fmt.Fprint(c, fetch("/own/page", gzip))
			readResponse(t, r)
			began := time.Now()
			fmt.Fprint(c, head)
			_, _ = io.Copy(io.Discard, r)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s: cut after %v", name, took)
			}
		})
	}
}

// A client that resets its connection behind half a head is noticed at once, also
// when the lane learns of both together.
func TestLaneReset(t *testing.T) {
	s := newLastingSite(t, "/own/page")
	srv := start(t, Config{Handler: s, Lane: s.engine})
	for range 50 {
		c := dial(t, srv).(*net.TCPConn)
		_ = c.SetLinger(0)
		fmt.Fprint(c, fetch("/own/page", gzip)[:40])
		_ = c.Close()
	}
	comesTrue(t, "no connection is open", func() bool { return len(srv.conns.snapshot()) == 0 })
}

// comesTrue fails the test when something is not so within half of the time that
// a head may take.
func comesTrue(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !f() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// faulty panics where a request is counted.
type faulty struct{ *journal }

func (faulty) Record(*cache.Request, *cache.Decision) { panic("a fault") }

// A panic in the lane ends the connection.
func TestLanePanic(t *testing.T) {
	s := newLastingSite(t, "/own/page")
	e := cache.New(cache.Config{Plan: &cache.Plan{Router: s.routes}, Recorder: faulty{&s.journal}, Now: s.now})
	defer e.Close(context.Background())
	srv := start(t, Config{Handler: s, Lane: e})
	c := dial(t, srv)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(c, fetch("/own/page", gzip))
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
}

// The first head of a connection has its time from the beginning, with a lane
// as without one.
func TestLaneLateHead(t *testing.T) {
	laned(t, Limits{HeaderTimeout: 10 * time.Second}, "", func(_ *site, _ *Server, l *memoryListener) {
		c := l.dial()
		defer c.Close()
		began := time.Now()
		<-time.After(9 * time.Second)
		fmt.Fprint(c, "GET /own")
		_, _ = io.Copy(io.Discard, c)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("cut after %v", took)
		}
	})
}

// A stop does not wait for a connection whose first answer was under way: there
// will be no second.
func TestLaneShutdownFirst(t *testing.T) {
	laned(t, Limits{}, "/own/large", func(_ *site, srv *Server, l *memoryListener) {
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, fetch("/own/large"))
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- srv.Shutdown(context.Background()) }()
		<-time.After(100 * time.Millisecond)
		r := bufio.NewReader(c)
		readResponse(t, r)
		began := time.Now()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}
