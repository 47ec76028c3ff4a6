package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// socket is a connection that takes what is written when it is told to.
type socket struct {
	net.Conn
	gate  chan error // one element lets one write pass
	mu    sync.Mutex
	calls [][]byte
	shut  bool
}

func (s *socket) Write(p []byte) (int, error) {
	if err := <-s.gate; err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, bytes.Clone(p))
	return len(p), nil
}

func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	return nil
}

func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

func (s *socket) state() (calls []string, shut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.calls {
		calls = append(calls, string(p))
	}
	return calls, s.shut
}

// feed lets writes pass, with a pause before each, until ctx ends.
func (s *socket) feed(ctx context.Context, pause func()) {
	go func() {
		for ctx.Err() == nil {
			pause()
			select {
			case s.gate <- nil:
			case <-ctx.Done():
			}
		}
	}()
}

// boxed is a connection with an outbox on a socket.
func boxed() (*conn, *socket) {
	s := &socket{gate: make(chan error)}
	set := new(connSet)
	set.init(1)
	set.slots <- struct{}{}
	c := set.add(s, time.Minute)
	c.beginOutbox()
	return c, s
}

func mustWrite(t *testing.T, c *conn, text string) {
	t.Helper()
	if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(text), err)
	}
}

// What is written while the socket is busy goes out by one call, and Close waits
// for it.
func TestOutboxGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		mustWrite(t, c, "a")
		synctest.Wait()
		for _, text := range []string{"b", "c", strings.Repeat("d", outboxDirect)} {
			mustWrite(t, c, text)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
		synctest.Wait()
		if calls, shut := s.state(); calls != nil || shut || len(c.set.open) != 1 {
			t.Fatalf("before the socket takes anything: %q, closed %t", calls, shut)
		}
		s.gate <- nil
		s.gate <- nil
		synctest.Wait()
		calls, shut := s.state()
		if len(calls) != 2 || calls[0] != "a" || calls[1] != "bc"+strings.Repeat("d", outboxDirect) || !shut || len(c.set.open) != 0 || len(c.set.slots) != 0 {
			t.Errorf("got %.20q, closed %t, %d open", calls, shut, len(c.set.open))
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write behind the end: %v", err)
		}
	})
}

// A large write with nothing before it goes to the socket itself.
func TestOutboxDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		go func() { s.gate <- nil }()
		mustWrite(t, c, strings.Repeat("x", outboxDirect))
		if calls, _ := s.state(); len(calls) != 1 || c.outbox.waiting != nil {
			t.Errorf("%d calls, waiting %v", len(calls), c.outbox.waiting)
		}
		_ = c.Close()
		if _, shut := s.state(); !shut {
			t.Error("with nothing to send Close has not closed")
		}
	})
}

// Who writes more than may wait, waits.
func TestOutboxBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		const piece, n = 4 << 10, 3 * outboxBytes / (4 << 10)
		written := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range n {
				_, _ = c.Write(make([]byte, piece))
				written++
			}
		}()
		synctest.Wait()
		if got := written * piece; got < outboxBytes || got > 2*outboxBytes {
			t.Errorf("%d bytes are taken", got)
		}
		s.feed(t.Context(), func() {})
		<-done
		synctest.Wait()
		if calls, _ := s.state(); len(strings.Join(calls, "")) != n*piece {
			t.Errorf("%d bytes of %d were sent", len(strings.Join(calls, "")), n*piece)
		}
		_ = c.Close()
	})
}

// An error closes the connection, and is told to whoever writes and waits.
func TestOutboxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		broken := errors.New("broken")
		mustWrite(t, c, "a")
		mustWrite(t, c, strings.Repeat("b", outboxBytes))
		told := make(chan error, 1)
		go func() { _, err := c.Write([]byte("c")); told <- err }()
		synctest.Wait()
		s.gate <- broken
		if err := <-told; !errors.Is(err, broken) {
			t.Errorf("told %v", err)
		}
		synctest.Wait()
		if calls, shut := s.state(); calls != nil || !shut || len(c.set.open) != 0 {
			t.Errorf("%d calls, closed %t, %d open", len(calls), shut, len(c.set.open))
		}
	})
}

// mustBeCut fails the test unless the socket is closed although bytes wait, and
// the slot is free when that has ended the write under way.
func mustBeCut(t *testing.T, c *conn, s *socket) {
	t.Helper()
	if _, shut := s.state(); !shut {
		t.Error("it is not closed")
	}
	s.gate <- net.ErrClosed
	synctest.Wait()
	if len(c.set.open) != 0 || len(c.set.slots) != 0 {
		t.Error("its slot is not free")
	}
}

// A cut does not wait.
func TestOutboxCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		mustWrite(t, c, "a")
		c.cut()
		mustBeCut(t, c, s)
	})
}

// Where room is needed, a connection that waits for its next request and takes
// nothing of the last answer is closed as others are.
func TestOutboxEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := boxed()
		mustWrite(t, c, "a")
		c.state.Store(int32(http.StateIdle))
		<-time.After(2 * quiet)
		c.set.evictIdle()
		mustBeCut(t, c, s)
	})
}

// However pieces come and the socket takes them, it gets all of them in order.
func TestOutboxOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		c, s := boxed()
		var want bytes.Buffer
		s.feed(t.Context(), func() { <-time.After(time.Duration(1+random.IntN(3)) * time.Millisecond / 2) })
		sizes := rand.New(rand.NewPCG(5, 6))
		for i := range 400 {
			p := bytes.Repeat([]byte{byte(i)}, 1+sizes.IntN(2*outboxDirect))
			want.Write(p)
			mustWrite(t, c, string(p))
			<-time.After(time.Duration(1+sizes.IntN(3)) * time.Millisecond / 4)
		}
		_ = c.Close()
		synctest.Wait()
		<-time.After(time.Second)
		calls, shut := s.state()
		if got := strings.Join(calls, ""); got != want.String() || !shut {
			t.Errorf("%d bytes of %d in %d calls, closed %t", len(got), want.Len(), len(calls), shut)
		}
		if len(calls) >= 400 {
			t.Errorf("%d calls for 400 writes", len(calls))
		}
	})
}

// valve is a client's connection whose reads can be held up.
type valve struct {
	net.Conn
	open chan struct{} // closed: reads return
}

func (v *valve) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	<-v.open
	return n, err
}

// A server that stops while an HTTP/2 client is slow to take an answer waits for
// it, and cuts it when the time is over.
func TestOutboxAtShutdown(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			// More than the client takes at once, in pieces that the outbox notes.
			answer := strings.Repeat("x", 12*3000)
			pieces := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for range 12 {
					_, _ = io.WriteString(w, answer[:3000])
					_ = http.NewResponseController(w).Flush()
				}
			})
			v := &valve{open: make(chan struct{})}
			close(v.open)
			s, c, ended := serverInMemoryHTTP2(t, Limits{WriteStall: time.Minute}, pieces, func(c net.Conn) net.Conn { v.Conn = c; return v })
			ask := func() string {
				res, err := c.Get("https://h/")
				if err != nil {
					return err.Error()
				}
				defer res.Body.Close()
				content, err := io.ReadAll(res.Body)
				if err != nil {
					return err.Error()
				}
				return string(content)
			}
			if got := ask(); got != answer {
				t.Errorf("got %.50q", got)
			}
			synctest.Wait()
			v.open = make(chan struct{})
			got := make(chan string, 1)
			go func() { got <- ask() }()
			synctest.Wait() // the answer is given, and stands in the outbox
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			stopped := make(chan error, 1)
			go func() { stopped <- s.Shutdown(ctx) }()
			<-time.After(2 * time.Second)
			select {
			case err := <-stopped:
				t.Errorf("it does not wait: %v", err)
			default:
			}
			if reads {
				close(v.open)
				if text := <-got; text != answer {
					t.Errorf("got %.50q", text)
				}
			}
			if err := <-stopped; errors.Is(err, context.DeadlineExceeded) == reads {
				t.Errorf("stopped with %v", err)
			}
			synctest.Wait()
			if open := s.conns.snapshot(); len(open) != 0 {
				t.Errorf("%d connections are open", len(open))
			}
			if !reads {
				close(v.open)
				if text := <-got; text == answer {
					t.Error("there was an answer")
				}
			}
			ended()
			c.CloseIdleConnections()
		})
	}
}
