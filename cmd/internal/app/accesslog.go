package app

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"

	"veneer/cache"
	"veneer/cmd/internal/accesslog"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/upstream/forward"
)

// accessLog is the access log of an App, which a reload may begin, change and
// end. App.mu guards it, but for trust.
type accessLog struct {
	log        *accesslog.Log // nil: there is none
	detach     func()         // no more requests for log
	unregister func()         // no more scrapes

	// trust is of the current plan. A request that ends after a reload is logged
	// with the client that the new one makes of its fields.
	trust atomic.Pointer[forward.Trust]
}

func (l *accessLog) peer(q *cache.Request) (scheme string, client netip.Addr) {
	return effective(q, *l.trust.Load())
}

// planAccessLog makes ready what next says. commit makes it so, and drop undoes
// the making ready; one of them has to be called. a.mu is held, or a is still
// being built.
func (a *App) planAccessLog(next *config.Config) (commit func() error, drop func(), err error) {
	cfg := next.Telemetry.AccessLog
	l := &a.accessLog
	trust := forward.NewTrust(next.Server.TrustedProxies...)
	nothing := func() {}
	switch {
	case cfg == nil && l.log == nil:
		return func() error { return nil }, nothing, nil
	case cfg == nil:
		return func() error { a.endAccessLog(context.Background()); return nil }, nothing, nil
	case l.log == nil:
		log, err := accesslog.New(*cfg, accesslog.Options{Peer: l.peer, Send: a.telemetry.Lines(), Log: a.log})
		if err != nil {
			return nil, nil, err
		}
		return func() error { l.trust.Store(&trust); a.beginAccessLog(log); return nil }, func() { _ = log.Close(endedContext()) }, nil
	}
	change, err := l.log.Prepare(*cfg)
	if err != nil {
		return nil, nil, err
	}
	return func() error { l.trust.Store(&trust); return change.Commit() }, change.Discard, nil
}

func (a *App) beginAccessLog(log *accesslog.Log) {
	a.accessLog.log, a.accessLog.detach = log, a.recorder.attach(log)
	a.accessLog.unregister = a.registerLost(log.Lost)
}

// registerLost makes the lines that were lost visible until its unregister is
// called.
func (a *App) registerLost(lost func() (slow, failed int64)) (unregister func()) {
	return a.telemetry.Register(telemetry.AccessLogDropped, func() []telemetry.Sample {
		slow, failed := lost()
		return []telemetry.Sample{{Labels: [2]string{"slow"}, Value: slow}, {Labels: [2]string{"failed"}, Value: failed}}
	})
}

// endAccessLog writes what is left, until ctx ends.
func (a *App) endAccessLog(ctx context.Context) {
	l := &a.accessLog
	if l.log == nil {
		return
	}
	l.detach()
	ctx, cancel := context.WithTimeout(ctx, lastGrace)
	defer cancel()
	if err := l.log.Close(ctx); err != nil {
		a.log.Warn(err.Error())
	}
	l.unregister()
	l.log, l.detach, l.unregister = nil, nil, nil
}

// ReopenAccessLog opens the file of the access log again, for whoever has moved
// it away (logrotate). On an error the old file stays in use.
func (a *App) ReopenAccessLog() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accessLog.log == nil {
		return errors.New("there is no access log to open again: telemetry.access_log is not set")
	}
	return a.accessLog.log.Reopen()
}
