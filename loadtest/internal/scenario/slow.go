package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func slow() Scenario {
	return Scenario{
		Name: "slow",
		About: "The upstream takes 800 ms for a head, or for a content, or never answers, on one request of five. The rest are documents " +
			"that are stored, and are refreshed behind the client's back, which takes as long.",
		Short: Options{Rate: 300, Duration: 4 * time.Second},
		body:  slowBody,
	}
}

const slowWait = 800 * time.Millisecond

func slowBody(ctx context.Context, r *run) error {
	hot := make([]faulty.Doc, 20)
	var first []ask
	for i := range hot {
		hot[i] = faulty.Doc{Path: fmt.Sprintf("/shared/hot/%d", i), Size: 4000, Age: 1, Revalidating: 60, Wait: slowWait / 4}
		first = append(first, get("warm", hot[i], nobody()))
	}
	if err := r.together(ctx, first); err != nil {
		return err
	}
	workers := int(r.Rate*0.2*3) + 200 // slow ones take up to a second and some
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), workers, func(n int, random *rand.Rand) ask {
		d := faulty.Doc{Path: fmt.Sprintf("/own/slow/%d", n), Size: 30_000, Age: 60, Once: true}
		switch c := random.IntN(40); {
		case c < 4:
			d.Wait = slowWait
			return get("slow head", d, anyVisitor(random))
		case c < 7:
			d.Drip = slowWait
			return get("slow content", d, anyVisitor(random))
		case c < 8:
			d.Fault, d.Once = faulty.Stall, false
			return get("no head", d, anyVisitor(random))
		}
		return get("stored", hot[random.IntN(len(hot))], anyVisitor(random))
	})
	if err != nil {
		return err
	}
	r.latency("stored", 0.5, 30*time.Millisecond)
	r.latency("stored", 0.99, slowWait/4)
	r.latency("slow head", 0.99, slowWait+700*time.Millisecond)
	r.latency("slow content", 0.99, slowWait+700*time.Millisecond)
	r.latency("no head", 1, 2*r.settings.ResponseTimeout+2*time.Second)
	if l := r.load.Class("slow head"); l != nil {
		r.promise(l.Min() >= slowWait-time.Millisecond, "the slow ones are slow: the test is one", "%s at least", l.Min())
	}
	return nil
}
