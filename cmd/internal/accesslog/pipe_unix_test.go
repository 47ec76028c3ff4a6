//go:build unix

package accesslog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe that nobody empties costs lines and no request waits for it; neither
// does the end.
func TestBlockedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.Path, cfg.Buffer, cfg.Flush = path, 4<<10, 0
	if _, err := New(cfg, Options{Peer: peer}); err == nil || !strings.Contains(err.Error(), "nobody reads the pipe") {
		t.Fatalf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l := newLog(t, cfg)
	n := int64(0)
	for slow := int64(0); slow < 100; slow, _ = l.Lost() {
		l.Record(request(), hit())
		if n++; n > 100_000 {
			t.Fatal("a pipe takes everything")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); err == nil || !strings.Contains(err.Error(), "lines are lost") {
		t.Errorf("%v", err)
	}
	// What the pipe holds are whole lines, but for the last one.
	b := make([]byte, 1<<20)
	got := 0
	for got < len(b) {
		m, err := reader.Read(b[got:])
		if m == 0 || err != nil {
			break
		}
		got += m
	}
	slow, failed := l.Lost()
	if whole := int64(strings.Count(string(b[:got]), "\n")); whole+slow+failed != n {
		t.Errorf("%d lines in the pipe, lost %d and %d, of %d", whole, slow, failed, n)
	}
}

// A reader that leaves is an error and no end of the process.
func TestBrokenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.Path = path
	l := newLog(t, cfg)
	reader.Close()
	l.Record(request(), hit())
	closeLog(t, l)
	if slow, failed := l.Lost(); slow != 0 || failed != 1 {
		t.Errorf("%d and %d", slow, failed)
	}
}
