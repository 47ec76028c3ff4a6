package scenario

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// named returns a scenario.
func named(t *testing.T, name string) Scenario {
	t.Helper()
	for _, s := range All() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no scenario %s", name)
	return Scenario{}
}

// brief is how much of a scenario these tests run.
func brief(name string) Options {
	o := Options{Rate: 250, Duration: 1500 * time.Millisecond, Seed: 1}
	switch name {
	case "gone":
		o.Duration = 3600 * time.Millisecond // stored responses have to grow stale
	case "flood":
		o.Rate = 1000 // more than memory may grow by
		o.Duration = 2500 * time.Millisecond
	case "steady":
		o.Duration = 2600 * time.Millisecond
	}
	return o
}

// trial is a scenario with a proxy that has a flaw, or none.
type trial struct{ flaw, scenario string }

// try runs trials, some at a time: most of each is waiting.
func try(t *testing.T, trials []trial) map[trial]*Result {
	t.Helper()
	var mu sync.Mutex // guards results
	results := map[trial]*Result{}
	seen := map[trial]bool{}
	var all sync.WaitGroup
	turn := make(chan struct{}, 6)
	for _, c := range trials {
		if seen[c] {
			continue
		}
		seen[c] = true
		s, o := named(t, c.scenario), brief(c.scenario)
		if c.flaw == "never refreshes" {
			o.Duration = 4500 * time.Millisecond // beyond a lifetime
		}
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			r, err := Run(t.Context(), s, o, startToy(t, c.flaw))
			if err != nil {
				t.Errorf("%+v: %v", c, err)
				r = &Result{}
			}
			mu.Lock()
			defer mu.Unlock()
			results[c] = r
		})
	}
	all.Wait()
	return results
}

// TestGoodProxyKeepsAll is the other half of the next one: without a flaw
// nothing is found.
func TestGoodProxyKeepsAll(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var trials []trial
	for _, s := range All() {
		// The toy has no TLS, and in one process with the client and the race
		// detector it cannot keep up with the heavier ones.
		if heavy := s.Name == "flood" || s.Name == "slow" || s.Name == "broken"; !s.Short.Secure && !(raceDetector && heavy) {
			trials = append(trials, trial{"", s.Name})
		}
	}
	for c, r := range try(t, trials) {
		for _, p := range r.Broken() {
			if strings.Contains(p.Text, "are answered within") {
				t.Logf("%s: this machine is busy: %s: %s", c.scenario, p.Text, p.Got)
				continue
			}
			t.Errorf("%s: %s: %s", c.scenario, p.Text, p.Got)
		}
		if len(r.Promises) < 12 || r.Load == nil || r.Upstream == 0 || len(r.Usage) == 0 || r.MaxRSS == 0 || len(r.Statuses) == 0 {
			t.Errorf("%s: the result is not complete: %d promises, %d upstream, %d samples, %v", c.scenario, len(r.Promises), r.Upstream, len(r.Usage), r.Statuses)
		}
	}
}

// TestEachPromiseCanBreak shows each promise to a proxy that breaks it.
func TestEachPromiseCanBreak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if raceDetector {
		t.Skip("what holds under load is not for the race detector, which makes the load")
	}
	cases := []struct{ flaw, scenario, broken string }{
		{"errors", "steady", promised[failed]},
		{"cuts", "steady", promised[content]},
		{"swaps", "steady", promised[foreign]},
		{"reflects", "steady", promised[cors]},
		{"strips nothing", "steady", promised[cors]},
		{"304 to all", "steady", promised[cors]},
		{"one key", "steady", promised[leaked]},
		{"never refreshes", "steady", promised[old]},
		{"drops", "steady", promised[resent]},
		{"stores nothing", "steady", "the upstream is asked once a lifetime"},
		{"slow", "steady", "50 % of the read requests"},
		{"slow", "origins", "99 % of the read requests"},
		{"panics", "origins", "says nothing of a panic"},
		{"ends badly", "origins", "it ends when it is told to"},
		{"keeps files", "origins", "it closes what its clients have closed"},
		{"reflects", "origins", promised[cors]},
		{"strangers multiply", "origins", "strangers, null, malformed and none share two entries"},
		{"stores nothing", "origins", "a listed origin's entry is fetched once"},
		{"stores nothing", "origins", "one entry serves every origin"},
		{"no cap", "origins", "8 are stored for one URL"},
		{"collapses nothing", "herd", "a herd on a cold document is one request"},
		{"collapses nothing", "herd", "it is one for each entry"},
		{"shares all", "herd", "what may not be stored is nobody's"},
		{"waits for refresh", "slow", "99 % of the stored requests"},
		{"no stale", "gone", promised[failed]},
		{"stores halves", "broken", promised[content]},
		{"stores halves", "broken", "a document is served whole as soon as"},
		{"forgets", "flood", "nine of ten requests for the popular documents"},
		{"grows", "flood", "MiB in memory"},
		{"fails in reload", "reload", promised[failed]},
		{"ignores reload", "reload", promised[cors]},
		{"refuses reload", "reload", "every good configuration is taken"},
		{"refuses reload", "reload", "it reloads while it serves"},
		{"takes bad files", "reload", "every bad configuration is refused"},
		{"unready after a bad file", "reload", "/readyz stays 200"},
		{"hides bad files", "reload", "/readyz stays 200"},
		{"stays bad", "reload", "/readyz stays 200"},
		{"miscounts", "reload", "the metrics count"},
		{"generation of bad ones", "reload", "the generation counts"},
		{"another answer than state", "reload", "the generation counts"},
		{"hides the error", "reload", "so does /api/stats"},
		{"says no state", "reload", "so does /api/stats"},
		{"says no state", "reload", "/readyz stays 200"},
		{"says no state", "reload", "the metrics count"},
		{"forgets in reload", "reload", "no reload forgets"},
		{"closes in reload", "reload", "no reload ends a connection"},
		{"ignores purges", "purge", promised[unpurged]},
		{"purges what is stored alone", "purge", promised[unpurged]},
		{"refuses purges", "purge", "every purge is acknowledged"},
		{"refuses purges", "purge", "it purges while it serves"},
	}
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{c.flaw, c.scenario})
	}
	results := try(t, trials)
	for _, c := range cases {
		r := results[trial{c.flaw, c.scenario}]
		if !slices.ContainsFunc(r.Broken(), func(p Promise) bool { return strings.Contains(p.Text, c.broken) && p.Got != "" }) {
			t.Errorf("%s: a proxy that %s keeps %q; broken are %v", c.scenario, c.flaw, c.broken, r.Broken())
		}
	}
}
