//go:build !race

package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }

// What the server itself adds to every request is one exchange.
func TestAllocationsOfARequest(t *testing.T) {
	limits, err := Limits{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	answer := []byte("ok")
	s := newServer(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(answer)
	})}, limits, nil, nil)
	defer s.Shutdown(context.Background())
	r, err := http.NewRequest(http.MethodGet, "http://h/path", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	w := nowhere{http.Header{}}
	if n := testing.AllocsPerRun(1000, func() { s.serveHTTP(w, r) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

// sink is a connection that takes everything.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

func TestAllocationsOfAWrite(t *testing.T) {
	var set connSet
	set.init(1)
	c := set.add(sink{}, time.Nanosecond) // so short that every write moves the deadline
	p := make([]byte, 1000)
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Write(p) }); n != 0 {
		t.Errorf("a write: %v allocations, want 0", n)
	}
	quiet := newBounded(slog.New(slog.DiscardHandler))
	if n := testing.AllocsPerRun(1000, func() { quiet.log(context.Background(), slog.LevelDebug, "x") }); n != 0 {
		t.Errorf("a message nobody wants: %v allocations, want 0", n)
	}
}
