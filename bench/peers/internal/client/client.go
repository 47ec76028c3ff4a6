// Package client puts load on a server by wrk or h2load, and reads what they
// say of it.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Load is what to send, and how. Every connection is kept and sends again as
// soon as it has its answer (a closed loop): what is measured is the cost of a
// request to the server, not the time a user waits.
type Load struct {
	URL         string
	Fields      []string // "Name: value"
	Connections int
	Streams     int // of each connection; more than 0 means HTTP/2 by h2load
	Time        time.Duration
	Core        int // where the client itself runs
}

// Result is what came of a Load.
type Result struct {
	Requests int64         `json:"requests"`
	Took     time.Duration `json:"took_ns"`
	Problem  string        `json:"problem,omitempty"` // anything but complete answers with status 200
}

// Rate is how many requests were answered in a second.
func (r Result) Rate() float64 {
	if r.Took <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Took.Seconds()
}

// ErrMissing says that a program that the load needs is not installed.
var ErrMissing = errors.New("it is not installed")

// Program is the program that the load needs.
func (l Load) Program() string {
	if l.Streams > 0 {
		return "h2load"
	}
	return "wrk"
}

// Available says, by ErrMissing, when what the load needs is not installed.
func (l Load) Available() error {
	for _, program := range []string{l.Program(), "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("cannot send load with %s: %w", program, ErrMissing)
		}
	}
	return nil
}

// Run sends the load, and returns when the client has ended.
func (l Load) Run(ctx context.Context) (Result, error) {
	if err := l.Available(); err != nil {
		return Result{}, err
	}
	if l.Streams > 0 {
		out, err := l.run(ctx, 0, l.h2load())
		if err != nil {
			return Result{}, err
		}
		r, err := parseH2load(out)
		r.Took = l.Time
		return r, err
	}
	interrupt := time.Duration(0)
	if l.Time%time.Second != 0 {
		interrupt = l.Time
	}
	out, err := l.run(ctx, interrupt, l.wrk())
	if err != nil {
		return Result{}, err
	}
	return parseWrk(out)
}

// wrk takes whole seconds only. On an interrupt it stops and reports what it has
// until then, so shorter loads are cut. A request that waits while the machine
// is busy elsewhere is no error before half a minute; wrk's own limit is 2 s.
func (l Load) wrk() []string {
	whole := (l.Time + time.Second - 1) / time.Second
	args := []string{"wrk", "-t", "1", "-c", strconv.Itoa(l.Connections), "-d", strconv.Itoa(int(whole)) + "s", "--timeout", "30s"}
	return append(l.fields(args), l.URL)
}

func (l Load) h2load() []string {
	args := []string{
		"h2load", "-t", "1", "-c", strconv.Itoa(l.Connections), "-m", strconv.Itoa(l.Streams),
		"-D", strconv.FormatInt(l.Time.Milliseconds(), 10) + "ms",
	}
	return append(l.fields(args), l.URL)
}

func (l Load) fields(args []string) []string {
	for _, f := range l.Fields {
		args = append(args, "-H", f)
	}
	return args
}

// run runs the client on its core, and interrupts it after the given time
// unless that is 0.
func (l Load) run(ctx context.Context, after time.Duration, args []string) (string, error) {
	// A client that hangs is stopped: it may take this long to connect and to end.
	ctx, cancel := context.WithTimeout(ctx, l.Time+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(l.Core)}, args...)...) // #nosec G204: the arguments are this package's
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("cannot start %s: %w", args[0], err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer timer.Stop()
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("cannot send load with %s: %w: %s", args[0], errors.Join(err, ctx.Err()), bytes.TrimSpace(out.Bytes()))
	}
	return out.String(), nil
}
