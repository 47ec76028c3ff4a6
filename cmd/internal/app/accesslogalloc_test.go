//go:build !race

package app

import (
	"bytes"
	"net"
	"net/http/httptest"
	"net/url"
	"testing"

	"veneer/cmd/internal/config"
)

// laneAsker returns a function that asks for a hit over a kept connection of an
// App that serves, and is answered by the lane.
func laneAsker(tb testing.TB, edit func(*config.Config)) func() {
	up := httptest.NewServer(page("Cache-Control: max-age=600"))
	tb.Cleanup(up.Close)
	u, err := url.Parse(up.URL)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := config.Default()
	cfg.Server.HTTP = []string{"127.0.0.1:0"}
	upstream := config.NewUpstream("up")
	upstream.Servers = []*url.URL{u}
	cfg.Upstreams, cfg.Routes = []config.Upstream{upstream}, []config.Route{config.NewRoute("", "/", "up")}
	edit(cfg)
	if errs := cfg.Check().Errors(); len(errs) > 0 {
		tb.Fatal(errs)
	}
	a, err := Build(cfg, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- a.Run(tb.Context()) }()
	conn, err := net.Dial("tcp", a.Addrs()[0].String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(); _ = a.Drain(endedContext()); <-ran })
	head := []byte("GET /path?q=1 HTTP/1.1\r\nHost: site.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nReferer: https://app.example/?a=1\r\n\r\n")
	buf := make([]byte, 4096)
	ask := func() {
		if _, err := conn.Write(head); err != nil {
			tb.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("answer 1")); {
			m, err := conn.Read(buf[n:])
			if err != nil {
				tb.Fatal(err)
			}
			n += m
		}
	}
	ask()
	for ask(); !bytes.Contains(buf, []byte("veneer; hit")); { // the store may be behind the client
		ask()
	}
	return ask
}

func logTo(path string) func(*config.Config) {
	return func(c *config.Config) {
		c.Telemetry.AccessLog = config.NewAccessLog()
		c.Telemetry.AccessLog.Path = path
	}
}

// A hit through the lane allocates nothing, and its line neither.
func TestLoggedHitAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(2000, laneAsker(t, logTo("/dev/null"))); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLoggedHit(b *testing.B) {
	for _, c := range []struct {
		name string
		edit func(*config.Config)
	}{
		{"no log", func(*config.Config) {}},
		{"json", logTo("/dev/null")},
		{"one in a hundred", func(c *config.Config) { logTo("/dev/null")(c); c.Telemetry.AccessLog.Sample = 0.01 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			ask := laneAsker(b, c.edit)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}
