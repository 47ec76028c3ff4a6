//go:build !race

package bench

import "testing"

// No step of a hit allocates, and neither does the whole. A thousand runs, as
// Age and Cache-Status are made anew once a second.
func TestStepsAllocateNothing(t *testing.T) {
	for _, s := range steps(t) {
		if n := testing.AllocsPerRun(1000, s.do); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}
