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

func flood() Scenario {
	return Scenario{
		Name: "flood",
		About: "Somebody asks for one new URL after the other, each storable, many times what the store holds. Memory stays bounded, and the documents that " +
			"everybody else reads stay stored.",
		Short: Options{Rate: 600, Duration: 5 * time.Second},
		body:  floodBody,
		tune:  func(s *process.Settings) { s.StoreMiB = 16 },
	}
}

const floodSize = 128 << 10

func floodBody(ctx context.Context, r *run) error {
	r.memory = (2*int64(r.settings.StoreMiB) + 96) << 20
	hot := make([]faulty.Doc, 40)
	var first []ask
	for i := range hot {
		hot[i] = faulty.Doc{Path: fmt.Sprintf("/shared/hot/%d", i), Size: 8000, Age: 3600}
		first = append(first, get("hot", hot[i], nobody()))
	}
	for range 3 { // popular before the flood comes
		if err := r.together(ctx, first); err != nil {
			return err
		}
	}
	before := r.upstream.Fetches()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(n int, random *rand.Rand) ask {
		if random.IntN(2) == 0 {
			return get("hot", hot[random.IntN(len(hot))], anyVisitor(random))
		}
		return get("flood", faulty.Doc{Path: fmt.Sprintf("/shared/flood/%d", n), Size: floodSize, Age: 3600, Once: true}, nobody())
	})
	if err != nil {
		return err
	}
	reads, floods := r.load.Class("hot"), r.load.Class("flood")
	if reads == nil || floods == nil {
		r.promise(false, "there is a flood", "too few requests")
		return nil
	}
	misses := r.upstream.Fetches() - before - int(floods.Count())
	ratio := 1 - float64(misses)/float64(reads.Count())
	r.promise(ratio >= 0.9, "nine of ten requests for the popular documents are still hits", "%.1f %% (%d fetches for %d requests)", 100*ratio, misses, reads.Count())
	through, bound := floods.Count()*floodSize, r.memory
	r.promise(through > bound, "more passes through than memory may grow: the test is one", "%d MiB, may grow by %d MiB", through>>20, bound>>20)
	r.latency("hot", 0.99, 250*time.Millisecond)
	r.latency("flood", 0.99, time.Second)
	return nil
}
