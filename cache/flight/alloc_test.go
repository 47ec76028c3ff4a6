//go:build !race

package flight

import (
	"context"
	"testing"
	"time"
)

// TestAllocations holds the number of allocations to what the design needs.
func TestAllocations(t *testing.T) {
	key, ctx := []byte("a key that is longer than what fits into the stack's 32 bytes"), context.Background()
	g := NewGroup[string](Options{})
	pending, _ := g.Join(key)
	defer pending.Leave()
	done, _ := g.Join([]byte("published"))
	done.Publish(ctx, "h", Content{})
	if _, err := done.Write(content(1000)); err != nil {
		t.Fatal(err)
	}
	done.Finish(nil)
	defer done.Leave()
	marks := NewMarks(MarksOptions{})
	marks.Mark(key, 0, noon)
	later, other := noon.Add(time.Second), []byte("other")
	buf := make([]byte, 1000)

	tests := []struct {
		name string
		most float64
		do   func()
	}{
		{"Join of a waiter", 0, func() {
			f, _ := g.Join(key)
			f.body.stand()
		}},
		{"Join, Wait, Read, Close of a waiter", 1, func() {
			f, _ := g.Join([]byte("published"))
			o, err := f.Wait(ctx)
			if err != nil {
				t.Fatal(err)
			}
			o.Body.Read(buf)
			o.Body.Close()
		}},
		{"Join to Leave of a leader", 4, func() {
			f, _ := g.Join(other)
			f.Leave()
		}},
		{"Marked", 0, func() { marks.Marked(key, later) }},
		{"not Marked", 0, func() { marks.Marked(other, later) }},
		{"Mark again", 0, func() { marks.Mark(key, 0, later) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
				t.Errorf("%v allocations, want at most %v", got, tt.most)
			}
		})
	}
}
