package growth

import "math/rand/v2"

// line64 is one line of a processor's cache, somewhere in memory.
type line64 struct {
	next uint32
	_    [60]byte
}

// chase returns a function that reads one line of so many bytes of memory, each
// time another that the one before names, so that nothing can be fetched ahead:
// what a miss costs on this machine, at this moment.
func chase(bytes int) func() {
	lines := make([]line64, bytes/64)
	for i := range lines {
		lines[i].next = uint32(i)
	}
	for i := len(lines) - 1; i > 0; i-- { // Sattolo's: one cycle through all
		j := rand.IntN(i)
		lines[i].next, lines[j].next = lines[j].next, lines[i].next
	}
	at := uint32(0)
	return func() { at = lines[at].next }
}
