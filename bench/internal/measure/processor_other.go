//go:build !linux && !darwin

package measure

import "time"

// Processor says that the system's account is not read.
func Processor() (used time.Duration, ok bool) { return 0, false }
