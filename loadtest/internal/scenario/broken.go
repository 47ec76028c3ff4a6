package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/stamp"
)

func broken() Scenario {
	return Scenario{
		Name: "broken",
		About: "A third of the documents fail at first: errors, resets, connections that close, heads that are none, contents that end half way, no answer. " +
			"Nothing of it may be stored, look whole, or touch another document.",
		Short: Options{Rate: 300, Duration: 4 * time.Second},
		body:  brokenBody,
	}
}

// brokenDoc is a document that fails once or more, of a kind by its number.
func brokenDoc(i int) faulty.Doc {
	d := faulty.Doc{
		Path: fmt.Sprintf("/%s/broken/%d", modes[i/len(faulty.Faults)%len(modes)], i), Size: 12_000, Age: 60,
		Fault: faulty.Faults[i%len(faulty.Faults)], First: 1 + i/len(faulty.Faults)%3*2,
	}
	if d.Fault == faulty.Stall {
		d.First = 1 // each takes as long as the proxy is patient
	}
	return d
}

func brokenBody(ctx context.Context, r *run) error {
	healthy := make([]faulty.Doc, 40)
	var first []ask
	for i := range healthy {
		healthy[i] = faulty.Doc{Path: fmt.Sprintf("/shared/healthy/%d", i), Size: 5000, Age: 2, Change: 300 * time.Millisecond}
		first = append(first, get("healthy", healthy[i], nobody()))
	}
	if err := r.together(ctx, first); err != nil {
		return err
	}
	count := 8 + int(r.Rate*r.Duration.Seconds()/40)
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 512, func(n int, random *rand.Rand) ask {
		if random.IntN(3) > 0 {
			return get("healthy", healthy[random.IntN(len(healthy))], anyVisitor(random))
		}
		i := min(count-1, n/40+random.IntN(8))
		return get("broken", brokenDoc(i), anyVisitor(random))
	})
	if err != nil {
		return err
	}
	failures := 0
	for i := range count {
		failures += r.upstream.Tally(brokenDoc(i).Target()).Faults
	}
	r.promise(failures > 0, "the upstream fails: the test is one", "%d times, of %d requests to it", failures, r.upstream.Fetches())
	r.recovery(ctx, count)
	r.latency("healthy", 0.99, 250*time.Millisecond)
	return nil
}

// recovery looks at what the documents are after their faults: at some hundred of
// them when there are more.
func (r *run) recovery(ctx context.Context, count int) {
	step := count/300 | 1 // odd, so that all kinds of faults come up
	last := make([]*answer, (count+step-1)/step)
	var all sync.WaitGroup
	turn := make(chan struct{}, 64)
	for i := range last {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			last[i] = r.recovers(ctx, brokenDoc(i*step))
		})
	}
	all.Wait()
	well, witness := 0, ""
	for i, got := range last {
		if _, err := stamp.Read(got.body); got.status == http.StatusOK && got.err == nil && err == nil {
			well++
		} else if witness == "" {
			witness = fmt.Sprintf("; the first: %s: %s", brokenDoc(i*step).Target(), got)
		}
	}
	r.promise(well == len(last), "a document is served whole as soon as the upstream has it whole", "%d of %d%s", well, len(last), witness)
}

// recovers asks until the upstream has made all of its faults for d, and once
// more.
func (r *run) recovers(ctx context.Context, d faulty.Doc) *answer {
	a := get("again", d, nobody())
	for range d.First {
		if r.upstream.Tally(a.target).Faults >= d.First {
			break
		}
		r.send(ctx, &a)
	}
	return r.send(ctx, &a)
}
