package hitratio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// play requests objects named by letters, each of cost 10, and returns hits as
// capitals.
func play(c Cache, letters string) string {
	return strings.Map(func(r rune) rune {
		if c.Request(uint32(r), 10) {
			return r - 'a' + 'A'
		}
		return r
	}, letters)
}

func TestKnownSequences(t *testing.T) {
	for _, c := range []struct{ name, cache, in, want string }{
		{"all fit", "LRU 3", "abcabc", "abcABC"},
		{"a loop that just does not fit", "LRU 3", "abcdabcd", "abcdabcd"},
		{"use keeps", "LRU 3", "abcadbca", "abcAdbca"},
		{"the oldest goes first", "LRU 3", "abcdbcda", "abcdBCDa"},

		// Ten places: one small, nine main.
		{"all fit", "S3-FIFO 10", "abcdefghijabcdefghij", "abcdefghijABCDEFGHIJ"},
		{"once is thrown out first", "S3-FIFO 10", "aaabcdefghijklmna", "aAAbcdefghijklmnA"},
		{"used once more is not enough", "S3-FIFO 10", "aabcdefghijkla", "aAbcdefghijkla"},
		{"a ghost comes back to the main queue", "S3-FIFO 10", "abcdefghijklabmnopqrstuab", "abcdefghijklabmnopqrstuAB"},
		{"a scan passes", "S3-FIFO 10", "aaabbbcccdefghijklmnopqrstuvwxyzabc", "aAAbBBcCCdefghijklmnopqrstuvwxyzABC"},
	} {
		t.Run(c.cache+" "+c.name, func(t *testing.T) {
			if got := play(open(t, c.cache), c.in); got != c.want {
				t.Errorf("%s: got %s, want %s", c.in, got, c.want)
			}
		})
	}
}

// open returns a baseline by name and size in objects of cost 10.
func open(t *testing.T, name string) Cache {
	t.Helper()
	var kind string
	var size int64
	if _, err := fmt.Sscan(name, &kind, &size); err != nil {
		t.Fatal(err)
	}
	switch kind {
	case "LRU":
		return NewLRU(10 * size)
	case "S3-FIFO":
		return NewS3FIFO(10 * size)
	}
	t.Fatalf("no cache is called %s", kind)
	return nil
}

// naive is LRU as a list from the latest to the oldest.
type naive struct {
	size  int64
	items [][2]int64 // object and cost
}

func (n *naive) Request(object uint32, cost int64) bool {
	i := slices.IndexFunc(n.items, func(x [2]int64) bool { return x[0] == int64(object) })
	if i >= 0 {
		n.items = slices.Delete(n.items, i, i+1)
	} else if cost > n.size {
		return false
	}
	n.items = slices.Insert(n.items, 0, [2]int64{int64(object), cost})
	sum := int64(0)
	for j, x := range n.items {
		if sum += x[1]; sum > n.size {
			n.items = n.items[:j]
			break
		}
	}
	return i >= 0
}

func TestLRUIsLRU(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := NewLRU(1000), &naive{size: 1000}
	for i := range 50_000 {
		object := rng.Uint32N(60)
		cost := int64(object)*1100/60 + 1 // the largest do not fit
		if got, want := a.Request(object, cost), b.Request(object, cost); got != want {
			t.Fatalf("request %d for %d: got %t, want %t", i, object, got, want)
		}
	}
}

// Whatever comes: no more than the size is held, and the queues and the map
// hold the same.
func TestS3FIFOAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := NewS3FIFO(1000).(*s3fifo)
	for i := range 20_000 {
		object := rng.Uint32N(100)
		c.Request(object, int64(object)*11+1)
		n, bytes := 0, map[*queue]int64{}
		for _, q := range []*queue{c.small, c.main, c.ghost} {
			for x := q.root.next; x != &q.root; x = x.next {
				n++
				bytes[q] += x.cost
				if c.items[x.object] != x || x.queue != q {
					t.Fatalf("request %d: object %d is lost", i, x.object)
				}
			}
			if bytes[q] != q.bytes {
				t.Fatalf("request %d: a queue of %d bytes says %d", i, bytes[q], q.bytes)
			}
		}
		if n != len(c.items) || c.small.bytes+c.main.bytes > c.size || c.ghost.bytes > c.size {
			t.Fatalf("request %d: %d objects of %d; %d, %d and %d bytes", i, n, len(c.items), c.small.bytes, c.main.bytes, c.ghost.bytes)
		}
	}
}

func TestReplay(t *testing.T) {
	trace := &Trace{Requests: []Request{{1, 100}, {1, 100}, {2, 300}, {1, 100}, {2, 300}, {3, 5000}, {3, 5000}}}
	got := Replay(trace, NewLRU(1000), 50)
	if diff := cmp.Diff(Ratio{Objects: 3.0 / 7, Bytes: 500.0 / 10900}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := Replay(&Trace{}, NewLRU(1000), 50); got != (Ratio{}) {
		t.Errorf("an empty trace: %v", got)
	}
}
