package browser

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// proxy is the built program, serving a file until the test ends.
type proxy struct {
	t     *testing.T
	file  string
	cmd   *exec.Cmd
	log   *transcript
	done  chan struct{} // closed when the process has ended
	url   string        // http://127.0.0.1:PORT
	admin string        // the same of the admin listener
}

// The addresses are the system's choice: Veneer says them when it listens.
var (
	adminLine = regexp.MustCompile(`msg="admin listening" address=(\S+)`)
	proxyLine = regexp.MustCompile(`msg=listening address=(\S+)`)
)

// serve starts Veneer with a configuration.
func serve(t *testing.T, config string) *proxy {
	t.Helper()
	program, err := veneer()
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, file: filepath.Join(t.TempDir(), "veneer.yaml"), log: newTranscript(), done: make(chan struct{})}
	p.write(config)
	p.cmd = exec.Command(program, "serve", "-c", p.file)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start Veneer: %v", err)
	}
	go func() {
		_ = p.cmd.Wait() // what it said is in the log
		close(p.done)
	}()
	t.Cleanup(p.stop)
	p.url = "http://" + p.await(proxyLine, 1)[1]
	p.admin = "http://" + p.await(adminLine, 1)[1]
	return p
}

func (p *proxy) write(config string) {
	p.t.Helper()
	if err := os.WriteFile(p.file, []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// reload replaces the configuration of the running process.
func (p *proxy) reload(config string) {
	p.t.Helper()
	reloaded := regexp.MustCompile(`msg=reloaded`)
	before := len(reloaded.FindAllString(p.log.String(), -1))
	p.write(config)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatalf("cannot signal Veneer: %v", err)
	}
	p.await(reloaded, before+1)
}

// await waits until the log has n lines that match, and returns the last one's
// submatches.
func (p *proxy) await(line *regexp.Regexp, n int) []string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		grown := p.log.grown()
		if found := line.FindAllStringSubmatch(p.log.String(), -1); len(found) >= n {
			return found[n-1]
		}
		select {
		case <-grown:
		case <-p.done:
			p.t.Fatalf("Veneer ended:\n%s", p.log)
		case <-ctx.Done():
			p.t.Fatalf("Veneer does not say %q:\n%s", line, p.log)
		}
	}
}

// stop asks the process to end, and kills it when it does not.
func (p *proxy) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("Veneer did not end when it was asked to")
	}
	if p.t.Failed() {
		p.t.Logf("what Veneer said:\n%s", p.log)
	}
}

// metric returns the value of one line of the exposition, "0" when there is no
// such line.
func (p *proxy) metric(series string) string {
	p.t.Helper()
	res, err := http.Get(p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "0"
}

// decisions returns how often a route's policy decided so.
func (p *proxy) decisions(route, decision string) string {
	p.t.Helper()
	return p.metric(fmt.Sprintf("veneer_cors_decisions_total{decision=%q,route=%q}", decision, route))
}

// transcript keeps what a process says. It is safe for concurrent use.
type transcript struct {
	mu   sync.Mutex // guards what follows
	text bytes.Buffer
	more chan struct{} // closed by the next Write
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{})} }

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

// grown returns a channel that is closed when there is more than now.
func (l *transcript) grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
