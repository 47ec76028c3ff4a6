package bench

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/lane"
	"veneer/cache/store/memory"
	"veneer/upstream/route"
)

// wire is a connection on which the same request comes n times and answers cost
// nothing.
type wire struct {
	net.Conn // nothing else is called
	head     []byte
	n        int
	sent     int
}

func (w *wire) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (w *wire) SetReadDeadline(time.Time) error { return nil }
func (w *wire) Receive(p []byte) (int, error) {
	if w.n--; w.n < 0 {
		return 0, io.EOF
	}
	return copy(p, w.head), nil
}

func (w *wire) Send(_ time.Time, head, body []byte) error {
	w.sent += len(head) + len(body)
	return nil
}

// newLane returns a lane over an engine with one stored page, and the request
// that it answers.
func newLane(b testing.TB) (*lane.Lane, []byte) {
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	rt := &cache.Route{Name: "bench", CORS: newPolicy(b), Store: store, Upstream: page{}, MaxObject: 1 << 20, Variants: 32}
	table, _ := route.New([]route.Entry[*cache.Route]{{Path: "/", Value: rt}})
	engine := cache.New(cache.Config{Plan: &cache.Plan{Router: table}})
	b.Cleanup(func() { engine.Close(context.Background()); store.Close() })
	for store.Stats().Objects == 0 {
		engine.ServeHTTP(&sink{http.Header{}}, newRequest())
	}
	head := "GET /path/of/some/length?q=1 HTTP/1.1\r\nHost: site.example\r\nOrigin: " + web + "\r\nAccept-Encoding: gzip, deflate, br\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: */*\r\nAccept-Language: en-GB,en;q=0.9\r\nReferer: " + web + "/\r\nSec-Fetch-Mode: cors\r\n\r\n"
	return lane.New(lane.Config{Engine: engine, HeaderBytes: 32 << 10, HeaderTimeout: time.Second, IdleTimeout: time.Minute}), []byte(head)
}

// cpuTime reports the processor's time beside the wall clock's, which says
// little on a machine that others use too.
func cpuTime(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	began := used()
	return func() { b.ReportMetric(float64(used()-began)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkLane(b *testing.B) {
	l, head := newLane(b)
	w := &wire{head: head, n: b.N}
	c := l.Conn(w)
	b.ReportAllocs()
	b.ResetTimer()
	defer cpuTime(b)()
	if _, err := c.Read(make([]byte, 4<<10)); err != io.EOF {
		b.Fatal(err)
	}
	if w.sent < b.N*1024 {
		b.Fatalf("%d bytes for %d requests", w.sent, b.N)
	}
}
