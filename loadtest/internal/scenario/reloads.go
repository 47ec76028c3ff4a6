package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"veneer/loadtest/internal/process"
)

// reloads is what was done to the configuration, and the first case against
// each promise, "" where there is none.
type reloads struct {
	good, bad map[string]int // tries, by way and by fault

	notTaken, notRefused, readiness, page, metrics, generation string
}

// reload changes the configuration until ctx ends: a good one, then a bad one
// that would change the policy, and so on. One that is under way when it ends is
// waited for. It gives up where it does not know what is in force.
func (r *run) reload(ctx context.Context, policy *changes) *reloads {
	done := &reloads{good: map[string]int{}, bad: map[string]int{}}
	within := context.WithoutCancel(ctx)
	for n := 0; pause(ctx, reloadEvery); n++ {
		c := process.Number(n)
		c.Settings = r.settings
		bad, allowed := c.Fault != process.NoFault, n/2%2 == 0
		if allowed != bad {
			c.Settings.Listed = append(listed(), lateOrigin)
		}
		if !bad {
			policy.set(allowed, true)
		}
		generation, err := r.proxy.Reload(within, c)
		what := fmt.Sprintf("change %d, %s, by %s", n+1, c.Fault, c.Way)
		switch {
		case bad && !errors.Is(err, process.ErrRefused):
			done.notRefused = fmt.Sprintf("%s: %v", what, err)
			return done
		case !bad && err != nil:
			done.notTaken = fmt.Sprintf("%s: %v", what, err)
			return done
		case bad:
			done.bad[c.Fault.String()+" by "+c.Way.String()]++
			r.mark("refused")
		default:
			policy.set(allowed, false)
			done.good[c.Way.String()]++
			r.mark("reloaded")
		}
		s, err := r.proxy.State(within)
		done.look(what, bad, s, err)
		if want := 1 + sum(done.good); s.Generation != want || generation != 0 && generation != want {
			note(&done.generation, "%s: %d, the answer to POST says %d, want %d", what, s.Generation, generation, want)
		}
	}
	return done
}

// look compares the state that the proxy says it is in with what was done.
func (d *reloads) look(what string, bad bool, s process.State, err error) {
	if err != nil {
		note(&d.readiness, "%s: %v", what, err)
		note(&d.page, "%s: %v", what, err)
		note(&d.metrics, "%s: %v", what, err)
		return
	}
	if s.Ready != http.StatusOK || (s.Detail != "") != bad {
		note(&d.readiness, "%s: %d, detail %q", what, s.Ready, s.Detail)
	}
	if (s.Error != "") != bad {
		note(&d.page, "%s: error %q", what, s.Error)
	}
	type counts struct{ taken, refused, successful int }
	want := counts{sum(d.good), sum(d.bad), 1}
	if bad {
		want.successful = 0
	}
	if got := (counts{s.Taken, s.Refused, s.Successful}); got != want {
		note(&d.metrics, "%s: %+v, want %+v", what, got, want)
	}
}

// kept promises what is to hold of reloads.
func (d *reloads) kept(r *run) {
	good, bad := sum(d.good), sum(d.bad)
	tries := fmt.Sprintf("%d good ones, %d bad ones of %d kinds", good, bad, len(d.bad))
	r.promise(len(d.good) == 3 && len(d.bad) >= 4, "it reloads while it serves, in each way", "%s", tries)
	r.promise(d.notTaken == "", "every good configuration is taken", "%s", or(d.notTaken, tries))
	r.timeless(d.notRefused == "", "every bad configuration is refused", "%s", or(d.notRefused, tries))
	r.promise(d.readiness == "", "/readyz stays 200, and says of a bad configuration that it was not taken until there is a good one", "%s", or(d.readiness, tries))
	r.promise(d.page == "", "so does /api/stats, which the page shows, with the error", "%s", or(d.page, tries))
	r.promise(d.metrics == "", "the metrics count the configurations that were taken, and those that were not", "%s", or(d.metrics, tries))
	r.promise(d.generation == "", "the generation counts the configurations that were taken, and no other", "%s", or(d.generation, tries))
}

// note keeps the first case.
func note(first *string, format string, args ...any) {
	if *first == "" {
		*first = fmt.Sprintf(format, args...)
	}
}

func sum(counts map[string]int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}
