package scenario

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"veneer/loadtest/internal/faulty"
)

// at is a proxy that only has an address.
type at struct {
	Proxy
	address string
	roots   *x509.CertPool
}

func (p at) Address(bool) string   { return p.address }
func (p at) Roots() *x509.CertPool { return p.roots }

// says is a server that sends the same bytes to everybody and closes.
func says(t *testing.T, response string) Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			if _, err := c.Read(buffer); err == nil {
				_, _ = c.Write([]byte(response))
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return at{address: l.Addr().String()}
}

func TestClientSeesWhetherItIsWhole(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nLoad-Serial: 3\r\n"
	for _, c := range []struct {
		name, response, body string
		whole                bool
	}{
		{"whole", head + "Content-Length: 5\r\n\r\nhello", "hello", true},
		{"empty", head + "Content-Length: 0\r\n\r\n", "", true},
		{"short", head + "Content-Length: 5\r\n\r\nhel", "hel", false},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", true},
		{"chunked, no end", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello", false},
		{"until it closes", head + "\r\nhello", "hello", true},
		{"garbage", "HTTP/1.1 banana\r\n\r\n", "", false},
		{"nothing", "", "", false},
	} {
		client := newClient(says(t, c.response), false)
		a := get("read", faulty.Doc{Path: "/own/x"}, nobody())
		got := client.do(t.Context(), &a)
		client.close()
		if string(got.body) != c.body || (got.err == nil) != c.whole || got.failed() == c.whole || got.done.Before(got.sent) || got.tries != 1 {
			t.Errorf("%s: %q, %v, %d tries; want %q, whole: %t", c.name, got.body, got.err, got.tries, c.body, c.whole)
		}
		if text := got.String(); c.whole != strings.HasPrefix(text, "200 OK, ") {
			t.Errorf("%s: described as %s", c.name, text)
		}
	}
}

// What is asked for is what is sent, in both protocols.
func TestClientSends(t *testing.T) {
	lines := func(v visitor) string { return fmt.Sprintf("%q", v.lines) }
	for _, secure := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s %s HTTP/%d Origin %q INM %q Range %q ACRM %q AE %q", r.Method, r.Host, r.RequestURI, r.ProtoMajor, r.Header["Origin"],
				r.Header.Get("If-None-Match"), r.Header.Get("Range"), r.Header.Get("Access-Control-Request-Method"), r.Header.Get("Accept-Encoding"))
		}))
		p, protocol := at{}, "HTTP/1"
		if secure {
			server.EnableHTTP2 = true
			server.StartTLS()
			p.roots, protocol = x509.NewCertPool(), "HTTP/2"
			p.roots.AddCert(server.Certificate())
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		p.address = server.Listener.Addr().String()
		client := newClient(p, secure)
		if secure {
			client.transport.TLSClientConfig.ServerName = "example.com" // whose certificate httptest has
		}
		t.Cleanup(client.close)
		d := faulty.Doc{Path: "/own/x", Size: 3}
		for _, v := range []visitor{nobody(), exact(appOrigin), bad(8)} {
			plain := get("read", d, v)
			full := plain
			full.tag, full.whole, full.method = `"t"`, true, http.MethodOptions
			for _, c := range []struct {
				a    ask
				want string
			}{
				{plain, "GET load.test /own/x?size=3 " + protocol + " Origin " + lines(v) + ` INM "" Range "" ACRM "" AE ""`},
				{full, "OPTIONS load.test /own/x?size=3 " + protocol + " Origin " + lines(v) + ` INM "\"t\"" Range "bytes=0-" ACRM "PUT" AE ""`},
			} {
				if got := client.do(t.Context(), &c.a); got.err != nil || string(got.body) != c.want {
					t.Errorf("the server saw %s, %v\nwant %s", got.body, got.err, c.want)
				}
			}
		}
	}
}

// net/http repeats a request when a connection that it kept ends under it. The
// answer says so.
func TestClientCountsTries(t *testing.T) {
	var served int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served++ // one connection at a time
		if served == 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	client := newClient(at{address: server.Listener.Addr().String()}, false)
	defer client.close()
	for _, want := range []int{1, 2, 1} {
		a := get("read", faulty.Doc{Path: "/"}, nobody())
		if got := client.do(t.Context(), &a); got.err != nil || got.tries != want {
			t.Errorf("%s, %d tries, want %d", got, got.tries, want)
		}
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	client := newClient(at{address: server.Listener.Addr().String()}, false)
	defer client.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := get("read", faulty.Doc{Path: "/"}, nobody())
	if got := client.do(ctx, &a); got.err == nil || !got.failed() {
		t.Errorf("answered: %s", got)
	}
}
