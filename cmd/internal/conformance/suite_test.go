package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	// All of the program, so that go test does not take a result from before
	// it changed out of its cache: it cannot see what the test builds.
	_ "veneer/cmd/internal/cli"
)

// suiteVersion is the edition of the suite that expected.txt is about.
const suiteVersion = "0.4.5"

// suite is an unpacked copy of http-cache-tests.
type suite struct {
	dir   string
	cases []testCase // those that are meant for a proxy
}

// findSuite returns the suite: that of VENEER_HTTP_CACHE_TESTS, or one that is
// fetched for this test. Without a way to have it, it ends the test.
func findSuite(t *testing.T) *suite {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			unable(t, program+" is not installed")
		}
	}
	dir := os.Getenv("VENEER_HTTP_CACHE_TESTS")
	if dir != "" {
		dir = unpacked(dir)
	}
	if dir == "" {
		dir = install(t)
	}
	out, err := run(node(t.Context(), dir, nil, "--input-type=module", "--eval", listTests))
	if err != nil {
		t.Fatalf("cannot list the suite's tests: %v", err)
	}
	cases, err := parseCases([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	return &suite{dir: dir, cases: cases}
}

// unable skips the test, or fails it where everything has to run.
func unable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run the public suite: %s", why)
	}
	t.Skipf("the public suite is left out: %s", why)
}

// unpacked returns where the suite stands in or under dir, or "".
func unpacked(dir string) string {
	for _, d := range []string{dir, filepath.Join(dir, "node_modules", "http-cache-tests")} {
		if _, err := os.Stat(filepath.Join(d, "cli.mjs")); err == nil {
			return d
		}
	}
	return ""
}

func install(t *testing.T) string {
	t.Helper()
	prefix := t.TempDir()
	// An npm that cannot reach anything retries for minutes by itself.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", prefix, "--ignore-scripts", "--no-save",
		"--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "http-cache-tests@"+suiteVersion)
	cmd.Dir = prefix
	if _, err := run(cmd); err != nil {
		unable(t, "npm cannot fetch it: "+err.Error())
	}
	dir := unpacked(prefix)
	if dir == "" {
		t.Fatalf("npm installed http-cache-tests@%s without a cli.mjs", suiteVersion)
	}
	return dir
}

// listTests prints the tests as parseCases reads them, those for browsers
// left out as the suite's own command does.
const listTests = `
import all from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
console.log(JSON.stringify([...all, surrogate].flatMap(s => s.tests.filter(t => t.browser_only !== true).map(
  ({ id, name, kind, depends_on }) => ({ id, name, suite: s.id, kind, depends_on })))))
`

// node is a call of node within the suite.
func node(ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "node", append([]string{"--no-warnings"}, args...)...)
	cmd.Dir, cmd.Env = dir, environment(env...)
	return cmd
}

var listening = regexp.MustCompile(`Listening on http://\S*:(\d+)/`)

// serve starts the suite's upstream on a port that the system chooses, and
// returns its address.
func (s *suite) serve(t *testing.T) string {
	t.Helper()
	// The context of the test ends before its clean-up, which ends the server.
	cmd := node(context.WithoutCancel(t.Context()), s.dir, []string{"npm_config_protocol=http", "npm_config_port=0",
		"npm_config_pidfile=" + filepath.Join(t.TempDir(), "pid")}, filepath.Join("server", "server.mjs"))
	p := start(t, "the suite's server", cmd)
	var port []string
	err := p.await(t.Context(), func() bool {
		port = listening.FindStringSubmatch(p.out.String())
		return port != nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + port[1]
}

// client is a call of the suite's command against a server. An empty id runs
// every test.
func (s *suite) client(ctx context.Context, addr, id string) *exec.Cmd {
	return node(ctx, s.dir, []string{"npm_config_base=http://" + addr, "npm_config_id=" + id, "npm_package_config_id="}, "cli.mjs")
}

// runAll runs every test once. The suite runs a hundred at a time, and many
// wait a few seconds for something to become stale.
func (s *suite) runAll(ctx context.Context, addr string) (map[string]result, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	out, err := run(s.client(ctx, addr, ""))
	if err != nil {
		return nil, err
	}
	return parseResults([]byte(out), s.cases)
}

// runOne runs one test and returns what was sent and received with the result.
func (s *suite) runOne(ctx context.Context, addr, id string) (result, string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := run(s.client(ctx, addr, id))
	if err != nil {
		return result{}, "", err
	}
	out = colour.ReplaceAllString(out, "")
	r, err := parseSingle(out)
	return r, out, err
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Runs that one test gets before its result counts against the list, and how
// many tests run beside each other then: tests wait rather than work. Where more than
// chances differ, something is broken, and running it all again takes long.
const (
	reruns  = 3
	abreast = 8
	chances = 40
)

// confirm runs the tests of ids again, each until it comes out the other way
// or has had its reruns: the suite's tests depend on the clock, and a busy
// machine is late. It changes results in place.
func (s *suite) confirm(t *testing.T, addr string, ids []string, results map[string]result) {
	t.Helper()
	if len(ids) > chances {
		t.Logf("%d tests are not as expected: too many to be chance, none is run again", len(ids))
		return
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards results
		slots = make(chan struct{}, abreast)
	)
	for _, id := range ids {
		mu.Lock()
		first := results[id]
		mu.Unlock()
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for n := 1; n <= reruns; n++ {
				r, talk, err := s.runOne(t.Context(), addr, id)
				if err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
				if r.passed() != first.passed() {
					t.Logf("%s: %s at first, and in run %d alone: %s", id, first, n, r)
					mu.Lock()
					results[id] = r
					mu.Unlock()
					return
				}
				if n == reruns && !r.passed() {
					t.Logf("%s: %s\n%s", id, r, talk)
				}
			}
		})
	}
	wg.Wait()
}
