//go:build linux || darwin

package growth

import (
	"math"
	"syscall"
)

// descriptors raises the limit of open files as far as it may, to n, and
// returns what it is. A process that is started gets the same.
func descriptors(n int) int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	if want := uint64(n); l.Cur < want {
		for _, try := range []syscall.Rlimit{{Cur: want, Max: max(want, l.Max)}, {Cur: l.Max, Max: l.Max}} {
			if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &try) == nil {
				l = try
				break
			}
		}
	}
	return int(min(l.Cur, math.MaxInt32))
}
