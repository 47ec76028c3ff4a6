// Package measure times functions beside one another in one run. On a machine
// that does other things too a time by itself says little, and a ratio of two
// that were taken apart says nothing: so the functions take turns, and what
// disturbs one round of one of them is left out by taking the least, or the
// middle, of many.
package measure

import (
	"slices"
	"time"
)

// Times are what a call of one function took in each round, in nanoseconds,
// the least first.
type Times []float64

// Least is the time of the round that was disturbed the least.
func (t Times) Least() float64 { return t[0] }

// Median is the time of the round in the middle.
func (t Times) Median() float64 { return t[len(t)/2] }

// round is how long a round of one function lasts at least: many times what
// reading the clock takes, and well below the time slice of a scheduler.
const round = time.Millisecond

// Interleaved calls the functions in turns, so many rounds each, and returns
// their times in the order of the functions.
func Interleaved(rounds int, functions ...func()) []Times {
	calls := make([]int, len(functions))
	for i, f := range functions {
		calls[i] = enough(f)
	}
	all := make([]Times, len(functions))
	for range rounds {
		for i, f := range functions {
			all[i] = append(all[i], float64(timed(f, calls[i]))/float64(calls[i]))
		}
	}
	for _, t := range all {
		slices.Sort(t)
	}
	return all
}

// enough returns how many calls last for a round.
func enough(f func()) int {
	n := 1
	for timed(f, n) < round {
		n *= 2
	}
	return n
}

func timed(f func(), n int) time.Duration {
	began := time.Now()
	for range n {
		f()
	}
	return time.Since(began)
}
