//go:build !race

package bench

import (
	"io"
	"testing"
)

// A hit through the lane allocates nothing: reading, deciding, writing.
func TestLaneAllocatesNothing(t *testing.T) {
	l, head := newLane(t)
	const n = 1000
	room := make([]byte, 4<<10)
	runs := testing.AllocsPerRun(20, func() {
		if _, err := l.Conn(&wire{head: head, n: n}).Read(room); err != io.EOF {
			t.Fatal(err)
		}
	})
	// A connection has a few of its own.
	if runs > 10 {
		t.Errorf("%v allocations for %d hits on one connection", runs, n)
	}
}
