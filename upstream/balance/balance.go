// Package balance has the policies by which a Pool picks a server, beside the
// round robin that it has by itself.
package balance

import (
	"math/rand/v2"

	"veneer/upstream"
)

// LeastConn picks the server with the fewest requests under way, and one of
// them at random where several have as few. The zero value is ready, and it is
// safe for concurrent use.
type LeastConn struct{}

// Pick returns the least busy candidate.
func (LeastConn) Pick(candidates []upstream.Candidate) int {
	best, equal := 0, 1
	for i := 1; i < len(candidates); i++ {
		switch d := candidates[i].InFlight - candidates[best].InFlight; {
		case d < 0:
			best, equal = i, 1
		case d == 0:
			equal++
			if rand.IntN(equal) == 0 { // every one of the equals is as likely
				best = i
			}
		}
	}
	return best
}

// TwoChoices picks two servers at random and takes the less busy one: nearly as
// even as LeastConn, and many proxies that do not know of each other do not all
// run to the same server. The zero value is ready, and it is safe for
// concurrent use.
type TwoChoices struct{}

// Pick returns the less busy of two candidates.
func (TwoChoices) Pick(candidates []upstream.Candidate) int {
	n := len(candidates)
	if n == 1 {
		return 0
	}
	a, b := rand.IntN(n), rand.IntN(n-1)
	if b >= a {
		b++
	}
	if candidates[b].InFlight < candidates[a].InFlight {
		return b
	}
	return a
}
