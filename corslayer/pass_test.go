package corslayer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestObservePass(t *testing.T) {
	for _, c := range passCases {
		t.Run(c.name, func(t *testing.T) {
			p := Pass(Config{VaryFix: c.fix})
			for i, x := range c.exchanges {
				want := x.want
				if want == nil {
					want = x.header.Clone()
				}
				found := p.ObservePass(x.header, p.Decide("GET", origins[x.origin]))
				if diff := cmp.Diff(x.found, found) + cmp.Diff(want, x.header); diff != "" {
					t.Errorf("exchange %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(c.counts, p.Counts()); diff != "" || p.Echoes() != c.echoes {
				t.Errorf("echoes %v, want %v; counts (-want +got):\n%s", p.Echoes(), c.echoes, diff)
			}
		})
	}
}

// A marked route says so on responses stored before, too (A3).
func TestA3AppliesToStored(t *testing.T) {
	p := Pass(Config{})
	p.ObservePass(head(fieldAllowOrigin, app), p.Decide("GET", []string{app}))
	h := head(fieldVary, "Accept")
	p.Apply(h, nil, Decision{})
	if diff := cmp.Diff(head(fieldVary, "Accept, Origin"), h); diff != "" {
		t.Error(diff)
	}
}

func TestObserveIsForPassMode(t *testing.T) {
	p := compile(t, partner)
	h := head(fieldAllowOrigin, app)
	if got := p.ObservePass(h, Decision{}); got != (PassVerdict{}) || len(h) != 1 {
		t.Errorf("own mode: %+v, %v", got, h)
	}
}
