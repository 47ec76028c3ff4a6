package balance

import (
	"testing"

	"pgregory.net/rapid"

	"veneer/upstream"
)

func candidates(loads ...int) []upstream.Candidate {
	var out []upstream.Candidate
	for i, n := range loads {
		out = append(out, upstream.Candidate{Server: i, InFlight: n})
	}
	return out
}

// count is how often each candidate is picked.
func count(b upstream.Balancer, c []upstream.Candidate, n int) []int {
	out := make([]int, len(c))
	for range n {
		out[b.Pick(c)]++
	}
	return out
}

func TestLeastConn(t *testing.T) {
	got := count(LeastConn{}, candidates(3, 1, 2, 1, 1), 3000)
	if got[0] != 0 || got[2] != 0 {
		t.Errorf("a busier server was picked: %v", got)
	}
	for _, i := range []int{1, 3, 4} {
		if got[i] < 800 || got[i] > 1200 {
			t.Errorf("the equals are not equally likely: %v", got)
		}
	}
}

func TestTwoChoices(t *testing.T) {
	got := count(TwoChoices{}, candidates(0, 1, 2, 9), 6000)
	if got[3] != 0 {
		t.Errorf("the busiest was picked: %v", got)
	}
	// Of the six pairs three have server 0, two of the others server 1.
	for i, want := range []int{3000, 2000, 1000} {
		if got[i] < want-300 || got[i] > want+300 {
			t.Errorf("got %v", got)
		}
	}
	if got := (TwoChoices{}).Pick(candidates(5)); got != 0 {
		t.Errorf("got %d", got)
	}
}

// Every policy picks one of the candidates.
func TestPickIsInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := candidates(rapid.SliceOfN(rapid.IntRange(0, 3), 1, 8).Draw(t, "loads")...)
		for _, b := range []upstream.Balancer{LeastConn{}, TwoChoices{}, &upstream.RoundRobin{}} {
			if i := b.Pick(c); i < 0 || i >= len(c) {
				t.Fatalf("%T: %d of %d", b, i, len(c))
			}
		}
	})
}
