package bench

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"veneer/bench/internal/fixture"
	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/store/storetest"
	"veneer/upstream/route"
)

// step is one piece of the work of a hit, on the same request for all.
type step struct {
	name string
	do   func()
}

// steps are in the order in which a hit goes through them. All but the last two
// are the bare functions that the engine calls; deliver is the whole of it from
// handler to sink, so that what is left between them shows, and lane the whole
// of it from bytes to bytes.
func steps(tb testing.TB) []step {
	r, p := fixture.NewRequest(), fixture.NewPolicy(tb)
	lines := r.Header["Origin"]
	q, spec, buf := key.Query{}, key.Spec{}, make([]byte, 0, 512)
	target, err := q.Canonical("http", r.Host, key.EscapedPath(r.URL), r.URL.RawQuery)
	if err != nil {
		tb.Fatal(err)
	}
	o := p.Judge(http.MethodGet, lines)
	table := hundredRoutes(tb)
	get := lookup(tb, spec.Append(nil, http.MethodGet, target, o.Bucket, r.Header))
	meta, now := rfc9111.Meta{ResponseTime: time.Now(), Lifetime: time.Hour}, time.Now()
	fields, vary := make(http.Header, 8), []string{"Accept-Encoding"}
	all := []step{
		{"route", func() { table.Lookup(target.Host, target.Path) }},
		{"origin", func() { p.Judge(http.MethodGet, lines) }},
		{"key/target", func() { _, _ = q.Canonical("http", r.Host, key.EscapedPath(r.URL), r.URL.RawQuery) }},
		{"key/append", func() { spec.Append(buf, http.MethodGet, target, o.Bucket, r.Header) }},
		{"lookup", get},
	}
	for _, names := range [][]string{{"Accept-Encoding"}, {"Accept-Language"}, {"Accept", "Accept-Encoding", "Accept-Language", "Cookie"}} {
		request := http.Header{
			"Accept": {"text/html, */*;q=0.8"}, "Accept-Encoding": {"gzip, deflate, br"},
			"Accept-Language": {"de-AT, de;q=0.9, en;q=0.8"}, "Cookie": {"sid=0123456789abcdef; theme=dark"},
		}
		selecting := key.Select(names, request)
		all = append(all, step{fmt.Sprintf("vary/%d %s", len(names), names[len(names)-1]), func() { selecting.Matches(request) }})
	}
	return append(all, []step{
		{"reuse", func() { rfc9111.Decide(&meta, rfc9111.ParseRequest(r.Header), now) }},
		{"cors", func() {
			clear(fields)
			fields["Vary"] = vary
			p.Apply(fields, r.Header, o)
		}},
		{"deliver", deliver(tb, fixture.NewRequest())},
		{"lane", laneHit(tb)},
	}...)
}

// hundredRoutes is a table as an installation may have it; the last entry is
// the one that matches.
func hundredRoutes(tb testing.TB) *route.Table[int] {
	var entries []route.Entry[int]
	for i := range 99 {
		entries = append(entries, route.Entry[int]{Host: fmt.Sprintf("site%d.example", i), Path: fmt.Sprintf("/service/%d/", i)})
	}
	table, conflicts := route.New(append(entries, route.Entry[int]{Host: fixture.Host, Path: "/path/", Value: 1}))
	if conflicts != nil {
		tb.Fatal(conflicts[0])
	}
	return table
}

// lookup looks k up in a store that has it among a few others.
func lookup(tb testing.TB, k key.Key) func() {
	s := fixture.NewStore(tb, 8<<20)
	for i := range 100 {
		stored := storetest.Key(fmt.Sprint("http://site.example/other/", i), "")
		if i == 50 {
			stored = k
		}
		o := storetest.Object(stored, key.Selecting{}, "content")
		if err := s.Put(context.Background(), o, cache.PutOptions{Epoch: s.Epoch(stored.URI())}); err != nil {
			tb.Fatal(err)
		}
	}
	var sel cache.Selector = firstOf{}
	return func() {
		if o, err := s.Get(context.Background(), k, sel); o == nil || err != nil {
			tb.Fatal("not stored", err)
		}
	}
}

// firstOf selects without looking.
type firstOf struct{}

func (firstOf) Select([]*cache.Object) int { return 0 }

// deliver is a whole hit: the handler, into a sink.
func deliver(tb testing.TB, r *http.Request) func() {
	e, w := fixture.NewEngine(tb, fixture.NewStore(tb, 8<<20), fixture.Page("Accept-Encoding")), fixture.NewSink()
	fixture.Warm(tb, e, r)
	return func() {
		w.Serve(e, r)
		if !w.Hit() {
			tb.Fatalf("not a hit: %q", w.Header())
		}
	}
}

// BenchmarkSteps measures each step by itself.
func BenchmarkSteps(b *testing.B) {
	for _, s := range steps(b) {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.do()
			}
		})
	}
}

// BenchmarkHit measures whole hits of one page, by one client and by several at
// a time.
func BenchmarkHit(b *testing.B) {
	b.Run("serial", func(b *testing.B) {
		hit := deliver(b, fixture.NewRequest())
		b.ReportAllocs()
		for b.Loop() {
			hit()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		e := fixture.NewEngine(b, fixture.NewStore(b, 8<<20), fixture.Page("Accept-Encoding"))
		fixture.Warm(b, e, fixture.NewRequest())
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for r, w := fixture.NewRequest(), fixture.NewSink(); pb.Next(); {
				w.Serve(e, r)
			}
		})
	})
}
