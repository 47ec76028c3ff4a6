package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshaker does the TLS handshakes of a listener by itself, because only what
// comes out of one says whether a connection gets a lane: those that speak
// HTTP/1.1 do. HTTP/2 and failed handshakes go to net/http as they are.
type handshaker struct {
	*listener
	config *tls.Config
	ready  chan accepted

	ctx    context.Context // of handshakes; ends with Close
	cancel context.CancelFunc
	once   sync.Once
	under  sync.WaitGroup // the accepting goroutine and the handshakes
}

type accepted struct {
	conn net.Conn
	err  error
}

func newHandshaker(l *listener, config *tls.Config) *handshaker {
	h := &handshaker{listener: l, config: config, ready: make(chan accepted)}
	h.ctx, h.cancel = context.WithCancel(l.server.base)
	return h
}

// Accept returns the next connection whose handshake has ended.
func (h *handshaker) Accept() (net.Conn, error) {
	h.once.Do(func() { h.under.Go(h.accept) })
	select {
	case a := <-h.ready:
		return a.conn, a.err
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close closes the listener, ends the handshakes under way and waits for them.
func (h *handshaker) Close() error {
	h.cancel()
	err := h.listener.Close()
	h.under.Wait()
	return err
}

func (h *handshaker) accept() {
	for {
		c, err := h.accepted()
		if err != nil {
			// net/http waits a while before it tries again, and so does this.
			if !h.pass(accepted{err: err}) {
				return
			}
			continue
		}
		h.under.Go(func() {
			if done := h.shake(c); !h.pass(accepted{conn: done}) {
				_ = done.Close()
			}
		})
	}
}

// pass hands a to Accept. It reports false when the listener is closed.
func (h *handshaker) pass(a accepted) bool {
	select {
	case h.ready <- a:
		return true
	case <-h.ctx.Done():
		return false
	}
}

// shake does one handshake. A failed one is net/http's to report: it gets the
// same error when it tries.
func (h *handshaker) shake(c *conn) net.Conn {
	secure := tls.Server(c, h.config)
	_ = secure.SetDeadline(time.Now().Add(h.server.limits.HeaderTimeout))
	if secure.HandshakeContext(h.ctx) != nil {
		return secure
	}
	_ = secure.SetDeadline(time.Time{})
	state := secure.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		return secure
	}
	laned := h.lane.TLS(secureTransport{secure}, state)
	c.lane.Store(laned.Conn)
	return laned
}

// secureTransport is a TLS connection as a lane uses it.
type secureTransport struct{ *tls.Conn }

// Passed implements lane.Transport: the connection below sees bytes pass.
func (secureTransport) Passed(time.Time) {}

// Receive implements lane.Transport.
func (t secureTransport) Receive(p []byte) (int, error) { return t.Read(p) }

// Send implements lane.Transport.
func (t secureTransport) Send(_ time.Time, head, body []byte) (sent int, err error) {
	sent, err = t.Write(head)
	if err != nil || len(body) == 0 {
		return sent, err
	}
	n, err := t.Write(body)
	return sent + n, err
}
