package app

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/accesslog"
	"veneer/cmd/internal/config"
)

// runLogged runs an App whose access log has all fields but those that are never
// twice the same.
func runLogged(t *testing.T, upstream string, edit func(*config.Config)) (*running, *config.Config) {
	t.Helper()
	cfg := testConfig(t, upstream, func(c *config.Config) {
		c.Telemetry.AccessLog = config.NewAccessLog()
		c.Telemetry.AccessLog.Path = filepath.Join(t.TempDir(), "access.log")
		c.Telemetry.AccessLog.Fields = nil
		for _, f := range accesslog.AllFields() {
			if f != accesslog.Time && f != accesslog.Duration {
				c.Telemetry.AccessLog.Fields = append(c.Telemetry.AccessLog.Fields, f)
			}
		}
		if edit != nil {
			edit(c)
		}
	})
	r := run(t, cfg)
	kept := &http.Transport{DisableCompression: true}
	t.Cleanup(kept.CloseIdleConnections)
	r.client.Transport = kept // what is asked on one connection is recorded in its order
	return r, cfg
}

// logged ends the App and returns what it has logged.
func (r *running) logged(cfg *config.Config) string {
	r.t.Helper()
	if err := r.Drain(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	b, err := os.ReadFile(cfg.Telemetry.AccessLog.Path)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), r.Addrs()[0].String(), "HOST")
}

// The same requests, answered with a lane and without one, are the same lines.
func TestAccessLogOfBothWays(t *testing.T) {
	requests := []string{
		"GET /a?token=x&b=1", "GET /a?token=x&b=1", "HEAD /a?token=x&b=1", `GET /a?token=x&b=1 If-None-Match:"a"`, "GET /a?token=x&b=1 Origin:" + originApp,
		"GET /a?token=x&b=1 Origin:" + originApp, "GET /a?token=x&b=1 Origin:" + originOther, "GET /a?token=x&b=1 Range:bytes=0-2",
		"GET /a?token=x&b=1 X-Forwarded-For:192.0.2.7 X-Forwarded-Proto:https User-Agent:a\"b X-Request-Id:r Traceparent:" + unsampledParent,
		"GET /secret", "POST /a?token=x&b=1", "GET /a?token=x&b=1", "OPTIONS /a Access-Control-Request-Method:PUT Origin:" + originApp,
		"GET /none/%2e%2e/a", "GET /large", "GET /large", "GET /a Cache-Control:only-if-cached",
	}
	const line = `{"client":"127.0.0.1","method":"GET","scheme":"http","host":"HOST","path":"/a","query":"token=REDACTED&b=1","protocol":"HTTP/1.1",`
	const from = `,"user_agent":"Go-http-client/1.1"}` + "\n"
	want := line + `"status":200,"bytes":5,"route":"*/","cache":"miss","stored":true,"forward":"uri-miss","ttl":600,"age":0,"upstream_status":200` + from +
		line + `"status":200,"bytes":5,"route":"*/","cache":"hit","ttl":600,"age":0` + from +
		strings.Replace(line, "GET", "HEAD", 1) + `"status":200,"bytes":0,"route":"*/","cache":"hit","ttl":600,"age":0` + from +
		line + `"status":304,"bytes":0,"route":"*/","cache":"hit","ttl":600,"age":0` + from +
		line + `"status":200,"bytes":5,"route":"*/","cache":"miss","stored":true,"forward":"uri-miss","ttl":600,"age":0,"upstream_status":200,"origin":"` + originApp + `"` + from +
		line + `"status":200,"bytes":5,"route":"*/","cache":"hit","ttl":600,"age":0,"origin":"` + originApp + `"` + from
	both := [2]string{}
	for i, lane := range []bool{true, false} {
		r, cfg := runLogged(t, upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.Header().Set("Cache-Control", "max-age=600")
			switch r.URL.Path {
			case "/secret":
				w.Header().Set("Cache-Control", "no-store")
			case "/large":
				io.WriteString(w, strings.Repeat("x", 100_000))
			}
			io.WriteString(w, "hello")
		}), func(c *config.Config) {
			c.Server.Lane = lane
			c.Server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		})
		for _, q := range requests {
			f := strings.Fields(q)
			var fields []string
			for _, field := range f[2:] {
				fields = append(fields, strings.Replace(field, ":", ": ", 1))
			}
			r.ask(f[0], "http://"+r.Addrs()[0].String()+f[1], fields...)
		}
		both[i] = r.logged(cfg)
		if diff := cmp.Diff(want, both[i][:min(len(want), len(both[i]))]); diff != "" {
			t.Errorf("lane %v (-want +got):\n%s", lane, diff)
		}
		if n := strings.Count(both[i], "\n"); n != len(requests) {
			t.Errorf("lane %v: %d lines for %d requests", lane, n, len(requests))
		}
	}
	if diff := cmp.Diff(both[1], both[0]); diff != "" {
		t.Errorf("without and with a lane:\n%s", diff)
	}
	for _, part := range []string{`"client":"192.0.2.7","method":"GET","scheme":"https"`, `"user_agent":"a\"b","request_id":"r","trace_id":"` + unsampledParent[3:35]} {
		if !strings.Contains(both[0], part) {
			t.Errorf("no line with %s:\n%s", part, both[0])
		}
	}
}

// Every kind of answer has its word.
func TestAccessLogOfEveryResult(t *testing.T) {
	r, cfg := runLogged(t, upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/stale" && r.URL.RawQuery == "" && r.Header.Get("If-None-Match") == "":
			w.Header().Set("Cache-Control", "max-age=0, stale-if-error=60")
			w.Header().Set("Etag", `"a"`)
		case r.URL.Path == "/stale":
			w.WriteHeader(503)
		case r.URL.Path == "/check":
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("Etag", `"a"`)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(304)
				return
			}
		}
		io.WriteString(w, "hello")
	}), func(c *config.Config) {
		c.Telemetry.AccessLog.Fields = []accesslog.Field{accesslog.Cache, accesslog.Path, accesslog.Status, accesslog.Reason, accesslog.NotStored, accesslog.Collapsed}
		c.Routes = append(c.Routes, config.NewRoute("", "/off/", "up"))
		c.Routes[1].Cache.Enabled = false
	})
	for _, path := range []string{"/stale", "/stale", "/check", "/check", "/off/a"} {
		r.get(path)
	}
	r.get("/none", "Cache-Control: only-if-cached")
	r.ask("OPTIONS", "http://"+r.Addrs()[0].String()+"/a", "Origin: "+originApp, "Access-Control-Request-Method: PUT")
	want := `{"cache":"miss","path":"/stale","status":200}
{"cache":"stale","path":"/stale","status":200,"reason":"stale-served"}
{"cache":"miss","path":"/check","status":200}
{"cache":"revalidated","path":"/check","status":200,"reason":"no-cache"}
{"cache":"bypass","path":"/off/a","status":200,"reason":"caching-off","not_stored":"caching-off"}
{"cache":"error","path":"/none","status":504,"reason":"only-if-cached"}
{"cache":"preflight","path":"/a","status":204}
`
	if diff := cmp.Diff(want, r.logged(cfg)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Over HTTP/2 there is no lane, and the line says which protocol it was.
func TestAccessLogOfHTTP2(t *testing.T) {
	r, cfg := runLogged(t, upstreamOf(t, page("Cache-Control: max-age=60")), func(c *config.Config) {
		c.Telemetry.AccessLog.Fields = []accesslog.Field{accesslog.Protocol, accesslog.Scheme, accesslog.Bytes, accesslog.Cache}
		c.Server.HTTPS = &config.HTTPS{Address: "127.0.0.1:0"}
		c.Server.HTTPS.CertFile, c.Server.HTTPS.KeyFile = certificate(t)
	})
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // its own
	t.Cleanup(transport.CloseIdleConnections)
	r.client.Transport = transport
	for range 2 {
		r.ask("GET", "https://"+r.Addrs()[1].String()+"/a")
	}
	want := `{"protocol":"HTTP/2.0","scheme":"https","bytes":8,"cache":"miss"}
{"protocol":"HTTP/2.0","scheme":"https","bytes":8,"cache":"hit"}
`
	if diff := cmp.Diff(want, r.logged(cfg)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// certificate writes that of httptest into files.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("tls.crt", "CERTIFICATE", pair.Certificate[0]), write("tls.key", "PRIVATE KEY", key)
}

// A client that leaves in the middle is logged as one, through the lane too.
func TestAccessLogOfLeaving(t *testing.T) {
	r, cfg := runLogged(t, upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write(make([]byte, 900_000))
	}), func(c *config.Config) {
		c.Telemetry.AccessLog.Fields = []accesslog.Field{accesslog.Cache, accesslog.Status, accesslog.Bytes, accesslog.Aborted}
		c.Server.Limits.WriteStall = time.Second
	})
	r.get("/a")
	conn, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	// More than the socket takes.
	head := fmt.Sprintf("GET /a HTTP/1.1\r\nHost: %s\r\n\r\n", r.Addrs()[0])
	if _, err := io.WriteString(conn, strings.Repeat(head, 20)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	var last struct {
		Cache, Aborted string
		Status, Bytes  int
	}
	lines := strings.Split(strings.TrimSpace(r.logged(cfg)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Aborted != "client" || last.Cache != "hit" || last.Status != 200 || last.Bytes >= 900_000 {
		t.Errorf("%+v, the last of\n%s", last, strings.Join(lines, "\n"))
	}
}

// A request that gets a trace is logged with the id of that, lane or not.
func TestAccessLogOfATrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 1, func(c *config.Config) {
		c.Telemetry.AccessLog = config.NewAccessLog()
		c.Telemetry.AccessLog.Path, c.Telemetry.AccessLog.Fields = path, []accesslog.Field{accesslog.TraceID}
	})
	r.get("/a")
	r.get("/a")
	r.get("/a", "Traceparent: "+sampledParent)
	r.get("/a", "Traceparent: "+unsampledParent)
	var want strings.Builder
	for _, s := range r.spans() {
		if s.Kind == "server" {
			want.WriteString(`{"trace_id":"` + s.Trace + "\"}\n")
		}
	}
	want.WriteString(`{"trace_id":"` + traceID + "\"}\n")
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" || strings.Count(want.String(), "\n") != 4 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
