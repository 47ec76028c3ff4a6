// Package app joins the parts into one running proxy: it makes of a checked
// configuration the plan that the engine serves, replaces it whole on a reload,
// and begins and ends everything in the right order.
//
// It is the only place that knows the engine, the CORS policies and the
// upstreams at once; they meet here through the interfaces that the engine
// owns.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"veneer/cache"
	"veneer/cache/store/memory"
	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/admin/ui"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/live"
	"veneer/cmd/internal/server"
	"veneer/cmd/internal/telemetry"
)

// Options are what the configuration does not say.
type Options struct {
	Log     *slog.Logger // nil: nothing is logged
	Version string       // for telemetry; "" leaves it out
	Load    Loader       // reads the configuration again; nil: it cannot be reloaded from a file
}

// App is one proxy. Build makes it with its listeners bound, Run serves, and
// Drain ends it; it is not used again after that. Its methods are safe for
// concurrent use.
type App struct {
	log       *slog.Logger
	telemetry *telemetry.Telemetry
	trusted   atomic.Pointer[func(peer string) bool]      // of the current plan
	scheme    atomic.Pointer[func(*cache.Request) string] // of the current plan; nil func: what the connection says
	recorder  *recorder
	live      *live.Live // nil without an admin listener: nobody would look
	version   string
	accessLog accessLog
	store     *memory.Store
	purges    purgeCounts
	engine    *cache.Engine
	server    *server.Server
	admin     *admin.Server // nil: there is none

	phase  atomic.Int32
	load   Loader // nil: there is no file
	config atomic.Pointer[ConfigStatus]

	reloads sync.Mutex // held through a ReloadFile

	mu    sync.Mutex // guards plan and marks: one reload at a time, and none beside a drain
	plan  *plan
	marks map[string]*upstreamMarks // by upstream, of all plans so far

	drain    sync.Once
	drainErr error // written before the first Drain returns
}

// The phases of an App, which only goes forward.
const (
	starting int32 = iota
	serving
	leaving
	draining
)

// Build makes the proxy that cfg describes and binds its listeners. On an error
// nothing stays behind. cfg must have passed config.Load or Check; the App
// keeps it. The caller ends the App with Drain, also when Run was never called.
//
// A listener that cannot be bound is an error that wraps a *net.OpError.
func Build(cfg *config.Config, opt Options) (*App, error) {
	a := &App{log: opt.Log, version: opt.Version, marks: make(map[string]*upstreamMarks)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if err := a.build(cfg, opt); err != nil {
		_ = a.closeParts(endedContext()) // nothing was served yet
		return nil, err
	}
	return a, nil
}

func (a *App) build(cfg *config.Config, opt Options) (err error) {
	if a.telemetry, err = telemetry.New(telemetry.Config{
		ServiceName: cfg.Telemetry.ServiceName, Version: opt.Version, Prometheus: cfg.Telemetry.Prometheus,
		Metrics: metricsConfig(cfg), Traces: a.tracesConfig(cfg), Logs: logsConfig(cfg), Log: a.log,
	}); err != nil {
		return err
	}
	a.log = a.telemetry.Logger(a.log)
	a.recorder = newRecorder(a.telemetry)
	if cfg.Admin.Address != "" {
		a.beginLive()
	}
	if a.store, err = memory.New(memory.Config{Size: cfg.Store.MemorySize}); err != nil {
		return fmt.Errorf("cannot make the store (store.memory.size): %w", err)
	}
	p, err := a.compile(cfg)
	if err != nil {
		return err
	}
	a.engine = cache.New(cache.Config{
		Plan: p.engine, Recorder: a.recorder,
		Log:   func(ctx context.Context, msg string, err any) { a.log.ErrorContext(ctx, msg, "error", err) },
		Trace: engineTracer(a.telemetry.Traces()),
	})
	a.adopt(p)
	a.load = opt.Load
	a.config.Store(&ConfigStatus{Generation: 1, File: cfg.File, LoadedAt: time.Now(), OK: true})
	a.registerConfig()
	commit, _, err := a.planAccessLog(cfg)
	if err != nil {
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	a.registerStore()
	a.purges.register(a.telemetry)
	a.registerLost(func() (slow, failed int64) { return 0, 0 }) // a rate needs a zero before the first one
	if cfg.Admin.Address != "" {
		if a.admin, err = admin.New(admin.Config{
			Address: cfg.Admin.Address, Token: cfg.Admin.Token.Reveal(),
			Ready: a.readiness, Metrics: a.telemetry.Handler(), Page: ui.Handler(), Log: a.log,
		}); err != nil {
			return err
		}
		a.registerAPI()
	}
	a.server, err = server.New(serverConfig(cfg, a))
	return err
}

func serverConfig(cfg *config.Config, a *App) server.Config {
	l := &cfg.Server.Limits
	c := server.Config{
		HTTP: cfg.Server.HTTP, Handler: a.engine, Log: a.log,
		Limits: server.Limits{
			HeaderBytes: l.HeaderBytes, BodyBytes: l.BodyBytes,
			HeaderTimeout: l.HeaderTimeout, IdleTimeout: l.IdleTimeout,
			WriteStall: l.WriteStall, Connections: l.Connections,
		},
	}
	if cfg.Server.Lane {
		c.Lane, c.Sample = a.engine, laneSample(a.telemetry.Traces())
	}
	if t := cfg.Server.HTTPS; t != nil {
		c.HTTPS = &server.TLS{Address: t.Address, CertFile: t.CertFile, KeyFile: t.KeyFile}
	}
	return c
}

// Addrs returns the bound addresses of the proxy: those of server.http in their
// order, then that of server.https.
func (a *App) Addrs() []net.Addr { return a.server.Addrs() }

// AdminAddr returns the bound address of the admin listener, or nil.
func (a *App) AdminAddr() net.Addr {
	if a.admin == nil {
		return nil
	}
	return a.admin.Addr()
}

// Log returns Options.Log or, when telemetry.logs is on, one that goes there and
// to the collector.
func (a *App) Log() *slog.Logger { return a.log }

// readiness answers /readyz. What an upstream does is not in it: a cache with a
// failing upstream still answers from its store, and to take every instance
// out of a load balancer at once would help nobody.
func (a *App) readiness() admin.Readiness {
	check := admin.Check{Name: "serving"}
	switch a.phase.Load() {
	case starting:
		check.Detail = "starting"
	case serving:
		check.OK = true
	default:
		check.Detail = "draining"
	}
	return admin.Readiness{Ready: check.OK, Checks: []admin.Check{check, a.configurationCheck()}}
}

// Run serves until Drain has ended, and returns what Drain returned. The end of
// ctx stops everything at once; when a listener fails the others are stopped
// too, and the failure is returned. It may be called once.
func (a *App) Run(ctx context.Context) error {
	serve := []func(context.Context) error{a.server.Serve}
	if a.admin != nil {
		serve = append(serve, a.admin.Serve)
	}
	a.phase.CompareAndSwap(starting, serving)
	ended := make(chan error, len(serve))
	var all sync.WaitGroup
	for _, f := range serve {
		all.Go(func() { ended <- f(ctx) })
	}
	watch, endWatch := context.WithCancel(ctx)
	defer endWatch()
	if a.live != nil {
		all.Go(func() { a.live.Run(watch) })
	}
	err := <-ended
	if a.phase.Load() == draining {
		err = nil // the listener was told to end; Drain says how that went
	}
	err = errors.Join(err, a.Drain(endedContext()))
	endWatch()
	all.Wait()
	return err
}

// Alive returns an error when a listener of the proxy does not answer before ctx
// ends, and nothing is known that would excuse it.
func (a *App) Alive(ctx context.Context) error { return a.server.Alive(ctx) }

// Leave makes /readyz answer 503 while everything else goes on, so that load
// balancers send no more before Drain closes the listeners.
func (a *App) Leave() {
	for p := a.phase.Load(); p < leaving && !a.phase.CompareAndSwap(p, leaving); {
		p = a.phase.Load()
	}
}

// Drain ends the App and loses no request: /readyz answers 503, the listeners
// close, requests under way are answered, upgraded connections and background
// fetches end, then everything else. When ctx ends first the rest is cut, and
// the error says so. The first call decides; later ones wait for it.
func (a *App) Drain(ctx context.Context) error {
	a.drain.Do(func() {
		a.phase.Store(draining)
		a.drainErr = a.closeParts(ctx)
	})
	return a.drainErr
}

// lastGrace is how long the parts that serve no client may take to end.
const lastGrace = 2 * time.Second

// closeParts ends what there is, the last made first, but for the admin
// listener: it goes last, so that an operator can watch.
func (a *App) closeParts(ctx context.Context) error {
	var errs []error
	if a.server != nil {
		if err := a.server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("cannot end all requests in time: %w", err))
		}
	}
	if a.engine != nil {
		a.engine.EndUpgrades()
		if err := a.engine.Close(ctx); err != nil && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("cannot end all fetches in time: %w", err))
		}
	}
	a.mu.Lock()
	if a.plan != nil {
		a.plan.close()
	}
	a.endAccessLog(context.WithoutCancel(ctx)) // behind the last request
	a.mu.Unlock()
	if a.store != nil {
		a.store.Close()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastGrace)
	defer cancel()
	if a.telemetry != nil {
		_ = a.telemetry.Shutdown(last) // it logs what it loses, which fails no request
	}
	if a.admin != nil {
		_ = a.admin.Shutdown(last) // an operator's poll that is cut is no fault
	}
	return errors.Join(errs...)
}

// endedContext returns a context that has ended: stop without waiting.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
