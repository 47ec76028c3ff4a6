package process

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Host is the name that the certificate is for; requests name it.
const Host = "load.test"

// patience is how long the program may take to start, to reload and to end.
const patience = 20 * time.Second

// Build compiles the program of the module that the working directory is in,
// and returns the path of the binary in dir.
func Build(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "veneer")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "veneer/cmd/veneer")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build veneer/cmd/veneer (the working directory has to be in its module): %w\n%s", err, text)
	}
	return out, nil
}

// Process is the running program. Its methods may be called from several
// goroutines, except that one at a time may reload.
type Process struct {
	cmd  *exec.Cmd
	dir  string
	log  *journal
	pool *x509.CertPool
	http string
	tls  string

	admin string        // host:port
	done  chan struct{} // closed when it has ended
	err   error         // of Wait; read after done
}

// Start runs the binary with the settings, its files in dir, and returns when
// it listens. The caller ends it with Stop.
func Start(ctx context.Context, binary, dir string, s Settings) (*Process, error) {
	pool, err := certify(dir, Host)
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir, log: newJournal(), pool: pool, done: make(chan struct{})}
	if err := p.configure(Change{Settings: s}); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(binary, "serve", "-c", filepath.Join(dir, "veneer.yaml"), "--watch", lookEvery.String())
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", binary, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	var addrs []string
	err = p.await(ctx, "listen", func() (bool, <-chan struct{}) {
		var more <-chan struct{}
		addrs, more = p.log.addresses()
		return len(addrs) >= 3, more
	})
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	p.admin, p.http, p.tls = addrs[0], addrs[1], addrs[2]
	return p, nil
}

// await waits until ready says yes, and asks again whenever the channel that it
// returned is closed. The error says that the process has ended, or the
// patience has.
func (p *Process) await(ctx context.Context, what string, ready func() (bool, <-chan struct{})) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, more := ready()
		if ok {
			return nil
		}
		select {
		case <-more:
		case <-p.done:
			return fmt.Errorf("cannot wait for the program to %s: it has ended (%w):\n%s", what, cmp.Or(p.err, errWell), p.log.tail())
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for the program to %s any longer: %w:\n%s", what, ctx.Err(), p.log.tail())
		}
	}
}

var errWell = errors.New("exit status 0")

// Address is where it listens: the cleartext listener, or with secure the TLS
// one.
func (p *Process) Address(secure bool) string {
	if secure {
		return p.tls
	}
	return p.http
}

// Roots are the certificates to trust.
func (p *Process) Roots() *x509.CertPool { return p.pool }

// Usage returns what it uses now. The error is permanent where there is no
// /proc.
func (p *Process) Usage() (Usage, error) { return usage(p.cmd.Process.Pid) }

// Purge has the admin listener purge, by kind (url, prefix, tag, all), and
// returns how many stored responses that concerned.
func (p *Process) Purge(ctx context.Context, kind, what string, hard bool) (touched int, err error) {
	order := map[string]any{kind: what, "hard": hard}
	if kind == "all" {
		order[kind] = true
	}
	text, err := json.Marshal(order)
	if err != nil {
		return 0, fmt.Errorf("cannot purge: %w", err)
	}
	status, answer, err := p.ask(ctx, http.MethodPost, "/api/purge", text)
	if err != nil {
		return 0, fmt.Errorf("cannot purge: %w", err)
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("cannot purge: %d: %s", status, answer)
	}
	var said struct{ Touched int }
	if err := json.Unmarshal(answer, &said); err != nil {
		return 0, fmt.Errorf("cannot purge: %w: %s", err, answer)
	}
	return said.Touched, nil
}

// ask has the admin listener answer, over a connection of its own.
func (p *Process) ask(ctx context.Context, method, path string, content []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.admin+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, answer, err
}

// Alarm returns what is wrong with the process itself, as far as it shows: it
// has ended, or it has said what no program should. "" is nothing.
func (p *Process) Alarm() string {
	select {
	case <-p.done:
		return fmt.Sprintf("it has ended (%v): %s", cmp.Or(p.err, errWell), p.log.tail())
	default:
	}
	return strings.TrimSpace(p.log.alarm())
}

// Stop asks it to end and waits. An error says that it had to be killed, or
// ended badly. A second call does nothing.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("the program did not end within %s of SIGTERM:\n%s", patience, p.log.tail())
	}
	if p.err != nil {
		return fmt.Errorf("the program ended badly: %w:\n%s", p.err, p.log.tail())
	}
	return nil
}
