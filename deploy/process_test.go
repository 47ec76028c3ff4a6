package deploy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take to begin, and to end.
const patience = 20 * time.Second

// process is a program that runs until the test ends.
type process struct {
	name string
	said *record
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

// start runs cmd, until the test ends at the latest. Only this very process is
// ever told anything.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, said: new(record), cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop asks the program to end, and waits for it.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("%s did not end when it was asked to:\n%s", p.name, p.said)
	}
}

// await asks ready every now and then until it says yes.
func (p *process) await(t *testing.T, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ready() {
		select {
		case <-p.done:
			t.Fatalf("%s ended (%v):\n%s", p.name, cmp.Or(p.err, errors.New("exit status 0")), p.said)
		case <-ctx.Done():
			t.Fatalf("%s is not ready:\n%s", p.name, p.said)
		case <-again.C:
		}
	}
}

// record keeps what a program says, up to a limit.
type record struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const most = 256 << 10
	if r.all.Len() < most {
		r.all.Write(p)
	}
	return len(p), nil
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

// freeAddress returns a loopback address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ask sends one request without keeping the connection; fields are pairs.
func ask(t *testing.T, method, url, content string, fields ...string) (status int, head http.Header, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(b), err
}

// must is ask for what has to work.
func must(t *testing.T, method, url, content string, fields ...string) (http.Header, string) {
	t.Helper()
	status, head, body, err := ask(t, method, url, content, fields...)
	if err != nil || status/100 > 3 {
		t.Fatalf("%s %s: %d, %v\n%s", method, url, status, err, body)
	}
	return head, body
}

// ready tells whether an admin listener says that the instance is ready.
func ready(t *testing.T, admin string) bool {
	t.Helper()
	status, _, _, err := ask(t, "GET", fmt.Sprintf("http://%s/readyz", admin), "")
	return err == nil && status == http.StatusOK
}
