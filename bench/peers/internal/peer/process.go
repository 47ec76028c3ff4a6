package peer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Times that a server gets.
const (
	patience = 20 * time.Second // to listen
	leave    = 8 * time.Second  // to end after SIGTERM
)

// Process is a running server. Its methods are for one goroutine.
type Process struct {
	Server *Server
	Place  Place
	cmd    *exec.Cmd
	log    *tail
	done   chan struct{} // closed when it has ended
	err    error         // of Wait; read after done
}

// ErrNotBuilt says that a Veneer configuration is for a later release.
var ErrNotBuilt = errors.New("not built yet in this release")

var errWell = errors.New("exit status 0")

// Start starts a server on its core and returns when it listens where the work
// is asked of it. The caller ends it with Stop.
func Start(ctx context.Context, programs Programs, s *Server, place Place, w Work) (*Process, error) {
	program, err := programs.Find(s)
	if err != nil {
		return nil, err
	}
	args, err := s.prepare(place, w)
	if err != nil {
		return nil, err
	}
	args = append([]string{"-c", strconv.Itoa(place.Core), program}, args...)
	p := &Process{Server: s, Place: place, log: &tail{}, done: make(chan struct{})}
	p.cmd = exec.Command("taskset", args...) // #nosec G204: a program that was looked up by name
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = place.Dir, p.log, p.log
	// A group of its own, so that its workers can be ended with it, and so that an
	// interrupt from the keyboard is left to us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.await(ctx, w.address(place)); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// PID is the process that Start started; its children are its own affair.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// await waits until the server accepts connections.
func (p *Process) await(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-retry.C:
		case <-p.done:
			if said := p.log.String(); p.Server.program == veneer && strings.Contains(said, "is "+ErrNotBuilt.Error()) {
				return ErrNotBuilt
			}
			return fmt.Errorf("cannot start %s: it has ended: %w: %s", p.Server.Name, cmp.Or(p.err, errWell), p.log)
		case <-ctx.Done():
			return fmt.Errorf("cannot start %s: nothing listens on %s: %w: %s", p.Server.Name, address, ctx.Err(), p.log)
		}
	}
}

// Stop asks the server to end and waits; one that does not is killed with all
// of its group.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
		return nil
	case <-time.After(leave):
	}
	err := syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
	if err != nil {
		return fmt.Errorf("cannot kill %s: %w", p.Server.Name, err)
	}
	return nil
}

// tail keeps the end of what a server says. The zero tail is empty. It may be
// used by several goroutines.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

const tailSize = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// String returns the end in one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(bytes.TrimSpace(t.text))), " ")
}
