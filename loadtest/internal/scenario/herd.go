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

func herd() Scenario {
	return Scenario{
		Name: "herd",
		About: "Many clients of several origins ask at the same instant for a document that is not stored, and that takes the upstream 200 ms: " +
			"one that all may share, one with an entry for each origin, and one that may not be stored at all.",
		Short: Options{Rate: 200, Duration: 3 * time.Second},
		body:  herdBody,
	}
}

const (
	herdWait  = 200 * time.Millisecond
	herdSlack = 1500 * time.Millisecond
)

// herds are the kinds of documents, in turn.
var herds = []string{shared, own, "unstored"}

// herdDoc is what the herd of the nth round asks for.
func herdDoc(round int) (class string, d faulty.Doc) {
	class = herds[round%len(herds)]
	d = faulty.Doc{Path: fmt.Sprintf("/%s/herd/%d", class, round), Size: 20_000, Age: 60, Wait: herdWait, App: faulty.Echo}
	if class == "unstored" {
		d.Path, d.Age, d.NoStore = fmt.Sprintf("/%s/herd/%d", shared, round), 0, true
	}
	return class, d
}

// herdVisitors have four entries in own mode.
func herdVisitor(n int) visitor {
	return []visitor{nobody(), exact(appOrigin), exact(adminOrigin), stranger(1), null(), bad(n)}[n%6]
}

func herdBody(ctx context.Context, r *run) error {
	const every = time.Second / 2
	size, rounds := max(20, int(r.Rate*every.Seconds())), max(len(herds), int(r.Duration/every))
	var mu sync.Mutex // guards serials
	serials := map[string]map[string]bool{}
	r.heard = func(a *ask, got *answer) {
		mu.Lock()
		defer mu.Unlock()
		if serials[a.target] == nil {
			serials[a.target] = map[string]bool{}
		}
		serials[a.target][got.header.Get("Load-Serial")] = true
	}
	err := r.fire(ctx, openloop.Herds(size, rounds, every), size*4, func(n int, _ *rand.Rand) ask {
		class, d := herdDoc(n / size)
		return get(class, d, herdVisitor(n%size))
	})
	if err != nil {
		return err
	}
	for i, class := range herds {
		want, lowest, highest := map[string]int{shared: 1, own: 4, "unstored": size}[class], size, 0
		for round := i; round < rounds; round += len(herds) {
			_, d := herdDoc(round)
			for _, n := range []int{r.upstream.Tally(d.Target()).Fetches, len(serials[d.Target()])} {
				lowest, highest = min(lowest, n), max(highest, n)
			}
		}
		text := map[string]string{
			shared:     "a herd on a cold document is one request to the upstream, and one answer for all",
			own:        "with an entry for each origin it is one for each entry",
			"unstored": "what may not be stored is nobody's but the client's who asked",
		}[class]
		r.promise(lowest == want && highest == want, text, "%d to %d fetches and answers of %d requests, want %d", lowest, highest, size, want)
		r.latency(class, 1, herdWait+herdSlack)
	}
	return nil
}
