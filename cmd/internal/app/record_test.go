package app

import (
	"slices"
	"sync"
	"testing"

	"veneer/cache"
	"veneer/cmd/internal/telemetry"
)

// names is an observer that notes the paths of requests behind its own name.
type names struct {
	name string
	seen *[]string
}

func (n names) Record(q *cache.Request, _ *cache.Decision) {
	*n.seen = append(*n.seen, n.name+q.Path)
}

func testRecorder(tb testing.TB) *recorder {
	tel, err := telemetry.New(telemetry.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return newRecorder(tel)
}

// Every observer sees what is recorded while it is attached, in the order of
// their coming.
func TestObservers(t *testing.T) {
	rec := testRecorder(t)
	var seen []string
	record := func(path string) { rec.Record(&cache.Request{Path: path}, &cache.Decision{}) }
	record("/none")
	first := rec.attach(names{"a", &seen})
	record("/1")
	second := rec.attach(names{"b", &seen})
	record("/2")
	first()
	first()
	record("/3")
	again := rec.attach(names{"b", &seen}) // equal to the other, and another
	record("/4")
	second()
	record("/5")
	again()
	record("/none")
	if want := []string{"a/1", "a/2", "b/2", "b/3", "b/4", "b/4", "b/5"}; !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
	if rec.observers.Load() != nil {
		t.Error("without observers there is still a list")
	}
}

// counting is an observer for many goroutines.
type counting struct {
	mu sync.Mutex
	n  int
}

func (c *counting) Record(*cache.Request, *cache.Decision) { c.mu.Lock(); c.n++; c.mu.Unlock() }

// Observers come and go while requests end.
func TestObserversWhileRecording(t *testing.T) {
	rec := testRecorder(t)
	stays := new(counting)
	rec.attach(stays)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				rec.Record(&cache.Request{}, &cache.Decision{})
			}
		})
		all.Go(func() {
			for range 50 {
				rec.attach(new(counting))()
			}
		})
	}
	all.Wait()
	if stays.n != 2000 {
		t.Errorf("%d of 2000 records", stays.n)
	}
}
