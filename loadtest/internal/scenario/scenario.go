package scenario

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/process"
)

// Proxy is what is put under load. process.Process is the real one.
type Proxy interface {
	// Address is host:port, of the TLS listener when secure.
	Address(secure bool) string
	// Roots are the certificates that a client has to trust.
	Roots() *x509.CertPool
	// Usage is what it holds now.
	Usage() (process.Usage, error)
	// Reload returns when the change is in force, or with process.ErrRefused;
	// generation is 0 when this way of changing does not tell.
	Reload(context.Context, process.Change) (generation int, err error)
	// State is what it says of its configuration.
	State(context.Context) (process.State, error)
	// Purge purges by kind (url, prefix, tag, all) and returns, when it is
	// acknowledged, how many stored responses that concerned.
	Purge(ctx context.Context, kind, what string, hard bool) (touched int, err error)
	// Alarm says what is wrong with the process as such, or "".
	Alarm() string
	// Stop ends it; an error says that it ended badly.
	Stop() error
}

// Starter starts a proxy.
type Starter func(context.Context, process.Settings) (Proxy, error)

// Options say how much of a scenario there is to be.
type Options struct {
	Rate     float64       // requests a second, on average
	Duration time.Duration // of the load
	Seed     uint64        // one seed makes the same requests
	Secure   bool          // HTTP/2 over TLS in place of HTTP/1.1 in the clear
}

// Scenario is one situation.
type Scenario struct {
	Name  string
	About string  // a sentence: what happens, and what is at stake
	Short Options // for a run that only has seconds
	body  func(context.Context, *run) error
	tune  func(*process.Settings) // nil: none
}

// Promise is one thing that must hold.
type Promise struct {
	Text string
	Kept bool
	Got  string // what was seen: figures, and the first case against it
	// Timeless promises hold on the slowest machine: what breaks one once is
	// broken. The others need one that lets the test run.
	Timeless bool
}

// Result is what a scenario has found.
type Result struct {
	Scenario Scenario
	Options  Options
	Promises []Promise
	Load     *openloop.Result
	Usage    []process.Usage // by time
	MaxRSS   int64           // what was promised, in bytes
	Statuses map[string]int  // answers by class and status
	Upstream int             // requests that reached the upstream
	Marks    []Mark          // what was done meanwhile
}

// Mark is something that was done at a time.
type Mark struct {
	At   time.Time
	Text string
}

// Broken returns the promises that were not kept.
func (r *Result) Broken() []Promise {
	var broken []Promise
	for _, p := range r.Promises {
		if !p.Kept {
			broken = append(broken, p)
		}
	}
	return broken
}

// starving is a lateness of the generator itself at which nothing can be said of
// how long others took.
const starving = 100 * time.Millisecond

// Undecided reports whether promises were broken and the machine may have done
// it: it kept the generator itself, which shares it with the upstream, from
// running, and no promise was broken that time has nothing to do with.
func (r *Result) Undecided() bool { return undecided(r.Load.Lag(0.99), r.Broken()) }

func undecided(lag time.Duration, broken []Promise) bool {
	return lag > starving && len(broken) > 0 && !slices.ContainsFunc(broken, func(p Promise) bool { return p.Timeless })
}

// All returns the scenarios in the order in which they run.
func All() []Scenario {
	return []Scenario{steady(), steadySecure(), herd(), slow(), gone(), broken(), origins(), flood(), reload(), purges()}
}

// Run starts an upstream and a proxy, runs the scenario, and ends both. An
// error says that it could not be carried out; a broken promise is in the
// result.
func Run(ctx context.Context, s Scenario, o Options, start Starter) (*Result, error) {
	o.Secure = o.Secure || s.Short.Secure
	upstream, err := faulty.Start()
	if err != nil {
		return nil, err
	}
	defer upstream.Stop()
	settings := process.Settings{
		Upstream: upstream.Address(), StoreMiB: 32, Origins: 8, ResponseTimeout: 2 * time.Second, Listed: listed(),
	}
	if s.tune != nil {
		s.tune(&settings)
	}
	proxy, err := start(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("cannot run scenario %s: %w", s.Name, err)
	}
	r := &run{
		Options: o, proxy: proxy, upstream: upstream, settings: settings,
		client: newClient(proxy, o.Secure), book: newBook(),
		memory: (2*int64(settings.StoreMiB) + 160) << 20,
	}
	defer r.client.close()
	r.meter = watch(proxy)
	err = s.body(ctx, r)
	r.meter.end()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot run scenario %s: %w", s.Name, errors.Join(err, proxy.Stop()))
	}
	r.always(ctx)
	r.ends(proxy.Stop)
	return &Result{
		Scenario: s, Options: o, Promises: r.promises, Load: r.load, Usage: r.meter.samples,
		MaxRSS: r.rssLimit(), Statuses: r.book.statuses, Upstream: upstream.Fetches(), Marks: r.marks,
	}, nil
}
