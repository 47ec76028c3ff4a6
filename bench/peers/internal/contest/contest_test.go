package contest

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/bench/peers/internal/client"
	"veneer/bench/peers/internal/figure"
	"veneer/bench/peers/internal/peer"
)

func TestChoose(t *testing.T) {
	all := []string{"a", "b", "c"}
	for _, c := range []struct {
		names string
		want  []string
		err   string
	}{
		{names: "all", want: all},
		{names: "c, a", want: []string{"a", "c"}},
		{names: "b", want: []string{"b"}},
		{names: "a,d", err: `cannot measure "d": there is none of this name; there are a, b, c, and all`},
		{names: "", err: `cannot measure ""`},
	} {
		got, err := Choose(all, func(s string) string { return s }, c.names)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q in it", c.names, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.names, diff)
		}
	}
}

// Every row is compared with a server that takes its work, and the rows that
// are measured by default are there.
func TestRowsHaveTheirBase(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range Rows() {
		if names[r.Name] {
			t.Errorf("there are two rows %s", r.Name)
		}
		names[r.Name] = true
		base, err := Choose(peer.All(), func(s *peer.Server) string { return s.Name }, r.Base)
		if err != nil {
			t.Fatal(err)
		}
		if !base[0].Takes(r.Work) {
			t.Errorf("%s is compared with %s, which is not measured in it", r.Name, r.Base)
		}
	}
	for _, name := range Default {
		if !names[name] {
			t.Errorf("there is no row %s", name)
		}
	}
}

func round(requests int64, cpu time.Duration) Round {
	return Round{Result: client.Result{Requests: requests, Took: time.Second}, CPU: cpu, Others: 0.25}
}

func TestRatio(t *testing.T) {
	bad := round(0, time.Second)
	bad.Problem = "something"
	o := Outcome{Base: "base", Entries: []Entry{
		{Server: "base", Rounds: []Round{round(1000, 10*time.Millisecond), round(1000, 20*time.Millisecond), round(1000, 10*time.Millisecond)}},
		{Server: "one", Rounds: []Round{round(1000, 20*time.Millisecond), round(500, 20*time.Millisecond), round(2000, 30*time.Millisecond)}},
		{Server: "bad", Why: "round 1: something", Rounds: []Round{bad}},
		{Server: "none"},
	}}
	want := figure.Summary{N: 3, Min: 1.5, Lower: 1.75, Median: 2, Upper: 2, Max: 2}
	if diff := cmp.Diff(want, o.Ratio("one", "base")); diff != "" {
		t.Error(diff)
	}
	for _, pair := range [][2]string{{"bad", "base"}, {"one", "bad"}, {"none", "base"}, {"nobody", "base"}} {
		if got := o.Ratio(pair[0], pair[1]); got.N != 0 {
			t.Errorf("%s by %s has a ratio, %+v", pair[0], pair[1], got)
		}
	}
	one := o.Entry("one")
	if got := one.Cost(); got.Min != 15 || got.Median != 20 || got.Max != 40 {
		t.Errorf("costs are %+v", got)
	}
	if got := one.Rate(); got.Min != 500 || got.Max != 2000 {
		t.Errorf("rates are %+v", got)
	}
	if got := one.Busy().Max; got != 0.03 {
		t.Errorf("it has had %v of its core", got)
	}
	if got := one.Others().Median; got != 0.25 {
		t.Errorf("others have had %v of its core", got)
	}
	if !math.IsNaN(bad.PerRequest()) {
		t.Errorf("a round that went wrong costs %v", bad.PerRequest())
	}
}

func TestJudgeRound(t *testing.T) {
	cached, miss := peer.Work{}, peer.Work{Miss: true}
	for _, c := range []struct {
		name     string
		work     peer.Work
		server   peer.Server
		problem  string
		upstream int64
		want     string
	}{
		{name: "hits", work: cached},
		{name: "a miss among hits", work: cached, upstream: 1, want: "1 of 10 requests reached the upstream"},
		{name: "passed on", work: miss, upstream: 12},
		{name: "shared", work: miss, upstream: 9, want: "only 9 of 10 requests reached the upstream"},
		{name: "from memory", work: cached, server: peer.Server{Memory: true}, upstream: 3},
		{name: "errors", work: cached, server: peer.Server{Memory: true}, problem: "Non-2xx", want: "Non-2xx"},
	} {
		r := Round{Result: client.Result{Requests: 10, Problem: c.problem}, Upstream: c.upstream}
		var want error
		if c.want != "" {
			want = errors.New(c.want)
		}
		if got := r.judge(c.work, &c.server); (got == nil) != (want == nil) || got != nil && got.Error() != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}
