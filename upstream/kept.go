package upstream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// kept is a connection to a server that carries one exchange after the other.
// Whoever took it from a direct owns it until the response has ended.
type kept struct {
	net.Conn
	way   *direct
	br    *bufio.Reader // reads through kept.Read
	out   []byte        // the head of a request; never given to anybody but Write
	limit int64         // bytes that may still be read: of a head
	armed time.Time     // when the deadline was set; zero: there is none
	since time.Time     // when the last exchange ended
	abort func()        // close

	raw   syscall.RawConn // nil: no socket
	probe func(fd uintptr)
	quiet bool // what probe found
}

// mostOut is the largest buffer that a connection keeps for the next head.
const mostOut = 8 << 10

func newKept(d *direct, conn net.Conn) *kept {
	c := &kept{Conn: conn, way: d, limit: math.MaxInt64}
	c.br = bufio.NewReader(c)
	c.abort = c.close
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.probe = func(fd uintptr) { c.quiet = nothingToRead(fd) }
	return c
}

// close closes the connection, whatever waits for it.
func (c *kept) close() { _ = c.Conn.Close() }

var errHeadTooLarge = errors.New("the head of the response is too large")

// Read reads what the bound on heads lets through.
func (c *kept) Read(p []byte) (int, error) {
	if c.limit <= 0 {
		return 0, errHeadTooLarge
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.limit)])
	c.limit -= int64(n)
	return n, err
}

// silent reports whether nothing has come on an idle connection, neither its end
// nor bytes that nobody asked for: those would be taken for the answer to the
// next request (RFC 9112 §9.2).
func (c *kept) silent() bool {
	if c.br.Buffered() > 0 {
		return false
	}
	return c.raw == nil || c.raw.Control(c.probe) == nil && c.quiet
}

// arm sets the deadline for the head of a response, at coarse grain: it may come
// by an eighth later. It holds for the request too: a server that reads nothing
// would else hold for ever what no client's leaving ends.
func (c *kept) arm(now time.Time) bool {
	if now.Sub(c.armed) < c.way.head/8 {
		return true
	}
	c.armed = now
	return c.SetDeadline(now.Add(c.way.head+c.way.head/8)) == nil
}

// disarm takes the deadline back: a stream may rest as long as it likes.
func (c *kept) disarm() {
	c.armed = time.Time{}
	_ = c.SetDeadline(time.Time{}) // it fails on a closed connection, as the read will
}

// exchange sends a request and reads the head of the response. On an error the
// connection is closed.
func (c *kept) exchange(a *attempt, r *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(r.Context(), c.abort)
	res, err := c.ask(a, r)
	if err != nil {
		stop()
		c.close()
		return nil, err
	}
	body := &keptBody{rc: res.Body, c: c, stop: stop, again: !res.Close && res.StatusCode >= 200}
	if r.Method == http.MethodHead || res.ContentLength == 0 {
		body.end(true)
		return res, nil
	}
	if res.ContentLength < 0 || res.ContentLength > int64(c.br.Buffered()) {
		c.disarm()
	}
	res.Body = body
	return res, nil
}

func (c *kept) ask(a *attempt, r *http.Request) (*http.Response, error) {
	if !c.arm(time.Now()) {
		return nil, net.ErrClosed
	}
	c.limit = maxResponseHeader
	c.out = appendHead(c.out[:0], r)
	_, unsent := c.Write(c.out)
	if cap(c.out) > mostOut {
		c.out = nil
	}
	if unsent != nil && a.reused.Load() {
		return nil, unsent // and what is there to read may be older than the request
	}
	// A server may answer what it has not read all of, and close (431).
	if _, err := c.br.Peek(1); err != nil {
		return nil, cmp.Or(unsent, err)
	}
	a.received.Store(true)
	for {
		res, err := http.ReadResponse(c.br, r)
		switch {
		case err != nil && c.limit <= 0:
			return nil, errHeadTooLarge
		case err != nil:
			return nil, err
		case res.StatusCode >= 200 || res.StatusCode < 100 || res.StatusCode == http.StatusSwitchingProtocols:
			c.limit = math.MaxInt64
			res.Close = res.Close || unsent != nil
			return res, nil
		}
		if err := c.interim(r.Context(), res); err != nil {
			return nil, err
		}
	}
}

// interim tells whoever wants to know of an interim response. As in net/http,
// who looks at them has to bound how many there are; else their heads count
// with that of the response.
func (c *kept) interim(ctx context.Context, res *http.Response) error {
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	c.limit = maxResponseHeader
	return trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header))
}

// keptBody is the content of a response on a connection that is kept when all of
// it was read. Close may be called while a Read waits.
type keptBody struct {
	rc    io.Reader
	c     *kept
	stop  func() bool // ends the watch for the end of the request's context
	again bool        // the connection can carry another exchange

	mu     sync.Mutex // guards what follows
	done   bool       // the connection is somebody else's, or closed
	closed bool       // Close was called
}

// Read reads content. The error is io.EOF only when all of it was received.
func (b *keptBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.rc.Read(p) // after an end it gives that again, and reads nothing
	if err != nil {
		b.end(err == io.EOF)
	}
	return n, err
}

// Close ends the exchange. Content that was not read is not waited for.
func (b *keptBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.end(false)
	return nil
}

// end keeps the connection if the response was read whole, or closes it.
func (b *keptBody) end(whole bool) {
	b.mu.Lock()
	done := b.done
	b.done = true
	b.mu.Unlock()
	if done {
		return
	}
	// Without a stop the connection is closed, or about to be.
	if b.stop() && whole && b.again && b.c.br.Buffered() == 0 {
		b.c.way.put(b.c)
		return
	}
	b.c.close()
}

// writable reports whether appendHead writes a request just as net/http does,
// which corrects or refuses the others. Host and target URI are of the bytes
// that a URI may have; a field could hold a line break only by a mistake of ours.
func writable(r *http.Request) bool {
	for i := range len(r.Host) {
		if !hostSet[r.Host[i]] {
			return false
		}
	}
	for name, lines := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, v := range lines {
			if !httpguts.ValidHeaderFieldValue(v) {
				return false
			}
		}
	}
	return true
}

var hostSet = setOf(loopBytes + "[]")

// appendHead appends the head of a request without content, whose URL is the
// server's. Fields have no order among each other (RFC 9110 §5.3).
func appendHead(b []byte, r *http.Request) []byte {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for name, lines := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer": // the message's own
			continue
		case "User-Agent": // an empty one stands for none
			if len(lines) == 0 || lines[0] == "" {
				continue
			}
			lines = lines[:1]
		}
		for _, v := range lines {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, textproto.TrimString(v)...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}
