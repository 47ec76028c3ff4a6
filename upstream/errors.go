package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Kind says at which point an exchange with an upstream failed.
type Kind uint8

const (
	// Unreachable: no connection, or it broke before anything was received.
	Unreachable Kind = iota
	// Timeout: connection or response head did not come in time.
	Timeout
	// Protocol: what came is not a valid response, or ended early.
	Protocol
	// NoServer: the balancer picked none.
	NoServer
	// Loop: CDN-Loop says that the request has been here before (RFC 8586).
	Loop
	// Aborted: the request's context ended; that is not the upstream's fault.
	Aborted
	// Content: the request's content could not be read. That is the client's
	// doing.
	Content
	// Refused: the name of an external upstream stands for an address that it
	// may not have.
	Refused
)

var kinds = [...]struct {
	status      int
	token, text string
}{
	Unreachable: {http.StatusBadGateway, "upstream-unreachable", "cannot reach"},
	Timeout:     {http.StatusGatewayTimeout, "upstream-timeout", "no timely answer from"},
	Protocol:    {http.StatusBadGateway, "upstream-protocol", "no valid response from"},
	NoServer:    {http.StatusServiceUnavailable, "no-healthy-server", "no server to try in"},
	Loop:        {http.StatusLoopDetected, "loop", "the request has been here before: it will not go to"},
	// The client of an aborted request has left, or it was our own deadline.
	Aborted: {http.StatusGatewayTimeout, "upstream-timeout", "gave up on"},
	Content: {http.StatusRequestTimeout, "request-timeout", "the content did not arrive that goes to"},
	Refused: {http.StatusBadGateway, "upstream-refused-address", "will not connect to"},
}

// Error is why no response, or not all of it, came from an upstream. Error()
// and Server name internal addresses: they are for logs. What a client may see
// is HTTPStatus and Token.
type Error struct {
	Kind   Kind
	Server string // the server's authority, or the pool's name when none was asked
	Err    error  // the cause; nil when Kind says all
}

// Error describes e for a log.
func (e *Error) Error() string {
	s := "upstream: " + kinds[e.Kind].text + " " + e.Server
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is the status to answer with: 502 when the upstream is not
// reachable or does not speak HTTP, 503 when there is no server to ask, 504
// when it did not answer in time, 508 for a loop, and 408 when it was the
// client whose content did not come.
func (e *Error) HTTPStatus() int { return kinds[e.Kind].status }

// Token is the stable word for e, one of those of package cachestatus.
func (e *Error) Token() string { return kinds[e.Kind].token }

var (
	errLength   = errors.New("Content-Length is invalid, doubled or not the length that was parsed")
	errStatus   = errors.New("the status is not one of a final response")
	errSwitched = errors.New("the protocol was switched without being asked to")
)

// classify finds the Kind of an error of the transport, and whether it counts
// against the server.
func classify(ctx context.Context, err error, a *attempt) (kind Kind, counts bool) {
	var timeout net.Error
	var refused *AddressError
	switch {
	case a.body.failed() != nil:
		return Content, false
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout, false
	case ctx.Err() != nil:
		return Aborted, false
	case !a.asked.Load():
		// net/http refused the request itself.
		return Protocol, false
	case errors.As(err, &refused):
		return Refused, true
	case errors.As(err, &timeout) && timeout.Timeout():
		// A server that is slow with one page is not one that is gone.
		return Timeout, !a.connected.Load()
	case a.received.Load(), a.connected.Load() && !broken(err):
		// A reset stream, or a request too large for the peer's limits, says
		// nothing about the connection; clients could provoke it.
		return Protocol, false
	}
	return Unreachable, true
}

// broken reports whether err is about the connection itself. net/http has no
// type for the last ones.
func broken(err error) bool {
	var op *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op) {
		return true
	}
	for _, text := range [...]string{"server closed idle connection", "client connection lost", "client connection force closed", "sent GOAWAY"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
