package cli

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Who lives says so in time, and who does not says nothing. In a bubble, where a
// minute takes none.
func TestWatchdog(t *testing.T) {
	const interval = 20 * time.Second
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name     string
		probe    func(context.Context) error
		stopping bool
		words    int // in a minute
		said     string
	}{
		{"alive", func(context.Context) error { return nil }, false, 6, ""},
		{"alive, and slow", func(context.Context) error { <-time.After(interval / 5); return nil }, false, 6, ""},
		{"a listener that does not answer", hangs, false, 0, "context deadline exceeded"},
		{"one that is gone", func(context.Context) error { return errors.New("refused") }, false, 0, "refused"},
		{"stopping", hangs, true, 6, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said strings.Builder
			words, longest, last := 0, time.Duration(0), time.Now()
			w := newWatchdog(interval, c.probe, func() {
				words++
				longest, last = max(longest, time.Since(last)), time.Now()
			}, slog.New(slog.NewTextHandler(&said, nil)))
			for over := time.After(time.Minute + interval/2 - 1); ; {
				select {
				case <-w.due():
					w.ask(t.Context(), c.stopping)
					continue
				case err := <-w.answered:
					w.heard(err, c.stopping)
					continue
				case <-over:
				}
				break
			}
			w.stop()
			if words != c.words || longest > interval*3/4 {
				t.Errorf("%s: %d words, %s between two, want %d", c.name, words, longest, c.words)
			}
			if !strings.Contains(said.String(), c.said) || c.said == "" && said.Len() > 0 {
				t.Errorf("%s: the log says %q", c.name, said.String())
			}
		})
	}
}

// A loop that does not turn has no word, however well the proxy answers; and who
// is not watched has none either.
func TestWatchdogIsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := func(context.Context) error { return nil }
		tell := func() { t.Error("a word") }
		w := newWatchdog(time.Second, well, tell, slog.New(slog.DiscardHandler))
		w.ask(t.Context(), false)
		<-time.After(time.Minute)
		w.stop()
		if none := newWatchdog(0, well, tell, slog.New(slog.DiscardHandler)); none.due() != nil {
			t.Error("nobody watches, and something is due")
		}
	})
}

// One that is stopped while it asks waits, and does not complain of a proxy that
// has gone.
func TestWatchdogStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cut := context.WithCancel(t.Context())
		w := newWatchdog(time.Minute, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, func() {}, slog.New(slog.DiscardHandler))
		w.ask(ctx, false)
		cut()
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("it takes %s", took)
		}
	})
}

func TestWatched(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
		say       string
	}{
		{"", "", 0, ""},
		{"30000000", "", 30 * time.Second, ""},
		{"30000000", "1", 0, ""}, // another process is
		{"soon", "", 0, "not understood"},
		{"-1", "", 0, "not understood"},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		var said strings.Builder
		if got := watched(slog.New(slog.NewTextHandler(&said, nil))); got != c.want || !strings.Contains(said.String(), c.say) || c.say == "" && said.Len() > 0 {
			t.Errorf("%+v: %s, %q", c, got, said.String())
		}
	}
}

// The whole of it, with a socket in the place of systemd's.
func TestServiceManagerWatches(t *testing.T) {
	socket := notifySocket(t)
	t.Setenv("WATCHDOG_USEC", "4000000") // a second to answer in
	t.Setenv("WATCHDOG_PID", "")
	log := slog.New(slog.DiscardHandler)
	a := quickApp(t, log)
	sigs, ended := make(signals, 1), make(chan error, 1)
	go func() { ended <- supervise(t.Context(), a, sigs, stopRules{log: log, drain: time.Minute}) }()
	for _, want := range []string{"READY=1", "WATCHDOG=1"} {
		message := make([]byte, 512)
		if err := socket.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(message)
		if err != nil || string(message[:n]) != want {
			t.Fatalf("heard %q, %v; want %q", message[:n], err, want)
		}
	}
	sigs <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
