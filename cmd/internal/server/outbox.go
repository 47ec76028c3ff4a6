package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// outbox is what an HTTP/2 connection has written and the socket has not got
// yet.
//
// net/http writes a connection's answers in pieces of four KiB and waits for each
// of them, by a system call a piece: for small answers that was a third of what a
// hit costs. With an outbox such a write ends when its bytes are noted, and a
// goroutine of the connection's own sends all that has come together when it gets
// its turn: at once when there is little to do, and the answers of many streams by
// one call when there is much. For net/http this is a larger socket buffer: an
// error is told to the next write, and bytes that wait go out before Close closes
// the socket, for as long as the client takes some within every stall time.
//
// Its zero value is one that is not in use.
type outbox struct {
	on atomic.Bool // everything below is in use

	mu      sync.Mutex // guards what follows
	room    *sync.Cond // more may be noted, or never will
	waiting *[]byte    // what was noted, of pieces; nil: nothing
	sending bool       // send runs
	err     error      // nothing can be sent any more
	ended   func()     // closes the socket behind the last byte; nil before Close
}

const (
	// outboxBytes is how many bytes may wait, beside as many that are on their
	// way; whoever writes more waits.
	outboxBytes = 64 << 10
	// outboxDirect is from which size a write goes to the socket itself, if
	// nothing waits: there is nothing to be won for it, but a copy to be lost.
	outboxDirect = 8 << 10
)

// pieces are buffers that no outbox has in use: a connection that has nothing to
// send holds none.
var pieces = sync.Pool{New: func() any { return new([]byte) }}

// beginOutbox puts the outbox to use, perhaps while net/http writes its first
// frame. From then on the stall time alone bounds writes.
func (c *conn) beginOutbox() {
	c.outbox.mu.Lock()
	defer c.outbox.mu.Unlock()
	c.outbox.room = sync.NewCond(&c.outbox.mu)
	c.outbox.on.Store(true)
	c.external.Store(false)
	c.armed.Store(unarmed)
	c.arm()
}

// write notes p, or sends it. There is one write at a time: that of crypto/tls.
func (b *outbox) write(c *conn, p []byte) (int, error) {
	b.mu.Lock()
	for b.waiting != nil && b.err == nil && len(*b.waiting)+len(p) > outboxBytes {
		b.room.Wait()
	}
	if err := b.err; err != nil {
		b.mu.Unlock()
		return 0, err
	}
	if !b.sending && len(p) >= outboxDirect {
		b.mu.Unlock()
		return c.writeThrough(p)
	}
	if b.waiting == nil {
		b.waiting = pieces.Get().(*[]byte)
	}
	*b.waiting = append(*b.waiting, p...)
	if !b.sending {
		b.sending = true
		go b.send(c)
	}
	b.mu.Unlock()
	return len(p), nil
}

// send writes what waits until nothing does, and closes the socket when that was
// asked for meanwhile.
func (b *outbox) send(c *conn) {
	b.mu.Lock()
	for b.waiting != nil && b.err == nil {
		p := b.waiting
		b.waiting = nil
		b.room.Signal()
		b.mu.Unlock()
		_, err := c.writeThrough(*p)
		*p = (*p)[:0]
		pieces.Put(p)
		b.mu.Lock()
		if err != nil && b.err == nil {
			b.err = err
		}
	}
	b.sending = false
	ended, err := b.ended, b.err
	if ended != nil && err == nil {
		b.err = net.ErrClosed
	}
	b.room.Signal()
	b.mu.Unlock()
	switch {
	case ended != nil:
		ended()
	case err != nil:
		_ = c.Close() // who reads has to learn of it, too
	}
}

// end calls ended when everything is sent, or cannot be: now, or later.
func (b *outbox) end(ended func()) {
	b.mu.Lock()
	if b.sending {
		b.ended = ended
		b.mu.Unlock()
		return
	}
	if b.err == nil {
		b.err = net.ErrClosed
	}
	b.mu.Unlock()
	ended()
}

// holds reports whether bytes wait.
func (b *outbox) holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sending
}

// negotiated puts a connection's outbox to use when it speaks HTTP/2.
func (c *conn) negotiated(nc net.Conn, state http.ConnState) {
	if state != http.StateActive || c.asked.Load() {
		return
	}
	c.asked.Store(true)
	if t, ok := nc.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		c.beginOutbox()
	}
}

// cut closes a connection whatever waits in its outbox.
func (c *conn) cut() {
	_ = c.Close()
	_ = c.Conn.Close() // Close leaves that to the outbox while it sends
}
