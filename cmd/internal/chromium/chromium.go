// Package chromium starts a headless browser, for the tests that look at pages
// and for the programs that take pictures of them. No part of Veneer runs it.
package chromium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
)

// Find returns the path of the installed browser.
func Find() (string, error) {
	var first error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

// Need ends a test when there is no browser: it is left out on a laptop, and
// fails where CI=true says that all has to be there.
func Need(t interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
},
) {
	t.Helper()
	_, err := Find()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot test in a browser: %v", err)
	}
	t.Skipf("left out: %v", err)
}

// Launch starts a browser that keeps all its files in dir, and returns the
// context that tabs are made from. The caller ends it with quit, before it
// removes dir.
func Launch(ctx context.Context, dir string) (_ context.Context, quit func() error, err error) {
	path, err := Find()
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		// Nothing of it may stay behind in the home directory.
		chromedp.Env("HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir),
		chromedp.NoSandbox, // which root cannot have, and the pages are ours
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		// A sandboxed frame would have a process and so a DevTools target of
		// its own, and its requests would not be among the evidence.
		chromedp.Flag("disable-features", "Translate,IsolateSandboxedIframes"),
	)
	allocator, release := chromedp.NewExecAllocator(ctx, options...)
	browser, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil {
		release()
		return nil, nil, fmt.Errorf("cannot start %s: %w", path, err)
	}
	return browser, func() error {
		bounded, cancel := context.WithTimeout(browser, patience)
		defer cancel()
		err := chromedp.Cancel(bounded)
		release() // kills what Cancel could not end, and waits
		return err
	}, nil
}

// patience is how long the browser may take to end.
const patience = 15 * time.Second

// Shared is one browser that all tests of a package share, started when the
// first of them wants it. Its zero value is ready.
type Shared struct {
	Dir string // for files of the tests, gone behind Run; the browser's are in it too

	once sync.Once
	ctx  context.Context
	quit func() error
	err  error
}

// Run runs the tests of m, a *testing.M, for TestMain, and ends the browser. It
// returns the exit code.
func (s *Shared) Run(m interface{ Run() int }) (code int) {
	var err error
	if s.Dir, err = os.MkdirTemp("", "veneer-browser-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if s.quit != nil {
			if err := s.quit(); err != nil {
				fmt.Fprintln(os.Stderr, "cannot end the browser:", err)
				code = 1
			}
		}
		if err := os.RemoveAll(s.Dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// Browser returns the context that tabs are made from.
func (s *Shared) Browser() (context.Context, error) {
	s.once.Do(func() { s.ctx, s.quit, s.err = Launch(context.Background(), s.Dir) })
	return s.ctx, s.err
}
