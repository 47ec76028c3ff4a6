package server

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// body is the request body as the handler sees it: a client that sends nothing
// for the stall time while somebody reads ends it with os.ErrDeadlineExceeded.
// It may be read and closed from a goroutine of its own, as http.Transport
// does, also after the handler has returned.
type body struct {
	inner io.ReadCloser
	e     *exchange
	read  time.Duration // the stall time

	mu    sync.Mutex // guards what follows; not held while inner is read
	armed time.Time  // HTTP/1.1: when the deadline was set
	stall stall      // HTTP/2
	ended bool       // inner has returned an error: no deadline from now on
}

// start sets the first deadline of an HTTP/1.1 body. It matters when nobody
// reads the body: net/http then discards the rest of it itself, and without a
// deadline for as long as the client likes.
func (b *body) start() {
	if b.e.http1 {
		b.arm()
	}
}

func (b *body) Read(p []byte) (int, error) {
	b.arm()
	n, err := b.inner.Read(p)
	b.disarm(err)
	return n, err
}

// unread reports whether there is content that has not been read to its end.
func (b *body) unread() bool {
	if b.inner == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ended
}

func (b *body) Close() error { return b.inner.Close() }

// arm makes sure that the read that follows ends. On HTTP/1.1 the deadline is
// moved at coarse grain; on HTTP/2 one that passes between two reads would end
// the body, so there a timer runs during the read only.
func (b *body) arm() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	if !b.e.http1 {
		b.stall.begin(b.read, b.e.cutRead)
		return
	}
	now := time.Now()
	if now.Sub(b.armed) < b.read/4 {
		return
	}
	b.armed = now
	b.e.control((*http.ResponseController).SetReadDeadline, now.Add(b.read+b.read/4))
}

// disarm takes the deadline back when the body has ended: net/http now reads
// in the background to notice a client that leaves, and must not time out.
func (b *body) disarm(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stall.end()
	if err == nil || b.ended {
		return
	}
	b.ended = true
	if b.e.http1 && errors.Is(err, io.EOF) {
		b.e.control((*http.ResponseController).SetReadDeadline, time.Time{})
	}
}

// LimitBody bounds the content of r to n bytes, for a limit below that of the
// server. The first read of a body that is declared larger, and the read that
// passes the limit of another, return *http.MaxBytesError; the handler answers
// 413 (RFC 9110 §15.5.14), and an HTTP/1.1 connection is closed after that.
// Call it before anything reads the body.
func LimitBody(w http.ResponseWriter, r *http.Request, n int64) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	l := &limited{inner: r.Body, declared: r.ContentLength, n: n}
	l.e, _ = w.(*exchange)
	// Without a ResponseWriter: MaxBytesReader would change the response's
	// fields from whichever goroutine reads the body.
	l.counted = http.MaxBytesReader(nil, r.Body, n)
	r.Body = l
}

// limited is a body with a limit.
type limited struct {
	inner, counted io.ReadCloser
	e              *exchange // nil when w was not ours
	declared, n    int64
}

func (l *limited) Read(p []byte) (n int, err error) {
	if l.declared > l.n {
		err = &http.MaxBytesError{Limit: l.n}
	} else {
		n, err = l.counted.Read(p)
	}
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) && l.e != nil {
		l.e.closing.Store(l.e.http1)
	}
	return n, err
}

func (l *limited) Close() error { return l.inner.Close() }
