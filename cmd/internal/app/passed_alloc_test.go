//go:build !race

package app

import "testing"

// A request that goes through unstored allocates less than one through
// httputil.ReverseProxy, whatever it brings: most of what there is left is that
// of net/http's server and of http.ReadResponse, which both have.
func TestPassedAllocations(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
	}{{"bare", bareHead}, {"browser", browserHead}} {
		ours := passedAllocs(t, passing(t, rawUpstream(t, unstorable)), c.head)
		theirs := passedAllocs(t, reverseProxy(t, rawUpstream(t, unstorable)), c.head)
		t.Logf("%s: %.1f allocations a request, ReverseProxy %.1f", c.name, ours, theirs)
		if ours > 0.85*theirs {
			t.Errorf("%s: %.1f allocations a request, want at most 0.85 of ReverseProxy's %.1f", c.name, ours, theirs)
		}
	}
}

func passedAllocs(t *testing.T, addr string, head []byte) float64 {
	c := newRawClient(t, addr, head)
	for range 50 { // leaves the mark, and fills what is pooled
		c.ask()
	}
	return testing.AllocsPerRun(300, c.ask)
}
