//go:build !race

package forward

import (
	"net/http"
	"testing"
)

func TestQuestionsAllocateNothing(t *testing.T) {
	h := header("CDN-Loop: other", "Connection: keep-alive", "X-Forwarded-For: 1.1.1.1")
	r := &http.Request{RemoteAddr: "[2001:db9::1]:4711", Header: h}
	for name, f := range map[string]func(){
		"Contains":             func() { trusted.Contains("198.51.100.1:4711") },
		"Effective, untrusted": func() { Effective(r.RemoteAddr, false, r.Header, trusted) },
		"UpgradeType":          func() { UpgradeType(h) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What a proxy says of itself costs the two texts and the array of the lines.
func TestExtendAllocations(t *testing.T) {
	h := make(http.Header, 8)
	hop := Hop{RemoteAddr: "203.0.113.7:4711", Scheme: "http", Host: "site.example:8080"}
	if n := testing.AllocsPerRun(100, func() { Extend(h, hop, trusted) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}
