package conformance

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopPatience is how long a process may take to end when it is asked to.
const stopPatience = 15 * time.Second

// process is a program that runs until the test ends.
type process struct {
	name string
	out  *output
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

// start runs cmd until the test ends: then it is asked to end, and after
// stopPatience killed. Only this very process is ever touched.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, out: new(output), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-p.done:
		case <-time.After(stopPatience):
			_ = cmd.Process.Kill()
			<-p.done
			t.Errorf("%s did not end when it was asked to:\n%s", name, p.out)
		}
	})
	return p
}

// await asks ready every now and then until it says yes. The error says that
// the process has ended, or that the patience has.
func (p *process) await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ready() {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended (%w):\n%s", p.name, cmp.Or(p.err, errEndedWell), p.out)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w):\n%s", p.name, ctx.Err(), p.out)
		case <-again.C:
		}
	}
	return nil
}

var errEndedWell = errors.New("exit status 0")

// accepts reports whether somebody listens on addr.
func accepts(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
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

// output keeps the first lines and the last ones of what a process says. It is
// safe for concurrent use.
type output struct {
	mu         sync.Mutex // guards the two
	head, tail []byte     // the tail is cut when it is twice as long as it need be
}

const outputKept = 32 << 10 // bytes of each end

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	if room := outputKept - len(o.head); room > 0 {
		k := min(room, len(p))
		o.head, p = append(o.head, p[:k]...), p[k:]
	}
	o.tail = append(o.tail, p...)
	if over := len(o.tail) - 2*outputKept; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over+outputKept:]...)
	}
	return n, nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail
	if over := len(tail) - outputKept; over > 0 {
		tail = tail[over:]
	}
	return string(bytes.Join([][]byte{o.head, tail}, nil))
}

// run runs a command to its end and returns what it wrote to its standard
// output.
func run(cmd *exec.Cmd) (string, error) {
	var stdout bytes.Buffer
	stderr := new(output)
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, stdout.String(), stderr)
	}
	return stdout.String(), nil
}

// environment is the process's own, without what npm may have set for a
// program that started this test, and with more.
func environment(more ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "npm_package_") && !strings.HasPrefix(v, "npm_config_") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}
