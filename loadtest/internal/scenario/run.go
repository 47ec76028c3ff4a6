package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/process"
)

// run is a scenario under way.
type run struct {
	Options
	proxy    Proxy
	upstream *faulty.Server
	settings process.Settings
	client   *client
	book     *book
	meter    *meter
	load     *openloop.Result
	promises []Promise
	marks    []Mark // written by one goroutine, which the body waits for
	memory   int64  // bytes that it may use beyond what it started with

	// These are set before the load begins, and may be nil.
	excuse func(*ask, *answer) bool      // the upstream made this error, though its book has none
	stale  func(*ask, *answer) bool      // this answer may be older than its lifetime
	late   func() tenancy                // whether the policy has lateOrigin now
	purged func(*ask, *answer) time.Time // what is older must not be the answer
	heard  func(*ask, *answer)           // gets each answer, from many goroutines
}

// promise notes what must hold and whether it did.
func (r *run) promise(kept bool, text, got string, args ...any) {
	r.promises = append(r.promises, Promise{Text: text, Kept: kept, Got: fmt.Sprintf(got, args...)})
}

// mark notes that something was done now.
func (r *run) mark(text string) { r.marks = append(r.marks, Mark{time.Now(), text}) }

// timeless promises what does not hang on time.
func (r *run) timeless(kept bool, text, got string, args ...any) {
	r.promise(kept, text, got, args...)
	r.promises[len(r.promises)-1].Timeless = true
}

// fire runs the load: what next gives for each number, sent when due. One seed
// gives one sequence.
func (r *run) fire(ctx context.Context, schedule openloop.Schedule, workers int, next func(n int, random *rand.Rand) ask) error {
	var err error
	r.load, err = openloop.Run(ctx, openloop.Config{
		Schedule: schedule, Workers: workers, Window: max(250*time.Millisecond, r.Duration/100),
	}, func(ctx context.Context, n int) openloop.Outcome {
		a := next(n, rand.New(rand.NewPCG(r.Seed+1, uint64(n))))
		got := r.send(ctx, &a)
		return openloop.Outcome{Class: a.class, Failed: got.failed(), Bytes: len(got.body)}
	})
	return err
}

// send asks, judges what comes back, and enters it in the book.
func (r *run) send(ctx context.Context, a *ask) *answer {
	before := r.tenancy()
	got := r.client.do(ctx, a)
	if ctx.Err() != nil {
		return got // the whole run ends: nothing can be said
	}
	r.book.enter(a, got, r.judge(a, got, before))
	if r.heard != nil {
		r.heard(a, got)
	}
	return got
}

func (r *run) tenancy() tenancy {
	if r.late == nil {
		return tenancy{}
	}
	return r.late()
}

// latency promises that the q quantile of a class is within limit. What the
// generator itself was late by comes on top: a machine that is too busy to send
// in time is too busy to answer in time.
func (r *run) latency(class string, q float64, limit time.Duration) {
	text := fmt.Sprintf("%g %% of the %s requests are answered within %s", q*100, class, limit)
	l := r.load.Class(class)
	if l == nil {
		r.promise(false, text, "there was none")
		return
	}
	got, lag := l.Response(q), r.load.Lag(q)
	r.promise(got <= limit+lag, text, "%s (median %s, of %d; the generator's own lag %s)", round(got), round(l.Response(0.5)), l.Count(), round(lag))
}

// round is for reading.
func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// wrongs promises that no answer was wrong in any way.
func (r *run) wrongs() {
	for _, k := range kinds {
		count, first := r.book.wrong(k)
		got := fmt.Sprintf("%d of %d answers", count, r.book.total())
		if count > 0 {
			got += "; the first: " + first
		}
		if k == failed || k == old || k == resent {
			r.promise(count == 0, promised[k], "%s", got)
		} else {
			r.timeless(count == 0, promised[k], "%s", got)
		}
	}
}

// always promises what holds in each scenario.
func (r *run) always(ctx context.Context) {
	r.wrongs()
	r.promise(r.load.Sent > 0 && r.load.Unsent == 0, "every request was sent", "%d sent, %d not", r.load.Sent, r.load.Unsent)
	if peak, ok := r.meter.peak(); ok {
		limit := r.rssLimit()
		r.timeless(peak <= limit, fmt.Sprintf("it never has more than %d MiB in memory", limit>>20), "%d MiB at most, %d at the start", peak>>20, r.meter.samples[0].RSS>>20)
		r.client.close()
		r.upstream.Stop() // connections that wait for it end now
		files, before := r.meter.settle(ctx, r.proxy)
		const spare = 4
		r.promise(files <= before+spare, "it closes what its clients have closed", "%d open files before, %d after", before, files)
	}
	alarm := r.proxy.Alarm()
	r.timeless(alarm == "", "it runs, and says nothing of a panic", "%s", or(alarm, "so it is"))
}

// ends promises a good end.
func (r *run) ends(stop func() error) {
	got := "so it does"
	err := stop()
	if err != nil {
		got = err.Error()
	}
	r.promise(err == nil, "it ends when it is told to, with status 0", "%s", got)
}

// rssLimit is what it may use in bytes, or 0 when nobody can tell.
func (r *run) rssLimit() int64 {
	if len(r.meter.samples) == 0 {
		return 0
	}
	return r.meter.samples[0].RSS + r.memory
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// together sends each of them once, before the load, some at a time.
func (r *run) together(ctx context.Context, asks []ask) error {
	const workers = 16
	failures := make(chan error, len(asks))
	_, err := openloop.Run(ctx, openloop.Config{Schedule: openloop.Herds(len(asks), 1, 0), Workers: workers}, func(ctx context.Context, n int) openloop.Outcome {
		if got := r.send(ctx, &asks[n]); got.failed() {
			failures <- fmt.Errorf("cannot warm up %s: %s", asks[n].target, got)
		}
		return openloop.Outcome{}
	})
	select {
	case first := <-failures:
		return first
	default:
		return err
	}
}
