package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"veneer/cache/lane"
)

// boundListener is a bound address and what is spoken on it.
type boundListener struct {
	net.Listener
	tls bool
}

// bind opens all addresses or none.
func bind(plain []string, secure *TLS) (bound []boundListener, err error) {
	if len(plain) == 0 && secure == nil {
		return nil, errors.New("cannot listen: no address is given; set server.http or server.https")
	}
	defer func() {
		if err == nil {
			return
		}
		for _, b := range bound {
			_ = b.Close()
		}
	}()
	open := func(field, address string, tls bool) error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return bindError(field, address, err)
		}
		bound = append(bound, boundListener{l, tls})
		return nil
	}
	for _, a := range plain {
		if err := open("server.http", a, false); err != nil {
			return bound, err
		}
	}
	if secure == nil {
		return bound, nil
	}
	return bound, open("server.https", secure.Address, true)
}

// bindError says what is wrong and what helps.
func bindError(field, address string, err error) error {
	fix := "give it as host:port, with an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		fix = "something else holds it, and the system does not say what: stop it, or choose another address"
	case errors.Is(err, syscall.EACCES):
		fix = "ports below 1024 need the capability CAP_NET_BIND_SERVICE: grant it, or choose a higher port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		fix = "no interface of this machine has it: choose one that an interface has, or leave the host out for all"
	}
	return fmt.Errorf("cannot listen on %s (%s): %w; %s", address, field, err, fix)
}

// listener hands wrapped connections to net/http and keeps to the limit of
// connections.
type listener struct {
	net.Listener
	server *Server
	tls    bool
	lane   *lane.Lane // nil: there is none

	closing  sync.Once
	closeErr error
}

// Close closes the listener. Both drain and net/http call it; the second time
// is no error.
func (l *listener) Close() error {
	l.closing.Do(func() { l.closeErr = l.Listener.Close() })
	return l.closeErr
}

// evictRetry is how often a full server looks again for a connection to close.
const evictRetry = time.Second

// Accept returns the next connection, with a lane in front where there is one.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.accepted()
	if err != nil {
		return nil, err
	}
	if l.lane == nil || l.tls {
		return c, nil
	}
	laned := l.lane.Conn(c)
	c.lane.Store(laned)
	return laned, nil
}

// accepted waits for a connection and then for a free slot; so at the limit one
// connection a listener is held without being served, and the others wait in
// the system's queue.
func (l *listener) accepted() (*conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.server
	if !s.waitForSlot() {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	return s.conns.add(raw, s.limits.WriteStall), nil
}

// waitForSlot reserves room for one connection. It reports false when the
// server stops first.
func (s *Server) waitForSlot() bool {
	select {
	case s.conns.slots <- struct{}{}:
		return true
	default:
	}
	s.noise.log(context.Background(), levelFull, "connection limit reached; closing idle connections", "connections", s.limits.Connections)
	retry := time.NewTicker(evictRetry)
	defer retry.Stop()
	for {
		s.conns.evictIdle()
		select {
		case s.conns.slots <- struct{}{}:
			return true
		case <-retry.C:
		case <-s.stopping:
			return false
		}
	}
}
