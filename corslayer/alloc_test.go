//go:build !race

package corslayer

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
)

// The decision and the fields of an actual request allocate nothing.
func TestActualRequestDoesNotAllocate(t *testing.T) {
	for _, c := range applyCases {
		if c.notOrdinary {
			continue
		}
		p := compile(t, c.config)
		lines := origins[c.origin]
		request := http.Header{}
		if lines != nil {
			request[fieldOrigin] = lines
		}
		h := make(http.Header, 16)
		n := testing.AllocsPerRun(100, func() {
			clear(h)
			maps.Copy(h, c.stored)
			p.Apply(h, request, p.Decide("GET", lines))
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// Nor does the decision on a long list.
func TestDecideOnLongLists(t *testing.T) {
	var c Config
	for i := range 100_000 {
		c.Origins = append(c.Origins, fmt.Sprintf("https://app%d.example.com", i))
	}
	for i := range 1000 {
		c.Origins = append(c.Origins, fmt.Sprintf("https://*.d%d.example", i))
	}
	p := compile(t, c)
	for _, s := range []string{app, "https://app99999.example.com", "https://a.b.d999.example", stranger, "null", "x"} {
		lines := []string{s}
		if n := testing.AllocsPerRun(100, func() { p.Decide("GET", lines) }); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}

// A preflight allocates at most twice, however it is asked.
func TestPreflightAllocates(t *testing.T) {
	for _, c := range preflightCases {
		p := compile(t, c.config)
		w := newWriter()
		n := testing.AllocsPerRun(100, func() {
			w.reset()
			p.Preflight(w, c.ask, p.Decide(http.MethodOptions, c.ask.Header[fieldOrigin]))
		})
		if n > 2 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
