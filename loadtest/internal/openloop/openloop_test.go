package openloop

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stalling is a server that takes a millisecond for a request, and stands still
// for a while.
type stalling struct {
	from, until time.Duration // since began
	began       time.Time
}

func (s *stalling) shot(context.Context, int) Outcome {
	wait := time.Millisecond
	if at := time.Since(s.began); at >= s.from && at < s.until {
		wait += s.until - at
	}
	<-time.After(wait)
	return Outcome{Class: "get", Bytes: 10}
}

// TestCoordinatedOmission is what the package is for. A server that answers in
// a millisecond and stands still for one second of ten is bad for a tenth of
// its clients. What one waits for one worker at a time sees a single long
// request, and would say that 99 of 100 are fast.
func TestCoordinatedOmission(t *testing.T) {
	for _, workers := range []int{1, 500} {
		synctest.Test(t, func(t *testing.T) {
			server := &stalling{from: 4 * time.Second, until: 5 * time.Second, began: time.Now()}
			r, err := Run(t.Context(), Config{Schedule: Constant(100, 10*time.Second), Workers: workers}, server.shot)
			if err != nil || r.Sent != 1000 || r.Failed != 0 || r.Unsent != 0 || r.Bytes != 10_000 {
				t.Fatalf("%d workers: %+v, %v; want 1000 sent", workers, r, err)
			}
			l := r.Class("get")
			if got := l.Response(0.5); got > 2*time.Millisecond {
				t.Errorf("%d workers: the median is %s, want one millisecond", workers, got)
			}
			if got := l.Response(0.95); got < 300*time.Millisecond {
				t.Errorf("%d workers: the 95 %% quantile of responses is %s: the stall has been omitted", workers, got)
			}
			if got := l.Response(1); got < 990*time.Millisecond || got > 1100*time.Millisecond {
				t.Errorf("%d workers: the longest response took %s, want about a second", workers, got)
			}
			if workers == 1 && l.Service(0.99) > 2*time.Millisecond {
				t.Errorf("the 99 %% quantile of service times is %s: with one worker it should have missed the stall", l.Service(0.99))
			}
			if got := r.Lag(1); got > time.Millisecond {
				t.Errorf("%d workers: the generator says that it was late itself, by %s", workers, got)
			}
		})
	}
}

func TestWindowsShowTheStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stalling{from: 2 * time.Second, until: 3 * time.Second, began: time.Now()}
		r, err := Run(t.Context(), Config{Schedule: Constant(100, 5*time.Second), Workers: 200, Window: 500 * time.Millisecond}, server.shot)
		if err != nil || len(r.Windows) != 10 {
			t.Fatalf("%d windows, %v; want 10", len(r.Windows), err)
		}
		for i, w := range r.Windows {
			if stalled := i == 4 || i == 5; w.Sent != 50 || (w.Max > 100*time.Millisecond) != stalled || w.P50 > w.P99 || w.P99 > w.Max {
				t.Errorf("window %d: %+v, stalled %t", i, w, stalled)
			}
		}
	})
}

// A request waits for nobody as long as a worker is free.
func TestRequestsAreSentWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		_, err := Run(t.Context(), Config{Schedule: Herds(3, 2, time.Second), Workers: 6}, func(_ context.Context, n int) Outcome {
			mu.Lock()
			at = append(at, time.Since(began))
			mu.Unlock()
			<-time.After(10 * time.Second)
			return Outcome{}
		})
		slices.Sort(at)
		if want := []time.Duration{0, 0, 0, time.Second, time.Second, time.Second}; err != nil || !slices.Equal(at, want) {
			t.Errorf("sent at %v, %v; want %v", at, err, want)
		}
	})
}

func TestEachRequestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[int]int{}
		r, err := Run(t.Context(), Config{Schedule: Poisson(1000, time.Second, 7), Workers: 10}, func(_ context.Context, n int) Outcome {
			mu.Lock()
			defer mu.Unlock()
			seen[n]++
			return Outcome{Class: []string{"a", "b"}[n%2], Failed: n%4 == 0}
		})
		if err != nil || len(seen) != r.Sent || !slices.Equal(r.Classes(), []string{"a", "b"}) || r.Failed != (r.Sent+3)/4 {
			t.Fatalf("%d numbers, %+v, %v", len(seen), r, err)
		}
		if got := r.Class("a").Count() + r.Class("b").Count(); got != int64(r.Sent) {
			t.Errorf("the classes have %d requests, sent were %d", got, r.Sent)
		}
		for n, times := range seen {
			if times != 1 || n >= r.Sent {
				t.Errorf("request %d was sent %d times", n, times)
			}
		}
	})
}

func TestAnEndedContextEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		r, err := Run(ctx, Config{Schedule: Constant(10, 10*time.Second), Workers: 30}, func(ctx context.Context, _ int) Outcome {
			<-ctx.Done()
			return Outcome{Class: "get"}
		})
		if err != nil || r.Took != 2*time.Second || r.Sent < 20 || r.Sent+r.Unsent != 100 {
			t.Errorf("took %s, %d sent, %d not, %v; want 2s, and 100 together", r.Took, r.Sent, r.Unsent, err)
		}
	})
}

func TestRunNeedsWorkers(t *testing.T) {
	for _, c := range []Config{{}, {Workers: 1}, {Schedule: Constant(1, 1)}} {
		if _, err := Run(t.Context(), c, func(context.Context, int) Outcome { return Outcome{} }); err == nil {
			t.Errorf("%+v runs", c)
		}
	}
}

func TestSchedules(t *testing.T) {
	collect := func(s Schedule) (all []time.Duration) {
		for at, more := s(); more; at, more = s() {
			all = append(all, at)
		}
		return all
	}
	if got, want := collect(Constant(4, time.Second)), []time.Duration{0, 250e6, 500e6, 750e6}; !slices.Equal(got, want) {
		t.Errorf("constant: %v, want %v", got, want)
	}
	if got, want := collect(Herds(2, 2, time.Minute)), []time.Duration{0, 0, time.Minute, time.Minute}; !slices.Equal(got, want) {
		t.Errorf("herds: %v, want %v", got, want)
	}
	a := collect(Poisson(500, 20*time.Second, 3))
	if n := float64(len(a)); math.Abs(n-10_000) > 500 || !slices.IsSorted(a) || a[len(a)-1] >= 20*time.Second {
		t.Errorf("poisson: %d requests, want about 10000, in order", len(a))
	}
	var squares float64 // the gaps' deviation is their mean: independent clients
	for i := 1; i < len(a); i++ {
		gap := (a[i] - a[i-1]).Seconds() * 500
		squares += (gap - 1) * (gap - 1)
	}
	if v := squares / float64(len(a)); v < 0.8 || v > 1.2 {
		t.Errorf("poisson: the gaps' variance is %.2f of the mean squared, want about 1", v)
	}
	if b := collect(Poisson(500, 20*time.Second, 3)); !slices.Equal(a, b) {
		t.Error("poisson: one seed gives two schedules")
	}
}
