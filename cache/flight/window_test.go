package flight

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSlowReaderHoldsNobodyBack: within the bounds the leader never waits and
// the others get every byte at once.
func TestSlowReaderHoldsNobodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := content(300_000)
		budget := NewBudget(400_000)
		g := NewGroup[string](Options{Budget: budget})
		f := lead(t, g, "k")
		out := listeners(t, g, "k", 3)
		f.Publish(t.Context(), "h", Content{MaxBody: 300_000})
		stuck := open(t, g, "k")
		for p := body; len(p) > 0; p = p[1000:] {
			mustWrite(t, f, p[:1000])
			if got := f.Retained(); got > 300_000 || got != budget.InUse() {
				t.Fatalf("Retained %d, InUse %d", got, budget.InUse())
			}
		}
		f.Finish(nil)
		f.Leave()
		want := heard{State: Published, Head: "h", Body: string(body)}
		if diff := cmp.Diff(repeat(want, 3), collect(out, 3)); diff != "" {
			t.Error("the others were held back, or read something else")
		}
		if f.Overflowed() != Fits {
			t.Error("a content of exactly MaxBody bytes overflowed")
		}
		mustRead(t, stuck, body)
		stuck.Close()
		wantIdle(t, g, budget, f)
	})
}

// TestOverflow drives a content over each bound, with one reader that keeps up
// and one that never reads.
func TestOverflow(t *testing.T) {
	const window = 64 << 10
	tests := []struct {
		name   string
		limit  int64 // of the Budget
		c      Content
		why    Overflow
		before int64 // bytes written when it overflowed
	}{
		{"one byte too long", 1 << 30, Content{MaxBody: 100_000}, TooLarge, 100_000},
		{"budget", 50_000, Content{}, NoBudget, 32 << 10},
		{"no budget at all", 0, Content{}, NoBudget, 0},
		{"announced too long", 1 << 30, Content{MaxBody: 100_000, Expect: 1 << 40}, TooLarge, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := content(1_000_000)
				budget := NewBudget(tt.limit)
				g := NewGroup[string](Options{Budget: budget, Window: window})
				f := lead(t, g, "k")
				out := listeners(t, g, "k", 1)
				stuck, _ := g.Join([]byte("k"))

				type event struct {
					Why     Overflow
					Size    int64
					Flights int
				}
				var events []event
				tt.c.OnOverflow = func(why Overflow) { events = append(events, event{why, f.Size(), g.Len()}) }
				tt.c.OnUnwanted = func() { t.Error("unwanted while it is read") }
				f.Publish(t.Context(), "h", tt.c)
				o, err := stuck.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				top := int64(0)
				for p := body; len(p) > 0; p = p[1000:] {
					mustWrite(t, f, p[:1000])
					top = max(top, f.Retained())
					synctest.Wait() // the fast reader has read it
					if f.Overflowed() != Fits && f.Size() > tt.before+1000+window && f.Retained() > window {
						t.Fatalf("Retained %d beside a window of %d", f.Retained(), window)
					}
				}
				if most := max(tt.before+window, window); top > most {
					t.Errorf("Retained was %d, more than %d", top, most)
				}
				f.Finish(nil)
				if _, ok := f.Chunks(); ok {
					t.Error("Chunks of an overflowed content")
				}
				f.Adopt(body) // refused as well
				f.Leave()
				if diff := cmp.Diff([]event{{tt.why, tt.before, 0}}, events); diff != "" {
					t.Errorf("OnOverflow (-want +got)\n%s", diff)
				}
				if f.Overflowed() != tt.why {
					t.Errorf("Overflowed = %d", f.Overflowed())
				}
				if diff := cmp.Diff(heard{State: Published, Head: "h", Body: string(body)}, <-out); diff != "" {
					t.Error("the fast reader was disturbed")
				}
				_, err = o.Body.Next()
				wantErr(t, "slow reader", err, ErrLagging)
				o.Body.Close()
				wantIdle(t, g, budget, f)
			})
		})
	}
}

// TestFastestSetsThePace: the leader of an overflowed flight waits for the
// fastest of two readers, and for the other one when that leaves.
func TestFastestSetsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window, step = 16 << 10, 4 << 10
		body := content(20 * step)
		g := NewGroup[string](Options{Window: window})
		f := lead(t, g, "k")
		f.Publish(t.Context(), "h", Content{Expect: 1 << 20, MaxBody: 1})
		if g.Len() != 0 {
			t.Error("an overflowed flight can be joined")
		}
		f.Leave() // ends what nobody has joined
		wantIdle(t, g, nil, f)

		f = lead(t, g, "k")
		w, _ := g.Join([]byte("k"))
		out := make(chan *Reader, 1)
		go func() {
			o, _ := w.Wait(t.Context())
			out <- o.Body
		}()
		w2, _ := g.Join([]byte("k"))
		f.Publish(t.Context(), "h", Content{Expect: 1 << 20, MaxBody: 1})
		fast := <-out
		o, err := w2.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		follower := o.Body
		done := make(chan error, 1)
		go func() {
			_, err := f.Write(body)
			f.Finish(err)
			done <- err
		}()
		at := func(want int64) {
			t.Helper()
			synctest.Wait()
			if got := f.Size(); got != want {
				t.Fatalf("written %d, want %d", got, want)
			}
		}
		at(window)
		mustRead(t, fast, body[:step-1])
		at(window) // the first chunk is not behind it yet
		mustRead(t, fast, body[step-1:step])
		at(window + step)
		mustRead(t, fast, body[step:3*step])
		at(window + 3*step)
		_, err = follower.Next()
		wantErr(t, "follower", err, ErrLagging)
		follower.Close()
		mustRead(t, fast, body[3*step:])
		if err := <-done; err != nil {
			t.Error(err)
		}
		_, err = fast.Next()
		wantErr(t, "end", err, io.EOF)
		fast.Close()
		f.Leave()
		wantIdle(t, g, nil, f)
	})
}

// TestFastestLeaves: the next one sets the pace if it still can.
func TestFastestLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window, step = 16 << 10, 4 << 10
		body := content(8 * step)
		g := NewGroup[string](Options{Window: window, Budget: NewBudget(0)})
		f := lead(t, g, "k")
		f.Publish(t.Context(), "h", Content{})
		fast, next := open(t, g, "k"), open(t, g, "k")
		done := make(chan error, 1)
		go func() {
			_, err := f.Write(body)
			f.Finish(err)
			done <- err
		}()
		synctest.Wait()
		mustRead(t, next, body[:step-1])
		mustRead(t, fast, body[:2*step])
		synctest.Wait()
		written := f.Size()
		fast.Close()
		synctest.Wait()
		if f.Size() != written {
			t.Error("the leader went on without anybody having read")
		}
		_, err := next.Next()
		wantErr(t, "the one that is left behind", err, ErrLagging)
		wantErr(t, "leader", <-done, ErrNoReaders)
	})

	synctest.Test(t, func(t *testing.T) {
		const window, step = 16 << 10, 4 << 10
		body := content(8 * step)
		g := NewGroup[string](Options{Window: window, Budget: NewBudget(0)})
		f := lead(t, g, "k")
		f.Publish(t.Context(), "h", Content{})
		fast, next := open(t, g, "k"), open(t, g, "k")
		go func() {
			_, err := f.Write(body)
			f.Finish(err)
		}()
		synctest.Wait()
		mustRead(t, next, body[:10])
		mustRead(t, fast, body[:step-1])
		fast.Close()
		mustRead(t, next, body[10:])
		_, err := next.Next()
		wantErr(t, "end", err, io.EOF)
	})
}

// TestUnwanted: when the last reader of an overflowed flight has gone, the
// fill ends, whether it writes, waits for a reader, or waits for its upstream.
func TestUnwanted(t *testing.T) {
	tests := []struct {
		name  string
		write int           // bytes that the leader writes
		leave time.Duration // when the only client goes
		calls int
		want  error // of the last Write
	}{
		{"nobody when it overflows", 100_000, 0, 1, ErrNoReaders},
		{"goes while the leader waits for it", 100_000, time.Second, 1, ErrNoReaders},
		{"goes while the upstream is silent", 10_000, time.Second, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget := NewBudget(4 << 10)
				g := NewGroup[string](Options{Budget: budget, Window: 32 << 10})
				f := lead(t, g, "k")
				ctx, cancel := context.WithCancel(t.Context())
				calls := 0
				f.Publish(ctx, "h", Content{OnUnwanted: func() { calls++; cancel() }})
				r := open(t, g, "k")
				if tt.leave == 0 {
					r.Close()
					if calls != 0 {
						t.Error("unwanted, but it could be stored still")
					}
				} else {
					time.AfterFunc(tt.leave, func() { r.Close() })
				}
				_, err := f.Write(content(tt.write))
				if !errors.Is(err, tt.want) && !errors.Is(err, context.Canceled) {
					t.Errorf("Write: %v, want %v", err, tt.want)
				}
				<-ctx.Done() // the upstream's silence ends here
				_, err = f.Write(content(100_000))
				wantErr(t, "Write after all", err, ErrNoReaders)
				f.Finish(err)
				f.Leave()
				if calls != 1 {
					t.Errorf("OnUnwanted was called %d times", calls)
				}
				wantIdle(t, g, budget, f)
			})
		})
	}
}

// TestUnwantedInAnyOrder: three readers close in every order, and one more that
// fell behind closes last; the call comes once, with the last that could read.
func TestUnwantedInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		g := NewGroup[string](Options{Budget: NewBudget(0), Window: 4 << 10})
		f := lead(t, g, "k")
		calls := 0
		f.Publish(t.Context(), "h", Content{OnUnwanted: func() { calls++ }})
		behind := open(t, g, "k")
		readers := []*Reader{open(t, g, "k"), open(t, g, "k"), open(t, g, "k")}
		for p := content(8 << 10); len(p) > 0; p = p[1<<10:] {
			mustWrite(t, f, p[:1<<10])
			for _, r := range readers {
				mustRead(t, r, p[:1<<10])
			}
		}
		var got []int
		for _, i := range order {
			readers[i].Close()
			got = append(got, calls)
		}
		behind.Close()
		got = append(got, calls)
		if diff := cmp.Diff([]int{0, 0, 1, 1}, got); diff != "" {
			t.Errorf("%v: calls after each Close (-want +got)\n%s", order, diff)
		}
		_, err := f.Write([]byte("x"))
		wantErr(t, "Write", err, ErrNoReaders)
		f.Leave()
		wantIdle(t, g, nil, f)
	}
}

// TestNotUnwantedAtTheEnd: a content that has ended needs nobody's cancelling.
func TestNotUnwantedAtTheEnd(t *testing.T) {
	g := NewGroup[string](Options{Budget: NewBudget(0)})
	f := lead(t, g, "k")
	f.Publish(t.Context(), "h", Content{OnUnwanted: func() { t.Error("unwanted") }})
	r := open(t, g, "k")
	mustWrite(t, f, []byte("abc"))
	f.Finish(nil)
	r.Close()
	f.Leave()
}

// TestWriterContext: the fill's context ends a Write that waits.
func TestWriterContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := errors.New("fill deadline")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, late)
		defer cancel()
		budget := NewBudget(10_000)
		g := NewGroup[string](Options{Budget: budget, Window: 8 << 10})
		f := lead(t, g, "k")
		f.Publish(ctx, "h", Content{})
		r := open(t, g, "k")
		begin := time.Now()
		_, err := f.Write(content(100_000))
		wantErr(t, "Write", err, late)
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("Write waited %v", d)
		}
		f.Fail(err)
		got, err := io.ReadAll(r)
		wantErr(t, "reader", err, late)
		if want := content(int(f.Size())); !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, written were %d", len(got), len(want))
		}
		r.Close()
		f.Leave()
		wantIdle(t, g, budget, f)
	})
}

// TestLateSleeper: a waiter that did not wake up before the beginning was gone
// learns so from Wait, when it can still go elsewhere.
func TestLateSleeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[string](Options{Budget: NewBudget(0), Window: 8 << 10})
		f := lead(t, g, "k")
		sleeper, _ := g.Join([]byte("k"))
		f.Publish(t.Context(), "h", Content{})
		r := open(t, g, "k")
		go io.Copy(io.Discard, r)
		mustWrite(t, f, content(100_000))
		o, err := sleeper.Wait(t.Context())
		wantErr(t, "Wait", err, ErrLagging)
		if o != (Outcome[string]{State: Failed}) {
			t.Errorf("Wait = %+v", o)
		}
		f.Finish(nil)
		f.Leave()
	})

	// With nobody else reading, the window waits for it.
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[string](Options{Budget: NewBudget(0), Window: 8 << 10})
		f := lead(t, g, "k")
		sleeper, _ := g.Join([]byte("k"))
		f.Publish(t.Context(), "h", Content{})
		go func() {
			_, err := f.Write(content(100_000))
			f.Finish(err)
			f.Leave()
		}()
		pass(time.Second)
		got := listen(t.Context(), sleeper, time.Now())
		if got.Err != "" || got.Body != string(content(100_000)) {
			t.Errorf("read %d bytes, %s", len(got.Body), got.Err)
		}
	})
}
