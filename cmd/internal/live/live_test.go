package live

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/cachestatus"
)

type fields map[string][]string

func (f fields) Values(name string) []string { return f[name] }

// policy is a CORS that knows the origins that end in ".own".
type policy struct{ cache.CORS }

func (policy) Judge(_ string, lines []string) cache.Origin {
	if strings.HasSuffix(lines[0], ".own") {
		return cache.Origin{Bucket: lines[0]}
	}
	return cache.Origin{Bucket: "other"}
}

var testRoute = &cache.Route{Name: "a/", CORS: policy{}}

func request(origins ...string) *cache.Request {
	return &cache.Request{Method: "GET", Host: "a.example", Path: "/p", Query: "q=1", Fields: fields{"Origin": origins}}
}

func decision(r cache.Result, sent int64) *cache.Decision {
	d := &cache.Decision{Route: testRoute, Result: r, Status: 200, Start: time.Now()}
	d.Sent = sent
	return d
}

// Requests are counted under their route and, where it keys the origin by itself,
// under that; bytes are saved where no upstream has sent them.
func TestCounts(t *testing.T) {
	l := New(Options{})
	l.Add([]string{"a/"})
	l.Record(request(), decision(cache.ResultHit, 10))
	l.Record(request("https://x.own"), decision(cache.ResultMiss, 20))
	l.Record(request("https://x.own"), decision(cache.ResultStale, 30))
	l.Record(request("https://stranger"), decision(cache.ResultRevalidated, 40))
	l.Record(request("https://x.own", "https://y.own"), decision(cache.ResultBypass, 50))
	l.Record(&cache.Request{}, decision(cache.ResultCollapsed, 60))
	none := decision(cache.ResultError, 70)
	none.Route = nil
	l.Record(request("https://x.own"), none)
	unknown := decision(cache.ResultPreflight, 0)
	unknown.Route = &cache.Route{Name: "gone/", CORS: policy{}}
	l.Record(request(), unknown)

	sum, origins, more := l.Route("a/")
	got := make(map[string]Counts)
	for _, o := range origins {
		got[o.Origin] = o.Counts
	}
	want := map[string]Counts{
		"":              {Results: counted(cache.ResultHit, cache.ResultCollapsed), Sent: 70, Saved: 70},
		"https://x.own": {Results: counted(cache.ResultMiss, cache.ResultStale), Sent: 50, Saved: 30},
		others:          {Results: counted(cache.ResultRevalidated, cache.ResultBypass), Sent: 90, Saved: 40},
	}
	if d := cmp.Diff(want, got); d != "" || !more {
		t.Errorf("origins, more %t (-want +got):\n%s", more, d)
	}
	if want := (Counts{counted(0, 1, 2, 3, 4, 5), 210, 140}); sum != want {
		t.Errorf("the route has %+v, want %+v", sum, want)
	}
	if got, want := l.Total(), (Counts{counted(0, 1, 2, 3, 4, 5, 6, 7), 280, 140}); got != want {
		t.Errorf("in total %+v, want %+v", got, want)
	}
	l.Add([]string{"a/", "b/"}) // a reload
	if again, _, _ := l.Route("a/"); again != sum {
		t.Errorf("a reload made %+v of it", again)
	}
	if sum, origins, more := l.Route("c/"); sum != (Counts{}) || origins != nil || more {
		t.Error("an unknown route has counts")
	}
}

func counted(results ...cache.Result) (n [Results]int64) {
	for _, r := range results {
		n[r]++
	}
	return n
}

// However many origins come, and at once, a bounded number has counters and
// nothing is lost.
func TestManyOrigins(t *testing.T) {
	l := New(Options{})
	l.Add([]string{"a/"})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 3 * maxOrigins {
				l.Record(request(fmt.Sprintf("https://%d.own", (i+g*7)%(2*maxOrigins))), decision(cache.ResultHit, 1))
			}
		})
	}
	all.Wait()
	sum, origins, more := l.Route("a/")
	if len(origins) != maxOrigins+1 || !more || sum.Requests() != 12*maxOrigins || sum.Saved != 12*maxOrigins {
		t.Errorf("%d origins, more %t, %+v", len(origins), more, sum)
	}
}

// A flood of hits is counted whole and kept in part, and takes nothing of the
// place of what is no hit.
func TestNewest(t *testing.T) {
	l := New(Options{Query: func(dst []byte, q string) []byte { return append(dst, strings.ToUpper(q)...) }})
	l.Add([]string{"a/"})
	now := time.Now().Truncate(time.Second)
	record := func(q *cache.Request, d *cache.Decision, at time.Time) {
		d.Start = at
		l.Record(q, d)
	}
	miss := decision(cache.ResultMiss, 5)
	miss.Reason, miss.Upstream, miss.Took = cachestatus.NoStore, 200, time.Millisecond
	record(request("https://x.own"), miss, now)
	for i := range 1000 {
		record(request(), decision(cache.ResultHit, 1), now.Add(time.Duration(i)*time.Microsecond))
	}
	record(request(), decision(cache.ResultHit, 1), now.Add(time.Second))
	got := l.Newest(1000)
	if len(got) != hitsASecond+2 {
		t.Fatalf("%d are kept, want %d", len(got), hitsASecond+2)
	}
	last := got[len(got)-1]
	want := Request{
		ID: 1, At: now, Took: time.Millisecond, Method: "GET", URL: "http://a.example/p?Q=1", Origin: "https://x.own", Route: "a/",
		Status: 200, Result: cache.ResultMiss, Reason: cachestatus.NoStore, Upstream: 200, Bytes: 5,
	}
	if d := cmp.Diff(want, last); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(l.Newest(3)); n != 3 {
		t.Errorf("%d of 3", n)
	}
	for i := range 3 * keptRest {
		record(request(), decision(cache.ResultMiss, 1), now.Add(time.Duration(i)*time.Second/restASecond))
	}
	if n := len(l.Newest(10 * keptRest)); n != keptRest+hitsASecond+1 {
		t.Errorf("%d are kept, want %d", n, keptRest+hitsASecond+1)
	}
}

// What a client sends is kept in part only.
func TestLongText(t *testing.T) {
	l := New(Options{Scheme: func(*cache.Request) string { return "https" }})
	long := strings.Repeat("x", 1<<20)
	l.Record(&cache.Request{Method: long, Host: long, Path: "/" + long, Query: long, Fields: fields{"Origin": {long}}}, &cache.Decision{Start: time.Now()})
	q := l.Newest(1)[0]
	if n := len(q.Method) + len(q.URL) + len(q.Origin); n > 4<<10 || !strings.HasPrefix(q.URL, "https://x") {
		t.Errorf("%d bytes are kept: %.20q", n, q.URL)
	}
}

// The histories have what happened in each step, and no more of them than they
// are long.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Run(ctx)
		wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		wait(time.Second)
		l.Record(request(), decision(cache.ResultHit, 7))
		wait(2 * time.Second)
		l.Record(request(), decision(cache.ResultMiss, 3))
		wait(2 * time.Second)
		step, points := l.History(false)
		want := []Point{
			{begin, Counts{Results: counted(cache.ResultHit), Sent: 7, Saved: 7}},
			{begin.Add(FineStep), Counts{Results: counted(cache.ResultMiss), Sent: 3}},
		}
		if d := cmp.Diff(want, points); d != "" || step != FineStep {
			t.Errorf("%v (-want +got):\n%s", step, d)
		}
		wait(30 * time.Hour)
		_, points = l.History(false)
		_, day := l.History(true)
		if len(points) != finePoints || len(day) != dayPoints {
			t.Errorf("%d and %d points", len(points), len(day))
		}
		for i := 1; i < len(day); i++ {
			if d := day[i].At.Sub(day[i-1].At); d != DayStep {
				t.Fatalf("point %d comes %v after the one before", i, d)
			}
		}
	})
}

// BenchmarkRecord is what a hit costs more because somebody may look.
func BenchmarkRecord(b *testing.B) {
	l := New(Options{})
	l.Add([]string{"a/"})
	q, d := request("https://x.own"), decision(cache.ResultHit, 1)
	for b.Loop() {
		l.Record(q, d)
	}
}
