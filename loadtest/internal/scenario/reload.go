package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"veneer/loadtest/internal/openloop"
)

func reload() Scenario {
	return Scenario{
		Name: "reload",
		About: "The configuration is read again and again under load; each time the policy lets in one more origin, or no longer. No request fails, nobody " +
			"else notices, and that origin gets what the policy in force says.",
		Short: Options{Rate: 400, Duration: 4 * time.Second},
		body:  reloadBody,
	}
}

// changes keeps what the policy says now. It is safe for concurrent use.
type changes struct {
	mu  sync.Mutex
	now tenancy
}

func (c *changes) read() tenancy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *changes) set(allowed, changing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = tenancy{epoch: c.now.epoch + 1, allowed: allowed, changing: changing}
}

const reloadEvery = 300 * time.Millisecond

func reloadBody(ctx context.Context, r *run) error {
	docs := library(40)
	var policy changes
	r.late = policy.read
	loading, over := context.WithCancel(ctx)
	ended := make(chan error, 1)
	reloads := 0 // read after ended
	go func() {
		var err error
		reloads, err = r.reloads(loading, &policy)
		ended <- err
	}()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(_ int, random *rand.Rand) ask {
		d := docs[random.IntN(len(docs))]
		if random.IntN(4) == 0 {
			return get("late origin", d, later())
		}
		return get("read", d, anyVisitor(random))
	})
	over()
	if err := <-ended; err != nil {
		r.promise(false, "every reload succeeds", "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	want := int(r.Duration/reloadEvery) / 2
	r.promise(reloads >= want, "it reloads while it serves", "%d times, want %d", reloads, want)
	r.decided()
	r.latency("read", 0.99, 250*time.Millisecond)
	return nil
}

// reloads changes the policy until ctx ends, and returns how often. A reload
// that is under way when it ends is waited for.
func (r *run) reloads(ctx context.Context, policy *changes) (int, error) {
	for n := 0; ; n++ {
		if !pause(ctx, reloadEvery) {
			return n, nil
		}
		s, allowed := r.settings, n%2 == 0
		if allowed {
			s.Listed = append(listed(), lateOrigin)
		}
		policy.set(allowed, true)
		if err := r.proxy.Reload(context.WithoutCancel(ctx), s); err != nil {
			return n, fmt.Errorf("reload %d: %w", n+1, err)
		}
		policy.set(allowed, false)
		r.mark("reloaded")
	}
}

// decided promises that the changing origin was seen on both sides.
func (r *run) decided() {
	asked := r.load.Class("late origin")
	r.promise(asked != nil && asked.Count() > 0, "the origin that comes and goes asks", "%v", asked != nil)
}
