package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func origins() Scenario {
	return Scenario{
		Name: "origins",
		About: "Origins of all kinds ask for the same few documents: some listed, a thousand that a pattern lets in (far beyond what is stored of them), " +
			"strangers that look alike, null, malformed ones, none; preflights too. Each must get what it is due, and no more entries than the cap may appear.",
		Short: Options{Rate: 500, Duration: 4 * time.Second},
		body:  originsBody,
	}
}

const tenants = 1000

func originsBody(ctx context.Context, r *run) error {
	var docs []faulty.Doc
	for _, m := range modes {
		apps := faulty.Apps
		if m == pass {
			apps = faulty.Passable
		}
		for i, app := range apps {
			docs = append(docs, faulty.Doc{Path: fmt.Sprintf("/%s/page/%d", m, i), Size: 2000, Age: 3600, App: app})
		}
	}
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(_ int, random *rand.Rand) ask {
		a := get("read", docs[random.IntN(len(docs))], manyVisitor(random))
		if m := mode(a.doc.Path); (m == own || m == shared) && random.IntN(6) == 0 && len(a.visitor.lines) > 0 {
			a.class, a.method = "preflight", http.MethodOptions
		}
		return a
	})
	if err != nil {
		return err
	}
	r.entries(docs)
	if err := r.capped(ctx); err != nil {
		return err
	}
	r.latency("read", 0.99, 250*time.Millisecond)
	r.latency("preflight", 0.99, 250*time.Millisecond)
	return nil
}

// manyVisitor is anyone, most of them of the thousand.
func manyVisitor(random *rand.Rand) visitor {
	switch n := random.IntN(10); {
	case n < 3:
		return tenant(random.IntN(tenants))
	case n < 5:
		return stranger(random.IntN(tenants))
	case n < 6:
		return bad(random.IntN(len(malformed)))
	case n < 7:
		return null()
	case n < 8:
		return nobody()
	case n < 9:
		return exact(adminOrigin)
	}
	return exact(appOrigin)
}

// entries looks into the upstream's book for what was fetched more than once
// although it was stored for an hour.
func (r *run) entries(docs []faulty.Doc) {
	var listed, others, common worst
	for _, d := range docs {
		if d.App == faulty.Trailer {
			continue // a response with trailers is passed on, not stored
		}
		seen := r.upstream.Tally(d.Target()).Seen
		switch mode(d.Path) {
		case own:
			listed.see(d, max(seen[appOrigin], seen[adminOrigin]))
			others.see(d, seen[""])
		case shared, off:
			for _, n := range seen {
				common.see(d, n)
			}
		}
	}
	r.promise(listed.n <= 1, "own mode: a listed origin's entry is fetched once, whatever the thousand do", "%s", listed)
	r.promise(others.n <= 2, "own mode: strangers, null, malformed and none share two entries", "%s", others)
	r.promise(common.n <= 1, "shared and off: one entry serves every origin", "%s", common)
}

// worst is the document that was fetched most often.
type worst struct {
	n      int
	target string
}

func (w *worst) see(d faulty.Doc, n int) {
	if n > w.n {
		*w = worst{n, d.Target()}
	}
}

func (w worst) String() string { return fmt.Sprintf("%d fetches at most, of %s", w.n, w.target) }

// capped has some origins that a pattern lets in ask twice for one document:
// as many as the cap says find it stored the second time.
func (r *run) capped(ctx context.Context) error {
	d := faulty.Doc{Path: "/own/capped", Size: 2000, Age: 3600}
	people := make([]ask, 5*r.settings.Origins)
	for i := range people {
		people[i] = get("capped", d, tenant(i))
	}
	if err := r.together(ctx, people); err != nil {
		return err
	}
	first := r.upstream.Tally(d.Target()).Fetches
	if err := r.together(ctx, people); err != nil {
		return err
	}
	stored := len(people) - (r.upstream.Tally(d.Target()).Fetches - first)
	r.promise(stored == r.settings.Origins, fmt.Sprintf("of the origins that a pattern lets in, %d are stored for one URL", r.settings.Origins),
		"%d of %d", stored, len(people))
	return nil
}
