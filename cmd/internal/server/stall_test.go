package server

import (
	"bufio"
	"bytes"
	"context"
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

	"pgregory.net/rapid"
)

// A client that sends its head byte by byte is cut when the time is over, not
// earlier. (Inside the request line net/http answers 400, later nothing.)
func TestSlowHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := startInMemory(t, Config{Handler: text("ok"), Limits: Limits{HeaderTimeout: 10 * time.Second}})
		defer stop()
		c := l.dial()
		defer c.Close()
		began := time.Now()
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			for _, b := range []byte("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 100)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}()
		got, _ := io.ReadAll(c)
		if took := time.Since(began); strings.Contains(string(got), "200") || took != 10*time.Second {
			t.Errorf("got %q after %v", got, took)
		}
	})
}

// A connection that waits for its next request is closed after the idle time.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := startInMemory(t, Config{Handler: text("ok"), Limits: Limits{IdleTimeout: 77 * time.Second}})
		defer stop()
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(c)
		readResponse(t, r)
		began := time.Now()
		if _, err := r.ReadByte(); err != io.EOF || time.Since(began) != 77*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

// What the handler reads of a body that stalls, and when.
func TestBodyStall(t *testing.T) {
	const stall = 8 * time.Second
	for _, c := range []struct {
		name  string
		pause time.Duration // between two bytes
		want  string
	}{
		{"slow but steady", stall - time.Second, "0123 <nil>"},
		{"stalled", stall * 2, "0 deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result := make(chan string, 1)
				_, l, stop := startInMemory(t, Config{
					Limits: Limits{BodyStall: stall},
					Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						content, err := io.ReadAll(r.Body)
						if errors.Is(err, os.ErrDeadlineExceeded) {
							err = errors.New("deadline")
						}
						result <- fmt.Sprintf("%s %v", content, err)
					}),
				})
				defer stop()
				conn := l.dial()
				defer conn.Close()
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n0")
				done := make(chan struct{})
				defer func() { <-done }()
				go func() {
					defer close(done)
					for _, b := range []byte("123") {
						<-time.After(c.pause)
						if _, err := conn.Write([]byte{b}); err != nil {
							return
						}
					}
				}()
				if got := <-result; got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A handler may let a body wait for longer than the stall time, as it does when
// the upstream is slow to take it: that is not the client's fault.
func TestBodyWaitsForHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := startInMemory(t, Config{
			Limits: Limits{BodyStall: time.Second},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var one [1]byte
				for range 3 {
					<-time.After(time.Minute)
					if _, err := io.ReadFull(r.Body, one[:]); err != nil {
						t.Error(err)
					}
				}
				_, err := r.Body.Read(one[:])
				// The body has ended: whatever net/http reads in the
				// background now must not time out.
				<-time.After(time.Minute)
				fmt.Fprint(w, err, r.Context().Err())
			}),
		})
		defer stop()
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n123")
		r := bufio.NewReader(c)
		_, content := readResponse(t, r)
		if content != "EOF <nil>" && content != "EOF<nil>" {
			t.Errorf("got %q", content)
		}
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n123")
		readResponse(t, r) // the connection is still good
	})
}

// A body that nobody reads cannot hold the answer up, nor the connection.
func TestBodyNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := startInMemory(t, Config{Handler: text("early"), Limits: Limits{BodyStall: 8 * time.Second}})
		defer stop()
		c := l.dial()
		defer c.Close()
		began := time.Now()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n1")
		r := bufio.NewReader(c)
		res, content := readResponse(t, r)
		if content != "early" || !res.Close || time.Since(began) != 0 {
			t.Errorf("got %q, closing %t, after %v", content, res.Close, time.Since(began))
		}
	})
}

// A body that is read after the handler has returned, as http.Transport does,
// moves no deadline of the connection's next request.
func TestBodyAfterHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan io.ReadCloser, 1)
		_, l, stop := startInMemory(t, Config{
			Limits: Limits{BodyStall: time.Second},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					left <- r.Body
					return
				}
				<-time.After(time.Minute)
				fmt.Fprint(w, r.Context().Err())
			}),
		})
		defer stop()
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1")
		r := bufio.NewReader(c)
		readResponse(t, r)
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		synctest.Wait() // the second handler runs
		if n, err := (<-left).Read(make([]byte, 8)); n != 0 || err == nil {
			t.Errorf("late read: %d bytes, %v", n, err)
		}
		if _, content := readResponse(t, r); content != "<nil>" {
			t.Errorf("second request: %q", content)
		}
	})
}

// Writes to a client that takes bytes slowly, and to one that takes none.
func TestWriteStall(t *testing.T) {
	const stall = 8 * time.Second
	for _, c := range []struct {
		name  string
		pause time.Duration // between two reads of a byte
		took  time.Duration // until the write ended
		fails bool
	}{
		{"slow but steady", stall, 19 * stall, false},
		{"stalled", time.Hour, stall + stall/4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, raw := net.Pipe()
				defer client.Close()
				var set connSet
				set.init(1)
				set.slots <- struct{}{}
				server := set.add(raw, stall)
				defer server.Close()
				done := make(chan struct{})
				defer func() { <-done }()
				go func() {
					defer close(done)
					for range 19 {
						<-time.After(c.pause)
						if _, err := client.Read(make([]byte, 1)); err != nil {
							return
						}
					}
				}()
				began := time.Now()
				n, err := server.Write([]byte("0123456789abcdefghi"))
				if took := time.Since(began); took != c.took || (err != nil) != c.fails || !c.fails && n != 19 {
					t.Errorf("%d bytes, %v, after %v; want after %v", n, err, took, c.took)
				}
				_ = client.Close()
			})
		})
	}
}

// Whatever the sizes of writes and reads and the pauses between reads, as long
// as each is shorter than the stall time, all bytes arrive in order.
func TestSlowReaderGetsEverything(outer *testing.T) {
	const stall = 8 * time.Second
	rapid.Check(outer, func(t *rapid.T) {
		writes := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 8).Draw(t, "writes")
		reads := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 8).Draw(t, "reads")
		pauses := rapid.SliceOfN(rapid.IntRange(0, int(stall)-1), 1, 8).Draw(t, "pauses")
		var got []byte
		var err error
		synctest.Test(outer, func(*testing.T) { got, err = transfer(stall, writes, reads, pauses) })
		if err != nil || !bytes.Equal(got, bytes.Join(writes, nil)) {
			t.Errorf("got %q, error %v", got, err)
		}
	})
}

// transfer writes through a conn and reads as slowly as it is told to.
func transfer(stall time.Duration, writes [][]byte, reads, pauses []int) (got []byte, err error) {
	client, raw := net.Pipe()
	var set connSet
	set.init(1)
	set.slots <- struct{}{}
	c := set.add(raw, stall)
	failed := make(chan error, 1)
	go func() {
		var err error
		for _, w := range writes {
			if _, err = c.Write(w); err != nil {
				break
			}
		}
		_ = c.Close()
		failed <- err
	}()
	for i := 0; ; i++ {
		<-time.After(time.Duration(pauses[i%len(pauses)]))
		p := make([]byte, reads[i%len(reads)])
		n, err := client.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			return got, <-failed
		}
	}
}

// A deadline of net/http's own is kept, and what comes after it is ours again.
func TestForeignWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, raw := net.Pipe()
		defer client.Close()
		var set connSet
		set.init(1)
		set.slots <- struct{}{}
		c := set.add(raw, 8*time.Second)
		defer c.Close()
		write := func() time.Duration {
			began := time.Now()
			if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			return time.Since(began)
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if took := write(); took != time.Second {
			t.Errorf("foreign deadline: %v", took)
		}
		_ = c.SetDeadline(time.Time{})
		if took := write(); took != 10*time.Second {
			t.Errorf("our deadline: %v", took)
		}
	})
}

// At the limit of connections the one that has waited longest makes room; while
// all are busy, new ones wait.
func TestConnectionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		goOn := make(chan struct{})
		s, l, stop := startInMemory(t, Config{
			Limits: Limits{Connections: 2},
			Log:    log.logger(),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					<-goOn
				}
				_, _ = io.WriteString(w, "ok")
			}),
		})
		defer stop()
		ask := func(path string) (net.Conn, *bufio.Reader) {
			c := l.dial()
			go fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
			return c, bufio.NewReader(c)
		}
		first, firstReader := ask("/")
		defer first.Close()
		readResponse(t, firstReader)
		<-time.After(time.Second)
		second, secondReader := ask("/")
		defer second.Close()
		readResponse(t, secondReader)
		<-time.After(time.Second)

		third, thirdReader := ask("/wait")
		defer third.Close()
		if _, err := firstReader.ReadByte(); err != io.EOF {
			t.Fatalf("the oldest connection is still there: %v", err)
		}
		fourth, fourthReader := ask("/wait")
		defer fourth.Close()
		if _, err := secondReader.ReadByte(); err != io.EOF {
			t.Fatalf("the second connection is still there: %v", err)
		}
		synctest.Wait()
		fifth, fifthReader := ask("/")
		defer fifth.Close()
		<-time.After(time.Minute)
		if n := len(s.conns.snapshot()); n != 2 || len(s.conns.slots) != 2 {
			t.Errorf("%d connections, %d slots; want 2", n, len(s.conns.slots))
		}
		close(goOn)
		readResponse(t, thirdReader)
		readResponse(t, fourthReader)
		readResponse(t, fifthReader)
		contains(t, "log", log.String(), `level=WARN msg="connection limit reached; closing idle connections" connections=2`)
	})
}

// A server at its limit stops like any other.
func TestShutdownAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := startInMemory(t, Config{Handler: text("ok"), Limits: Limits{Connections: 1}})
		first, second := l.dial(), l.dial()
		synctest.Wait()
		stop()
		for _, c := range []net.Conn{first, second} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("got %v", err)
			}
			_ = c.Close()
		}
	})
}

// A handler that ignores the end of its context does not hold Shutdown for
// ever, and is reported.
func TestShutdownGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		s, l, _ := startInMemory(t, Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-goOn })})
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		began := time.Now()
		err := s.Shutdown(ctx)
		want := "cannot end 1 requests that ignore the end of their context: context deadline exceeded"
		if err == nil || err.Error() != want || time.Since(began) != time.Minute+abortGrace {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		close(goOn)
	})
}

// An answer that begins before the content has arrived takes none of it away.
func TestEarlyAnswerLeavesTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 40_000
		got := make(chan int64, 1)
		_, l, stop := startInMemory(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			n, _ := io.Copy(io.Discard, r.Body)
			got <- n
		})})
		defer stop()
		c := l.dial()
		defer c.Close()
		go func() {
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size)
			for range size / 1000 {
				fmt.Fprint(c, strings.Repeat("x", 1000))
				<-time.After(20 * time.Millisecond)
			}
		}()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || !res.Close {
			t.Fatalf("%+v, %v", res, err)
		}
		go io.Copy(io.Discard, res.Body)
		if n := <-got; n != size {
			t.Errorf("the handler read %d bytes of %d", n, size)
		}
		<-time.After(time.Second) // the client and the closing connection end
	})
}
