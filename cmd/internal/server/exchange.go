package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// serveHTTP is the one way of a request to the handler.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.inflight.enter()
	defer s.inflight.leave()
	if p := s.refuse(r); p != nil {
		s.answer(w, r, p)
		return
	}
	e := &exchange{inner: w, server: s, http1: r.ProtoMajor == 1}
	// The chunked coding may have hidden a Content-Length; see the package's
	// comment.
	e.closing.Store(e.http1 && len(r.TransferEncoding) > 0)
	if r.Body != nil && r.Body != http.NoBody {
		e.body = body{inner: r.Body, e: e, read: s.limits.BodyStall}
		r.Body = &e.body
		LimitBody(e, r, s.limits.BodyBytes)
		e.body.start()
	}
	defer e.finish(r)
	(*s.handler.Load()).ServeHTTP(e, r)
}

// exchange is the ResponseWriter of one request. It notes whether the response
// has begun, so that a panic can still be answered, and cuts an HTTP/2 client
// that keeps its flow-control window shut; conn does that for HTTP/1.1.
type exchange struct {
	inner    http.ResponseWriter
	server   *Server
	http1    bool
	begun    bool        // a final status was sent
	closing  atomic.Bool // HTTP/1.1: say that the connection ends
	hijacked net.Conn
	writing  stall // HTTP/2 only
	buffered int   // HTTP/2: bytes that net/http may hold back, at most
	body     body

	mu   sync.Mutex // guards done; held while a deadline is set
	done bool       // the handler has returned: the connection is not ours any more
}

func (e *exchange) Header() http.Header { return e.inner.Header() }

// Unwrap gives http.ResponseController the rest of what net/http can do.
func (e *exchange) Unwrap() http.ResponseWriter { return e.inner }

func (e *exchange) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		e.begin()
	}
	e.inner.WriteHeader(status)
}

// begin notes that the final status is about to be sent.
func (e *exchange) begin() {
	if e.begun {
		return
	}
	e.begun = true
	if e.http1 && e.body.unread() {
		// net/http reads what is left of the content away before it sends the
		// head, while the upstream may still be getting it: unless the
		// connection ends.
		e.closing.Store(true)
	}
	if e.closing.Load() {
		e.inner.Header().Set("Connection", "close")
	}
}

// writeStep is how much of a response an HTTP/2 client must take within the
// stall time: one Write blocks until all of it has passed flow control, and
// says nothing on the way.
const writeStep = 16 << 10

func (e *exchange) Write(p []byte) (written int, err error) {
	e.begin()
	if e.http1 {
		return e.inner.Write(p)
	}
	if e.buffered += len(p); e.buffered <= writeBuffer {
		return e.inner.Write(p)
	}
	for {
		n, err := e.guarded(func() (int, error) {
			return e.inner.Write(p[written:min(len(p), written+writeStep)])
		})
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// writeBuffer is how much of a response net/http keeps to itself on HTTP/2
// before it writes: a Write that stays below waits for nobody.
const writeBuffer = 4 << 10

// guarded runs one HTTP/2 write under the stall time.
func (e *exchange) guarded(write func() (int, error)) (int, error) {
	e.writing.begin(e.server.limits.WriteStall, e.cutWrite)
	defer e.writing.end()
	return write()
}

func (e *exchange) WriteString(text string) (int, error) {
	if e.http1 {
		e.begin()
		return io.WriteString(e.inner, text)
	}
	return e.Write([]byte(text))
}

// ReadFrom lets net/http copy with its own buffers over HTTP/1.1.
func (e *exchange) ReadFrom(src io.Reader) (int64, error) {
	if from, ok := e.inner.(io.ReaderFrom); ok && e.http1 {
		e.begin()
		return from.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{e}, src)
}

func (e *exchange) Flush() { _ = e.FlushError() }

// FlushError sends what is buffered (http.ResponseController.Flush).
func (e *exchange) FlushError() error {
	e.begin()
	flush := http.NewResponseController(e.inner).Flush
	if e.http1 {
		return flush()
	}
	_, err := e.guarded(func() (int, error) { return 0, flush() })
	e.buffered = 0
	return err
}

// Hijack takes the connection over, for an upgrade (RFC 9110 §7.8).
func (e *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(e.inner).Hijack()
	if err == nil {
		e.begun, e.hijacked = true, c
	}
	return c, rw, err
}

// cutRead and cutWrite unblock the stalled HTTP/2 stream.
func (e *exchange) cutRead()  { e.control((*http.ResponseController).SetReadDeadline, past) }
func (e *exchange) cutWrite() { e.control((*http.ResponseController).SetWriteDeadline, past) }

var past = time.Unix(1, 0)

// control sets a deadline, unless the handler has returned: then the
// connection belongs to the next request.
func (e *exchange) control(set func(*http.ResponseController, time.Time) error, t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.done {
		_ = set(http.NewResponseController(e.inner), t) // it fails on a closed connection, as the read or write will
	}
}

// finish ends the exchange when the handler has returned or panicked.
func (e *exchange) finish(r *http.Request) {
	cause := recover()
	e.writing.end()
	e.mu.Lock()
	e.done = true
	e.mu.Unlock()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		e.abandon()
	}
	e.server.logPanic(r.Context(), cause)
	if e.begun {
		e.abandon()
	}
	// The fields that the handler had prepared may describe another response.
	clear(e.inner.Header())
	e.server.answer(e.inner, r, internalFault)
}

// abandon ends the connection (HTTP/1.1) or the stream (HTTP/2) so that the
// client sees an incomplete response. It does not return.
func (e *exchange) abandon() {
	if e.hijacked != nil {
		_ = e.hijacked.Close() // net/http leaves it alone
	}
	panic(http.ErrAbortHandler)
}

// maxStack bounds the stack in the log, in bytes.
const maxStack = 8 << 10

func (s *Server) logPanic(ctx context.Context, cause any) {
	stack := debug.Stack()
	s.noise.log(ctx, slog.LevelError, "panic in a handler", "panic", cause, "stack", string(stack[:min(len(stack), maxStack)]))
}

// stall is a timer that runs only while one call blocks. Its zero value is
// ready; begin and end come from one goroutine.
type stall struct{ timer *time.Timer }

func (s *stall) begin(d time.Duration, cut func()) {
	if s.timer == nil {
		s.timer = time.AfterFunc(d, cut)
		return
	}
	s.timer.Reset(d)
}

func (s *stall) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
