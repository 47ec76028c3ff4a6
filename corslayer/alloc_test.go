//go:build !race

package corslayer

import (
	"maps"
	"net/http"
	"strings"
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

// Nor does it on a long list, whoever asks.
func TestLongListsDoNotAllocate(t *testing.T) {
	h := make(http.Header, 16)
	for name, l := range lists(t) {
		for _, text := range []string{l.origin, stranger, "null", "x", "https://" + strings.Repeat("a.", 1<<19) + "example"} {
			lines := []string{text}
			request := http.Header{fieldOrigin: lines}
			n := testing.AllocsPerRun(100, func() {
				clear(h)
				l.policy.Apply(h, request, l.policy.Decide(http.MethodGet, lines))
			})
			if n != 0 {
				t.Errorf("%s, %.40s: %v allocations", name, text, n)
			}
		}
	}
}

// A shadow costs no allocation either, nor does a verdict.
func TestWatchingDoesNotAllocate(t *testing.T) {
	for _, c := range shadowCases {
		p := compile(t, c.policy)
		s := NewShadow(p, compile(t, c.shadow))
		n := testing.AllocsPerRun(100, func() {
			if c.ask != nil {
				s.Preflight(c.ask, p.Judge(http.MethodOptions, origins[c.origin]))
			} else {
				s.Actual(origins[c.origin], p.Judge(http.MethodGet, origins[c.origin]))
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
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
