package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veneer/loadtest/internal/process"
)

// Reload takes what is good, as long as no flaw keeps it from doing so.
func (y *toy) Reload(_ context.Context, c process.Change) (generation int, err error) {
	switch {
	case y.flaw == "refuses reload":
		return 0, errors.New("a bad day")
	case c.Fault != process.NoFault && y.flaw != "takes bad files":
		return 0, y.refuse(c.Fault)
	}
	y.reloading.Store(true)
	<-time.After(10 * time.Millisecond)
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.flaw != "ignores reload" {
		y.settings = c.Settings
	}
	if y.flaw == "forgets in reload" {
		clear(y.entries)
	}
	y.state.Taken++
	y.state.Generation++
	y.state.Error = ""
	if y.flaw != "stays bad" {
		y.state.Ready, y.state.Detail, y.state.Successful = http.StatusOK, "", 1
	}
	y.reloading.Store(false)
	if c.Way != process.ByAPI {
		return 0, nil
	}
	if y.flaw == "another answer than state" {
		return y.state.Generation + 1, nil
	}
	return y.state.Generation, nil
}

func (y *toy) refuse(f process.Fault) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.state.Refused++
	y.state.Successful = 0
	if y.flaw != "hides the error" {
		y.state.Error = "the error"
	}
	switch y.flaw {
	case "generation of bad ones":
		y.state.Generation++
	case "unready after a bad file":
		y.state.Ready = http.StatusServiceUnavailable
	case "miscounts":
		y.state.Refused++
	}
	if y.flaw != "hides bad files" {
		y.state.Detail = "the old one runs on"
	}
	return fmt.Errorf("%w: %s", process.ErrRefused, f)
}

func (y *toy) State(context.Context) (process.State, error) {
	if y.flaw == "says no state" {
		return process.State{}, errors.New("a bad day")
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.state, nil
}
