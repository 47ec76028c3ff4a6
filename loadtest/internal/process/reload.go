package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lookEvery is how often the program looks whether its file has changed. It
// loads the file when two looks find the same: a signal has that long to be
// faster, or there is another reload.
const lookEvery = 150 * time.Millisecond

// Way is how the program comes to read its configuration again.
type Way int

// The ways.
const (
	BySignal Way = iota // SIGHUP
	ByFile              // it sees that the file has changed
	ByAPI               // POST /api/reload
	ways
)

func (w Way) String() string { return [ways]string{"SIGHUP", "a changed file", "POST /api/reload"}[w] }

// Fault is what is wrong with a configuration.
type Fault int

// The faults.
const (
	NoFault     Fault = iota
	Syntax            // it is no YAML
	UnknownKey        // it has a key that there is not
	Listener          // it has another listener, which nobody may bind
	HalfWritten       // it ends in the middle, written in place
	faults
)

func (f Fault) String() string {
	return [faults]string{"good", "no YAML", "an unknown key", "another listener", "half written"}[f]
}

// Change is another configuration, and how it gets there.
type Change struct {
	Settings Settings
	Way      Way
	Fault    Fault
}

// Number returns change n of a sequence, in which the way and the fault go
// round together, and a good one comes before each bad one.
func Number(n int) Change {
	c := Change{Way: Way(n / 2 % int(ways))}
	if n%2 == 1 {
		c.Fault = 1 + Fault(n/2%int(faults-1))
	}
	return c
}

// text is the file.
func (c Change) text() (string, error) {
	text, err := c.Settings.file()
	switch c.Fault {
	case Syntax:
		text += "admin: }\n"
	case UnknownKey:
		text += "colour: blue\n"
	case Listener:
		text = strings.Replace(text, "http: 127.0.0.1:0", "http: 127.0.0.1:1", 1)
	case HalfWritten:
		text = text[:len(text)/2]
	}
	return text, err
}

// configure puts the file where the program reads it, in one step if it is
// whole.
func (p *Process) configure(c Change) error {
	text, err := c.text()
	if err != nil {
		return err
	}
	name := filepath.Join(p.dir, "veneer.yaml")
	next := name
	if c.Fault != HalfWritten {
		next += ".next"
	}
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	if err := os.Rename(next, name); err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	return nil
}

// ErrRefused says that the program keeps the configuration that it has.
var ErrRefused = errors.New("the program refuses the configuration")

// Reload makes the change, and returns when the program has decided, and has
// said so in its log. An error that wraps ErrRefused is its own. generation is
// what the program numbers its configuration with, or 0 when this way does not
// tell.
func (p *Process) Reload(ctx context.Context, c Change) (generation int, err error) {
	taken, _ := p.log.count(wordReloaded)
	kept, _ := p.log.count(wordKept)
	if err := p.configure(c); err != nil {
		return 0, err
	}
	switch c.Way {
	case BySignal:
		err = p.cmd.Process.Signal(syscall.SIGHUP)
	case ByAPI:
		generation, err = p.order(ctx)
	}
	if err != nil && !errors.Is(err, ErrRefused) {
		return 0, fmt.Errorf("cannot tell the program to reload: %w", err)
	}
	refused := false
	if waited := p.await(ctx, "reload", func() (bool, <-chan struct{}) {
		now, more := p.log.count(wordReloaded)
		k, _ := p.log.count(wordKept)
		refused = k > kept
		return now > taken || refused, more
	}); waited != nil {
		return 0, waited
	}
	switch {
	case err != nil && !refused:
		return 0, fmt.Errorf("its log says that it has reloaded, and it answers: %s", err.Error())
	case refused && err == nil:
		err = fmt.Errorf("cannot reload: %w:\n%s", ErrRefused, p.log.tail())
	}
	return generation, err
}

// order is a reload by POST.
func (p *Process) order(ctx context.Context) (generation int, err error) {
	status, answer, err := p.ask(ctx, http.MethodPost, "/api/reload", nil)
	if err != nil {
		return 0, err
	}
	var said struct {
		OK         bool
		Generation int
		Detail     string
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return 0, fmt.Errorf("%d: %w: %s", status, err, answer)
	}
	switch {
	case status == http.StatusOK && said.OK && said.Generation > 0:
		return said.Generation, nil
	case status == http.StatusUnprocessableEntity && said.Detail != "":
		return 0, fmt.Errorf("cannot reload: %w: %s", ErrRefused, said.Detail)
	}
	return 0, fmt.Errorf("%d: %s", status, answer)
}

// State is what the program says of its configuration.
type State struct {
	Ready      int    // the status of /readyz
	Detail     string // there, of the configuration
	Error      string // in /api/stats, and so on the page
	Generation int    // there
	Successful int    // the metrics, from here on
	Taken      int
	Refused    int
}

// State asks the admin listener.
func (p *Process) State(ctx context.Context) (State, error) {
	var s State
	var ready struct {
		Checks []struct{ Name, Detail string }
	}
	var stats struct {
		Config struct {
			Generation int
			Error      string
		}
	}
	var err error
	if s.Ready, err = p.read(ctx, "/readyz", &ready); err != nil {
		return s, err
	}
	for _, c := range ready.Checks {
		if c.Name == "configuration" {
			s.Detail = c.Detail
		}
	}
	if _, err := p.read(ctx, "/api/stats", &stats); err != nil {
		return s, err
	}
	s.Error, s.Generation = stats.Config.Error, stats.Config.Generation
	status, answer, err := p.ask(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return s, fmt.Errorf("cannot ask for /metrics: %w", err)
	}
	if status != http.StatusOK {
		return s, fmt.Errorf("cannot ask for /metrics: %d: %s", status, answer)
	}
	return s, s.measure(string(answer))
}

// read asks the admin listener for JSON.
func (p *Process) read(ctx context.Context, path string, to any) (status int, err error) {
	status, answer, err := p.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, fmt.Errorf("cannot ask for %s: %w", path, err)
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return status, fmt.Errorf("cannot read %s: %w: %s", path, err, answer)
	}
	return status, nil
}

// measure reads the metrics.
func (s *State) measure(text string) error {
	missing := map[string]*int{
		"veneer_config_last_reload_successful":         &s.Successful,
		`veneer_config_reloads_total{result="ok"}`:     &s.Taken,
		`veneer_config_reloads_total{result="failed"}`: &s.Refused,
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		to, ok := missing[name]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("cannot read the metric %s: %w", name, err)
		}
		*to = n
		delete(missing, name)
	}
	for name := range missing {
		return fmt.Errorf("cannot find the metric %s", name)
	}
	return nil
}
