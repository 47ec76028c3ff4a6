package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call runs a command line in this process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Main(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestExitCodes(t *testing.T) {
	listen := &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errReported, 1},
		{errors.New("it broke"), 1},
		{usagef("no such flag"), 2},
		{fmt.Errorf("serve: %w", usagef("no such flag")), 2},
		{listen, 3},
		{fmt.Errorf("cannot listen: %w", listen), 3},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

func TestUsage(t *testing.T) {
	const hint = "Run veneer --help, or veneer VERB --help.\n"
	const verbs = "the verbs are serve, check, explain, purge, stats, doctor, health, demo, version\n"
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "veneer: no verb is given; " + verbs + hint},
		{[]string{"srve"}, "veneer: there is no verb \"srve\"; " + verbs + hint},
		{[]string{"stats", "--interval", "1ms", "--watch"}, "veneer: --interval: got 1ms: is below 100ms\n" + hint},
		{[]string{"purge"}, "veneer: purge takes exactly one of --url, --prefix, --tag and --all\n" + hint},
		{[]string{"purge", "--all", "--tag", "a"}, "veneer: purge takes exactly one of --url, --prefix, --tag and --all\n" + hint},
		{[]string{"purge", "--all=false"}, "veneer: purge takes exactly one of --url, --prefix, --tag and --all\n" + hint},
		{[]string{"check"}, "veneer: check: accepts 1 arg(s), received 0; usage: veneer check FILE [flags]\n" + hint},
		{[]string{"demo", "now"}, "veneer: demo: unknown command \"now\" for \"veneer demo\"; usage: veneer demo [flags]\n" + hint},
		{[]string{"demo", "--listen", "nowhere"}, "veneer: --listen: got \"nowhere\": is not host:port; fix: an address such as 127.0.0.1:8080\n" + hint},
		{[]string{"demo", "--admin", "0.0.0.0:0"}, "veneer: --admin: got \"0.0.0.0:0\": can be reached from other machines, and no token guards it; fix: token_file with a long random token, or an address on 127.0.0.1\n" + hint},
		{[]string{"serve"}, "veneer: serve needs -c FILE or --upstream URL\n" + hint},
		{[]string{"serve", "--upstream"}, "veneer: flag needs an argument: --upstream\n" + hint},
	} {
		code, stdout, stderr := call(t, c.args...)
		if code != exitUsage || stdout != "" || stderr != c.want {
			t.Errorf("%q: got %d, stdout %q, stderr (-want +got):\n%s", c.args, code, stdout, cmp.Diff(c.want, stderr))
		}
	}
}

// TestQuickProblems: what is wrong with flags is named by the flag.
func TestQuickProblems(t *testing.T) {
	code, stdout, stderr := call(t, "serve", "--upstream", "127.0.0.1:3000", "--listen", "8080", "--allow-origin", "app.example.com")
	if code != exitFinding || stdout != "" {
		t.Errorf("got %d, stdout %q", code, stdout)
	}
	if !strings.Contains(stderr, "--upstream") || strings.Contains(stderr, "veneer:") {
		t.Errorf("stderr: %s", stderr)
	}
}

func TestCheckWarns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "veneer.yaml")
	const text = "upstreams: { app: { servers: 'http://127.0.0.1:3000' }, spare: { servers: 'http://127.0.0.1:3001' } }\n" +
		"routes: [{ match: { path: / }, upstream: app }]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "check", file)
	if code != exitGood || stderr != "" || !strings.HasSuffix(stdout, ": good, 1 warning\n") || !strings.Contains(stdout, "warning: upstreams.spare") {
		t.Errorf("got %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, _ = call(t, "check", "--json", file)
	if code != exitGood || !strings.Contains(stdout, `"severity": "warning"`) || !strings.Contains(stdout, `"good": true`) {
		t.Errorf("got %d, %q", code, stdout)
	}
}

func TestCheckCannotPrint(t *testing.T) {
	var stderr bytes.Buffer
	code := Main(t.Context(), []string{"check", "none.yaml"}, brokenWriter{}, &stderr)
	if want := "veneer: cannot print: broken\n"; code != exitFinding || stderr.String() != want {
		t.Errorf("got %d, %q; want %q", code, stderr.String(), want)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestBuildLine(t *testing.T) {
	for _, c := range []struct {
		b    build
		want string
	}{
		{build{Version: "v1.2.3", Go: "go1.26", Platform: "linux/amd64"}, "veneer v1.2.3 go1.26 linux/amd64"},
		{
			build{Version: "(devel)", Revision: "0123456789abcdef", Time: "2026-01-02T03:04:05Z", Modified: true, Go: "go1.26", Platform: "a/b"},
			"veneer (devel) (0123456789ab, 2026-01-02T03:04:05Z, modified) go1.26 a/b",
		},
		{build{Version: "v1", Revision: "abc", Go: "go1.26", Platform: "a/b"}, "veneer v1 (abc) go1.26 a/b"},
	} {
		if got := c.b.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestPaint: a buffer is no terminal, and NO_COLOR wins where there is one.
func TestPaint(t *testing.T) {
	if got := paint(new(bytes.Buffer), red, "x"); got != "x" {
		t.Errorf("got %q", got)
	}
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device will do
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if got := paint(terminal, red, "x"); got != red+"x\x1b[0m" {
		t.Errorf("got %q", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := paint(terminal, red, "x"); got != "x" {
		t.Errorf("with NO_COLOR: got %q", got)
	}
}

func TestDemoOnce(t *testing.T) {
	code, stdout, stderr := call(t, "demo", "--once")
	if code != exitGood || stderr != "" || !strings.HasSuffix(stdout, "all as promised\n") {
		t.Errorf("got %d, %s%s", code, stdout, stderr)
	}
	if got, want := strings.Count(stdout, "\n"), len(demoSteps())+3; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
}

// TestDemoEnds: the context of the caller ends the demonstration at once.
func TestDemoEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := Main(ctx, []string{"demo", "--once"}, &out, &errs); code == exitGood {
		t.Errorf("got %d, %s%s", code, &out, &errs)
	}
}

// TestDemoFinds: the demonstration sees what is not as promised.
func TestDemoFinds(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Cache-Status"] = []string{"other; hit"}
		w.Header()["Access-Control-Allow-Origin"] = []string{"*", demoApp}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "tea")
	}))
	defer s.Close()
	v := &visitor{base: s.URL, client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	st := step{method: "GET", path: "/hello", fields: [][2]string{from(demoApp)}, status: 200, cache: hit, origin: demoApp, content: "hello"}
	var table bytes.Buffer
	got := v.walk(t.Context(), &table, []step{st})
	want := []string{`GET /hello app.example.com: status: got "418", want "200"; Cache-Status: got "other; hit", want "veneer; hit"; ` +
		`Access-Control-Allow-Origin: got "* | https://app.example.com", want "https://app.example.com"; content: got "tea", want "hello"`}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
	if line := "GET /hello app.example.com\t418\tother; hit\t* | https://app.example.com\t\n"; table.String() != line {
		t.Errorf("table %q, want %q", table.String(), line)
	}
	v.base = "http://127.0.0.1:1"
	if got := v.walk(t.Context(), io.Discard, []step{st}); len(got) != 1 || !strings.Contains(got[0], "GET /hello") {
		t.Errorf("got %q", got)
	}
}

// TestDemoText: every page that is shown is asked for in --once too.
func TestDemoText(t *testing.T) {
	var b bytes.Buffer
	printDemo(&b, "http://proxy", "http://admin", "http://upstream")
	text := b.String()
	for _, st := range demoSteps() {
		if !strings.Contains(text, "curl -si http://proxy"+st.path) {
			t.Errorf("no curl line for %s", st.path)
		}
	}
	for _, want := range []string{"http://admin/metrics", "http://upstream", "/slow", "Ctrl-C"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}
