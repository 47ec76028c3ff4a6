package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A curlLine is a command line of curl, as far as the scripts have it: -s, -v,
// -i and -D - change nothing, since the head is always printed; -o /dev/null
// leaves the content out. Whatever the URL's host is, the request goes to
// $PROXY: over TLS and perhaps HTTP/2 with --cacert, else over clear-text
// HTTP, as from a load balancer that ends TLS.
type curlLine struct {
	method    string
	target    *url.URL
	fields    http.Header
	content   string
	headOnly  bool
	authority string // the file of --cacert
}

func parseCurl(args []string) (*curlLine, error) {
	c := &curlLine{fields: http.Header{}}
	for i := 0; i < len(args); i++ {
		flag, value := args[i], ""
		switch flag {
		case "-s", "-v", "-i":
			continue
		case "-X", "-H", "-D", "-o", "-d", "--cacert":
			if i++; i == len(args) {
				return nil, fmt.Errorf("cannot read %s: it lacks its value", flag)
			}
			value = args[i]
		}
		if err := c.set(flag, value); err != nil {
			return nil, err
		}
	}
	if c.target == nil {
		return nil, errors.New("cannot send the request: there is no URL")
	}
	if c.method == "" {
		c.method = http.MethodGet
	}
	return c, nil
}

func (c *curlLine) set(flag, value string) error {
	switch flag {
	case "-D":
	case "-o":
		c.headOnly = true
	case "--cacert":
		c.authority = value
	case "-X":
		c.method = value
	case "-d":
		c.content = value
		if c.method == "" {
			c.method = http.MethodPost
		}
	case "-H":
		name, v, ok := strings.Cut(value, ":")
		if !ok {
			return fmt.Errorf("cannot read the field %q: it has no colon", value)
		}
		c.fields.Add(name, strings.TrimSpace(v))
	default:
		u, err := url.Parse(flag)
		if err != nil || u.Host == "" || c.target != nil {
			return fmt.Errorf("cannot read %q: neither a flag that is known here nor the one URL", flag)
		}
		c.target = u
	}
	return nil
}

// transport reaches the proxy at address, whatever a request's host is.
func (c *curlLine) transport(address string) (*http.Transport, error) {
	tr := &http.Transport{
		DisableCompression: true,
		DisableKeepAlives:  true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	if c.authority == "" {
		return tr, nil
	}
	text, err := os.ReadFile(c.authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cannot read %s: there is no certificate in it", c.authority)
	}
	tr.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: c.target.Hostname()}
	tr.ForceAttemptHTTP2 = true
	return tr, nil
}

// send sends the request to the proxy and returns the response as the scripts
// compare it.
func (c *curlLine) send(ctx context.Context, proxy string) (string, error) {
	target := *c.target
	if target.Scheme = "http"; c.authority != "" {
		target.Scheme = "https"
	}
	r, err := http.NewRequestWithContext(ctx, c.method, target.String(), strings.NewReader(c.content))
	if err != nil {
		return "", err
	}
	if c.content == "" {
		r.Body = http.NoBody
	}
	r.Header, r.Host = c.fields, c.fields.Get("Host") // as curl does; it would not be sent as a field
	tr, err := c.transport(strings.TrimPrefix(proxy, "http://"))
	if err != nil {
		return "", err
	}
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if strings.Contains(res.Header.Get("Cache-Status"), "; fwd=") {
		// The upstream's Date has whole seconds, so that what is new may look a
		// second old.
		delete(res.Header, "Age")
	}
	var b strings.Builder
	fmt.Fprintln(&b, res.Proto, res.StatusCode, http.StatusText(res.StatusCode))
	if err := res.Header.WriteSubset(&b, unsteady); err != nil {
		return "", err
	}
	if !c.headOnly && len(content) > 0 {
		b.WriteString("\n" + strings.TrimSuffix(string(content), "\n") + "\n")
	}
	return timed.ReplaceAllString(strings.ReplaceAll(b.String(), "\r\n", "\n"), "${1}_"), nil
}

// unsteady are the fields that no script wants to compare.
var unsteady = map[string]bool{"Date": true, "Content-Length": true, "Connection": true}

// timed finds the figures that depend on how fast the script runs.
var timed = regexp.MustCompile(`(ttl=|(?m:^Age: ))-?\d+`)

// cmdCurl sends one request and keeps it, with the response, for the
// transcript.
func cmdCurl(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "curl")
	c, err := parseCurl(args)
	ts.Check(err)
	if c.authority != "" {
		c.authority = ts.MkAbs(c.authority)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := c.send(ctx, ts.Getenv("PROXY"))
	ts.Check(err)
	s := stateOf(ts)
	s.transcript.WriteString("$ curl")
	for _, a := range args {
		if strings.ContainsAny(a, " *?&;") {
			a = "'" + a + "'"
		}
		s.transcript.WriteString(" " + a)
	}
	s.transcript.WriteString("\n" + text + "\n")
	_, err = io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

// cmdTranscript prints every curl line so far with its whole response, for
// cmp.
func cmdTranscript(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "transcript")
	if len(args) > 0 {
		ts.Fatalf("usage: transcript")
	}
	_, err := io.WriteString(ts.Stdout(), stateOf(ts).transcript.String())
	ts.Check(err)
}

// cmdCertificate writes tls.crt, a certificate for a host that vouches for
// itself, and tls.key.
func cmdCertificate(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "certificate")
	if len(args) != 1 {
		ts.Fatalf("usage: certificate HOST")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	now := time.Now()
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: args, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert},
		"tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
}

// TestCurl keeps the scripts' curl honest.
func TestCurl(t *testing.T) {
	s := &service{url: "http://127.0.0.1:0", answers: []answer{
		{method: "*", path: "/", status: "200", fields: [][2]string{{"Age", "7"}, {"Cache-Status", "veneer; hit; ttl=53"}}, content: "hello\n"},
	}}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	const head = "HTTP/1.1 200 OK\nAge: _\nCache-Status: veneer; hit; ttl=_\nContent-Type: text/plain; charset=utf-8\n"
	for _, c := range []struct {
		line, want, seen string
	}{
		{"-v https://a.example/x?y=1 -H Origin:https://b.example", head + "\nhello\n", "GET /x?y=1 | Host: a.example | Origin: https://b.example\n"},
		{"-s -D - https://a.example/ -o /dev/null", head, "GET / | Host: a.example\n"},
		{"-X DELETE https://a.example/", head + "\nhello\n", "DELETE / | Host: a.example\n"},
		{"-d x https://a.example/", head + "\nhello\n", "POST / | Host: a.example\n"},
	} {
		line, err := parseCurl(strings.Fields(c.line))
		if err != nil {
			t.Fatal(err)
		}
		got, err := line.send(t.Context(), s.url)
		var seen strings.Builder
		if reported := s.report(&seen, []string{"Host", "Origin"}); err != nil || reported != nil {
			t.Fatal(err, reported)
		}
		if got != c.want || seen.String() != c.seen {
			t.Errorf("curl %s:\ngot %q after %q\nwant %q after %q", c.line, got, seen.String(), c.want, c.seen)
		}
	}
	for _, bad := range []string{"", "-H", "-H x https://a.example/", "-z https://a.example/", "https://a.example/ https://b.example/", "a.example"} {
		if c, err := parseCurl(strings.Fields(bad)); err == nil {
			t.Errorf("parseCurl(%q) = %v, want an error", bad, c)
		}
	}
}
