package cli

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pair is a certificate and its key, as in their files.
type pair struct{ cert, key []byte }

// newPair makes one with that serial number, and trusts it.
func newPair(t *testing.T, serial int64, pool *x509.CertPool) pair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"veneer.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})}
	pool.AppendCertsFromPEM(p.cert)
	return p
}

// secret is a folder as Kubernetes mounts a Secret: the names in it lead through
// one link, ..data, and that is replaced when the Secret is.
type secret struct {
	t     *testing.T
	dir   string
	count int
}

func (s *secret) replace(p pair) {
	s.t.Helper()
	s.count++
	version := fmt.Sprintf("..version-%d", s.count)
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(s.dir, version), 0o700))
	must(os.WriteFile(filepath.Join(s.dir, version, "tls.crt"), p.cert, 0o600))
	must(os.WriteFile(filepath.Join(s.dir, version, "tls.key"), p.key, 0o600))
	must(os.Symlink(version, filepath.Join(s.dir, "..data_tmp")))
	must(os.Rename(filepath.Join(s.dir, "..data_tmp"), filepath.Join(s.dir, "..data")))
	if s.count > 1 {
		must(os.RemoveAll(filepath.Join(s.dir, fmt.Sprintf("..version-%d", s.count-1))))
		return
	}
	must(os.Symlink("..data/tls.crt", filepath.Join(s.dir, "tls.crt")))
	must(os.Symlink("..data/tls.key", filepath.Join(s.dir, "tls.key")))
}

// serving is serve in this process.
type serving struct {
	t            *testing.T
	lines        chan string // of the log
	proxy, admin string
}

var bound = regexp.MustCompile(` address=(\S+)`)

// serveFile runs serve until the test ends.
func serveFile(t *testing.T, file string) *serving {
	t.Helper()
	s := &serving{t: t, lines: make(chan string, 1000)}
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for said := bufio.NewScanner(r); said.Scan(); {
			s.lines <- said.Text()
		}
	}()
	go func() {
		defer close(ended)
		Main(ctx, []string{"serve", "-c", file, "--watch", "20ms"}, io.Discard, w)
		_ = w.Close()
	}()
	t.Cleanup(func() { stop(); <-ended; <-read })
	s.admin = bound.FindStringSubmatch(s.await(`msg="admin listening"`))[1]
	s.proxy = bound.FindStringSubmatch(s.await("msg=listening"))[1]
	return s
}

// await returns the next line of the log with text in it.
func (s *serving) await(text string) string {
	s.t.Helper()
	late := time.After(20 * time.Second)
	var said []string
	for {
		select {
		case line := <-s.lines:
			if said = append(said, line); strings.Contains(line, text) {
				return line
			}
		case <-late:
			s.t.Fatalf("the log never says %q, but:\n%s", text, strings.Join(said, "\n"))
		}
	}
}

// visit asks for / over TLS, and returns which certificate the connection began
// with, and whether it was there before.
func (s *serving) visit(client *http.Transport) (serial int64, reused bool) {
	s.t.Helper()
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.proxy+"/", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := client.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "hello" || (res.ProtoMajor == 2) != client.Protocols.HTTP2() {
		s.t.Errorf("%s %s %q, %v", res.Proto, res.Status, text, err)
	}
	return res.TLS.PeerCertificates[0].SerialNumber.Int64(), reused
}

// told is what the admin listener says of the configuration.
func (s *serving) told() string {
	s.t.Helper()
	var said strings.Builder
	for _, path := range []string{"/readyz", "/metrics"} {
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.admin+path, http.NoBody)
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&said, "%d %s\n", res.StatusCode, text)
	}
	return said.String()
}

// A certificate that is replaced in the way of Kubernetes is the one of new
// connections, at once and without a word from anybody; connections that are
// open stay, and a pair that is none changes nothing and is told of.
func TestCertificateRotation(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(upstream.Close)
	pool := x509.NewCertPool()
	one, two, three := newPair(t, 1, pool), newPair(t, 2, pool), newPair(t, 3, pool)
	dir := t.TempDir()
	mounted := &secret{t: t, dir: dir}
	mounted.replace(one)
	file := filepath.Join(t.TempDir(), "veneer.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
server: { http: [], https: { address: "127.0.0.1:0", cert_file: %q, key_file: %q } }
admin: { address: "127.0.0.1:0" }
upstreams: { up: { servers: [%q] } }
routes: [{ upstream: up }]
`, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), upstream.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveFile(t, file)
	client := func(h2 bool) *http.Transport {
		c := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "veneer.test"}, Protocols: new(http.Protocols)}
		c.Protocols.SetHTTP1(!h2)
		c.Protocols.SetHTTP2(h2)
		t.Cleanup(c.CloseIdleConnections)
		return c
	}
	open := []*http.Transport{client(false), client(true)}
	for _, c := range open {
		if serial, reused := s.visit(c); serial != 1 || reused {
			t.Fatalf("at first certificate %d, reused %t", serial, reused)
		}
	}
	for _, c := range []struct {
		name   string
		next   pair
		say    string // in the log, when it decides
		serial int64
		ok     bool
	}{
		{"rotated", two, "msg=reloaded", 2, true},
		{"the key of another", pair{three.cert, two.key}, "the old configuration stays", 2, false},
		{"half a certificate", pair{three.cert[:len(three.cert)/2], three.key}, "the old configuration stays", 2, false},
		{"half a key", pair{three.cert, three.key[:len(three.key)/2]}, "the old configuration stays", 2, false},
		{"whole again", three, "msg=reloaded", 3, true},
	} {
		mounted.replace(c.next)
		if line := s.await(c.say); !c.ok && !strings.Contains(line, "server.https") {
			t.Errorf("%s: the log says %s, and not where", c.name, line)
		}
		for i, old := range open {
			if serial, reused := s.visit(old); serial != 1 || !reused {
				t.Errorf("%s: open connection %d: certificate %d, reused %t", c.name, i, serial, reused)
			}
			fresh := client(i == 1)
			if serial, _ := s.visit(fresh); serial != c.serial {
				t.Errorf("%s: a new connection has certificate %d, want %d", c.name, serial, c.serial)
			}
			fresh.CloseIdleConnections()
		}
		said := s.told()
		if !strings.HasPrefix(said, "200 ") || strings.Contains(said, "the last reload failed") == c.ok || strings.Contains(said, "\nveneer_config_last_reload_successful 1\n") != c.ok {
			t.Errorf("%s: the admin listener says\n%s", c.name, said)
		}
	}
}
