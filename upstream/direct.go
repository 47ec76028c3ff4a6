package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// direct is how a GET or HEAD goes to a cleartext server: the goroutine that
// asks writes the head and reads the answer itself. http.Transport has two
// goroutines a connection and hands every request and response over between
// them, which costs about as much as all that this proxy does for it. It is left
// what needs a second hand: content, which is sent while the answer may come
// already, TLS and HTTP/2, a change of protocol, and whatever appendHead does
// not write.
//
// Only what may be repeated goes this way, because a kept connection may turn
// out to be closed (RFC 9112 §9.3.1). It is safe for concurrent use.
type direct struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string        // host:port
	head    time.Duration // Timeouts.ResponseHeader
	rest    time.Duration // Timeouts.Idle
	most    int           // connections that are kept

	mu       sync.Mutex // guards what follows
	idle     []*kept    // the last one was used last
	sweep    *time.Timer
	sweeping bool // sweep will call expire
	ended    bool // nothing is kept until the next request
}

// newDirect returns the direct way to a server, or nil where there is none: to a
// third party's, to one that is asked over TLS, to one whose name net/http has
// to put into ASCII, and where it could use no connection twice.
func newDirect(c *Config, s *server, dial dialer) *direct {
	notASCII := func(c rune) bool { return c > unicode.MaxASCII }
	if !probes || c.External != nil || s.url.Scheme != "http" || strings.ContainsFunc(s.url.Host, notASCII) {
		return nil
	}
	port := s.url.Port()
	if port == "" {
		port = "80"
	}
	return &direct{
		dial: dial, address: net.JoinHostPort(s.url.Hostname(), port),
		head: c.Timeouts.ResponseHeader, rest: c.Timeouts.Idle, most: c.MaxIdlePerServer,
	}
}

// takes reports whether the request of an attempt may go the direct way.
func (d *direct) takes(a *attempt) bool {
	r := a.request
	return d != nil && a.upgrade == "" && r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) && writable(r)
}

// roundTrip sends a request and returns its response. It notes in a what the
// hooks of a trace note elsewhere.
func (d *direct) roundTrip(a *attempt, r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.asked.Store(true)
	d.tell(ctx)
	if c := d.take(); c != nil {
		a.reused.Store(true)
		a.connected.Store(true)
		res, err := c.exchange(a, r)
		if err == nil || a.received.Load() || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return res, err
		}
		// The server closed it at the same moment, which is no fault of its.
		a.reused.Store(false)
		a.connected.Store(false)
		d.tell(ctx)
	}
	conn, err := d.dial(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	a.connected.Store(true)
	return newKept(d, conn).exchange(a, r)
}

// tell calls the caller's hook, as net/http does for each connection that is
// asked for.
func (d *direct) tell(ctx context.Context) {
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.GetConn != nil {
		t.GetConn(d.address)
	}
}

// take returns a kept connection on which nothing has happened since its last
// response, or nil.
func (d *direct) take() *kept {
	now := time.Now()
	for {
		d.mu.Lock()
		d.ended = false
		last := len(d.idle) - 1
		if last < 0 {
			d.mu.Unlock()
			return nil
		}
		c := d.idle[last]
		d.idle[last] = nil
		d.idle = d.idle[:last]
		d.mu.Unlock()
		if now.Sub(c.since) < d.rest && c.silent() {
			return c
		}
		c.close()
	}
}

// put keeps a connection, or closes it.
func (d *direct) put(c *kept) {
	c.since = time.Now()
	d.mu.Lock()
	if d.ended || len(d.idle) >= d.most {
		d.mu.Unlock()
		c.close()
		return
	}
	d.idle = append(d.idle, c)
	if !d.sweeping {
		d.sweepLocked()
	}
	d.mu.Unlock()
}

// look is how often idle connections are looked at: nobody waits on them who
// would notice that the server has closed one.
const look = time.Second

// sweepLocked sees to it that expire is called.
func (d *direct) sweepLocked() {
	d.sweeping = true
	if d.sweep == nil {
		d.sweep = time.AfterFunc(look, d.expire)
		return
	}
	d.sweep.Reset(look)
}

// expire closes the idle connections that have rested for too long, and those
// on which something has come.
func (d *direct) expire() {
	now := time.Now()
	var over []*kept
	d.mu.Lock()
	d.idle = slices.DeleteFunc(d.idle, func(c *kept) bool {
		if now.Sub(c.since) < d.rest && c.silent() {
			return false
		}
		over = append(over, c)
		return true
	})
	if d.sweeping = len(d.idle) > 0; d.sweeping {
		d.sweepLocked()
	}
	d.mu.Unlock()
	for _, c := range over {
		c.close()
	}
}

// end closes the connections that have no request, and the others when theirs
// end, unless there is another request before.
func (d *direct) end() {
	if d == nil {
		return
	}
	d.mu.Lock()
	idle := d.idle
	d.idle, d.ended, d.sweeping = nil, true, false
	if d.sweep != nil {
		d.sweep.Stop()
	}
	d.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
