package flight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// plan is a drawn fill with its clients.
type plan struct {
	Length, Step    int           // content, and how it is written
	Pause           time.Duration // between writes
	MaxBody, Budget int64
	Expect          int64
	Breaks          bool
	FromReader      bool
	Clients         []client
}

// client is a drawn reader.
type client struct {
	Joins  time.Duration // after the flight began
	Buffer int           // of its reads; 0 reads with Next
	Pause  time.Duration // after each read
	Quits  int           // closes after so many bytes; negative never
	Gone   time.Duration // its context ends; 0 never
}

const planWindow = 16 << 10

func drawPlan(t *rapid.T) plan {
	millis := func(most int, label string) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Millisecond
	}
	return plan{
		Length:     rapid.SampledFrom([]int{0, 1, 4096, 10_000, 70_000, 200_000}).Draw(t, "length"),
		Step:       rapid.SampledFrom([]int{700, 4096, 9000, 100_000}).Draw(t, "step"),
		Pause:      millis(2, "pause"),
		MaxBody:    int64(rapid.SampledFrom([]int{1, 5000, 70_000, 1 << 20}).Draw(t, "max")),
		Budget:     int64(rapid.SampledFrom([]int{0, 6000, 100_000, 1 << 20}).Draw(t, "budget")),
		Expect:     int64(rapid.SampledFrom([]int{-1, 0, 4096, 70_000, 200_000}).Draw(t, "expect")),
		Breaks:     rapid.Bool().Draw(t, "breaks"),
		FromReader: rapid.Bool().Draw(t, "from reader"),
		Clients: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) client {
			return client{
				Joins:  millis(100, "joins"),
				Buffer: rapid.SampledFrom([]int{0, 100, 3000, 100_000}).Draw(t, "buffer"),
				Pause:  millis(3, "pause"),
				Quits:  rapid.SampledFrom([]int{-1, -1, 0, 1, 20_000}).Draw(t, "quits"),
				Gone:   rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 50 * time.Millisecond}).Draw(t, "gone"),
			}
		}), 0, 8).Draw(t, "clients"),
	}
}

// run plays p and returns the first thing that is wrong.
func (p plan) run(t *testing.T) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
		body   = content(p.Length)
		budget = NewBudget(p.Budget)
		g      = NewGroup[string](Options{Budget: budget, MaxBody: p.MaxBody, Window: planWindow})
		f      = lead(t, g, "k")
	)
	fail := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = fmt.Errorf(format, args...)
		}
	}
	for i, c := range p.Clients {
		wg.Go(func() {
			if err := c.run(g, f, body); err != nil {
				fail("client %d: %w", i, err)
			}
		})
	}
	wg.Go(func() {
		if err := p.fill(g, f, body, budget); err != nil {
			fail("leader: %w", err)
		}
	})
	wg.Wait()
	if budget.InUse() != 0 || f.Retained() != 0 || f.Readers() != 0 || g.Len() != 0 {
		fail("left behind: budget %d, kept %d, readers %d, flights %d", budget.InUse(), f.Retained(), f.Readers(), g.Len())
	}
	return failed
}

// fill is the leader's part.
func (p plan) fill(g *Group[string], f *Flight[string], body []byte, budget *Budget) error {
	defer f.Leave()
	pass(10 * time.Millisecond)
	var unwanted atomic.Int32
	hooked := make(chan struct{})
	f.Publish(context.Background(), "h", Content{Expect: p.Expect, OnUnwanted: func() {
		if unwanted.Add(1) == 1 {
			close(hooked)
		}
	}})
	src := &drip{body: body, p: p, check: func() error {
		if kept, most := f.Retained(), max(p.MaxBody, planWindow); kept > most {
			return fmt.Errorf("keeps %d, more than %d", kept, most)
		}
		if budget.InUse() > p.Budget {
			return fmt.Errorf("budget: %d of %d", budget.InUse(), p.Budget)
		}
		g.mu.Lock() // Len would count the clients' own flights
		found := g.flights["k"] == f
		g.mu.Unlock()
		if f.Overflowed() != Fits && found {
			return errors.New("overflowed and still to be joined")
		}
		return nil
	}}
	var err error
	if p.FromReader {
		_, err = f.ReadFrom(src)
	} else {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, src, make([]byte, p.Step))
	}
	f.Finish(err)
	switch {
	case errors.Is(err, ErrNoReaders):
		<-hooked // in another goroutine, perhaps; a deadlock here is a failure
		if f.Overflowed() == Fits {
			return err
		}
	case errors.Is(err, errUpstream):
		if !p.Breaks {
			return err
		}
	case err != nil:
		return err
	}
	if n := unwanted.Load(); n > 1 {
		return fmt.Errorf("unwanted %d times", n)
	}
	chunks, ok := f.Chunks()
	if want := err == nil && f.Overflowed() == Fits; ok != want {
		return fmt.Errorf("chunks %t, want %t", ok, want)
	}
	if stored := bytes.Join(chunks, nil); ok {
		if !bytes.Equal(stored, body) {
			return fmt.Errorf("%d bytes to store that differ from the %d written", len(stored), len(body))
		}
		f.Adopt(stored)
	}
	pass(5 * time.Millisecond)
	return nil
}

// drip is the upstream's side of a plan.
type drip struct {
	body  []byte
	p     plan
	check func() error
}

func (d *drip) Read(p []byte) (int, error) {
	if err := d.check(); err != nil {
		return 0, err
	}
	pass(d.p.Pause)
	if len(d.body) == 0 {
		if d.p.Breaks {
			return 0, errUpstream
		}
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), d.p.Step)], d.body)
	d.body = d.body[n:]
	return n, nil
}

// run plays one client; what it hears must be the content, or a beginning of
// it with an error that fits.
func (c client) run(g *Group[string], first *Flight[string], body []byte) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pass(c.Joins)
	f, leader := g.Join([]byte("k"))
	if leader {
		f.Release(1)
		o, err := f.Wait(ctx)
		if o != (Outcome[string]{State: Released, Why: 1}) || err != nil {
			return fmt.Errorf("own flight: %+v, %w", o, err)
		}
		return nil
	}
	if f != first {
		_, err := f.Wait(ctx) // another client's, released
		return err
	}
	if c.Gone > 0 {
		time.AfterFunc(c.Gone, cancel)
	}
	o, err := f.Wait(ctx)
	if o.State != Published {
		return c.judge(f, err)
	}
	defer o.Body.Close()
	var got []byte
	for c.Quits < 0 || len(got) < c.Quits {
		var p []byte
		if p, err = c.read(o.Body); err != nil {
			break
		}
		got = append(got, p...)
		pass(c.Pause)
	}
	if !bytes.HasPrefix(body, got) {
		return fmt.Errorf("%d bytes that are not the content's", len(got))
	}
	if err == io.EOF && len(got) != len(body) || err == errUpstream && int64(len(got)) != f.Size() {
		return fmt.Errorf("end after %d bytes of %d", len(got), len(body))
	}
	return c.judge(f, err)
}

func (c client) read(r *Reader) ([]byte, error) {
	if c.Buffer == 0 {
		return r.Next()
	}
	p := make([]byte, c.Buffer)
	n, err := r.Read(p)
	return p[:n], err
}

// judge says whether a client had to expect err.
func (c client) judge(f *Flight[string], err error) error {
	switch {
	case err == nil, err == io.EOF, err == errUpstream:
		return nil
	case errors.Is(err, context.Canceled) && c.Gone > 0:
		return nil
	case (err == ErrLagging || err == ErrNoReaders) && f.Overflowed() != Fits:
		return nil
	}
	return fmt.Errorf("unexpected: %w", err)
}

func TestRandomPlans(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var err error
		synctest.Test(t, func(t *testing.T) { err = p.run(t) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// TestManyFlights is for the race detector: real time, few keys, many clients
// that lead or follow, some of them leaving early, under a small budget.
func TestManyFlights(t *testing.T) {
	const clients, rounds = 16, 60
	body := content(150_000)
	budget := NewBudget(300_000)
	g := NewGroup[int](Options{Budget: budget, MaxBody: 200_000, Window: 32 << 10})
	var clientsWG, fills sync.WaitGroup
	fill := func(f *Flight[int], kind int) {
		defer f.Leave()
		switch kind {
		case 0:
			f.Release(1)
		case 1:
			f.Fail(errUpstream)
		default:
			f.Publish(context.Background(), kind, Content{Expect: int64(kind * 50_000)})
			_, err := f.ReadFrom(bytes.NewReader(body))
			if kind == 2 {
				err = errUpstream
			}
			f.Finish(err)
			if chunks, ok := f.Chunks(); ok {
				f.Adopt(bytes.Join(chunks, nil))
			}
		}
	}
	visit := func(rnd *rand.Rand) error {
		f, leader := g.Join([]byte{byte(rnd.IntN(3))})
		if leader {
			kind := rnd.IntN(6)
			fills.Go(func() { fill(f, kind) })
		}
		o, err := f.Wait(context.Background())
		if o.State != Published {
			if o.State == Released && err != nil || o.State == Failed && err == nil || o.State == Pending {
				return fmt.Errorf("Wait = %+v, %w", o, err)
			}
			return nil
		}
		defer o.Body.Close()
		r := io.Reader(o.Body)
		if rnd.IntN(3) == 0 {
			r = io.LimitReader(r, int64(rnd.IntN(100_000)))
		}
		got, err := io.ReadAll(r)
		if !bytes.HasPrefix(body, got) {
			return fmt.Errorf("%d bytes that are not the content's", len(got))
		}
		if err != nil && err != errUpstream && (f.Overflowed() == Fits || err != ErrLagging && err != ErrNoReaders) {
			return err
		}
		return nil
	}
	for i := range clients {
		clientsWG.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for range rounds {
				if err := visit(rnd); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	clientsWG.Wait()
	fills.Wait()
	if budget.InUse() != 0 || g.Len() != 0 {
		t.Errorf("left behind: %d bytes, %d flights", budget.InUse(), g.Len())
	}
}
