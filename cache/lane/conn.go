package lane

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a client's connection as net/http sees it: its Read answers what the
// lane can. Of its methods Close, SetDeadline, SetReadDeadline, Answers, Waits and
// Writes may be called at any time, the others as net/http calls those of a
// net.Conn.
//
// Whoever runs the http.Server tells a Conn about its states (State).
type Conn struct {
	Transport
	lane *Lane
	peer string

	// For the goroutine that reads; net/http has one at a time.
	in      input
	socket  *socket               // nil: all goes through the Transport
	ready   func(fd uintptr) bool // readable
	turn    turn
	content int64  // of the request that net/http has, still to be handed on
	stash   []byte // received, not yet handed on
	failed  error  // what the read behind stash has ended with
	sample  sample // what was decided on the request that net/http has
	armed   time.Time
	again   bool // there was a request before, the lane's or net/http's
	others  uint // how many requests in a row could have been the lane's and were not

	answered atomic.Bool
	life     atomic.Int32

	mu       sync.Mutex    // guards what follows
	deadline time.Time     // of reads, as net/http set it
	wake     chan struct{} // not nil while park waits
}

// sample is a decision on whether to trace a request.
type sample uint8

const (
	undecided sample = iota
	untraced
	traced
)

// turn says whose the bytes are that come next.
type turn uint8

const (
	ours   turn = iota // between two requests
	theirs             // net/http has a request
	aside              // net/http has the connection
)

// The life of a Conn.
const (
	open    int32 = iota
	busy          // an answer is under way
	closing       // and Close was called
	closed
)

// Conn returns c with a lane in front. The Conn owns c. If c is a syscall.Conn,
// the lane reads and writes that socket itself.
func (l *Lane) Conn(c Transport) *Conn {
	conn := &Conn{Transport: c, lane: l, peer: c.RemoteAddr().String()}
	if s, ok := c.(syscall.Conn); ok {
		conn.socket = newSocket(s)
		conn.ready = conn.readable
	}
	return conn
}

// TLSConn is a Conn of a connection whose handshake is done and that speaks
// HTTP/1.1. net/http asks it for the state of the TLS connection.
type TLSConn struct {
	*Conn
	state tls.ConnectionState
}

// TLS returns c, whose TLS state is given, with a lane in front.
func (l *Lane) TLS(c Transport, state tls.ConnectionState) *TLSConn {
	return &TLSConn{Conn: l.Conn(c), state: state}
}

// ConnectionState returns the state after the handshake.
func (c *TLSConn) ConnectionState() tls.ConnectionState { return c.state }

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Transport }

// State follows net/http's view of the connection (http.Server.ConnState).
func (c *Conn) State(s http.ConnState) {
	if s == http.StateIdle {
		c.again = true
	}
	switch {
	case s == http.StateHijacked:
		c.standAside()
	case s != http.StateIdle || c.turn != theirs:
	case c.content == 0:
		c.turn = ours
	default:
		c.standAside() // what net/http takes for the end of the request is not ours
	}
}

// standAside leaves the rest of the connection to net/http.
func (c *Conn) standAside() { c.turn, c.sample = aside, undecided }

// Answers reports whether the lane has answered a request of the connection:
// net/http may know of none.
func (c *Conn) Answers() bool { return c.answered.Load() }

// Waits reports whether no answer of the lane is under way.
func (c *Conn) Waits() bool { return c.life.Load() == open }

// Writes reports whether one is.
func (c *Conn) Writes() bool {
	life := c.life.Load()
	return life == busy || life == closing
}

// Sampled says what Config.Sample said of the request that net/http has, if it
// was asked. Only the goroutine that serves the request calls it.
func (c *Conn) Sampled() (sampled, decided bool) { return c.sample == traced, c.sample != undecided }

// Close closes the connection, or lets it be closed when the answer that is
// under way has been written.
func (c *Conn) Close() error {
	for {
		switch life := c.life.Load(); life {
		case closed:
			return net.ErrClosed
		case closing:
			return nil
		case busy:
			if c.life.CompareAndSwap(busy, closing) {
				return nil
			}
		default:
			if c.life.CompareAndSwap(life, closed) {
				return c.shut()
			}
		}
	}
}

// shut closes what is below, and wakes who waits.
func (c *Conn) shut() error {
	err := c.Transport.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
	return err
}

// begin says that an answer is under way. It reports false when the connection
// is closed.
func (c *Conn) begin() bool { return c.life.CompareAndSwap(open, busy) }

// end says that it is no more. It reports false when Close was called
// meanwhile: then leave closes the connection.
func (c *Conn) end() bool { return c.life.CompareAndSwap(busy, open) }

// leave ends what serve has begun. It closes the connection where an answer was
// under way when Close was called, or when a panic came. That is not done
// sooner: to close a socket waits for who is in a call on it, as serve then is.
func (c *Conn) leave() {
	c.in = input{}
	if c.Writes() {
		c.life.Store(closed)
		_ = c.shut()
	}
}

// ended is what a read ends with where the lane has ended the connection: behind
// an error of a read net/http answers nothing, behind others it says 400.
func ended(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }

// CloseWrite ends the direction to the client: net/http does so before it closes
// a connection whose client still sends, and so does who relays an upgraded one.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Transport.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.wakeLocked()
	return c.Transport.SetReadDeadline(t)
}

func (c *Conn) wakeLocked() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case c.turn == ours:
		return c.serve(p)
	case c.turn == aside:
		return c.receive(p)
	case c.content > 0:
		n, err := c.receive(p[:min(int64(len(p)), c.content)])
		c.content -= int64(n)
		return n, err
	case len(p) == 1:
		return c.watch(p)
	}
	// net/http reads a head where none is due: it understands the request in
	// another way.
	c.standAside()
	return c.receive(p)
}

// receive returns what was received before, or else what comes.
func (c *Conn) receive(p []byte) (int, error) {
	if len(c.stash) > 0 {
		n := copy(p, c.stash)
		if c.stash = c.stash[n:]; len(c.stash) == 0 {
			c.stash = nil
		}
		return n, nil
	}
	if err := c.failed; err != nil {
		c.failed = nil
		return 0, err
	}
	return c.Transport.Read(p)
}

// maxStash is how many bytes are received ahead of a request, in bytes.
const maxStash = 4 << 10

var stashes = sync.Pool{New: func() any { return new([maxStash]byte) }}

// watch is the read that net/http does while a handler runs, to learn that the
// client has left. Bytes of the next request are kept from it: it would take
// the first one, and the lane could not read that request any more. So the read
// goes on until net/http takes it back with a deadline that has passed.
func (c *Conn) watch(p []byte) (int, error) {
	if len(c.stash) == 0 {
		room := stashes.Get().(*[maxStash]byte)
		n, err := c.Transport.Read(room[:])
		if n > 0 {
			c.stash = append([]byte(nil), room[:n]...)
		}
		stashes.Put(room)
		if n == 0 {
			return 0, err
		}
	}
	return 0, c.park()
}

// park waits for the read deadline or the end of the connection.
func (c *Conn) park() error {
	for {
		c.mu.Lock()
		if c.life.Load() == closed {
			c.mu.Unlock()
			return net.ErrClosed
		}
		timed, left := !c.deadline.IsZero(), time.Until(c.deadline)
		if timed && left <= 0 {
			c.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		woken := make(chan struct{})
		c.wake = woken
		c.mu.Unlock()
		if !timed {
			<-woken
			continue
		}
		expired := time.NewTimer(left)
		select {
		case <-woken:
		case <-expired.C:
		}
		expired.Stop()
	}
}
