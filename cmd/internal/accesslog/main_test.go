package accesslog

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"veneer/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is when the requests of these tests began.
var at = time.Date(2026, time.March, 4, 5, 6, 7, 8_009_000, time.UTC)

func peer(q *cache.Request) (string, netip.Addr) {
	a, err := netip.ParseAddrPort(q.Peer)
	if err != nil {
		return "http", netip.Addr{}
	}
	return "https", a.Addr()
}

// testConfig logs everything as JSON into a file of its own.
func testConfig(t testing.TB) Config {
	return Config{
		Path: filepath.Join(t.TempDir(), "access.log"), Fields: DefaultFields(), Sample: 1,
		Buffer: 64 << 10, Flush: time.Second,
	}
}

func newLog(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := New(cfg, Options{Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// request is one of a browser's.
func request() *cache.Request {
	return &cache.Request{
		Method: "GET", Protocol: "HTTP/1.1", Host: "api.example.com", Path: "/users/7", Query: "page=2&access_token=abc",
		Peer: "192.0.2.1:3333", Fields: http.Header{
			"User-Agent": {"Mozilla/5.0 (X11)"}, "Referer": {"https://app.example.com/?token=abc"}, "Origin": {"https://app.example.com"},
			"Authorization": {"Bearer hidden"}, "Cookie": {"sid=hidden"}, "X-Request-Id": {"r-1"},
			"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		},
	}
}

// line is what l logs of a request.
func line(t testing.TB, edit func(*Config), q *cache.Request, d *cache.Decision) string {
	t.Helper()
	cfg := testConfig(t)
	if edit != nil {
		edit(&cfg)
	}
	l := newLog(t, cfg)
	l.Record(q, d)
	closeLog(t, l)
	return strings.TrimSuffix(read(t, cfg.Path), "\n")
}
