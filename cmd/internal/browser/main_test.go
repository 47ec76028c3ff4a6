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

	"veneer/cmd/internal/chromium"

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

// launch starts the browser and returns the context that tabs are made from.
func launch() (ctx context.Context, err error) {
	var end func() error
	if ctx, end, err = chromium.Launch(context.Background(), scratch); err == nil {
		quit = end
	}
	return ctx, err
}

// patience is how long anything may take that takes no time when all is well.
const patience = 15 * time.Second
