package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const expectedFile = "expected.txt"

// TestPublicSuite is the gate, and before it the proof that it can close.
func TestPublicSuite(t *testing.T) {
	f, err := os.Open(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := parseExpected(f)
	if err != nil {
		t.Fatalf("%s: %v", expectedFile, err)
	}
	s := findSuite(t)
	t.Run("no cache", func(t *testing.T) { testWithoutCache(t, s) })
	var on, off map[string]result
	t.Run("veneer", func(t *testing.T) { on = testGate(t, s, list, true) })
	t.Run("veneer without its lane", func(t *testing.T) { off = testGate(t, s, list, false) })
	if diff := cmp.Diff(passedIn(off), passedIn(on)); diff != "" {
		t.Errorf("what passes without the lane and with it (-without +with):\n%s", diff)
	}
}

func passedIn(results map[string]result) map[string]bool {
	passed := make(map[string]bool, len(results))
	for id, r := range results {
		passed[id] = r.passed()
	}
	return passed
}

// testWithoutCache runs two tests straight against the suite's upstream: the
// one that needs a cache has to fail, or the gate would prove nothing.
func testWithoutCache(t *testing.T, s *suite) {
	addr := s.serve(t)
	for id, want := range map[string]result{
		"freshness-none":    {},
		"freshness-max-age": {Class: "Assertion", Message: "Response 2 does not come from cache"},
	} {
		got, talk, err := s.runOne(t.Context(), addr, id)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %v, want %v\n%s", id, got, want, talk)
		}
	}
}

func testGate(t *testing.T, s *suite, list []expectation, lane bool) map[string]result {
	addr := serveVeneer(t, s.serve(t), lane)
	raw, err := s.runAll(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	// What only waits for a dependency is not run again: the dependency is.
	s.confirm(t, addr, doubtful(s.cases, raw, list), raw)

	results := judge(s.cases, raw)
	t.Logf("http-cache-tests %s: %s\n%s", suiteVersion, summary(s.cases, results), table(s.cases, results))
	if wrong := complaints(s.cases, results, list); len(wrong) > 0 {
		t.Errorf("%d tests are not as %s has them:\n%s", len(wrong), expectedFile, strings.Join(wrong, "\n"))
	}
	return results
}

// configuration is one route to the suite. Set-Cookie is stored and
// Surrogate-Control read, and said to be, because the suite tests that; none
// of it is a default.
const configuration = `
server: { http: "%s", lane: %t }
upstreams:
  suite: { servers: ["http://%s"] }
routes:
  - match: { path: / }
    upstream: suite
    cors: off
    cache: { set_cookie: store, surrogate_control: true }
    headers: { request: { set: { Surrogate-Capability: 'veneer="Surrogate/1.0"' } } }
store:
  memory: { size: 64MiB }
`

// program returns the path of the program: a fresh build, or the one that
// VENEER_BINARY names.
func program(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("VENEER_BINARY"); file != "" {
		return file
	}
	file := filepath.Join(t.TempDir(), "veneer")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if _, err := run(exec.CommandContext(t.Context(), "go", "build", "-o", file, "veneer/cmd/veneer")); err != nil {
		t.Fatalf("cannot build the program: %v", err)
	}
	return file
}

// serveVeneer starts the program in front of upstream, and returns its
// address.
func serveVeneer(t *testing.T, upstream string, lane bool) string {
	t.Helper()
	binary, file := program(t), filepath.Join(t.TempDir(), "veneer.yaml")
	// Between choosing a free port and listening on it somebody may take it.
	const attempts = 3
	var err error
	for range attempts {
		addr := freeAddress(t)
		if err := os.WriteFile(file, fmt.Appendf(nil, configuration, addr, lane, upstream), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "serve", "-c", file)
		cmd.Env = environment()
		p := start(t, "veneer", cmd)
		if err = p.await(t.Context(), func() bool { return accepts(addr) }); err == nil {
			return addr
		}
	}
	t.Fatal(err)
	return ""
}
