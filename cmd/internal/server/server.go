// Package server is where clients connect: listeners, TLS, HTTP/1.1 and
// HTTP/2, the limits on what a client can make the process hold, and a stop
// that loses no request.
//
// It hands every request to one http.Handler, which Swap replaces as a whole
// while requests are under way, but for those that a hit lane (cache/lane) has
// answered before net/http saw them. It knows neither routes nor caching: the
// lane asks the engine, and the server keeps to its limits and stops for both.
//
// What a handler gets from it: a ResponseWriter that works with
// http.ResponseController; a request body that ends with *http.MaxBytesError
// when it is larger than the limit and with os.ErrDeadlineExceeded when the
// client stops sending; and a recovery from panics.
//
// net/http parses the requests, and it accepts some things in silence that
// cannot be seen afterwards: a bare LF as line end, an obs-fold (joined), the
// Host of an absolute-form target over the Host field (as RFC 9112 §3.2.2
// asks), and Transfer-Encoding beside Content-Length. The last is dangerous
// behind another proxy (request smuggling), so a connection that carried a
// chunked request is closed after the response, as RFC 9112 §6.1 demands for
// the case that cannot be told apart. A chunked HTTP/1.0 request is read as if
// it had no Transfer-Encoding, and cannot be seen at all.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"veneer/cache"
	"veneer/cache/lane"
)

// Config is what a Server is made of. New does not keep the slices.
type Config struct {
	HTTP    []string // addresses for cleartext HTTP/1.1: "127.0.0.1:8080", ":80"
	HTTPS   *TLS     // nil: no TLS
	Limits  Limits
	Handler http.Handler // nil answers 503 until Swap gives one
	// Lane is the engine whose hits a lane answers in front of Handler, as
	// Handler would, over HTTP/1.1; nil: there is no lane.
	Lane *cache.Engine
	// Sample reports whether a request that a lane reads gets a trace; for one
	// that Handler answers see Sampled. Nil: none does.
	Sample func(*cache.Request) bool
	Log    *slog.Logger // nil: nothing is logged
}

// Server is a set of listeners with one handler behind them. Its methods are
// safe for concurrent use.
type Server struct {
	limits    Limits
	log       *slog.Logger
	noise     *bounded // messages that a client can cause at will
	listeners []*listener
	cert      *certificate // nil without TLS
	http      http.Server
	handler   atomic.Pointer[http.Handler]
	conns     connSet
	inflight  gate

	base      context.Context // of every request; ends when the server is closed
	abort     context.CancelFunc
	serving   atomic.Bool
	stopping  chan struct{} // closed when no more connections are accepted
	stopped   chan struct{} // closed when the stop is complete
	stopOnce  sync.Once
	stopError error // written before stopped is closed
}

// New binds all addresses and loads the certificate, or does nothing at all:
// on an error no address stays bound. The error names the address and says what
// to do. The caller owns the Server and ends it with Shutdown, even when Serve
// was never called.
func New(cfg Config) (*Server, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	var cert *certificate
	if cfg.HTTPS != nil {
		if cert, err = newCertificate(*cfg.HTTPS); err != nil {
			return nil, err
		}
	}
	bound, err := bind(cfg.HTTP, cfg.HTTPS)
	if err != nil {
		return nil, err
	}
	return newServer(cfg, limits, cert, bound), nil
}

// newServer joins the parts. It cannot fail, so that bound listeners always
// have an owner.
func newServer(cfg Config, limits Limits, cert *certificate, bound []boundListener) *Server {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		limits:   limits,
		log:      log,
		noise:    newBounded(log),
		cert:     cert,
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	s.inflight.idle = make(chan struct{}, 1)
	s.conns.init(limits.Connections)
	s.base, s.abort = context.WithCancel(context.Background())
	s.Swap(cfg.Handler)

	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // over TLS only: cleartext HTTP/2 is a protocol of its own
	s.http = http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       limits.IdleTimeout,
		// Up to there the request reaches headTooLarge, whose answer can be
		// read: net/http's own is plain text, and none at all on HTTP/2.
		MaxHeaderBytes: headSlack * limits.HeaderBytes,
		Protocols:      &protocols,
		HTTP2:          limits.http2(),
		ErrorLog:       s.noise.stdLogger(),
		ConnState:      s.connState,
		ConnContext:    s.connContext,
		BaseContext:    func(net.Listener) context.Context { return s.base },
	}
	if cert != nil {
		s.http.TLSConfig = cert.config()
	}
	for _, b := range bound {
		l := &listener{Listener: b.Listener, server: s, tls: b.tls}
		if cfg.Lane != nil {
			l.lane = lane.New(lane.Config{
				Engine: cfg.Lane, Secure: b.tls, Sample: cfg.Sample, HeaderBytes: limits.HeaderBytes,
				HeaderTimeout: limits.HeaderTimeout, IdleTimeout: limits.IdleTimeout,
			})
		}
		s.listeners = append(s.listeners, l)
	}
	return s
}

// Addrs returns the bound addresses: those of Config.HTTP in their order, then
// that of Config.HTTPS.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Swap makes h the handler of every request that begins from now on; requests
// under way stay with theirs. A nil h answers 503.
func (s *Server) Swap(h http.Handler) {
	if h == nil {
		h = http.HandlerFunc(unavailable)
	}
	s.handler.Store(&h)
}

// ReloadCertificates reads the certificate and key files again. Connections
// that begin afterwards get the new certificate. On an error the old one stays
// in use. Without TLS it does nothing.
func (s *Server) ReloadCertificates() error {
	if s.cert == nil {
		return nil
	}
	return s.cert.load()
}

// Serve accepts connections until Shutdown is called, and returns when
// Shutdown has finished: nil, or what Shutdown returned. It may be called once.
//
// The end of ctx is no graceful stop: all connections are closed and all
// requests cancelled at once, and if there were any, the error is a context's.
// When a listener fails the others are closed too, and the failure is returned.
func (s *Server) Serve(ctx context.Context) error {
	if !s.serving.CompareAndSwap(false, true) {
		return errors.New("cannot serve: Serve was called before")
	}
	failed := make(chan error, len(s.listeners))
	var accepting sync.WaitGroup
	for _, l := range s.listeners {
		accepting.Go(func() { failed <- s.accept(l) })
	}
	defer accepting.Wait()

	select {
	case <-ctx.Done():
		return s.stop(closedContext)
	case err := <-failed:
		if !errors.Is(err, http.ErrServerClosed) {
			return errors.Join(err, s.stop(closedContext))
		}
	case <-s.stopping:
	}
	<-s.stopped
	return s.stopError
}

// accept runs one listener; it always returns an error.
func (s *Server) accept(l *listener) error {
	var err error
	switch {
	case !l.tls:
		err = s.http.Serve(l)
	case l.lane == nil:
		err = s.http.ServeTLS(l, "", "")
	default:
		h := newHandshaker(l, s.cert.config())
		err = s.http.Serve(h)
		_ = h.Close() // net/http has closed it, unless it never began
	}
	select {
	case <-s.stopping:
		return http.ErrServerClosed
	default:
		return fmt.Errorf("cannot accept on %s: %w", l.Addr(), err)
	}
}

// closedContext is a context that has ended: stop without waiting.
var closedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Shutdown stops accepting, waits until the requests under way are answered,
// and closes the connections. Upgraded connections are told to end by the end
// of their request's context, and closed when their handler returns.
//
// When ctx ends first, everything is closed, the contexts of the requests end,
// and Shutdown returns the context's error. It returns only after the handlers
// have returned, unless they ignore the end of their context for some seconds:
// then it says how many are left.
//
// The first call decides; later ones wait for it.
func (s *Server) Shutdown(ctx context.Context) error { return s.stop(ctx) }

func (s *Server) stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.stopError = s.drain(ctx)
		close(s.stopped)
	})
	return s.stopError
}

// abortGrace is how long a handler may take to return once its context ended.
const abortGrace = 5 * time.Second

func (s *Server) drain(ctx context.Context) error {
	close(s.stopping)
	for _, l := range s.listeners {
		_ = l.Close() // also those that were never served
	}
	s.conns.endUpgraded()
	shut := make(chan struct{})
	var closing sync.WaitGroup
	closing.Go(func() { s.conns.keepClosing(shut) })
	err := s.http.Shutdown(ctx)
	close(shut)
	closing.Wait()
	if err == nil {
		err = s.inflight.wait(ctx)
	}
	if err == nil {
		err = s.conns.waitForWrites(ctx)
	}
	s.abort()
	if err == nil {
		s.conns.closeAll() // what handlers left open: upgraded connections
		return nil
	}
	_ = s.http.Close()
	s.conns.closeAll()
	late, cancel := context.WithTimeout(context.Background(), abortGrace)
	defer cancel()
	if s.inflight.wait(late) != nil {
		return fmt.Errorf("cannot end %d requests that ignore the end of their context: %w", s.inflight.n.Load(), err)
	}
	return err
}

// gate counts the requests under way and lets one goroutine wait for none.
type gate struct {
	n        atomic.Int64
	draining atomic.Bool
	idle     chan struct{} // capacity 1
}

func (g *gate) enter() { g.n.Add(1) }

func (g *gate) leave() {
	if g.n.Add(-1) > 0 || !g.draining.Load() {
		return
	}
	select {
	case g.idle <- struct{}{}:
	default:
	}
}

// wait returns nil once no request is under way, or the context's error.
func (g *gate) wait(ctx context.Context) error {
	g.draining.Store(true)
	for g.n.Load() > 0 {
		select {
		case <-g.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
