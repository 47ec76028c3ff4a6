package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"veneer/cmd/internal/app"
)

// signals are what the process is told from outside.
type signals chan os.Signal

// notify begins to take the signals. It is called before anything is started,
// so that none is lost.
func notify() signals {
	c := make(signals, 8)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	if reopenSignal != nil {
		signal.Notify(c, reopenSignal)
	}
	outlivePipes()
	return c
}

func (s signals) stop() { signal.Stop(s) }

// stopRules are what supervise does with signals.
type stopRules struct {
	log     *slog.Logger
	delay   time.Duration   // between the first word of a stop and its beginning
	drain   time.Duration   // how long a graceful stop may take, after that
	reload  func() error    // nil: SIGHUP is ignored
	changed <-chan struct{} // the files have changed; nil: nobody looks
}

// supervise runs a until it ends: by itself, at once with ctx, or by signals:
// SIGHUP and a changed file reload, SIGUSR1 opens the access log again, the first
// SIGTERM or SIGINT drains, the second one ends at once. What it does is told to
// the service manager, and that it does anything: see watchdog.
func supervise(ctx context.Context, a *app.App, sigs signals, rules stopRules) error {
	told := manager{rules.log}
	dog := newWatchdog(watched(rules.log), a.Alive, told.alive, rules.log)
	defer dog.stop()
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	told.ready()
	stopping := false
	var leave <-chan time.Time // the delay is over; nil: nobody stops, or the drain is under way
	for {
		select {
		case err := <-ran:
			if err == nil {
				rules.log.Info("stopped")
			}
			return err
		case <-dog.due():
			dog.ask(ctx, stopping)
		case err := <-dog.answered:
			dog.heard(err, stopping)
		case <-leave:
			leave = nil
			bounded, cancel := context.WithTimeoutCause(ctx, rules.drain, fmt.Errorf("the drain timeout of %s is over", rules.drain))
			defer cancel()
			go func() { _ = a.Drain(bounded) }() // Run waits for it, and returns what it returned
		case <-rules.changed:
			if !stopping {
				rules.log.Info("the configuration has changed on disk")
				told.reloading()
				reload(rules)
				told.ready()
			}
		case sig := <-sigs:
			switch {
			case sig == syscall.SIGHUP:
				told.reloading()
				reload(rules)
				if !stopping {
					told.ready()
				}
			case sig == reopenSignal:
				reopen(a, rules.log)
			case stopping:
				rules.log.Warn("stopping at once", "signal", sig.String())
				cut()
			default:
				stopping = true
				rules.log.Info("stopping: answering the requests under way; a second signal stops at once",
					"signal", sig.String(), "delay", rules.delay.String(), "at most", rules.drain.String())
				told.stopping()
				a.Leave()
				leave = time.After(rules.delay)
			}
		}
	}
}

func reopen(a *app.App, log *slog.Logger) {
	if err := a.ReopenAccessLog(); err != nil {
		log.Error("the access log was not opened again", "error", err)
		return
	}
	log.Info("access log opened again")
}

func reload(rules stopRules) {
	if rules.reload == nil {
		return
	}
	if err := rules.reload(); err != nil {
		rules.log.Error("the old configuration stays", "error", err)
		return
	}
	rules.log.Info("reloaded")
}
