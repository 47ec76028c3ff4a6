package openloop

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Config says when requests are due and how many may be under way.
type Config struct {
	Schedule Schedule
	Workers  int           // requests under way at once, at most; what is due beyond waits, and that counts
	Window   time.Duration // the grain of Result.Windows; zero means a second
}

// Outcome is what became of one request.
type Outcome struct {
	Class  string // what kind of request it was: each has latencies of its own; a handful, not one a request
	Failed bool
	Bytes  int // of content
}

// Shot sends request n, from zero in the order in which they are due, and
// returns when it is answered. Many run at the same time.
type Shot func(ctx context.Context, n int) Outcome

// Run sends what the schedule has and returns when all of it is answered.
// When ctx ends it sends no more, waits for what is under way (shot has ctx
// too), and returns what it has with the number of requests left unsent in it.
func Run(ctx context.Context, c Config, shot Shot) (*Result, error) {
	if c.Workers <= 0 || c.Schedule == nil || shot == nil {
		return nil, errors.New("cannot run a load: it needs a schedule, a shot, and at least one worker")
	}
	if c.Window <= 0 {
		c.Window = time.Second
	}
	r := newResult(c.Window)
	tickets := tickets{schedule: c.Schedule}
	var all sync.WaitGroup
	for range c.Workers {
		all.Go(func() { work(ctx, r, &tickets, shot) })
	}
	all.Wait()
	r.finish(tickets.rest())
	return r, nil
}

// tickets hands out the requests in the order in which they are due.
type tickets struct {
	mu       sync.Mutex // guards what follows
	schedule Schedule
	next     int
	over     bool
}

func (t *tickets) take() (n int, due time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return 0, 0, false
	}
	due, ok = t.schedule()
	if !ok {
		t.over = true
		return 0, 0, false
	}
	t.next++
	return t.next - 1, due, true
}

func (t *tickets) rest() int {
	for n := 0; ; n++ {
		if _, _, ok := t.take(); !ok {
			return n
		}
	}
}

// work takes one ticket after the other, waits until it is due, and sends it.
// Taking it first and waiting then makes the order of sending that of the
// schedule without a goroutine in between.
func work(ctx context.Context, r *Result, t *tickets, shot Shot) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		n, offset, ok := t.take()
		if !ok {
			return
		}
		due := r.Began.Add(offset)
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
				r.woke(time.Since(due))
			case <-ctx.Done():
				r.leave()
				return
			}
		}
		sent := time.Now()
		o := shot(ctx, n)
		r.record(o, due, sent, time.Now())
	}
}
