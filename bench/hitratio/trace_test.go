package hitratio

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTracesCanBeMadeAgain(t *testing.T) {
	a, b, other := Traces(5000, 1), Traces(5000, 1), Traces(5000, 2)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the same seed made two:\n%s", diff)
	}
	for i := range a {
		if slices.Equal(a[i].Requests, other[i].Requests) {
			t.Errorf("%s: two seeds made one", a[i].Name)
		}
	}
}

// Every trace has its length, and every object one size.
func TestTracesAreSound(t *testing.T) {
	for _, trace := range Traces(20_000, 1) {
		if len(trace.Requests) != 20_000 {
			t.Errorf("%s: %d requests", trace.Name, len(trace.Requests))
		}
		sizes := map[uint32]int32{}
		var bytes int64
		for _, r := range trace.Requests {
			if size, seen := sizes[r.Object]; seen && size != r.Size {
				t.Fatalf("%s: object %d has %d and %d bytes", trace.Name, r.Object, size, r.Size)
			} else if !seen {
				bytes += int64(r.Size) + 7
			}
			sizes[r.Object] = r.Size
			if r.Size < 0 || r.Size > maxSize {
				t.Fatalf("%s: object %d has %d bytes", trace.Name, r.Object, r.Size)
			}
		}
		if n, b := trace.Footprint(7); n != len(sizes) || b != bytes {
			t.Errorf("%s: footprint of %d objects and %d bytes, want %d and %d", trace.Name, n, b, len(sizes), bytes)
		}
	}
}

func TestSizes(t *testing.T) {
	m := newMaker("sizes", "", 0, 1)
	m.objects(50_000)
	slices.Sort(m.sizes)
	if median := float64(m.sizes[25_000]); math.Abs(median/medianSize-1) > 0.05 {
		t.Errorf("the median is %.0f bytes", median)
	}
	// One sigma above the median: 84.13 % are below.
	if got, want := float64(m.sizes[42_067]), medianSize*math.Exp(sizeSigma); math.Abs(got/want-1) > 0.05 {
		t.Errorf("one sigma above it are %.0f bytes, want about %.0f", got, want)
	}
}

func TestPicker(t *testing.T) {
	const n = 100_000
	m, p := newMaker("picker", "", 0, 1), newPicker(100, skew, 0)
	counts := make([]float64, 100)
	for range n {
		counts[p.next(m.rng)]++
	}
	sum := 0.0
	for i := range counts {
		sum += math.Pow(float64(i+1), -skew)
	}
	for _, rank := range []int{0, 1, 9, 99} {
		want := n * math.Pow(float64(rank+1), -skew) / sum
		if math.Abs(counts[rank]-want) > 5*math.Sqrt(want) {
			t.Errorf("rank %d came %.0f times, want about %.0f", rank, counts[rank], want)
		}
	}
}

// Each kind is what it says, as a cache without limits and LRU see it.
func TestHabits(t *testing.T) {
	ratio := map[string]float64{} // of LRU with a twentieth of the room
	fresh := map[string]float64{} // requests that are the first for their object
	lru := map[string]bool{}      // whether LRU beats S3-FIFO
	for _, trace := range Traces(60_000, 1) {
		n, bytes := trace.Footprint(0)
		a, b := Replay(trace, NewLRU(bytes/20), 0), Replay(trace, NewS3FIFO(bytes/20), 0)
		ratio[trace.Name], lru[trace.Name] = a.Objects, a.Objects > b.Objects
		fresh[trace.Name] = float64(n) / float64(len(trace.Requests))
	}
	if d := fresh["crawler"] - fresh["zipf"]; d < 0.14 || d > 0.18 {
		t.Errorf("the crawler adds %.2f requests of one each, want a sixth", d)
	}
	if ratio["recency"] < ratio["drift"] {
		t.Errorf("LRU finds recency harder (%.2f) than drift (%.2f)", ratio["recency"], ratio["drift"])
	}
	want := map[string]bool{"zipf": false, "crawler": false, "drift": false, "news": false, "recency": true, "shifts": false}
	if diff := cmp.Diff(want, lru); diff != "" {
		t.Errorf("where LRU wins: -want +got\n%s", diff)
	}
}
