//go:build !linux && !darwin

package growth

import (
	"testing"
	"time"
)

func processorTime(tb testing.TB) time.Duration {
	tb.Skip("this system's account of a process's time is not read")
	return 0
}

func descriptors(int) int { return 0 }
