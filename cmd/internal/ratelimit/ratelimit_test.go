package ratelimit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

var (
	one = netip.MustParseAddr("192.0.2.1")
	two = netip.MustParseAddr("192.0.2.2")
)

func TestTake(t *testing.T) {
	c := newClock()
	table := New(Rate{Requests: 2, Per: time.Second, Burst: 3}, DefaultClients, c.now)
	for _, step := range []struct {
		after  time.Duration
		client netip.Addr
		wait   time.Duration // 0: taken
	}{
		{0, one, 0},
		{0, one, 0},
		{0, one, 0},
		{0, one, 500 * time.Millisecond},
		{0, one, 500 * time.Millisecond}, // what was refused has not counted
		{0, two, 0},                      // another client's bucket
		{200 * time.Millisecond, one, 300 * time.Millisecond},
		{300 * time.Millisecond, one, 0},
		{0, one, 500 * time.Millisecond},
		{time.Hour, one, 0},
		{0, one, 0},
		{0, one, 0},
		{0, one, 500 * time.Millisecond},
	} {
		c.advance(step.after)
		wait, ok := table.Take(step.client)
		if wait.Round(time.Microsecond) != step.wait || ok != (step.wait == 0) {
			t.Fatalf("%v %v later: wait %v ok %t, want %v", step.client, step.after, wait, ok, step.wait)
		}
	}
}

func TestWhoIsAClient(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::", true},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"192.0.2.1", "64:ff9b::192.0.2.1", true},
		{"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"192.0.2.1", "192.0.2.2", false},
	} {
		table := New(Rate{Requests: 1, Per: time.Minute, Burst: 1}, DefaultClients, newClock().now)
		if _, ok := table.Take(netip.MustParseAddr(c.a)); !ok {
			t.Fatalf("%s: the first was refused", c.a)
		}
		if _, ok := table.Take(netip.MustParseAddr(c.b)); ok == c.same {
			t.Errorf("%s and %s: ok %t, same client %t", c.a, c.b, ok, c.same)
		}
	}
	table := New(Rate{Requests: 1, Per: time.Minute, Burst: 1}, DefaultClients, newClock().now)
	if _, ok := table.Take(netip.Addr{}); !ok {
		t.Error("a client without an address is refused from the start")
	}
}

func (t *Table) size() (n int) {
	for i := range t.shards {
		n += len(t.shards[i].newer) + len(t.shards[i].older)
	}
	return n
}

// However many addresses there are, the table has its bound.
func TestBounded(t *testing.T) {
	const clients = 256
	table := New(Rate{Requests: 1, Per: time.Second, Burst: 1}, clients, newClock().now)
	for i := range 100 * clients {
		table.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := table.size(); n > clients {
		t.Errorf("%d buckets, want at most %d", n, clients)
	}
}

// Below the bound nobody gets more than the rate: in any time, no more than a
// burst and what has come in since; and nobody who keeps to the rate is refused.
func TestRateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{
			Requests: rapid.IntRange(1, 50).Draw(t, "requests"),
			Per:      time.Duration(rapid.IntRange(1, 60).Draw(t, "per")) * time.Second,
			Burst:    rapid.IntRange(1, 20).Draw(t, "burst"),
		}
		c := newClock()
		start := c.at
		table := New(r, DefaultClients, c.now)
		taken, each := 0, r.Per/time.Duration(r.Requests)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			c.advance(time.Duration(rapid.Int64Range(0, int64(3*each)).Draw(t, "after")))
			wait, ok := table.Take(one)
			if ok {
				taken++
			} else if wait > each+time.Millisecond {
				t.Fatalf("has to wait %v, one request comes in every %v", wait, each)
			}
			if most := float64(r.Burst) + float64(c.at.Sub(start))/float64(each); float64(taken) > most+0.001 {
				t.Fatalf("%d taken in %v, at most %.2f", taken, c.at.Sub(start), most)
			}
		}
	})
}

// What is refused costs nothing, however many come at once: the next request is
// taken when one has come in, not when all that were refused would have been.
func TestRefusedIsNotCounted(t *testing.T) {
	c := newClock()
	table := New(Rate{Requests: 10, Per: time.Second, Burst: 1}, DefaultClients, c.now)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 100 {
				if wait, ok := table.Take(one); !ok && wait > 100*time.Millisecond {
					t.Errorf("has to wait %v", wait)
				}
			}
		})
	}
	wg.Wait()
	c.advance(100 * time.Millisecond)
	if wait, ok := table.Take(one); !ok {
		t.Errorf("refused, has to wait %v", wait)
	}
}

// A bucket that takes longer to fill than a Duration can say is not forgotten.
func TestSlowBucket(t *testing.T) {
	c := newClock()
	table := New(Rate{Requests: 1, Per: 24 * time.Hour, Burst: 200_000}, DefaultClients, c.now)
	for i := range 64 {
		table.Take(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	c.advance(24 * time.Hour)
	table.Take(one)
	if n := table.size(); n != 65 {
		t.Errorf("%d clients remembered, want 65", n)
	}
}

func TestConcurrent(t *testing.T) {
	table := New(Rate{Requests: 1, Per: time.Hour, Burst: 10}, DefaultClients, newClock().now)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, ok := table.Take(one); ok {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != 10 {
		t.Errorf("%d requests taken, want 10", taken.Load())
	}
}

func BenchmarkTake(b *testing.B) {
	table := New(Rate{Requests: 1e9, Per: time.Second, Burst: 1e9}, DefaultClients, nil)
	b.ReportAllocs()
	for b.Loop() {
		table.Take(one)
	}
}
