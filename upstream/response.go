package upstream

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"veneer/upstream/forward"
)

// accept makes a response ready for the caller, or says why it is none.
func (a *attempt) accept(res *http.Response) error {
	h := res.Header
	switched := res.StatusCode == http.StatusSwitchingProtocols
	if !switched && (res.StatusCode < 200 || res.StatusCode > 999) {
		// A ResponseWriter cannot even send a status outside of three digits.
		return errStatus
	}
	if err := checkLength(res, a.request.Method); err != nil {
		return err
	}
	protocol := forward.UpgradeType(h)
	forward.StripResponse(h)
	external := a.pool.config.External
	if external != nil {
		external.Clean(h)
	}
	if switched {
		rw, ok := res.Body.(io.ReadWriteCloser)
		if a.upgrade == "" || !ok || !strings.EqualFold(protocol, a.upgrade) {
			return errSwitched
		}
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{protocol}
		res.Body = &upgraded{ReadWriteCloser: rw, server: a.server}
		return nil
	}
	res.TransferEncoding, res.Close = nil, false
	if withoutContent(res.StatusCode, a.request.Method) {
		// net/http hands out content for some of these on HTTP/2.
		res.Body.Close()
		res.Body = http.NoBody
		if a.request.Method != http.MethodHead {
			res.ContentLength = 0
		}
		res.Trailer = nil
		a.server.inFlight.Add(-1)
		return nil
	}
	res.Body = &content{rc: res.Body, response: res, server: a.server, external: external}
	return nil
}

// withoutContent reports whether a response ends with its head (RFC 9112 §6.3).
func withoutContent(status int, method string) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// checkLength compares the Content-Length field with the length that net/http
// goes by. For HTTP/1.1 it has checked them itself. Its HTTP/2 client takes a
// field that is doubled or no number for none at all, where the message is
// malformed (RFC 9113 §8.1.1). Where a 204 or 304 ends with its head the field
// is about another response, and only has to be a number.
func checkLength(res *http.Response, method string) error {
	lines := res.Header["Content-Length"]
	if len(lines) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(lines[0], 10, 63)
	if err != nil || len(lines) > 1 || strings.Trim(lines[0], "0123456789") != "" {
		return errLength
	}
	if withoutContent(res.StatusCode, method) && method != http.MethodHead {
		return nil
	}
	if res.StatusCode != http.StatusSwitchingProtocols && int64(n) != res.ContentLength {
		return errLength
	}
	return nil
}

// content is the body of a response.
type content struct {
	rc       io.ReadCloser
	response *http.Response
	server   *server
	external *External // nil: our own
	ended    atomic.Bool
}

// Read reads content. It returns io.EOF only when all of it was received.
func (c *content) Read(b []byte) (int, error) {
	n, err := c.rc.Read(b)
	switch {
	case err == nil:
	case err == io.EOF:
		forward.StripTrailer(c.response.Trailer)
		if c.external != nil {
			forward.ThirdPartyResponse(c.response.Trailer, c.external.Cookies)
		}
		c.end()
	case errors.Is(err, http.ErrBodyReadAfterClose):
	default:
		c.end()
		kind := Protocol
		if ctxErr := c.response.Request.Context().Err(); ctxErr != nil {
			kind = Aborted
		}
		err = &Error{Kind: kind, Server: c.server.url.Host, Err: err}
	}
	return n, err
}

// Close ends the exchange. What was not read is not waited for.
func (c *content) Close() error {
	c.end()
	return c.rc.Close()
}

func (c *content) end() {
	if c.ended.CompareAndSwap(false, true) {
		c.server.inFlight.Add(-1)
	}
}

// upgraded is a connection that changed protocol.
type upgraded struct {
	io.ReadWriteCloser
	server *server
	ended  atomic.Bool
}

// Close closes the connection.
func (u *upgraded) Close() error {
	if u.ended.CompareAndSwap(false, true) {
		u.server.inFlight.Add(-1)
	}
	return u.ReadWriteCloser.Close()
}

// CloseWrite ends our half of the connection where it can be ended alone.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// requestBody is the content of a request on its way out. Its Close does not
// reach the client's body: net/http closes early what it will not send, and a
// server's body would then wait for the client to send the rest. No Read
// reaches it afterwards, so that the transport is done with it.
type requestBody struct {
	rc    io.ReadCloser
	owned bool // it came from GetBody, and nobody else closes it

	mu     sync.Mutex // guards what follows
	closed bool
	err    error // why the content could not be read
}

// Read reads content, and remembers an error that is the client's fault.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.rc.Read(p)
	if err != nil && err != io.EOF {
		b.mu.Lock()
		if !b.closed {
			b.err = err
		}
		b.mu.Unlock()
	}
	return n, err
}

// Close ends the reading.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.owned {
		return b.rc.Close()
	}
	return nil
}

// failed returns why the content could not be read. A nil body has not failed.
func (b *requestBody) failed() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
