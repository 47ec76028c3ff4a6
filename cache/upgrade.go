package cache

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"veneer/cache/cachestatus"
)

// deliverUpgrade passes a connection that changed protocol (RFC 9110 §7.8,
// WebSocket above all) through: bytes both ways until either side ends or the
// Engine does.
func (x *exchange) deliverUpgrade(res *http.Response) {
	peer, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		res.Body.Close()
		x.fail(http.StatusBadGateway, cachestatus.UpstreamProtocol, "The upstream changed protocol on a connection that cannot be taken over.")
		return
	}
	defer peer.Close()
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.fail(http.StatusBadGateway, cachestatus.UpstreamProtocol, "This connection cannot change protocol.")
		return
	}
	defer x.e.beginUpgrade()()
	defer x.record() // before Close returns
	defer conn.Close()
	x.started = true
	x.decision.Status = res.StatusCode
	dropOwn(res.Header)
	if err := writeSwitch(rw.Writer, res); err != nil {
		return
	}
	end := func() { conn.Close(); peer.Close() }
	defer context.AfterFunc(x.e.upgrades, end)()
	defer context.AfterFunc(x.r.Context(), end)() // a server that stops ends it
	// Only what is buffered is read through net/http: to it the end of the
	// client's half would be the end of the request, and with it of the context.
	early := make([]byte, rw.Reader.Buffered())
	if _, err := io.ReadFull(rw.Reader, early); err != nil {
		return
	}
	x.decision.Sent = relay(conn, io.MultiReader(bytes.NewReader(early), conn), peer, end)
}

// writeSwitch sends the 101 head as the upstream wrote it.
func writeSwitch(w *bufio.Writer, res *http.Response) error {
	head := &http.Response{
		StatusCode: res.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: res.Header,
	}
	if err := head.Write(w); err != nil {
		return err
	}
	return w.Flush()
}

// halfClosed is how long one direction may outlive the other.
const halfClosed = 30 * time.Second

// relay copies both ways until both are done; a side that ends its half is
// told on to the other where the connection can say so, and the other has some
// time left to say the rest. It returns how many bytes the client was sent.
func relay(conn net.Conn, fromClient io.Reader, peer io.ReadWriteCloser, end func()) (sent int64) {
	var both sync.WaitGroup
	patience := time.AfterFunc(halfClosed, end)
	patience.Stop()
	both.Go(func() {
		_, _ = io.Copy(peer, fromClient)
		closeWrite(peer)
		patience.Reset(halfClosed)
	})
	both.Go(func() {
		sent, _ = io.Copy(conn, peer)
		closeWrite(conn)
		patience.Reset(halfClosed)
	})
	both.Wait()
	patience.Stop()
	return sent
}

// closeWrite ends one direction, or all where that is all there is.
func closeWrite(c io.Closer) {
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	c.Close()
}
