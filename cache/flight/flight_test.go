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

func collect(out <-chan heard, n int) []heard {
	var all []heard
	for range n {
		all = append(all, <-out)
	}
	return all
}

func repeat(h heard, n int) []heard {
	all := make([]heard, n)
	for i := range all {
		all[i] = h
	}
	return all
}

// TestEveryWaiterHears plays one fill after another to 40 waiters that came
// before the head; all of them must hear the same at the same instant.
func TestEveryWaiterHears(t *testing.T) {
	const n = 40
	tests := []struct {
		name string
		fill func(f *Flight[string])
		want heard
	}{
		{"unstorable", func(f *Flight[string]) {
			pass(200 * time.Millisecond)
			f.Release(7)
			pass(5 * time.Second) // the leader's client takes its content
		}, heard{State: Released, Why: 7, At: 200 * time.Millisecond}},
		{"fails before the head", func(f *Flight[string]) {
			pass(time.Second)
			f.Fail(errUpstream)
		}, heard{State: Failed, Err: "upstream broke", At: time.Second}},
		{"finished with an error before the head", func(f *Flight[string]) {
			f.Finish(errUpstream)
		}, heard{State: Failed, Err: "upstream broke"}},
		{"finished before the head", func(f *Flight[string]) {
			f.Finish(nil)
		}, heard{State: Failed, Err: ErrAbandoned.Error()}},
		{"abandoned", func(f *Flight[string]) {},
			heard{State: Failed, Err: ErrAbandoned.Error()}},
		{"complete", func(f *Flight[string]) {
			pass(time.Second)
			f.Publish(context.Background(), "head", Content{})
			for _, s := range []string{"a", "bc", "", "def"} {
				pass(100 * time.Millisecond)
				f.Write([]byte(s))
			}
			f.Finish(nil)
			pass(time.Second) // the store is slow
		}, heard{State: Published, Head: "head", Body: "abcdef", At: 1400 * time.Millisecond}},
		{"empty", func(f *Flight[string]) {
			f.Publish(context.Background(), "head", Content{})
			f.Finish(nil)
		}, heard{State: Published, Head: "head"}},
		{"breaks in the middle", func(f *Flight[string]) {
			f.Publish(context.Background(), "head", Content{Expect: 100})
			f.Write([]byte("abc"))
			pass(time.Second)
			f.Finish(errUpstream)
		}, heard{State: Published, Head: "head", Body: "abc", Err: "upstream broke", At: time.Second}},
		{"abandoned in the middle", func(f *Flight[string]) {
			f.Publish(context.Background(), "head", Content{})
			f.Write([]byte("abc"))
			pass(time.Second)
		}, heard{State: Published, Head: "head", Body: "abc", Err: ErrAbandoned.Error(), At: time.Second}},
		{"the first decision holds", func(f *Flight[string]) {
			f.Publish(context.Background(), "head", Content{})
			f.Release(7)
			f.Publish(context.Background(), "other", Content{})
			f.Write([]byte("abc"))
			f.Finish(nil)
			f.Fail(errUpstream)
		}, heard{State: Published, Head: "head", Body: "abc"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget := NewBudget(1 << 20)
				g := NewGroup[string](Options{Budget: budget})
				f := lead(t, g, "k")
				out := listeners(t, g, "k", n)
				synctest.Wait() // all of them wait
				if got := f.Readers(); got != n {
					t.Errorf("Readers = %d, want %d", got, n)
				}
				tt.fill(f)
				f.Leave()
				f.Leave()
				if diff := cmp.Diff(repeat(tt.want, n), collect(out, n)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				wantIdle(t, g, budget, f)
			})
		})
	}
}

// TestDrip joins a fill that drips half way: what is there is read at that
// very instant, and the rest as it comes.
func TestDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[string](Options{})
		begin := time.Now()
		f := lead(t, g, "k")
		go func() {
			defer f.Leave()
			f.Publish(t.Context(), "head", Content{})
			for _, s := range []string{"0", "1", "2", "3", "4"} {
				f.Write([]byte(s))
				pass(400 * time.Millisecond)
			}
			f.Finish(nil)
		}()
		pass(500 * time.Millisecond)
		r := open(t, g, "k")

		type step struct {
			Piece string
			Err   error
			At    time.Duration
			Ready bool // before the read
		}
		var got []step
		for {
			ready := r.Ready()
			p, err := r.Next()
			got = append(got, step{string(p), err, time.Since(begin), ready})
			if err != nil {
				break
			}
		}
		want := []step{
			{"01", nil, 500 * time.Millisecond, true},
			{"2", nil, 800 * time.Millisecond, false},
			{"3", nil, 1200 * time.Millisecond, false},
			{"4", nil, 1600 * time.Millisecond, false},
			{"", io.EOF, 2000 * time.Millisecond, false},
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// TestLeadersClientLeaves begins with a client that goes away in the middle.
func TestLeadersClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[string](Options{})
		f, leader := g.Join([]byte("k"))
		if !leader {
			t.Fatal("the first to join does not lead")
		}
		out := listeners(t, g, "k", 5)
		go func() {
			defer f.Leave()
			f.Publish(context.Background(), "head", Content{})
			f.Write([]byte("ab"))
			pass(time.Second)
			f.Write([]byte("cd"))
			f.Finish(nil)
		}()
		o, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustRead(t, o.Body, []byte("ab"))
		o.Body.Close()
		o.Body.Close()
		_, err = o.Body.Next()
		wantErr(t, "read after Close", err, ErrClosed)
		if !o.Body.Ready() {
			t.Error("a closed reader is not ready to say so")
		}
		want := heard{State: Published, Head: "head", Body: "abcd", At: time.Second}
		if diff := cmp.Diff(repeat(want, 5), collect(out, 5)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// TestContextEndsWaiterAndReader: one client's context is one client's.
func TestContextEndsWaiterAndReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(1 << 20)
		g := NewGroup[string](Options{Budget: budget})
		f := lead(t, g, "k")
		gone := errors.New("client gone")
		begin := time.Now()
		out := make(chan heard, 2)
		for _, after := range []time.Duration{time.Second, 3 * time.Second} {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(after, func() { cancel(gone) })
			w, _ := g.Join([]byte("k"))
			go func() { out <- listen(ctx, w, begin) }()
		}
		rest := listeners(t, g, "k", 1)
		pass(2 * time.Second)
		f.Publish(t.Context(), "head", Content{})
		f.Write([]byte("ab"))
		pass(2 * time.Second)
		f.Write([]byte("cd"))
		f.Finish(nil)
		f.Leave()
		want := []heard{
			{State: Pending, Err: "client gone", At: time.Second},
			{State: Published, Head: "head", Body: "ab", Err: "client gone", At: 3 * time.Second},
			{State: Published, Head: "head", Body: "abcd", At: 4 * time.Second},
		}
		if diff := cmp.Diff(want, append(collect(out, 2), <-rest)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		wantIdle(t, g, budget, f)
	})
}

// TestFailedBeforeTheWaiterWoke: nothing has been sent, so the waiter is told
// instead of being given half an answer.
func TestFailedBeforeTheWaiterWoke(t *testing.T) {
	g := NewGroup[string](Options{})
	f, _ := g.Join([]byte("k"))
	f.Publish(t.Context(), "head", Content{})
	mustWrite(t, f, []byte("half"))
	f.Finish(errUpstream)
	o, err := f.Wait(t.Context())
	wantErr(t, "Wait", err, errUpstream)
	if o != (Outcome[string]{State: Failed}) {
		t.Errorf("Wait = %+v", o)
	}
	wantIdle(t, g, nil, f)
}

// TestGroup walks through who finds which flight.
func TestGroup(t *testing.T) {
	g := NewGroup[string](Options{})
	key := []byte("key")
	a, leader := g.Join(key)
	if !leader {
		t.Fatal("the first to join does not lead")
	}
	copy(key, "zzz") // the group kept its own
	if !g.Has([]byte("key")) || g.Has(key) {
		t.Error("Has knows another key than Join")
	}
	if _, ok := g.Lead([]byte("key")); ok {
		t.Error("Lead began a second flight of a key")
	}
	if f, leader := g.Join([]byte("key")); f != a || leader {
		t.Error("the second to join leads, or joined another flight")
	}
	if f, leader := g.Join([]byte("other")); f == a || !leader {
		t.Error("two keys share a flight")
	} else {
		f.Leave()
	}

	a.Publish(t.Context(), "head", Content{})
	a.Finish(nil)
	if f, _ := g.Join([]byte("key")); f != a {
		t.Error("a finished flight was not found before Leave")
	}
	a.Leave()
	if g.Has([]byte("key")) {
		t.Error("Has finds a flight whose leader has left")
	}
	b, leader := g.Join([]byte("key"))
	if b == a || !leader {
		t.Error("a flight was found after Leave")
	}
	a.Leave() // must not take its successor away
	if f, _ := g.Join([]byte("key")); f != b {
		t.Error("the successor was lost")
	}
	b.Release(1)
	c, leader := g.Join([]byte("key"))
	if c == b || !leader {
		t.Error("a released flight was found")
	}
	c.Fail(nil)
	if n := g.Len(); n != 0 {
		t.Errorf("Len = %d after all have ended", n)
	}
}

// TestNoContent: writes beside the time for them.
func TestNoContent(t *testing.T) {
	tests := []struct {
		name string
		do   func(f *Flight[string])
	}{
		{"before Publish", func(*Flight[string]) {}},
		{"after Release", func(f *Flight[string]) { f.Release(1) }},
		{"after Fail", func(f *Flight[string]) { f.Fail(errUpstream) }},
		{"after Finish", func(f *Flight[string]) {
			f.Publish(context.Background(), "h", Content{})
			f.Finish(nil)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := lead(t, NewGroup[string](Options{}), "k")
			defer f.Leave()
			tt.do(f)
			n, err := f.Write([]byte("x"))
			if n != 0 || err != ErrClosed {
				t.Errorf("Write = %d, %v", n, err)
			}
			m, err := f.ReadFrom(bytes.NewReader([]byte("x")))
			if m != 0 || err != ErrClosed {
				t.Errorf("ReadFrom = %d, %v", m, err)
			}
		})
	}
}

// TestChunksAndAdopt: the store's copy takes the place of the flight's memory
// under a reader that is half way through.
func TestChunksAndAdopt(t *testing.T) {
	body := content(200_000)
	budget := NewBudget(1 << 20)
	g := NewGroup[string](Options{Budget: budget})
	f := lead(t, g, "k")
	f.Publish(t.Context(), "h", Content{})
	slow, idle := open(t, g, "k"), open(t, g, "k")
	mustWrite(t, f, body)
	if pieces, ok := f.Chunks(); !ok || !bytes.Equal(bytes.Join(pieces, nil), body) {
		t.Errorf("Chunks before the end: %d pieces, %t", len(pieces), ok)
	}
	f.Adopt(body)
	mustRead(t, slow, body[:100_000])
	f.Finish(nil)

	chunks, ok := f.Chunks()
	stored := bytes.Join(chunks, nil)
	if !ok || !bytes.Equal(stored, body) {
		t.Fatalf("Chunks: %d bytes, %t", len(stored), ok)
	}
	f.Adopt(stored[1:]) // not the content: refused
	if budget.InUse() == 0 || f.Retained() != budget.InUse() {
		t.Errorf("InUse %d, Retained %d before Adopt", budget.InUse(), f.Retained())
	}
	f.Adopt(stored)
	if budget.InUse() != 0 || f.Retained() != 0 {
		t.Errorf("InUse %d, Retained %d after Adopt", budget.InUse(), f.Retained())
	}
	mustRead(t, open(t, g, "k"), body) // came between Adopt and Leave
	f.Leave()
	mustRead(t, slow, body[100_000:])
	mustRead(t, idle, body)
	_, err := idle.Next()
	wantErr(t, "end", err, io.EOF)
}

// TestMemoryIsKeptForReaders: after Leave it goes with the last of them.
func TestMemoryIsKeptForReaders(t *testing.T) {
	body := content(10_000)
	budget := NewBudget(1 << 20)
	g := NewGroup[string](Options{Budget: budget})
	f := lead(t, g, "k")
	f.Publish(t.Context(), "h", Content{Expect: 10_000})
	a, b := open(t, g, "k"), open(t, g, "k")
	mustWrite(t, f, body)
	f.Finish(nil)
	f.Leave()
	a.Close()
	if got := budget.InUse(); got != 10_000 {
		t.Errorf("InUse = %d while a client reads, want the announced length", got)
	}
	mustRead(t, b, body)
	b.Close()
	wantIdle(t, g, budget, f)
	if _, ok := f.Chunks(); ok {
		t.Error("Chunks after the memory was given back")
	}
	if f.Size() != 10_000 {
		t.Errorf("Size = %d", f.Size())
	}
}

// Who has waited sees what the leader's side said of itself.
func TestNote(t *testing.T) {
	g := NewGroup[string](Options{})
	f, _ := g.Join([]byte("k"))
	waiter, _ := g.Join([]byte("k"))
	if got := waiter.Note(); got != nil {
		t.Errorf("a note that nobody left: %v", got)
	}
	f.SetNote(7)
	f.Release(1)
	for _, who := range []*Flight[string]{f, waiter} {
		if _, err := who.Wait(t.Context()); err != nil || who.Note() != 7 {
			t.Errorf("note %v, %v", who.Note(), err)
		}
	}
	f.Leave()
}
