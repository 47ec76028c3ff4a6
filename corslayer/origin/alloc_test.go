//go:build !race

package origin

import "testing"

// A decision allocates nothing, whatever the list and whatever was sent.
func TestMatchDoesNotAllocate(t *testing.T) {
	for name, set := range bigSets(t) {
		for _, s := range asks {
			lines := []string{s}
			n := testing.AllocsPerRun(100, func() {
				if o, class := Classify(lines); class == Valid {
					set.Match(o)
				}
				set.Classify(lines)
			})
			if n != 0 {
				t.Errorf("%s, %.40s: %v allocations", name, s, n)
			}
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, c := range parseCases {
		if n := testing.AllocsPerRun(20, func() { Parse(c.in) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
