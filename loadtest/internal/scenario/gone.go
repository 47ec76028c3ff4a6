package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func gone() Scenario {
	return Scenario{
		Name: "gone",
		About: "The upstream is gone for a third of the time and comes back. What is stored is served stale meanwhile; only what nobody had asked for " +
			"before gets an error, and none afterwards.",
		Short: Options{Rate: 300, Duration: 6 * time.Second},
		body:  goneBody,
	}
}

// outage is when the upstream was away. Times are in ns since began; zero is
// not yet.
type outage struct {
	began      time.Time
	from, till atomic.Int64
}

// overlaps reports whether an answer was under way in the outage, or within
// after its end.
func (o *outage) overlaps(got *answer, after time.Duration) bool {
	from, till := o.from.Load(), o.till.Load()
	return from != 0 && int64(got.done.Sub(o.began)) >= from && (till == 0 || int64(got.sent.Sub(o.began)) <= till+int64(after))
}

func goneBody(ctx context.Context, r *run) error {
	var warm []faulty.Doc
	var first []ask
	people := []visitor{nobody(), exact(appOrigin), exact(adminOrigin), stranger(1)}
	for i := range 20 {
		d := faulty.Doc{Path: fmt.Sprintf("/%s/warm/%d", []string{own, shared, off}[i%3], i), Size: 3000, Age: 1, Change: 200 * time.Millisecond}
		warm = append(warm, d)
		for _, v := range people {
			first = append(first, get("warm", d, v))
		}
	}
	if err := r.together(ctx, first); err != nil {
		return err
	}
	away := outage{began: time.Now()}
	var stored, back atomic.Int64 // answers from the store in the outage, whole answers to new documents after it
	const recovery = time.Second
	r.excuse = func(a *ask, got *answer) bool {
		if a.class == "warm" { // its connection broke within an answer, and that only
			return got.err != nil && away.overlaps(got, 0) && got.sent.Sub(away.began) <= time.Duration(away.from.Load())
		}
		return away.overlaps(got, recovery)
	}
	r.stale = func(_ *ask, got *answer) bool { return away.overlaps(got, recovery) }
	r.heard = func(a *ask, got *answer) {
		switch during := away.overlaps(got, 0); {
		case a.class == "warm" && during && !got.failed():
			stored.Add(1)
		case a.class == "new" && !got.failed() && away.till.Load() > 0 && !during:
			back.Add(1)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- away.happen(ctx, r, r.Duration/3) }()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(n int, random *rand.Rand) ask {
		if random.IntN(10) == 0 {
			return get("new", faulty.Doc{Path: fmt.Sprintf("/own/new/%d", n), Size: 3000, Age: 60}, anyVisitor(random))
		}
		return get("warm", warm[random.IntN(len(warm))], people[random.IntN(len(people))])
	})
	if err := <-ended; err != nil {
		return err
	}
	if err != nil {
		return err
	}
	r.promise(stored.Load() > 0, "what is stored is served while the upstream is gone", "%d answers in %s", stored.Load(), round(time.Duration(away.till.Load()-away.from.Load())))
	r.promise(back.Load() > 0, "new documents are served when it is back", "%d answers", back.Load())
	r.latency("warm", 0.99, 250*time.Millisecond)
	r.latency("new", 0.99, 2*time.Second)
	return nil
}

// happen takes the upstream away after a time, and brings it back after as
// long again.
func (o *outage) happen(ctx context.Context, r *run, each time.Duration) error {
	defer func() { o.till.CompareAndSwap(0, int64(time.Since(o.began))) }()
	if !pause(ctx, each) {
		return ctx.Err()
	}
	o.from.Store(int64(time.Since(o.began)))
	r.mark("gone")
	r.upstream.Gone()
	stay := pause(ctx, each)
	err := r.upstream.Back()
	r.mark("back")
	if !stay {
		return ctx.Err()
	}
	return err
}

// pause waits, and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
