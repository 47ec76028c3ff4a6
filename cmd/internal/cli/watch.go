package cli

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"sync"
	"time"

	"veneer/cmd/internal/config"
)

// defaultWatch is how often files are looked at.
const defaultWatch = time.Second

// watcher looks whether the configuration, or a file that it names, is another
// one than was loaded last. It looks instead of being told: that works on every
// file system, with editors that replace a file, with links that are moved
// (Kubernetes does so with a ConfigMap), and costs a call of the system a second
// and file. It is safe for concurrent use.
type watcher struct {
	file string

	mu     sync.Mutex // guards what follows
	named  []string   // by the configuration that runs
	loaded map[string]digest
}

func (w *watcher) files() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{w.file}, w.named...)
}

// load calls read, and takes what was in the files before for loaded: what
// changes meanwhile is a change. Of a file that was not named before, it is what
// is in it afterwards.
func (w *watcher) load(read func() (*config.Config, config.Problems)) (*config.Config, config.Problems) {
	loaded := contents(w.files())
	cfg, problems := read()
	w.mu.Lock()
	defer w.mu.Unlock()
	if cfg != nil {
		w.named = cfg.Files
		for _, name := range w.named {
			if _, ok := loaded[name]; !ok {
				loaded[name] = content(name)
			}
		}
	}
	w.loaded = loaded
	return cfg, problems
}

// watch looks every so often, until stop is called or ctx ends. changed gets one
// value for each content that differs from what was loaded last, once the files
// have been left alone for a while.
func (w *watcher) watch(ctx context.Context, every time.Duration) (changed <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	c, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx, every, c)
	}()
	return c, func() { cancel(); <-done }
}

func (w *watcher) run(ctx context.Context, every time.Duration, changed chan<- struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen, pending := looks(w.files()), false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := looks(w.files())
		if !alike(seen, now) {
			seen, pending = now, true // perhaps they are still being written
			continue
		}
		if !pending {
			continue
		}
		pending = false
		if w.differs() {
			select {
			case changed <- struct{}{}:
			default: // one is on its way already
			}
		}
	}
}

// differs reports whether the files hold something else than was loaded last.
func (w *watcher) differs() bool {
	now := contents(w.files())
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, d := range now {
		if w.loaded[name] != d {
			return true
		}
	}
	return false
}

// looks returns what the system says of files; nil of one that is not there.
func looks(files []string) []os.FileInfo {
	infos := make([]os.FileInfo, len(files))
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func alike(a, b []os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		y := b[i]
		if (x == nil) != (y == nil) {
			return false
		}
		if x != nil && (!os.SameFile(x, y) || x.Size() != y.Size() || !x.ModTime().Equal(y.ModTime())) {
			return false
		}
	}
	return true
}

// maxWatched bounds what is read of one file, in bytes.
const maxWatched = 4 << 20

// digest tells contents apart; the zero value is that of a file that cannot be
// read.
type digest [sha256.Size]byte

func contents(files []string) map[string]digest {
	all := make(map[string]digest, len(files))
	for _, name := range files {
		all[name] = content(name)
	}
	return all
}

// content reads a file that is one: a pipe could keep it waiting.
func content(name string) (d digest) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return d
	}
	f, err := os.Open(name)
	if err != nil {
		return d
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxWatched)); err != nil {
		return d
	}
	h.Sum(d[:0])
	return d
}
