package accesslog

import (
	"math"
	"math/rand/v2"

	"veneer/cache"
)

// threshold is below which share of all numbers a random one lies.
func threshold(share float64) uint64 {
	switch {
	case share >= 1:
		return math.MaxUint64
	case share > 0: // also not for NaN
		return uint64(share * (1 << 63) * 2)
	}
	return 0
}

// picks reports whether a request is logged.
func (s *settings) picks(d *cache.Decision) bool {
	switch {
	case s.limit == math.MaxUint64:
		return true
	case s.Errors && (d.Status >= 500 || d.Left || d.Cut):
		return true
	case s.limit == 0:
		return false
	}
	return rand.Uint64() < s.limit
}
