package growth

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"veneer/bench/internal/fixture"
	"veneer/corslayer"
	"veneer/upstream/route"
)

// family is one step's time by the number of one thing. open prepares what the
// returned function does once: each call takes another of the n things, in no
// order, as requests do.
type family struct {
	panel  Panel
	series string
	sizes  []int
	most   float64 // by what factor the largest size may exceed the least
	open   func(tb testing.TB, n int) func()
}

var (
	byRoutes   = Panel{Title: "Route", Over: "routes", Unit: "ns"}
	byOrigins  = Panel{Title: "CORS decision and fields", Over: "origins listed", Unit: "ns"}
	byVariants = Panel{Title: "Hit, handler to sink", Over: "variants under one key", Unit: "ns"}
)

var (
	thousands = []int{1, 10, 100, 1000}
	routes    = []int{1, 10, 100, 1000, 10_000}
	origins   = []int{1, 10, 100, 1000, 10_000, 100_000}
	variants  = []int{1, 2, 4, 8, 16, 32}
)

// families are those that need no store of their own. What each may cost more at
// its largest size is three times the most that was seen, on a machine whose
// caches others were filling: a table of ten thousand routes is then read from
// memory. One that is searched from end to end would cost thousands of times as
// much.
var families = []family{
	{byRoutes, "hosts", routes, 40, routing("h%d.example.com", "/", "h%d.example.com", "/service/v1/users/7")},
	{byRoutes, "wildcard hosts", routes, 40, routing("*.h%d.example.com", "/", "www.h%d.example.com", "/service/v1/users/7")},
	{byRoutes, "path prefixes", routes, 40, routing("", "/service/%d/", "site.example", "/service/%d/v1/users/7")},
	{byRoutes, "exact paths", routes, 40, routing("", "/service/%d/index", "site.example", "/service/%d/index")},
	{byOrigins, "exact", origins, 20, deciding("https://app%d.example.com", "https://app%d.example.com")},
	{byOrigins, "*.domain", thousands, 8, deciding("https://*.shop%d.example.com", "https://a.shop%d.example.com")},
	{byOrigins, "app-*", thousands, 8, deciding("https://app-%d-*.example.com", "https://app-%d-x.example.com")},
	{byOrigins, "refused", origins, 8, deciding("https://app%d.example.com", "https://evil%d.example.net")},
	{byVariants, "variants", variants, 16, selecting},
}

// shuffled returns a function that goes through n texts of a form, in an order
// that no prefetcher follows, for ever. The texts are made beforehand, and no
// more than fit into a processor's cache beside what is measured.
func shuffled[T any](n int, text func(i int) T) func() T {
	const most = 4096
	all := make([]T, most)
	for at := range all {
		all[at] = text(rand.IntN(n))
	}
	at := 0
	return func() T {
		at++
		return all[at%most]
	}
}

// numbered writes i into a form that may have a place for it.
func numbered(form string, i int) string {
	for at := range len(form) - 1 {
		if form[at:at+2] == "%d" {
			return fmt.Sprintf(form, i)
		}
	}
	return form
}

func routing(host, path, askHost, askPath string) func(testing.TB, int) func() {
	return func(tb testing.TB, n int) func() {
		entries := make([]route.Entry[int], n)
		for i := range entries {
			entries[i] = route.Entry[int]{Host: numbered(host, i), Path: numbered(path, i), Value: i}
		}
		table, conflicts := route.New(entries)
		if conflicts != nil {
			tb.Fatal(conflicts[0])
		}
		type target struct {
			host, path string
			want       int
		}
		next := shuffled(n, func(i int) target { return target{numbered(askHost, i), numbered(askPath, i), i} })
		return func() {
			t := next()
			if got, ok := table.Lookup(t.host, t.path); got != t.want || !ok {
				tb.Fatalf("%s%s leads to %d, %t; want %d", t.host, t.path, got, ok, t.want)
			}
		}
	}
}

func deciding(rule, ask string) func(testing.TB, int) func() {
	return func(tb testing.TB, n int) func() {
		c := corslayer.Config{Dynamic: true, Credentials: true, Expose: []string{"ETag"}}
		for i := range n {
			c.Origins = append(c.Origins, numbered(rule, i))
		}
		p, h := fixture.Compile(tb, c), make(http.Header, 8)
		next := shuffled(n, func(i int) http.Header { return http.Header{"Origin": {numbered(ask, i)}} })
		return func() {
			request := next()
			clear(h)
			p.Apply(h, request, p.Judge(http.MethodGet, request["Origin"]))
		}
	}
}

func selecting(tb testing.TB, n int) func() {
	const name = "X-Variant"
	e := fixture.NewEngine(tb, fixture.NewStore(tb, 8<<20), fixture.Page(name))
	all := make([]*http.Request, n)
	for i := range all {
		all[i] = fixture.NewRequest()
		all[i].Header[name] = []string{fmt.Sprint("variant ", i)}
		fixture.Warm(tb, e, all[i])
	}
	next := shuffled(n, func(i int) *http.Request { return all[i] })
	w := fixture.NewSink()
	return func() {
		w.Serve(e, next())
		if !w.Hit() {
			tb.Fatal("not a hit")
		}
	}
}
