//go:build linux || darwin

package growth

import (
	"math"
	"syscall"
	"testing"
	"time"
)

// processorTime is what this process has used of the processors.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

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
