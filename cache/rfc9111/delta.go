package rfc9111

import (
	"math"
	"strings"
	"time"
)

// Delta is an optional delta-seconds (RFC 9111 §1.2.2). The zero value means
// that it is absent, so that a struct of directives needs no set-up; Delta
// values compare with ==.
type Delta uint32

// maxDelta is the greatest delta-seconds, to which larger ones are clamped
// (§1.2.2 asks for 2^31 or the greatest that can be represented).
const maxDelta = math.MaxInt32

// Seconds returns a present Delta of n seconds, clamped to 0 and 2^31-1.
func Seconds(n int64) Delta {
	return Delta(min(max(n, 0), maxDelta)) + 1
}

// Present reports whether there is a value.
func (d Delta) Present() bool { return d != 0 }

// Duration returns the value, or zero when it is absent.
func (d Delta) Duration() time.Duration {
	if d == 0 {
		return 0
	}
	return time.Duration(d-1) * time.Second
}

// parseDelta reads 1*DIGIT. Too large a number is clamped (§1.2.2); anything
// else, a sign or a fraction included, is not a delta-seconds.
func parseDelta(s string) (n int64, ok bool) {
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), maxDelta)
	}
	return n, s != ""
}

// parseAge reads the lines of an Age field (§5.1). The first member of the
// first line counts, what follows is discarded; a field that is not a
// delta-seconds is ignored as if it were absent.
func parseAge(lines []string) time.Duration {
	if len(lines) == 0 {
		return 0
	}
	first, _, _ := strings.Cut(lines[0], ",")
	n, _ := parseDelta(strings.Trim(first, " \t"))
	return time.Duration(n) * time.Second
}
