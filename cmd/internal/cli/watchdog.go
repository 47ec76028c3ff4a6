package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// watchdog tells the service manager, twice in each interval that it has set,
// that the proxy is alive (WatchdogSec= of systemd.service(5)); silence makes
// the manager start it anew. Alive is a process whose supervise loop turns, since
// the word comes from there: it hears signals, and no reload hangs. And whose
// listeners answer, which is asked in the background. Upstreams, the store and
// the configuration have no say: no restart makes them better, and what is
// stored would be lost.
//
// Its methods are for the goroutine of the loop.
type watchdog struct {
	probe    func(context.Context) error
	tell     func()
	log      *slog.Logger
	interval time.Duration
	tick     *time.Ticker // nil: nobody watches
	asking   bool
	answered chan error // of the last ask, for heard
}

// newWatchdog begins to count. The caller ends it with stop. With an interval of
// zero it does nothing.
func newWatchdog(interval time.Duration, probe func(context.Context) error, tell func(), log *slog.Logger) *watchdog {
	w := &watchdog{probe: probe, tell: tell, log: log, interval: interval, answered: make(chan error, 1)}
	if interval > 0 {
		w.tick = time.NewTicker(max(interval/2, time.Millisecond))
	}
	return w
}

// watched is the interval that the service manager has set for this process, or
// zero.
func watched(log *slog.Logger) time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog is not understood; WatchdogSec= in the unit sets it", "error", err)
		return 0
	}
	return interval
}

// due has a value when ask is to be called.
func (w *watchdog) due() <-chan time.Time {
	if w.tick == nil {
		return nil
	}
	return w.tick.C
}

// ask has the proxy asked, for a quarter of the interval at most: between two
// words there are never more than three. A proxy that is stopping need not answer
// any more, and the manager has another limit for that.
func (w *watchdog) ask(ctx context.Context, stopping bool) {
	if stopping {
		w.tell()
		return
	}
	if w.asking {
		return
	}
	w.asking = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, w.interval/4)
		defer cancel()
		w.answered <- w.probe(ctx)
	}()
}

// heard takes what became of an ask.
func (w *watchdog) heard(err error, stopping bool) {
	w.asking = false
	if err != nil && !stopping {
		w.log.Error("the service manager is not told that the proxy is alive", "error", err)
		return
	}
	w.tell()
}

// stop ends it, and waits for the proxy's answer when one is under way: it comes
// with the end of the context that ask had.
func (w *watchdog) stop() {
	if w.tick != nil {
		w.tick.Stop()
	}
	if w.asking {
		<-w.answered //nolint:errcheck // nobody is left to tell
	}
}
