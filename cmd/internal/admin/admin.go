// Package admin is the operator's listener: health, readiness and metrics, and
// whatever others register beside them (the JSON API below /api/).
//
// It is apart from the proxy's listeners so that nothing the public can reach
// leads here. By default it listens on loopback. Who may ask:
//
//   - /healthz and /readyz answer everybody who can connect, and so does the
//     page, which holds no data: it asks the API for it.
//   - With a token, everything else wants it (RFC 6750 §2.1), on loopback too.
//   - Without one the address must be loopback, and the Host field must name
//     loopback or the listen address: a page in the operator's browser must not
//     reach in by DNS rebinding.
//   - A request of another web origin that could change something is refused.
//
// Errors are application/problem+json (RFC 9457).
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultAddress is where the operator's listener is when nothing else is said.
const DefaultAddress = "127.0.0.1:9090"

// Config is what a Server is made of.
type Config struct {
	Address string           // host:port; "" means DefaultAddress
	Token   string           // "" asks for none, and is refused unless Address is loopback
	Ready   func() Readiness // called by every /readyz, concurrently; nil: always ready
	Metrics http.Handler     // /metrics; nil answers 404
	Page    http.Handler     // / for browsers and all below /ui/, for which no token is asked; nil: there is none
	Log     *slog.Logger     // nil: nothing is logged
}

// Readiness is the answer of /readyz: 200 when Ready, else 503. Everybody who
// can connect may read it.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks,omitempty"`
}

// Check is one thing that readiness depends on.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Server is the operator's listener. Its methods are safe for concurrent use.
type Server struct {
	listener net.Listener
	address  string // as it was configured
	http     http.Server
	guard    guard
	page     http.Handler // nil: there is none
	log      *slog.Logger
	abort    context.CancelFunc // ends the contexts of the requests
	stopped  chan struct{}      // closed when the stop is complete
	stop     sync.Once
	stopErr  error // written before stopped is closed

	mux    *http.ServeMux
	mu     sync.Mutex // guards listed
	listed []string   // the patterns of mux, for the page that names them
}

// Limits of the operator's listener. They are fixed: few use it, and none of
// them needs more.
const (
	headerBytes   = 16 << 10
	bodyBytes     = 1 << 20
	connections   = 64
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
)

// New binds the address. The caller owns the Server and ends it with Shutdown,
// even when Serve was never called. A token that cannot stand in a header
// field, and a missing one where the address is not loopback, are errors.
func New(cfg Config) (*Server, error) {
	if cfg.Address == "" {
		cfg.Address = DefaultAddress
	}
	l, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (admin.address): %w; choose a free address of this machine", cfg.Address, err)
	}
	if err := usable(cfg.Token, cfg.Address, l.Addr()); err != nil {
		_ = l.Close()
		return nil, err
	}
	return newServer(cfg, l), nil
}

func newServer(cfg Config, l net.Listener) *Server {
	s := &Server{
		listener: netutil.LimitListener(l, connections),
		address:  cfg.Address,
		log:      cfg.Log,
		page:     cfg.Page,
		stopped:  make(chan struct{}),
		mux:      http.NewServeMux(),
	}
	s.guard.configure(cfg, l.Addr())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	ready := cfg.Ready
	if ready == nil {
		ready = func() Readiness { return Readiness{Ready: true} }
	}
	s.Handle("GET /healthz", http.HandlerFunc(healthy))
	s.Handle("GET /readyz", readiness(ready))
	if cfg.Metrics != nil {
		s.Handle("GET /metrics", cfg.Metrics)
	}

	if cfg.Page != nil {
		s.mux.Handle("GET /ui/", cfg.Page) // of no interest to who reads the list
	}

	base, abort := context.WithCancel(context.Background())
	s.abort = abort
	s.http = http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	return s
}

// Handle registers h for an http.ServeMux pattern, such as "POST /api/purge".
// The guard stands before h, and the request body is bounded to 1 MiB. It may
// be called while requests are served; a pattern that is taken already, or
// malformed, is a fault of the caller's and panics as http.ServeMux does.
//
// A response must end within a minute; a handler that streams moves its
// deadline with http.ResponseController. The security fields, a
// Content-Security-Policy that allows nothing among them, are set before h and
// may be replaced by it.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.mux.Handle(pattern, h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = append(s.listed, pattern)
}

// PlanToken makes another token ready, "" for none, which commit makes the one
// that is asked for from then on. It fails as New does.
func (s *Server) PlanToken(token string) (commit func(), err error) {
	if err := usable(token, s.address, s.Addr()); err != nil {
		return nil, err
	}
	return func() { s.guard.want(token) }, nil
}

// Addr returns the bound address.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers requests until Shutdown is called or ctx ends, and returns when
// everything is closed. It returns what Shutdown returned; the context's error
// when requests were cut because ctx ended; or why the listener failed. It may
// be called once.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case <-ctx.Done():
		err := s.close(ctx)
		if accept := <-failed; !errors.Is(accept, http.ErrServerClosed) {
			err = errors.Join(err, accept)
		}
		return err
	case err := <-failed:
		if !errors.Is(err, http.ErrServerClosed) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_ = s.close(ended)
			return fmt.Errorf("cannot accept on %s (admin.address): %w", s.Addr(), err)
		}
	}
	<-s.stopped
	return s.stopErr
}

// Shutdown stops accepting and waits for the requests under way. When ctx ends
// first their connections are closed, and its error is returned. The first call
// decides; later ones wait for it.
func (s *Server) Shutdown(ctx context.Context) error { return s.close(ctx) }

func (s *Server) close(ctx context.Context) error {
	s.stop.Do(func() {
		s.stopErr = s.http.Shutdown(ctx)
		s.abort()
		_ = s.http.Close()
		_ = s.listener.Close() // also when it was never served
		close(s.stopped)
	})
	return s.stopErr
}

// healthy says that the process answers, no more.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // the client may be gone
}
