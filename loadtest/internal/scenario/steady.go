package scenario

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func steady() Scenario {
	return Scenario{
		Name: "steady",
		About: "A mixed public reads documents of Zipf popularity, on routes of all four CORS modes, in front of applications with all CORS mistakes: " +
			"GET, HEAD, conditional and range requests. Each document changes often and is fresh for a few seconds.",
		Short: Options{Rate: 400, Duration: 4 * time.Second},
		body:  steadyBody,
	}
}

func steadySecure() Scenario {
	s := steady()
	s.Name, s.Short = "steady-h2", Options{Rate: 300, Duration: 3 * time.Second, Secure: true}
	s.About = "The steady mix over TLS and HTTP/2: many requests share one connection."
	return s
}

// library are the documents of the steady mix; d is asked for in mode number
// d of the four, in turn.
func library(count int) []faulty.Doc {
	docs := make([]faulty.Doc, count)
	for i := range docs {
		m := modes[i%len(modes)]
		apps := faulty.Apps
		if m == pass {
			apps = faulty.Passable
		}
		docs[i] = faulty.Doc{
			Path: fmt.Sprintf("/%s/doc/%d", m, i), App: apps[i/len(modes)%len(apps)],
			Size: int(math.Exp(7 + 3*float64(i*37%100)/100)), // 1 to 22 KiB
			Age:  2 + i%3, Change: 300 * time.Millisecond,
		}
	}
	return docs
}

func steadyBody(ctx context.Context, r *run) error {
	docs := library(80)
	const workers = 256
	popular := newZipf(len(docs), 1.1)
	began := time.Now()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), workers, func(_ int, random *rand.Rand) ask {
		a := get("read", docs[popular.pick(random)], anyVisitor(random))
		switch n := random.IntN(10); {
		case n == 0:
			a.method = http.MethodHead
		case n <= 3:
			if k, ok := r.book.recall(&a); ok {
				a.tag, a.known = k.stamp.Tag, k
			}
		case n == 4:
			a.whole = true
		}
		return a
	})
	if err != nil {
		return err
	}
	r.latency("read", 0.5, 30*time.Millisecond)
	r.latency("read", 0.99, 250*time.Millisecond)
	lived := time.Since(began)
	var over []string
	most := 0
	for _, d := range docs {
		if d.App == faulty.Trailer {
			continue // a response with trailers is passed on, not stored
		}
		for origin, n := range r.upstream.Tally(d.Target()).Seen {
			// A lifetime may begin up to a second early, since Date has whole
			// seconds.
			bound := 2 + int(lived/(time.Duration(d.Age-1)*time.Second))
			if mode(d.Path) != pass && origin == "" {
				bound *= 2 // an own-mode key without Origin, and one for those who are refused
			}
			if mode(d.Path) == pass && !wellFormed(origin) {
				continue // never stored
			}
			most = max(most, n)
			if n > bound {
				over = append(over, fmt.Sprintf("%s for %q: %d times, at most %d", d.Target(), origin, n, bound))
			}
		}
	}
	got := fmt.Sprintf("%d requests of %d reached it, %d for one key at most", r.upstream.Fetches(), r.book.total(), most)
	if len(over) > 0 {
		got += fmt.Sprintf("; %d keys too often: %s", len(over), over[0])
	}
	r.promise(len(over) == 0, "the upstream is asked once a lifetime for each stored response", "%s", got)
	return nil
}

// wellFormed reports whether an Origin that was made here is one that a browser
// sends.
func wellFormed(origin string) bool {
	for _, lines := range malformed {
		if (visitor{lines: lines}).origin() == origin && origin != "" {
			return false
		}
	}
	return origin != ""
}

// zipf picks numbers below n with weights 1, 1/2^s, 1/3^s... It is not changed
// by use.
type zipf struct{ sums []float64 }

func newZipf(n int, s float64) zipf {
	z := zipf{make([]float64, n)}
	sum := 0.0
	for i := range n {
		sum += 1 / math.Pow(float64(i+1), s)
		z.sums[i] = sum
	}
	return z
}

func (z zipf) pick(random *rand.Rand) int {
	u := random.Float64() * z.sums[len(z.sums)-1]
	low, high := 0, len(z.sums)-1
	for low < high {
		if mid := (low + high) / 2; z.sums[mid] < u {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
