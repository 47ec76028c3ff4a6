//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// A reader of stdout that leaves ends no proxy, and the signal of logrotate is
// heard.
func TestSignals(t *testing.T) {
	defer signal.Reset(syscall.SIGPIPE)
	c := notify()
	defer c.stop()
	if !signal.Ignored(syscall.SIGPIPE) {
		t.Error("a write to a pipe that nobody reads would end the process")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case s := <-c:
		if s != reopenSignal {
			t.Errorf("%v", s)
		}
	case <-time.After(10 * time.Second):
		t.Error("SIGUSR1 is not heard")
	}
}
