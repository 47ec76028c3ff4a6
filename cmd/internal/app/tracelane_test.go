//go:build !race

package app

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"veneer/cache/lane"
)

// laneWire is a connection on which requests come when they are wanted, and on
// which answers cost nothing.
type laneWire struct {
	net.Conn        // nothing else is called
	head     []byte // of the request that comes next
	hit      bool   // the last answer
}

func (*laneWire) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*laneWire) SetReadDeadline(time.Time) error { return nil }

// Receive implements lane.Transport: after the request there is nothing yet,
// which ends the lane's read and not the connection.
func (w *laneWire) Receive(p []byte) (int, error) {
	n := copy(p, w.head)
	if w.head = nil; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Passed implements lane.Transport.
func (*laneWire) Passed(time.Time) {}

// Send implements lane.Transport.
func (w *laneWire) Send(_ time.Time, head, body []byte) (int, error) {
	w.hit = bytes.Contains(head, []byte("veneer; hit"))
	return len(head) + len(body), nil
}

// laneHitter returns a function that is answered with a hit by the lane, which
// asks for a trace of that share as the program does.
func laneHitter(tb testing.TB, sample float64) func() {
	engine, tel := hitEngine(tb, sample)
	w := new(laneWire)
	conn := lane.New(lane.Config{
		Engine: engine, Sample: laneSample(tel.Traces()), HeaderBytes: 32 << 10, HeaderTimeout: time.Second, IdleTimeout: time.Minute,
	}).Conn(w)
	engine.ServeHTTP(&sink{make(http.Header)}, httptest.NewRequest("GET", "http://a.example/a", nil))
	head, left := []byte("GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"), make([]byte, 4<<10)
	hit := func() {
		w.head, w.hit = head, false
		if n, err := conn.Read(left); n != 0 || !errors.Is(err, io.EOF) || !w.hit {
			tb.Fatalf("no hit of the lane: it leaves %q, %v", left[:n], err)
		}
	}
	hit()
	return hit
}

// A hit of the lane that gets no trace allocates nothing either.
func TestUntracedLaneHitAllocatesNothing(t *testing.T) {
	for _, sample := range []float64{telemetryOff, metricsOnly, 0} {
		if n := testing.AllocsPerRun(500, laneHitter(t, sample)); n != 0 {
			t.Errorf("sample %v: %v allocations", sample, n)
		}
	}
}

// BenchmarkTelemetryLane is a hit through the lane, from the bytes of its request
// to those of its answer. The collector never answers.
func BenchmarkTelemetryLane(b *testing.B) {
	for _, c := range []struct {
		name   string
		sample float64
	}{
		{"off", telemetryOff},
		{"metrics only", metricsOnly},
		{"traces 1%", 0.01},
		{"traces 100%", 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			hit := laneHitter(b, c.sample)
			b.ReportAllocs()
			for b.Loop() {
				hit()
			}
		})
	}
}
