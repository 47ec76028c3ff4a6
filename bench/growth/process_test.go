package growth

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"veneer/bench/internal/fixture"
)

// build compiles the program once for the test at hand.
func build(tb testing.TB) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "veneer")
	if text, err := exec.CommandContext(tb.Context(), "go", "build", "-o", binary, "veneer/cmd/veneer").CombinedOutput(); err != nil {
		tb.Fatalf("cannot build the program: %v\n%s", err, text)
	}
	return binary
}

// program is the built program with one page in its store, and connections
// that are kept open to it.
type program struct {
	cmd     *exec.Cmd
	address string
	idle    []net.Conn
	before  float64 // resident bytes without a connection
}

// request asks for the page that is stored.
const request = "GET /page HTTP/1.1\r\nHost: " + fixture.Host + "\r\nAccept-Encoding: gzip, deflate, br\r\nOrigin: " + fixture.Web + "\r\n\r\n"

// start runs the program until the test ends.
func start(tb testing.TB, binary string) *program {
	tb.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=86400")
		_, _ = io.WriteString(w, strings.Repeat("x", 1024))
	}))
	tb.Cleanup(page.Close)
	config := filepath.Join(tb.TempDir(), "veneer.yaml")
	text := fmt.Sprintf(`
server: { http: "127.0.0.1:0", limits: { connections: 100000, idle_timeout: 1h } }
admin: { address: "127.0.0.1:0" }
cors: { apps: { origins: [%q, "https://*.partner.example"] } }
upstreams: { pages: { servers: [%q] } }
routes: [ { match: { path: / }, upstream: pages, cors: apps } ]
store: { memory: { size: 64MiB } }
`, fixture.Web, page.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	p := &program{cmd: exec.Command(binary, "serve", "-c", config)}
	said, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	p.cmd.Stdout = p.cmd.Stderr // one pipe for both
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := make(chan string)
	go func() { // ends with the program
		defer close(lines)
		for s := bufio.NewScanner(said); s.Scan(); {
			lines <- s.Text()
		}
	}()
	tb.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		for range lines {
		}
		_ = p.cmd.Wait()
	})
	p.address = listening(tb, lines)
	go func() {
		for range lines { // a full pipe would stop it
		}
	}()
	return p
}

var bound = regexp.MustCompile(`msg=listening address=(\S+)`)

func listening(tb testing.TB, lines <-chan string) string {
	tb.Helper()
	var all []string
	for line := range lines {
		if m := bound.FindStringSubmatch(line); m != nil {
			return m[1]
		}
		all = append(all, line)
	}
	tb.Fatalf("the program ended without listening:\n%s", strings.Join(all, "\n"))
	return ""
}

// connect opens so many connections, on each of which one hit is answered
// before it is left idle. The first ones, which warm the program up, are
// closed again and do not count.
func (p *program) connect(tb testing.TB, n int) {
	tb.Helper()
	warm := p.dial(tb)
	for range 1000 {
		hit(tb, warm)
	}
	p.before = p.resident(tb)
	for range n {
		c := p.dial(tb)
		hit(tb, c)
		p.idle = append(p.idle, c)
	}
}

func (p *program) dial(tb testing.TB) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// hit asks on a kept connection and reads the answer.
func hit(tb testing.TB, c net.Conn) {
	tb.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		tb.Fatal(err)
	}
	var buf [4096]byte
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if n += m; err != nil {
			tb.Fatalf("%v after %q", err, buf[:n])
		}
		if head, content, whole := strings.Cut(string(buf[:n]), "\r\n\r\n"); whole && len(content) == 1024 {
			if !strings.HasPrefix(head, "HTTP/1.1 200") {
				tb.Fatalf("not the page: %q", head)
			}
			return
		}
	}
}

// resident is the memory that the program has in use, in bytes.
func (p *program) resident(tb testing.TB) float64 {
	tb.Helper()
	for line := range strings.Lines(p.proc(tb, "status")) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				tb.Fatal(err)
			}
			return float64(kb) * 1024
		}
	}
	tb.Fatal("no VmRSS: the program has ended")
	return 0
}

// processor is the time that the program's threads ran, as the scheduler
// counts it, which is finer than the ticks of proc(5)'s stat.
func (p *program) processor(tb testing.TB) time.Duration {
	tb.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	var sum time.Duration
	for _, t := range threads {
		ran, _, _ := strings.Cut(p.proc(tb, "task", t.Name(), "schedstat"), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

func (p *program) proc(tb testing.TB, path ...string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"/proc", strconv.Itoa(p.cmd.Process.Pid)}, path...)...))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
