package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"veneer/cache/lane"
)

// conn is a client's connection as net/http sees it. It cuts a client that
// takes no byte for the stall time, and knows when something last happened on
// it.
//
// Deadlines are moved at coarse grain: a write sets one only when the one in
// place is more than a quarter of the stall time old.
type conn struct {
	net.Conn
	set   *connSet
	stall time.Duration

	state    atomic.Int32 // http.ConnState
	last     atomic.Int64 // when bytes last passed, nanoseconds since set.start
	armed    atomic.Int64 // when the write deadline was set, likewise; unarmed: not at all
	external atomic.Bool  // net/http or crypto/tls have set a write deadline of their own

	lane    atomic.Pointer[lane.Conn] // in front of it; nil: none
	vectors [2][]byte                 // what Send writes
	rest    net.Buffers               // of vectors

	asked  atomic.Bool // whether it speaks HTTP/2 was looked at
	outbox outbox      // in use if it does

	mu     sync.Mutex         // guards what follows
	closed bool               // Close was called
	cancel context.CancelFunc // ends the contexts of the connection's requests; nil before connContext
}

// unarmed is a time long enough ago for the next write to set a deadline.
const unarmed = -1 << 62

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(int64(time.Since(c.set.start)))
	}
	return n, err
}

// Write writes all of p, for as long as the client takes some of it within
// every stall time; on HTTP/2 it may be noted only (outbox).
func (c *conn) Write(p []byte) (int, error) {
	if c.outbox.on.Load() {
		return c.outbox.write(c, p)
	}
	return c.writeThrough(p)
}

func (c *conn) writeThrough(p []byte) (written int, err error) {
	for {
		c.arm()
		n, err := c.Conn.Write(p[written:])
		written += n
		if n == 0 || !c.stalled(err) {
			return written, err
		}
	}
}

// SyscallConn gives a lane the socket, if there is one.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}

// Passed implements lane.Transport.
func (c *conn) Passed(now time.Time) { c.last.Store(int64(now.Sub(c.set.start))) }

// Receive implements lane.Transport.
func (c *conn) Receive(p []byte) (int, error) { return c.Conn.Read(p) }

// Send implements lane.Transport: head and body go out by one system call, if
// the client takes them.
func (c *conn) Send(now time.Time, head, body []byte) (sent int, err error) {
	if len(body) == 0 {
		return c.writeAll(now, head)
	}
	c.vectors = [2][]byte{head, body}
	c.rest = c.vectors[:]
	defer func() { c.vectors, c.rest = [2][]byte{}, nil }()
	for {
		c.armAt(now)
		n, err := c.rest.WriteTo(c.Conn)
		sent += int(n)
		if n == 0 || !c.stalled(err) {
			return sent, err
		}
		now = time.Now()
	}
}

func (c *conn) writeAll(now time.Time, p []byte) (sent int, err error) {
	for {
		c.armAt(now)
		n, err := c.Conn.Write(p[sent:])
		if sent += n; n == 0 || !c.stalled(err) {
			return sent, err
		}
		now = time.Now()
	}
}

// stalled reports whether a write that has sent something ended because the
// stall time did: then it goes on.
func (c *conn) stalled(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.external.Load() {
		return false
	}
	c.armed.Store(unarmed)
	return true
}

// arm moves the write deadline if it is old.
func (c *conn) arm() { c.armAt(time.Now()) }

func (c *conn) armAt(now time.Time) {
	since := int64(now.Sub(c.set.start))
	c.last.Store(since)
	if c.external.Load() || since-c.armed.Load() < int64(c.stall/4) {
		return
	}
	c.armed.Store(since)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(c.stall + c.stall/4)) // it fails on a closed connection, as the write will
}

// SetWriteDeadline is used by net/http and crypto/tls. Their deadline holds
// until they take it back with the zero time; then the stall time does. With an
// outbox it is about writes that do not wait, and the stall time holds always.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.outbox.mu.Lock()
	defer c.outbox.mu.Unlock()
	if c.outbox.on.Load() {
		return nil
	}
	if !t.IsZero() {
		c.external.Store(true)
		return c.Conn.SetWriteDeadline(t)
	}
	if c.external.Swap(false) {
		c.armed.Store(unarmed)
	}
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close closes the connection, ends its context and frees its slot, at once or
// when its outbox is sent.
func (c *conn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	cancel := c.cancel
	c.mu.Unlock()
	if !first {
		return net.ErrClosed
	}
	if cancel != nil {
		cancel()
	}
	if !c.outbox.on.Load() {
		defer c.set.remove(c)
		return c.Conn.Close()
	}
	_ = c.Conn.SetReadDeadline(past) // nobody reads any more
	c.outbox.end(func() {
		_ = c.Conn.Close()
		c.set.remove(c)
	})
	return nil
}

// CloseWrite lets net/http send a FIN before it closes, so that a client that
// still sends can read the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// end ends the contexts of the connection's requests.
func (c *conn) end() {
	c.mu.Lock()
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// unwrap finds the conn below TLS; nil for a foreign connection.
func unwrap(c net.Conn) *conn {
	for {
		switch v := c.(type) {
		case *conn:
			return v
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return nil
		}
	}
}

// connContext gives every connection a context of its own, so that an upgraded
// one can be told to end.
func (s *Server) connContext(ctx context.Context, nc net.Conn) context.Context {
	c := unwrap(nc)
	if c == nil {
		return ctx
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, connKey{}, c))
	c.mu.Lock()
	c.cancel = cancel
	closed := c.closed
	c.mu.Unlock()
	if closed {
		cancel()
	}
	return ctx
}

// connKey is what a connection is found by in the contexts of its requests.
type connKey struct{}

// Sampled says what Config.Sample said of the request whose context ctx is, if
// it was asked about it. A handler calls it before it returns, on its own
// goroutine.
func Sampled(ctx context.Context) (sampled, decided bool) {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return false, false
	}
	l := c.lane.Load()
	if l == nil {
		return false, false
	}
	return l.Sampled()
}

// connState follows net/http's view of a connection.
func (s *Server) connState(nc net.Conn, state http.ConnState) {
	c := unwrap(nc)
	if c == nil {
		return
	}
	c.state.Store(int32(state))
	c.negotiated(nc, state)
	if l := c.lane.Load(); l != nil {
		l.State(state)
	}
	if state != http.StateHijacked {
		return
	}
	select {
	case <-s.stopping:
		c.end()
	default:
	}
}

// connSet is the open connections.
type connSet struct {
	start time.Time
	slots chan struct{} // one element an open connection

	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

func (s *connSet) init(limit int) {
	s.start = time.Now()
	s.slots = make(chan struct{}, limit)
	s.open = make(map[*conn]struct{})
}

// add wraps a connection for which a slot was reserved.
func (s *connSet) add(raw net.Conn, stall time.Duration) *conn {
	c := &conn{Conn: raw, set: s, stall: stall}
	c.armed.Store(unarmed)
	c.last.Store(int64(time.Since(s.start)))
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	return c
}

// remove forgets a closed connection and frees its slot. Close calls it once.
func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	<-s.slots
}

// quiet is how long nothing must have happened on an idle connection before it
// may be closed to make room: a request may be on its way.
const quiet = time.Second

// evictIdle closes the connection that has waited longest for its next
// request, if there is one.
func (s *connSet) evictIdle() {
	var oldest *conn
	before := int64(time.Since(s.start) - quiet)
	for _, c := range s.snapshot() {
		if last := c.last.Load(); last <= before && c.waits() {
			oldest, before = c, last
		}
	}
	if oldest != nil {
		oldest.cut() // who takes nothing for so long is not waited for
	}
}

// waits reports whether the connection waits for its next request, and has had
// one before. Between two requests that a lane answers net/http sees nothing.
func (c *conn) waits() bool {
	state := http.ConnState(c.state.Load())
	if l := c.lane.Load(); l != nil && l.Answers() {
		return l.Waits() && (state == http.StateIdle || state == http.StateNew)
	}
	return state == http.StateIdle
}

// closeWaiting closes the connections that wait between two requests of a lane;
// net/http does so with the others.
func (s *connSet) closeWaiting() {
	for _, c := range s.snapshot() {
		l, state := c.lane.Load(), http.ConnState(c.state.Load())
		if l != nil && l.Answers() && (state == http.StateNew || state == http.StateIdle) {
			_ = l.Close()
		}
	}
}

// keepClosing closes waiting connections until done is closed. Those that were
// in their first answer before, or had not asked yet, come to wait later, and
// net/http takes them for new ones, which it leaves alone for five seconds.
func (s *connSet) keepClosing(done <-chan struct{}) {
	poll := time.NewTicker(lanePoll)
	defer poll.Stop()
	for {
		s.closeWaiting()
		select {
		case <-poll.C:
		case <-done:
			return
		}
	}
}

// lanePoll is how often a server that stops looks whether lanes have ended.
const lanePoll = 5 * time.Millisecond

// waitForWrites waits until no lane writes an answer any more, and no outbox has
// something to send.
func (s *connSet) waitForWrites(ctx context.Context) error {
	poll := time.NewTicker(lanePoll)
	defer poll.Stop()
	for {
		writing := slices.ContainsFunc(s.snapshot(), func(c *conn) bool {
			l := c.lane.Load()
			return l != nil && l.Writes() || c.outbox.holds()
		})
		if !writing {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endUpgraded ends the contexts of upgraded connections.
func (s *connSet) endUpgraded() {
	for _, c := range s.snapshot() {
		if http.ConnState(c.state.Load()) == http.StateHijacked {
			c.end()
		}
	}
}

// closeAll closes every connection, whatever it has to send.
func (s *connSet) closeAll() {
	for _, c := range s.snapshot() {
		c.cut()
	}
}

func (s *connSet) snapshot() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.open))
	for c := range s.open {
		all = append(all, c)
	}
	return all
}
