package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// verdict is what a failed or odd exchange came to, and what it says of the
// server.
type verdict struct {
	Result result
	Fails  int
	Conns  int
}

// Whatever a server does to a connection, on the direct way it means for the
// client and for the server's health what it means by net/http.
func TestDirectJudgesAsTheTransportDoes(t *testing.T) {
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }
	say := func(text string, then func(net.Conn)) func(*raw, int, net.Conn, *bufio.Reader) {
		return func(r *raw, n int, c net.Conn, br *bufio.Reader) {
			r.head(br)
			io.WriteString(c, text)
			if then != nil {
				then(c)
			}
		}
	}
	second := func(text string, then func(net.Conn)) func(*raw, int, net.Conn, *bufio.Reader) {
		return func(r *raw, n int, c net.Conn, br *bufio.Reader) {
			r.head(br)
			io.WriteString(c, okResponse)
			if !r.head(br) {
				return
			}
			io.WriteString(c, text)
			if then != nil {
				then(c)
			}
		}
	}
	for _, c := range []struct {
		name   string
		handle func(*raw, int, net.Conn, *bufio.Reader)
	}{
		{"nothing", say("", nil)},
		{"reset", say("", reset)},
		{"part of a head", say("HTTP/1.1 200 OK\r\nContent-Le", nil)},
		{"garbage", say("SSH-2.0-OpenSSH\r\n", nil)},
		{"old", say("<html>", nil)},
		{"an endless head", say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxResponseHeader+9999), nil)},
		{"interims", say(strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 3000)+"\r\n\r\n", 100), nil)},
		{"101", say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", nil)},
		{"099", say("HTTP/1.1 099 Odd\r\n\r\n", nil)},
		{"half", say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", nil)},
		{"half a chunk", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nok", nil)},
		{"no last chunk", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", nil)},
		{"two lengths", say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", nil)},
		{"two codings", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", nil)},
		{"gzip, chunked", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", nil)},
		{"length and coding", say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", nil)},
		{"obs-fold", say("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", nil)},
		{"bare LF", say("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", nil)},
		{"extension", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", nil)},
		{"then nothing", second("", nil)},
		{"then reset", second("", reset)},
		{"then part of a head", second("HTTP/1.1 2", nil)},
		{"then garbage", second("SSH-2.0-OpenSSH\r\n\r\n", nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [2][]verdict
			for i := range got {
				up := serveRaw(t, c.handle)
				p := newPool(t, nil, up.url)
				if i == 1 {
					p.group.servers[0].direct = nil
				}
				for range 3 {
					v := verdict{Result: do(t, p, newRequest(t, "GET", "/", nil)), Fails: p.Servers()[0].Fails}
					_, v.Conns = up.seen()
					got[i] = append(got[i], v)
				}
			}
			if diff := cmp.Diff(got[1], got[0]); diff != "" {
				t.Errorf("(-transport +direct)\n%s", diff)
			}
		})
	}
}

// A server may refuse a head before it has read all of it (431), and close. That
// is an answer, and says nothing of its health: clients could provoke it.
func TestDirectHearsAnEarlyAnswer(t *testing.T) {
	up := serveRaw(t, func(r *raw, _ int, c net.Conn, br *bufio.Reader) {
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		if b, _ := br.Peek(6); string(b) == "HEAD /" { // leave a connection behind
			r.head(br)
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			br.Peek(1)
		}
		io.WriteString(c, "HTTP/1.1 431 Too Large\r\nContent-Length: 2\r\n\r\nno")
	})
	p := newPool(t, nil, up.url)
	do(t, p, newRequest(t, "HEAD", "/", nil))
	for range 2 {
		got := do(t, p, newRequest(t, "GET", "/", http.Header{"X": {strings.Repeat("x", 16<<20)}}))
		if want := (result{Status: 431, Body: "no"}); got != want || p.Servers()[0].Fails != 0 {
			t.Errorf("got %+v, %+v", got, p.Servers()[0])
		}
	}
	if _, conns := up.seen(); conns != 3 {
		t.Errorf("%d connections, want 3", conns)
	}
}

// A server that accepts and reads nothing holds nobody for ever.
func TestDirectWritesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, nil, "http://h.example")
		defer p.Close()
		onPipe(p, func(conn net.Conn) { <-t.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := p.RoundTrip(newRequest(t, "GET", "/", nil).WithContext(ctx))
		if took := time.Since(start); asError(t, err).Kind != Timeout || took > 68*time.Second || p.Servers()[0].Fails != 0 {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A name that is not ASCII is looked up as net/http looks it up.
func TestDirectDialsWhereTheTransportDoes(t *testing.T) {
	for _, server := range []string{"http://bücher.example", "http://[fe80::1%25lo]:81", "http://H.example:8080", "http://h.example:"} {
		var dialled [2]string
		for i := range dialled {
			p := newPool(t, nil, server)
			dial := func(_ context.Context, _, at string) (net.Conn, error) {
				dialled[i] = at
				return nil, errors.New("no")
			}
			p.transport.DialContext = dial
			if i == 1 {
				p.group.servers[0].direct = nil
			} else if d := p.group.servers[0].direct; d != nil {
				d.dial = dial
			}
			do(t, p, newRequest(t, "GET", "/", nil))
		}
		if dialled[0] != dialled[1] {
			t.Errorf("%s: %q, and %q by net/http", server, dialled[0], dialled[1])
		}
	}
}
