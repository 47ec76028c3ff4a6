package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
)

func purges() Scenario {
	return Scenario{
		Name: "purge",
		About: "Purges of all kinds, by URL, prefix, tag and of everything, soft and hard, one after the other, while documents that would be fresh for an hour, and " +
			"change fifty times a second, are read and arrive slowly. Who asks after a purge was acknowledged never gets what is older than it.",
		Short: Options{Rate: 300, Duration: 4 * time.Second},
		body:  purgesBody,
	}
}

const purgeEvery = 25 * time.Millisecond

// acknowledged is when a purge was sent, and when it was said to be done.
type acknowledged struct{ sent, done time.Time }

// purgeBook is which purges were acknowledged, by what they were about. It is
// safe for concurrent use.
type purgeBook struct {
	mu      sync.Mutex // guards what follows
	about   map[string][]acknowledged
	touched map[string]int // stored responses, by kind
	took    []time.Duration
}

func (b *purgeBook) enter(kind, what string, touched int, a acknowledged) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.about[kind+" "+what] = append(b.about[kind+" "+what], a)
	b.touched[kind] += touched
	b.took = append(b.took, a.done.Sub(a.sent))
}

// newest returns when the newest purge was sent that is about the document and
// was acknowledged before at.
func (b *purgeBook) newest(d faulty.Doc, at time.Time) (sent time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range []string{"url " + d.Target(), "prefix " + shelfOf(d), "tag " + d.Tag, "all "} {
		for _, a := range slices.Backward(b.about[what]) {
			if a.done.Before(at) {
				if a.sent.After(sent) {
					sent = a.sent
				}
				break
			}
		}
	}
	return sent
}

// shelfOf is the prefix that a document has in common with some.
func shelfOf(d faulty.Doc) string { return d.Path[:len(d.Path)-len("00")] }

// purgeable are the documents: each is changed when it is looked at again, and
// some arrive so slowly that purges come meanwhile.
func purgeable(count int) []faulty.Doc {
	docs := make([]faulty.Doc, count)
	for i := range docs {
		m := modes[i%len(modes)]
		docs[i] = faulty.Doc{
			Path: fmt.Sprintf("/%s/shelf-%d/%02d", m, i/8, i), Size: 3000, Age: 3600, Revalidating: i % 2 * 3600,
			Change: 20 * time.Millisecond, Drip: time.Duration(i%3) * 30 * time.Millisecond, Tag: fmt.Sprint("topic-", i%5),
		}
	}
	return docs
}

func purgesBody(ctx context.Context, r *run) error {
	docs := purgeable(32)
	book := &purgeBook{about: map[string][]acknowledged{}, touched: map[string]int{}}
	r.purged = func(a *ask, got *answer) time.Time { return book.newest(a.doc, got.sent) }
	people := []visitor{nobody(), exact(appOrigin), exact(adminOrigin)}
	loading, over := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.purge(loading, docs, book) }()
	err := r.fire(ctx, openloop.Poisson(r.Rate, r.Duration, r.Seed), 256, func(_ int, random *rand.Rand) ask {
		a := get("read", docs[random.IntN(len(docs))], people[random.IntN(len(people))])
		if random.IntN(5) == 0 {
			if k, ok := r.book.recall(&a); ok {
				a.tag, a.known = k.stamp.Tag, k
			}
		}
		return a
	})
	over()
	if failure := <-ended; failure != nil {
		r.promise(false, "every purge is acknowledged", "%v", failure)
	}
	if err != nil {
		return err
	}
	r.purgesKept(book)
	r.latency("read", 0.5, 60*time.Millisecond) // a third of them drip for that long when they are fetched
	r.latency("read", 0.99, 400*time.Millisecond)
	return nil
}

// purge sends purges until ctx ends. One that is under way then is waited for.
func (r *run) purge(ctx context.Context, docs []faulty.Doc, book *purgeBook) error {
	random := rand.New(rand.NewPCG(r.Seed, 7))
	for n := 0; pause(ctx, purgeEvery); n++ {
		d := docs[random.IntN(len(docs))]
		kind, what, sentAs := "url", d.Target(), r.client.base+d.Target()
		switch n % 20 {
		case 7:
			kind, what, sentAs = "all", "", ""
		case 2, 9, 16:
			kind, what, sentAs = "tag", d.Tag, d.Tag
		case 4, 11, 18:
			kind, what, sentAs = "prefix", shelfOf(d), r.client.base+shelfOf(d)
		}
		sent := time.Now()
		touched, err := r.proxy.Purge(context.WithoutCancel(ctx), kind, sentAs, n%3 == 2)
		if err != nil {
			return fmt.Errorf("purge %d, by %s: %w", n+1, kind, err)
		}
		book.enter(kind, what, touched, acknowledged{sent, time.Now()})
		if kind == "all" {
			r.mark("purged everything")
		}
	}
	return nil
}

// purgesKept promises what is to hold of purges.
func (r *run) purgesKept(book *purgeBook) {
	wrong, first := r.book.wrong(unpurged)
	got := fmt.Sprintf("%d of %d answers", wrong, r.book.total())
	if wrong > 0 {
		got += "; the first: " + first
	}
	r.timeless(wrong == 0, promised[unpurged], "%s", got)
	book.mu.Lock()
	defer book.mu.Unlock()
	want, took := int(r.Duration/purgeEvery)/4, slices.Sorted(slices.Values(book.took))
	r.promise(len(took) >= want, "it purges while it serves", "%d purges, want %d; %d requests of %d reached the upstream", len(took), want, r.upstream.Fetches(), r.book.total())
	r.promise(len(book.touched) == 4 && !slices.Contains([]int{book.touched["url"], book.touched["prefix"], book.touched["tag"], book.touched["all"]}, 0),
		"purges of each kind find what is stored", "touched by kind: %v", book.touched)
	if len(took) == 0 {
		return
	}
	const limit = 100 * time.Millisecond
	slow, lag := took[len(took)*99/100], r.load.Lag(0.99)
	r.promise(slow <= limit+lag, fmt.Sprintf("99 %% of the purges are acknowledged within %s", limit), "%s (median %s)", round(slow), round(took[len(took)/2]))
}
