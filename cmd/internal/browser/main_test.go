package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	// All of the program, so that go test does not take a result from before
	// it changed out of its cache: it cannot see what build builds.
	_ "veneer/cmd/internal/cli"
)

// What all tests share: one build of the program and one browser, each made
// when the first test wants it. scratch is gone when the tests have ended.
var (
	scratch string
	veneer  = sync.OnceValues(build)
	browser = sync.OnceValues(launch)

	quit = func() error { return nil } // ends the browser; set by launch
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	if scratch, err = os.MkdirTemp("", "veneer-browser-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := quit(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot end the browser:", err)
			code = 1
		}
		if err := os.RemoveAll(scratch); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// build makes the program that a user runs, and returns its path.
func build() (string, error) {
	path := filepath.Join(scratch, "veneer")
	out, err := exec.Command("go", "build", "-o", path, "veneer/cmd/veneer").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build the program: %w\n%s", err, out)
	}
	return path, nil
}

// chromium returns the path of the browser.
func chromium() (string, error) {
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

// launch starts the browser and returns the context that tabs are made from.
func launch() (context.Context, error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	profile := filepath.Join(scratch, "profile")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		// Nothing of it may stay behind in the home directory.
		chromedp.Env("HOME="+scratch, "XDG_CONFIG_HOME="+scratch, "XDG_CACHE_HOME="+scratch),
		chromedp.NoSandbox, // which root cannot have, and the pages are ours
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		// A sandboxed frame would have a process and so a DevTools target of
		// its own, and its requests would not be among the evidence.
		chromedp.Flag("disable-features", "Translate,IsolateSandboxedIframes"),
	)
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		release()
		return nil, fmt.Errorf("cannot start %s: %w", path, err)
	}
	quit = func() error {
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err := chromedp.Cancel(bounded)
		release() // kills what Cancel could not end, and waits
		return err
	}
	return ctx, nil
}

// patience is how long anything may take that takes no time when all is well.
const patience = 15 * time.Second

// needChromium ends the test when there is no browser.
func needChromium(t *testing.T) {
	t.Helper()
	_, err := chromium()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot test in a browser: %v", err)
	}
	t.Skipf("left out: %v", err)
}
