package cli

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
)

// notifySocket stands in the place of the service manager's.
func notifySocket(t *testing.T) *net.UnixConn {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Skipf("no datagram sockets in the file system here: %v", err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", socket.LocalAddr().String())
	return socket
}

// quickApp is a proxy in front of an application that has nothing.
func quickApp(t *testing.T, log *slog.Logger) *app.App {
	t.Helper()
	upstream := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(upstream.Close)
	cfg, problems := config.Quick(upstream.URL, "127.0.0.1:0", nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	a, err := app.Build(cfg, app.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The service manager hears of the beginning, of reloads, good or bad, and of
// the end before anything ends.
func TestServiceManager(t *testing.T) {
	socket := notifySocket(t)
	log := slog.New(slog.DiscardHandler)
	a := quickApp(t, log)
	sigs, results := make(signals, 4), []error{nil, errors.New("bad")}
	ended := make(chan error, 1)
	go func() {
		ended <- supervise(t.Context(), a, sigs, stopRules{log: log, drain: time.Minute, reload: func() error {
			err := results[0]
			results = results[1:]
			return err
		}})
	}()
	heard := func(want ...string) {
		t.Helper()
		message := make([]byte, 512)
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(string(message[:n]), "\n"), "\n")
		if len(got) != len(want) {
			t.Fatalf("heard %q, want %q", got, want)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	}
	heard("READY=1")
	for range 2 {
		sigs <- syscall.SIGHUP
		heard("RELOADING=1", "MONOTONIC_USEC=")
		heard("READY=1")
	}
	sigs <- syscall.SIGTERM
	heard("STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
