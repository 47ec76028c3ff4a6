package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ping asks the server itself, whatever it serves: RFC 9110 §9.3.7 calls it a
// no-op. net/http answers it, so it is in no log and in no metric.
const ping = "OPTIONS * HTTP/1.1\r\nHost: veneer\r\nConnection: close\r\n\r\n"

// Alive asks each listener, as a client would, and returns an error when one
// does not answer before ctx ends: connections are not accepted any more, or
// nobody reads from them. A server that has as many connections as it may have,
// or a process that has as many files, is busy: nothing is said against it.
func (s *Server) Alive(ctx context.Context) error {
	for _, l := range s.listeners {
		err := l.answers(ctx)
		full := len(s.conns.slots) == cap(s.conns.slots) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
		if err != nil && !full {
			return fmt.Errorf("%s does not answer: %w", l.Addr(), err)
		}
	}
	return nil
}

func (l *listener) answers(ctx context.Context) error {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if l.tls {
		// To itself, and it sends nothing that matters: whose certificate it is
		// does not.
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(c, ping); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close() // it is empty
	return nil
}
