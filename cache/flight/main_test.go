package flight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errUpstream = errors.New("upstream broke")

// content returns n bytes that differ enough for a misplaced one to show.
func content(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return p
}

// heard is all that one client saw, compared whole.
type heard struct {
	State State
	Head  string
	Why   uint8
	Body  string
	Err   string
	At    time.Duration // virtual, since the test began, when it was over
}

// listen waits and reads to the end.
func listen(ctx context.Context, f *Flight[string], begin time.Time) heard {
	o, err := f.Wait(ctx)
	h := heard{State: o.State, Head: o.Head, Why: o.Why}
	if o.State == Published {
		defer o.Body.Close()
		var body []byte
		body, err = io.ReadAll(o.Body)
		h.Body = string(body)
	}
	if err != nil {
		h.Err = err.Error()
	}
	h.At = time.Since(begin)
	return h
}

// listeners starts n clients that join key, and returns where they report. The
// flight must exist.
func listeners(t *testing.T, g *Group[string], key string, n int) <-chan heard {
	t.Helper()
	begin, out := time.Now(), make(chan heard, n)
	for range n {
		f, leader := g.Join([]byte(key))
		if leader {
			t.Fatal("a listener became the leader")
		}
		go func() { out <- listen(context.Background(), f, begin) }()
	}
	return out
}

func lead(t *testing.T, g *Group[string], key string) *Flight[string] {
	t.Helper()
	f, ok := g.Lead([]byte(key))
	if !ok {
		t.Fatalf("%q is in flight already", key)
	}
	return f
}

// open joins f's key, waits and returns the reader.
func open(t *testing.T, g *Group[string], key string) *Reader {
	t.Helper()
	f, leader := g.Join([]byte(key))
	if leader {
		f.Leave()
		t.Fatal("there was no flight to join")
	}
	o, err := f.Wait(t.Context())
	if err != nil || o.State != Published {
		t.Fatalf("Wait = %+v, %v", o, err)
	}
	t.Cleanup(func() { o.Body.Close() })
	return o.Body
}

func mustWrite(t *testing.T, f *Flight[string], p []byte) {
	t.Helper()
	if n, err := f.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write = %d, %v, want %d", n, err, len(p))
	}
}

func mustRead(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatalf("read: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes that differ from those written", len(want))
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: error %v, want %v", what, got, want)
	}
}

// wantIdle checks that nothing is left behind.
func wantIdle(t *testing.T, g *Group[string], b *Budget, fs ...*Flight[string]) {
	t.Helper()
	type idle struct {
		flights       int
		inUse         int64
		kept, readers string
	}
	got := idle{flights: g.Len(), inUse: b.InUse()}
	for i, f := range fs {
		if n := f.Retained(); n != 0 {
			got.kept += fmt.Sprintf("flight %d keeps %d; ", i, n)
		}
		if n := f.Readers(); n != 0 {
			got.readers += fmt.Sprintf("flight %d has %d readers; ", i, n)
		}
	}
	if got != (idle{}) {
		t.Fatalf("left behind: %+v", got)
	}
}

// pass lets virtual time pass: these tests run in synctest bubbles. A timer
// that is due at once is run by whoever receives from it, and two goroutines of
// a bubble that do so at the same time share one context of the race detector,
// which crashes (Go 1.26, runtime.(*timer).maybeRunChan). So none is made.
func pass(d time.Duration) {
	if d <= 0 {
		runtime.Gosched()
		return
	}
	<-time.After(d)
}
