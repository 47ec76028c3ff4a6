package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A server that answers is alive, on each listener, and the question leaves no
// trace.
func TestAlive(t *testing.T) {
	files, _ := writeCertificate(t, t.TempDir(), "one")
	for _, c := range []struct {
		name string
		lane bool
		cfg  Config
	}{
		{"in the clear", false, Config{HTTP: []string{"127.0.0.1:0", "127.0.0.1:0"}}},
		{"TLS", false, Config{HTTPS: &files}},
		{"lanes", true, Config{HTTP: []string{"127.0.0.1:0"}, HTTPS: &files}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logBuffer
			var asked atomic.Int32
			c.cfg.Log = log.logger()
			c.cfg.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			if c.lane {
				site := newSite(t, "")
				t.Cleanup(site.close)
				c.cfg.Lane = site.engine
			}
			s := start(t, c.cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for range 3 {
				if err := s.Alive(ctx); err != nil {
					t.Error(err)
				}
			}
			if log.String() != "" || asked.Load() > 0 {
				t.Errorf("it leaves %d requests and says %q", asked.Load(), log.String())
			}
			if err := s.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Alive(ctx); err == nil {
				t.Error("it is alive after its end")
			}
		})
	}
}

// The system takes connections of a server that does not: that is no life.
func TestAliveUnserved(t *testing.T) {
	files, _ := writeCertificate(t, t.TempDir(), "one")
	for _, cfg := range []Config{{HTTP: []string{"127.0.0.1:0"}}, {HTTPS: &files}} {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		var timeout net.Error
		if err := s.Alive(ctx); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v, want that it does not answer in time", err)
		}
		cancel()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Who has all the connections that it may have is busy, and not dead.
func TestAliveFull(t *testing.T) {
	block := make(chan struct{})
	began := make(chan struct{}, 1)
	s := start(t, Config{Limits: Limits{Connections: 1}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-block
	})})
	c := dial(t, s)
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Alive(ctx); err != nil {
		t.Errorf("a full server: %v", err)
	}
	close(block)
}
