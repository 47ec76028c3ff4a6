package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"veneer/cmd/internal/config"
)

// Reload replaces the configuration by cfg as one: requests that begin
// afterwards see all of it, the others none. It keeps the cache, the open
// connections, and the pools of upstreams that have not changed with their
// health. TLS certificates and the admin token are read again. cfg must have passed config.Load or
// Check.
//
// On an error everything stays as it was. What the process has bound or
// reserved at its start (listeners, limits of connections, the store's size,
// telemetry) cannot be changed, and a cfg that does is an error: half a
// configuration would be a third one that nobody wrote.
func (a *App) Reload(cfg *config.Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase.Load() == draining {
		return errors.New("cannot reload: the process is ending")
	}
	old := a.plan.cfg
	if fixed := needRestart(old, cfg); len(fixed) > 0 {
		return fmt.Errorf("cannot reload: a change of %s needs a restart; restart, or put back what it was", strings.Join(fixed, ", "))
	}
	p, err := a.compile(cfg)
	if err != nil {
		return fmt.Errorf("cannot reload: %w", err)
	}
	if err := a.reloadRest(cfg); err != nil {
		p.closeExcept(a.plan)
		return fmt.Errorf("cannot reload: %w", err)
	}
	a.adopt(p)
	if leaks(old, cfg) {
		if _, err := a.store.Clear(context.Background()); err != nil {
			a.log.Error("cannot empty the store after CORS modes or external upstreams changed", "error", err)
		}
	}
	return nil
}

// reloadRest replaces what is no part of a plan.
func (a *App) reloadRest(cfg *config.Config) error {
	admit := func() {}
	if a.admin != nil {
		var err error
		if admit, err = a.admin.PlanToken(cfg.Admin.Token.Reveal()); err != nil {
			return err
		}
	}
	commit, drop, err := a.planAccessLog(cfg)
	if err != nil {
		return err
	}
	if err := a.server.ReloadCertificates(); err != nil {
		drop()
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	admit()
	return nil
}

// Loader reads the configuration again. The Config is nil when one of the
// problems is an error.
type Loader func() (*config.Config, config.Problems)

// ProblemsError is why a configuration was not taken: it has errors.
type ProblemsError struct{ Problems config.Problems }

// Error says how many, and the first.
func (e *ProblemsError) Error() string {
	if n := len(e.Problems); n > 1 {
		return fmt.Sprintf("cannot reload: the configuration has %d problems, the first: %s", n, e.Problems[0])
	}
	return fmt.Sprintf("cannot reload: %s", e.Problems[0])
}

// errNoFile: there is nothing to read again.
var errNoFile = errors.New("cannot reload: the instance was started without a file")

// ReloadFile reads the configuration again, with Options.Load, and replaces
// what runs as Reload does. What became of it is in ConfigStatus and in the
// metrics. One runs at a time. A *ProblemsError has the problems of the file.
func (a *App) ReloadFile() error {
	a.reloads.Lock()
	defer a.reloads.Unlock()
	if a.load == nil {
		return errNoFile
	}
	cfg, problems := a.load()
	var err error
	if errs := problems.Errors(); len(errs) > 0 {
		err = &ProblemsError{errs}
	} else {
		err = a.Reload(cfg)
	}
	a.tried(cfg, err)
	return err
}

// ConfigStatus is the configuration that runs, and what became of the last
// attempt to replace it.
type ConfigStatus struct {
	Generation uint64 // 1 is what the process began with
	File       string // "" when it came from no file
	LoadedAt   time.Time
	OK         bool // the last attempt succeeded, or there was none
	TriedAt    time.Time
	Error      string // of the last attempt
	Reloads    int64  // attempts that succeeded
	Failures   int64  // and those that did not
}

// ConfigStatus returns the state of the configuration.
func (a *App) ConfigStatus() ConfigStatus { return *a.config.Load() }

// tried notes what became of an attempt. a.reloads is held.
func (a *App) tried(cfg *config.Config, err error) {
	s := a.ConfigStatus()
	s.TriedAt, s.OK, s.Error = time.Now(), err == nil, ""
	if err == nil {
		s.Generation++
		s.Reloads++
		s.LoadedAt, s.File = s.TriedAt, cfg.File
	} else {
		s.Failures++
		s.Error = err.Error()
	}
	a.config.Store(&s)
}

// needRestart names what differs and cannot be changed while the process runs.
func needRestart(old, next *config.Config) []string {
	var names []string
	oldTelemetry, nextTelemetry := old.Telemetry, next.Telemetry
	oldTelemetry.AccessLog, nextTelemetry.AccessLog = nil, nil // that can be
	for _, part := range []struct {
		name      string
		old, next any
	}{
		{"server.http", old.Server.HTTP, next.Server.HTTP},
		{"server.https", old.Server.HTTPS, next.Server.HTTPS},
		{"server.lane", old.Server.Lane, next.Server.Lane},
		{"server.limits", old.Server.Limits, next.Server.Limits},
		{"admin.address", old.Admin.Address, next.Admin.Address},
		{"store", old.Store, next.Store},
		{"telemetry", oldTelemetry, nextTelemetry},
	} {
		if !reflect.DeepEqual(part.old, part.next) {
			names = append(names, part.name)
		}
	}
	return names
}
