package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func reload() Scenario {
	return Scenario{
		Name: "reload",
		About: "The configuration is read again and again under load, by SIGHUP, by a changed file and by POST /api/reload, a good one and a bad one in turn; each " +
			"good one lets in one more origin, or no longer. No request fails, no connection ends, nothing stored is forgotten, and that origin gets what the policy in force says.",
		Short: Options{Rate: 400, Duration: 5 * time.Second},
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

const reloadEvery = 60 * time.Millisecond

// hotOnes are documents that stay fresh, one for each way of dealing with CORS.
func hotOnes() []faulty.Doc {
	docs := make([]faulty.Doc, len(modes))
	for i, m := range modes {
		docs[i] = faulty.Doc{Path: fmt.Sprintf("/%s/hot", m), Size: 3000, Age: 3600}
	}
	return docs
}

func reloadBody(ctx context.Context, r *run) error {
	docs, hot := library(40), hotOnes()
	var first []ask
	for _, d := range hot {
		first = append(first, get("warm", d, exact(appOrigin)))
	}
	// The first one alone: HTTP/2 would begin a connection for each and keep one.
	for _, some := range [][]ask{first[:1], first[1:]} {
		if err := r.together(ctx, some); err != nil {
			return err
		}
	}
	var policy changes
	r.late = policy.read
	loading, over := context.WithCancel(ctx)
	ended := make(chan *reloads, 1)
	go func() { ended <- r.reload(loading, &policy) }()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(_ int, random *rand.Rand) ask {
		switch n := random.IntN(8); {
		case n < 2:
			return get("late origin", docs[random.IntN(len(docs))], later())
		case n < 4:
			return get("hot", hot[random.IntN(len(hot))], exact(appOrigin))
		default:
			return get("read", docs[random.IntN(len(docs))], anyVisitor(random))
		}
	})
	over()
	done := <-ended
	if err != nil {
		return err
	}
	done.kept(r)
	fetches := 0
	for _, d := range hot {
		fetches = max(fetches, r.upstream.Tally(d.Target()).Fetches)
	}
	r.timeless(fetches == 1, "no reload forgets what is stored: hot documents are fetched once", "%d times at most, for %d requests", fetches, count(r, "hot"))
	cut := r.client.ended.Load()
	r.promise(cut == 0, "no reload ends a connection of a client", "%d of %d", cut, r.client.dialled.Load())
	r.promise(count(r, "late origin") > 0, "the origin that comes and goes asks", "%d times", count(r, "late origin"))
	r.latency("read", 0.99, 250*time.Millisecond)
	return nil
}

// count is how many requests of a class there were.
func count(r *run, class string) int64 {
	l := r.load.Class(class)
	if l == nil {
		return 0
	}
	return l.Count()
}
