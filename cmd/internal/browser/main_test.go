package browser

import (
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
// when the first test wants it.
var (
	browser chromium.Shared
	veneer  = sync.OnceValues(build)
)

func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }

// build makes the program that a user runs, and returns its path.
func build() (string, error) {
	path := filepath.Join(browser.Dir, "veneer")
	out, err := exec.Command("go", "build", "-o", path, "veneer/cmd/veneer").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build the program: %w\n%s", err, out)
	}
	return path, nil
}

// patience is how long anything may take that takes no time when all is well.
const patience = 15 * time.Second
