package accesslog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
)

// numbered is a request whose path is a number.
func numbered(n int) *cache.Request {
	q := request()
	q.Path = fmt.Sprint("/", n)
	return q
}

func paths(c *Config) { c.Fields = []Field{Path} }

// Lines wait for others, for as long as they may.
func TestFlush(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Path = filepath.Join(dir, "log")
		paths(&cfg)
		l := newLog(t, cfg)
		l.Record(numbered(1), hit())
		<-time.After(900 * time.Millisecond)
		if got := read(t, cfg.Path); got != "" {
			t.Errorf("too early: %q", got)
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if got := read(t, cfg.Path); got != "{\"path\":\"/1\"}\n" {
			t.Errorf("after a second: %q", got)
		}
		c, err := l.Prepare(Config{Path: cfg.Path, Fields: cfg.Fields, Sample: 1, Buffer: 4096})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(); err != nil {
			t.Fatal(err)
		}
		l.Record(numbered(2), hit())
		synctest.Wait()
		if got := read(t, cfg.Path); got != "{\"path\":\"/1\"}\n{\"path\":\"/2\"}\n" {
			t.Errorf("without waiting: %q", got)
		}
		closeLog(t, l)
		l.Record(numbered(3), hit())
		if slow, failed := l.Lost(); slow != 1 || failed != 0 {
			t.Errorf("after the end: %d and %d", slow, failed)
		}
		closeLog(t, l)
	})
}

// What is recorded while the file is opened again and again is all there, once
// and whole, in the order of its recording, over all the files.
func TestReopenLosesNothing(t *testing.T) {
	cfg := testConfig(t)
	cfg.Buffer = 256
	paths(&cfg)
	l := newLog(t, cfg)
	const n, files = 5000, 20
	var all sync.WaitGroup
	all.Go(func() {
		for i := range n {
			for l.busy() {
				runtime.Gosched()
			}
			l.Record(numbered(i), hit())
		}
	})
	moved := []string{}
	for i := range files {
		to := fmt.Sprint(cfg.Path, ".", i)
		if err := os.Rename(cfg.Path, to); err != nil {
			t.Fatal(err)
		}
		moved = append(moved, to)
		for l.Reopen() != nil { // too often
			runtime.Gosched()
		}
	}
	all.Wait()
	closeLog(t, l)
	var got strings.Builder
	for _, path := range append(moved, cfg.Path) {
		text := read(t, path)
		if text != "" && !strings.HasSuffix(text, "\n") {
			t.Errorf("%s ends within a line", path)
		}
		got.WriteString(text)
	}
	var want strings.Builder
	for i := range n {
		fmt.Fprintf(&want, "{\"path\":\"/%d\"}\n", i)
	}
	if got.String() != want.String() {
		slow, failed := l.Lost()
		t.Errorf("%d bytes of %d, lost %d and %d", got.Len(), want.Len(), slow, failed)
	}
}

// busy reports whether half of what may wait does.
func (l *Log) busy() bool {
	l.writer.mu.Lock()
	defer l.writer.mu.Unlock()
	return l.writer.pending > maxPending*l.writer.size/2
}

// A file that cannot be opened again leaves the old one in use.
func TestReopenFails(t *testing.T) {
	cfg := testConfig(t)
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg.Path = filepath.Join(dir, "log")
	paths(&cfg)
	l := newLog(t, cfg)
	moved := dir + ".moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "there is no directory "+dir) {
		t.Errorf("%v", err)
	}
	l.Record(numbered(1), hit())
	closeLog(t, l)
	if got := read(t, filepath.Join(moved, "log")); got != "{\"path\":\"/1\"}\n" {
		t.Errorf("%q", got)
	}
}

// Another place and another form take effect together.
func TestChange(t *testing.T) {
	cfg := testConfig(t)
	paths(&cfg)
	l := newLog(t, cfg)
	l.Record(numbered(1), hit())
	next := cfg
	next.Path += ".next"
	next.Fields = []Field{Status, Path}
	c, err := l.Prepare(next)
	if err != nil {
		t.Fatal(err)
	}
	l.Record(numbered(2), hit())
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	l.Record(numbered(3), hit())
	if c, err = l.Prepare(cfg); err != nil {
		t.Fatal(err)
	}
	c.Discard()
	next.Path = filepath.Join(next.Path, "no-directory")
	if _, err := l.Prepare(next); err == nil {
		t.Error("a file below a file was opened")
	}
	l.Record(numbered(4), hit())
	closeLog(t, l)
	if got := read(t, cfg.Path); got != "{\"path\":\"/1\"}\n{\"path\":\"/2\"}\n" {
		t.Errorf("the old file: %q", got)
	}
	if got := read(t, cfg.Path+".next"); got != "{\"status\":200,\"path\":\"/3\"}\n{\"status\":200,\"path\":\"/4\"}\n" {
		t.Errorf("the new file: %q", got)
	}
}

func TestSample(t *testing.T) {
	failed := hit()
	failed.Status = 503
	left := hit()
	left.Left = true
	for _, c := range []struct {
		share    float64
		errors   bool
		d        *cache.Decision
		min, max int // of a thousand; twelve standard deviations apart
	}{
		{0, false, hit(), 0, 0},
		{0, false, failed, 0, 0},
		{0, true, hit(), 0, 0},
		{0, true, failed, 1000, 1000},
		{0, true, left, 1000, 1000},
		{0.5, false, hit(), 400, 600},
		{1, false, hit(), 1000, 1000},
	} {
		cfg := testConfig(t)
		cfg.Sample, cfg.Errors = c.share, c.errors
		l := newLog(t, cfg)
		for range 1000 {
			l.Record(request(), c.d)
		}
		closeLog(t, l)
		if n := strings.Count(read(t, cfg.Path), "\n"); n < c.min || n > c.max {
			t.Errorf("%+v: %d lines", c, n)
		}
	}
}

// Many requests at once, and a change meanwhile: every line is whole.
func TestConcurrent(t *testing.T) {
	cfg := testConfig(t)
	cfg.Buffer = 4 << 10
	l := newLog(t, cfg)
	var all sync.WaitGroup
	const each = 500
	for range 4 {
		all.Go(func() {
			for range each {
				l.Record(request(), hit())
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if c, err := l.Prepare(cfg); err != nil || c.Commit() != nil {
				t.Error("the same again is refused", err)
			}
			_ = l.Reopen() // may be too often
		}
	})
	all.Wait()
	closeLog(t, l)
	want := line(t, nil, request(), hit())
	got := read(t, cfg.Path)
	slow, _ := l.Lost()
	if n := strings.Count(got, "\n"); int64(n)+slow != 4*each {
		t.Errorf("%d lines and %d lost of %d", n, slow, 4*each)
	}
	for text := range strings.Lines(got) {
		if text != want+"\n" {
			t.Fatalf("%q", text)
		}
	}
}

// A line that was torn, by a disk that was full, does not spoil the next one.
func TestTornLine(t *testing.T) {
	for _, c := range []struct{ first, want string }{
		{"half a li", "half a li\nwhole\n"},
		{"one\n", "one\nwhole\n"},
	} {
		path := filepath.Join(t.TempDir(), "log")
		o, err := open(path)
		if err != nil {
			t.Fatal(err)
		}
		o.file.WriteString(c.first)
		o.torn = !strings.HasSuffix(c.first, "\n")
		if lost, err := o.write([]byte("whole\n")); lost != 0 || err != nil || o.torn {
			t.Errorf("%d lost, %v", lost, err)
		}
		if got := read(t, path); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if err := o.close(); err != nil {
			t.Error(err)
		}
		if lost, err := o.write([]byte("a\nb\n")); lost != 2 || err == nil {
			t.Errorf("closed: %d lost, %v", lost, err)
		}
	}
}

// What is lost is said, and not again within a minute.
func TestComplaints(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		cfg := testConfig(t)
		cfg.Path = filepath.Join(dir, "log")
		l, err := New(cfg, Options{Peer: peer, Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == "lines" || a.Key == "msg" {
					return a
				}
				return slog.Attr{}
			},
		}))})
		if err != nil {
			t.Fatal(err)
		}
		l.writer.out.file.Close() // every write fails
		for range 5 {
			l.Record(request(), hit())
			<-time.After(25 * time.Second)
		}
		synctest.Wait()
		_ = l.Close(context.Background())
		want := "msg=\"access log: lines could not be written\" lines=1\n" +
			"msg=\"access log: lines could not be written\" lines=2\n" +
			"msg=\"access log: lines could not be written\" lines=2\n" +
			"msg=\"access log: closing failed\"\n"
		if got := said.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}
