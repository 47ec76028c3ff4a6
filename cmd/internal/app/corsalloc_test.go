//go:build !race

package app

import (
	"net/http"
	"testing"

	"veneer/corslayer"
)

// A shadow and debug cost the hot path no allocation.
func TestWatchedLayerDoesNotAllocate(t *testing.T) {
	watched, _ := debugLayer(t, true)
	c := partners.Config
	c.Origins = []string{originApp}
	q, problems := corslayer.Compile(c)
	if q == nil {
		t.Fatal(problems)
	}
	watched.shadow = &shadow{Shadow: corslayer.NewShadow(watched.policy, q)}
	h := make(http.Header, 8)
	for _, origin := range []string{originApp, originPartner, originOther, "null", "x"} {
		request := http.Header{"Origin": {origin}}
		if n := testing.AllocsPerRun(100, func() {
			clear(h)
			o := watched.Judge(http.MethodGet, request["Origin"])
			watched.Count(http.MethodGet, request["Origin"], o)
			watched.Apply(h, request, o)
		}); n != 0 {
			t.Errorf("%s: %v allocations", origin, n)
		}
	}
	if n := watched.shadow.Count(corslayer.OriginRefused); n == 0 {
		t.Error("nothing was compared")
	}
}
