package lane

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"veneer/cache"
)

// minHead is how many bytes net/http waits for between two requests before it
// takes them for the next. Less it ignores. Where the lane has answered, it may
// not know that there was one before.
const minHead = 4

// serve reads requests and answers them, until there is one for net/http: it
// returns that one, or the error that ended the connection. p is net/http's own
// buffer, and the lane has no other for what it reads.
func (c *Conn) serve(p []byte) (int, error) {
	c.in = input{p: p}
	defer c.leave()
	if c.socket != nil && len(c.stash) == 0 {
		if err := c.socket.raw.Read(c.ready); err != nil {
			c.giveUp(readError(err))
		}
		return c.in.n, c.in.err
	}
	for {
		m, err := c.more(p[c.in.n:])
		if m > 0 {
			err = nil
		}
		if c.received(m, err) {
			return c.in.n, c.in.err
		}
	}
}

// input is what serve has read.
type input struct {
	p    []byte
	n    int   // bytes in p that nobody has dealt with; at the end, for net/http
	err  error // at the end
	late bool  // the head at hand has a deadline
	fd   uintptr
}

// readable is serve's loop on a socket. It is called when something may have
// come, and returns false to be called again when that is so the next time.
func (c *Conn) readable(fd uintptr) (done bool) {
	c.in.fd = fd
	for {
		n, more, errno := c.receiveNow(fd)
		var err error
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			err = readError(os.NewSyscallError("read", errno))
		case n == 0:
			err = io.EOF
		}
		if c.received(n, err) {
			return true
		}
		if !more && c.in.n == 0 {
			return false
		}
		// Behind half a head the client may have reset the connection before it
		// was read, and nothing but a read says so.
	}
}

// receiveNow reads what is there. Where hits are few it does so by the cheaper
// call, which does not say whether there is more: it is net/http's mostly.
func (c *Conn) receiveNow(fd uintptr) (n int, more bool, errno syscall.Errno) {
	if c.others < askEvery {
		return c.socket.read(fd, c.in.p[c.in.n:])
	}
	n, errno = c.socket.readPlain(fd, c.in.p[c.in.n:])
	return n, true, errno
}

// received takes n bytes more, or the error that came in their stead. It reports
// whether that is all: then in says what net/http gets.
func (c *Conn) received(n int, err error) (done bool) {
	in := &c.in
	if in.n += n; err != nil {
		c.giveUp(err)
		return true
	}
	left, answered, err := c.answer(in.p[:in.n])
	if in.n = left; err != nil || c.turn == theirs {
		in.err = err
		return true
	}
	in.late = in.late && !answered
	if in.n > 0 && !in.late && c.again {
		// Also where the rest of the head is net/http's: it may not know that
		// the connection has waited between two requests. The first head of all
		// has the deadline of net/http's.
		in.late = true
		c.armed = time.Time{}
		_ = c.Transport.SetReadDeadline(time.Now().Add(c.lane.cfg.HeaderTimeout)) // fails as the read will
	}
	if in.n == len(in.p) {
		c.standAside() // a head that does not fit
	}
	return c.turn != ours
}

// giveUp ends the reading with an error.
func (c *Conn) giveUp(err error) {
	in := &c.in
	if in.n < minHead && (in.n == 0 || c.answered.Load()) {
		in.n, in.err = 0, err
		return
	}
	// Half a head: net/http says what is to be said of that. It gives a head its
	// time from when it sees the first byte, which is now.
	c.standAside()
	c.failed = err
}

// more returns what was received before, or else what comes.
func (c *Conn) more(p []byte) (int, error) {
	if len(c.stash) > 0 {
		return c.receive(p)
	}
	return c.Transport.Receive(p)
}

// send writes head and body, and returns how many bytes of both were written. On
// a socket that takes them at once nothing has to be waited for, and no deadline
// to be set.
func (c *Conn) send(now time.Time, head, body []byte) (int, error) {
	if c.in.fd == 0 {
		return c.Transport.Send(now, head, body)
	}
	n := c.socket.write(c.in.fd, head, body)
	if n == len(head)+len(body) {
		c.Transport.Passed(now)
		return n, nil
	}
	head, body = head[min(n, len(head)):], body[max(0, n-len(head)):]
	m, err := c.Transport.Send(now, head, body)
	return n + m, err
}

// answer sends what the requests in p get that are plain hits, up to the first
// that is none, and moves what is left to the beginning of p. Of that it hands
// the first request to net/http, if it has one: then left is what net/http gets
// of p, and it is no longer the lane's turn.
func (c *Conn) answer(p []byte) (left int, answered bool, err error) {
	if !c.begin() {
		return 0, false, ended(net.ErrClosed)
	}
	b := c.lane.bench()
	at, v := 0, incomplete
	var now time.Time // of the last hit
	for at < len(p) && err == nil {
		if v = b.head.parse(p[at:]); v != plain || c.hopeless() || !c.find(b) {
			break
		}
		at += b.head.size
		now = b.hit.Now()
		err = c.put(b, at == len(p))
		v = incomplete // of the next there is nothing yet
	}
	if len(b.out) > 0 && err == nil {
		_, err = c.send(now, b.out, nil)
	}
	if at > 0 {
		c.keepAlive(now)
		c.others = 0
	}
	if v == plain {
		c.others++
	}
	if v == foreign && len(p)-at < minHead && c.answered.Load() {
		v = incomplete
	}
	left = copy(p, p[at:])
	if v != incomplete {
		left = c.hand(p[:left], &b.head, v)
	}
	c.lane.release(b)
	if !c.end() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		return 0, at > 0, ended(err)
	}
	return left, at > 0, nil
}

// The engine is asked about one request in askEvery once so many in a row were
// not the lane's: who asks for what is not stored mostly goes on to, and what the
// lane looks up for nothing the handler looks up again.
const askEvery = 8

// hopeless reports whether the next request is left to net/http unseen.
func (c *Conn) hopeless() bool {
	if c.others < askEvery || c.others%askEvery == 0 {
		return false
	}
	c.sample = undecided
	return true
}

// find asks the engine. A panic is no answer: the handler will meet it again,
// where it is logged and answered.
func (c *Conn) find(b *bench) (found bool) {
	h, cfg := &b.head, &c.lane.cfg
	if c.sample = undecided; h.size+h.n > cfg.HeaderBytes { // the server counts a space behind each colon
		return false
	}
	defer func() {
		if recover() != nil {
			b.hit.Reset()
			found = false
		}
	}()
	b.request = cache.Request{
		Method: h.method, Protocol: "HTTP/1.1", Host: h.host, Path: h.path, Query: h.query,
		Secure: cfg.Secure, Peer: c.peer, Fields: h,
	}
	if cfg.Sample != nil {
		c.sample = untraced
		if cfg.Sample(&b.request) {
			c.sample = traced
		}
	}
	if !cfg.Engine.Find(&b.hit, &b.request, http1) {
		return false
	}
	if c.sample == traced {
		b.hit.Traced()
	}
	return true
}

// put writes the answer that was found, or keeps it to be written together with
// the next, unless it is the last of which there is a request.
func (c *Conn) put(b *bench, last bool) (err error) {
	b.out = appendHead(b.out, &b.hit)
	body := b.hit.Body()
	n := len(body)
	if n > maxCopy {
		n = 0
		if c.lane.cfg.Secure { // a record has room for the head and some of it
			n = min(len(body), max(0, maxOut-len(b.out)))
		}
	}
	b.out, body = append(b.out, body[:n]...), body[n:]
	unsent := 0 // what is kept is taken for sent
	if last || len(body) > 0 || len(b.out) >= maxOut {
		n, err = c.send(b.hit.Now(), b.out, body)
		unsent = len(b.out) + len(body) - n
		b.out = b.out[:0]
	}
	b.hit.Answered(unsent)
	return err
}

// keepAlive gives the client time for its next request. The deadline is moved
// at coarse grain, so that a client has up to a quarter more.
func (c *Conn) keepAlive(now time.Time) {
	if !c.answered.Load() {
		c.answered.Store(true)
		c.again = true
	}
	idle := c.lane.cfg.IdleTimeout
	if now.Sub(c.armed) < idle/4 {
		return
	}
	c.armed = now
	_ = c.Transport.SetReadDeadline(time.Now().Add(idle + idle/4)) // fails as the read will
}

// hand gives net/http the request that p begins with, or all there is where it
// is not known where it ends. It returns how much of p that is; the rest is
// kept.
func (c *Conn) hand(p []byte, h *head, v verdict) int {
	c.armed = time.Time{}
	c.Transport.Passed(time.Now()) // until net/http calls it active it must not look as if it waited
	if v == foreign {
		c.standAside()
		return len(p)
	}
	if c.turn = theirs; v != plain {
		c.sample = undecided
	}
	c.content = max(h.length, 0)
	body := min(c.content, int64(len(p)-h.size))
	c.content -= body
	n := h.size + int(body)
	if n < len(p) {
		c.stash = append(append([]byte(nil), p[n:]...), c.stash...)
	}
	return n
}
