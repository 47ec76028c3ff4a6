package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	free := freeAddress(t)
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no address", Config{}, "cannot listen: no address is given; set server.http or server.https"},
		{"port taken", Config{HTTP: []string{free, busy}},
			"cannot listen on " + busy + " (server.http): listen tcp " + busy + ": bind: address already in use; something else holds it, and the system does not say what: stop it, or choose another address"},
		{"the same address twice", Config{HTTP: []string{free, free}},
			"cannot listen on " + free + " (server.http): listen tcp " + free + ": bind: address already in use; something else holds it, and the system does not say what: stop it, or choose another address"},
		{"foreign address", Config{HTTP: []string{free, "192.0.2.1:0"}},
			"cannot listen on 192.0.2.1:0 (server.http): listen tcp 192.0.2.1:0: bind: cannot assign requested address; no interface of this machine has it: choose one that an interface has, or leave the host out for all"},
		{"no port", Config{HTTP: []string{"127.0.0.1"}},
			"cannot listen on 127.0.0.1 (server.http): listen tcp: address 127.0.0.1: missing port in address; give it as host:port, with an address of this machine"},
		{"no certificate", Config{HTTP: []string{free}, HTTPS: &TLS{Address: "127.0.0.1:0", CertFile: "none.crt", KeyFile: "none.key"}},
			"cannot load the certificate none.crt with the key none.key: open none.crt: no such file or directory"},
		{"negative limit", Config{HTTP: []string{free}, Limits: Limits{IdleTimeout: -time.Second}},
			"cannot use the limit IdleTimeout = -1s: it is negative; leave it out for the default of 2m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.cfg)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			// Nothing is left half open.
			l, err := net.Listen("tcp", free)
			if err != nil {
				t.Fatalf("%s stayed bound: %v", free, err)
			}
			_ = l.Close()
		})
	}
	if _, err := New(Config{HTTP: []string{busy}}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestLimitsDefaults(t *testing.T) {
	got, err := Limits{BodyStall: time.Minute, Streams: 7}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{
		HeaderBytes: 32 << 10, BodyBytes: 64 << 20, HeaderTimeout: 10 * time.Second, IdleTimeout: 120 * time.Second,
		BodyStall: time.Minute, WriteStall: 30 * time.Second, Connections: 16384, Streams: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A Server that was never served still gives its addresses back.
func TestShutdownWithoutServe(t *testing.T) {
	s, err := New(Config{HTTP: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	addrs := s.Addrs()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		l, err := net.Listen("tcp", a.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
	if err := s.Serve(context.Background()); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if err := s.Serve(context.Background()); err == nil {
		t.Error("a second Serve returned no error")
	}
}

// client returns a client that trusts pool.
func client(t *testing.T, pool *x509.CertPool, h2 bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: &p}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestTLS(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "one")
	s := start(t, Config{HTTP: []string{"127.0.0.1:0"}, HTTPS: &files, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s tls=%t alpn=%q", r.Proto, r.TLS != nil, alpn(r))
	})})
	plain, secure := "http://"+s.Addrs()[0].String(), "https://"+s.Addrs()[1].String()
	for _, c := range []struct {
		name, url string
		h2        bool
		want      string
	}{
		{"cleartext", plain, false, `HTTP/1.1 tls=false alpn=""`},
		{"HTTP/1.1", secure, false, `HTTP/1.1 tls=true alpn=""`},
		{"HTTP/2", secure, true, `HTTP/2.0 tls=true alpn="h2"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := get(t, client(t, pool, c.h2), c.url); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("TLS 1.1 is refused", func(t *testing.T) {
		_, err := tls.Dial("tcp", s.Addrs()[1].String(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("got %v", err)
		}
	})
}

func alpn(r *http.Request) string {
	if r.TLS == nil {
		return ""
	}
	return r.TLS.NegotiatedProtocol
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReloadCertificates(t *testing.T) {
	dir := t.TempDir()
	files, old := writeCertificate(t, dir, "one")
	s := start(t, Config{HTTPS: &files, Handler: text("ok")})
	name := func(pool *x509.CertPool) string {
		t.Helper()
		c, err := tls.Dial("tcp", s.Addrs()[0].String(), &tls.Config{RootCAs: pool})
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(old); got != "one" {
		t.Fatalf("got %q", got)
	}

	if err := os.WriteFile(files.CertFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.ReloadCertificates()
	if err == nil {
		t.Fatal("a bad file was taken")
	}
	contains(t, "error", err.Error(), "cannot load the certificate "+files.CertFile, files.KeyFile)
	if got := name(old); got != "one" {
		t.Errorf("after a bad reload: got %q", got)
	}

	_, fresh := writeCertificate(t, dir, "two")
	if err := s.ReloadCertificates(); err != nil {
		t.Fatal(err)
	}
	if got := name(fresh); got != "two" {
		t.Errorf("after a good reload: got %q", got)
	}
}

func TestReloadWithoutTLS(t *testing.T) {
	if err := start(t, Config{}).ReloadCertificates(); err != nil {
		t.Error(err)
	}
}

// A request that is under way when the server stops is answered.
func TestShutdownFinishesRequests(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-goOn
		fmt.Fprintf(w, "done %v", r.Context().Err())
	})})
	c := dial(t, s)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	<-s.stopping
	close(goOn)
	_, content := readResponse(t, bufio.NewReader(c))
	if err := <-stopped; err != nil || content != "done <nil>" {
		t.Errorf("got %q, error %v", content, err)
	}
	if _, err := net.Dial("tcp", s.Addrs()[0].String()); err == nil {
		t.Error("a stopped server accepts")
	}
}

// When the time to drain is over, the contexts end and Shutdown still waits
// for the handlers, because they use what is closed next.
func TestShutdownCutsWhenItsContextEnds(t *testing.T) {
	var ended atomic.Bool
	began := make(chan struct{})
	s, err := New(Config{HTTP: []string{"127.0.0.1:0"}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		ended.Store(true)
	})})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(context.Background()) }()
	fmt.Fprint(dial(t, s), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	err = s.Shutdown(closedContext)
	if !errors.Is(err, context.Canceled) || !ended.Load() {
		t.Errorf("got %v, handler ended: %t", err, ended.Load())
	}
	if other := <-served; !errors.Is(other, context.Canceled) {
		t.Errorf("Serve: %v", other)
	}
}

// The end of Serve's context cuts everything.
func TestServeEndsWithItsContext(t *testing.T) {
	began := make(chan struct{})
	s, err := New(Config{HTTP: []string{"127.0.0.1:0"}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	fmt.Fprint(dial(t, s), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// An upgraded connection learns of the stop by its request's context.
func TestShutdownEndsUpgraded(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), "one")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			upgraded := make(chan struct{})
			cfg := Config{HTTP: []string{"127.0.0.1:0"}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				_ = rw.Flush()
				close(upgraded)
				<-r.Context().Done()
				fmt.Fprint(c, "bye")
			})}
			if secure {
				cfg.HTTP, cfg.HTTPS = nil, &files
			}
			s := start(t, cfg)
			c := dial(t, s)
			if secure {
				c = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
			}
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
			<-upgraded
			if err := s.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(c)
			if err != nil || !strings.HasSuffix(string(all), "\r\n\r\nbye") {
				t.Errorf("got %q, %v", all, err)
			}
		})
	}
}

// An upgraded connection whose handler has returned is closed with the server.
func TestShutdownClosesForgotten(t *testing.T) {
	hijacked := make(chan struct{})
	s := start(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Error(err)
		}
		close(hijacked)
	})})
	c := dial(t, s)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-hijacked
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if n := len(s.conns.snapshot()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// When one listener fails, all are closed and Serve says why.
func TestServeReportsAFailedListener(t *testing.T) {
	s, err := New(Config{HTTP: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.listeners[0].Listener.Close() // as if the system had taken it away
	err = s.Serve(context.Background())
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, "error", err.Error(), "cannot accept on "+s.Addrs()[0].String(), "use of closed network connection")
	if _, err := net.Dial("tcp", s.Addrs()[1].String()); err == nil {
		t.Error("the other listener still accepts")
	}
}

// While the handler is swapped, every request sees one handler or another as a
// whole, and none is lost.
func TestSwapUnderLoad(t *testing.T) {
	s := start(t, Config{})
	plan := func(n int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Plan", fmt.Sprint(n))
			fmt.Fprint(w, n)
		})
	}
	s.Swap(plan(0))
	var done atomic.Bool
	var clients sync.WaitGroup
	for range 4 {
		c := dial(t, s)
		clients.Go(func() {
			r := bufio.NewReader(c)
			for !done.Load() {
				fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				content, err := io.ReadAll(res.Body)
				if plan := res.Header.Get("Plan"); err != nil || string(content) != plan || res.StatusCode != http.StatusOK {
					t.Errorf("status %d, plan %q, content %q, error %v", res.StatusCode, plan, content, err)
					return
				}
			}
		})
	}
	for n := range 2000 {
		s.Swap(plan(n))
	}
	done.Store(true)
	clients.Wait()
	s.Swap(nil)
	res, err := http.Get("http://" + s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a handler: %d", res.StatusCode)
	}
}
