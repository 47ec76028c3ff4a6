// Package chromium starts a headless browser, for the tests that look at pages
// and for the programs that take pictures of them. No part of Veneer runs it.
package chromium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
