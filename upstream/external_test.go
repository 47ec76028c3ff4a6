package upstream

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newExternal makes an external Pool that may reach this machine.
func newExternal(t *testing.T, change func(*Config), servers ...string) *Pool {
	t.Helper()
	return newPool(t, func(c *Config) {
		c.External = &External{PrivateAddresses: true, Redirects: 3}
		if change != nil {
			change(c)
		}
	}, servers...)
}

// The whole request that a third party sees.
func TestExternalRequest(t *testing.T) {
	header := func() http.Header {
		return http.Header{
			"Accept": {"application/json"}, "User-Agent": {"browser"}, "Origin": {"https://app.example.com"}, "Content-Type": {"text/plain"},
			"Cookie": {"session=secret"}, "Authorization": {"Bearer secret"}, "Proxy-Authorization": {"Basic secret"},
			"X-Forwarded-For": {"198.51.100.1"}, "Forwarded": {"for=198.51.100.1"}, "X-Real-Ip": {"198.51.100.1"}, "Cf-Connecting-Ip": {"198.51.100.1"},
			"Via": {"1.1 inner.example"}, "Cdn-Loop": {"other"}, "Referer": {"https://app.example.com/private"}, "X-Api-Key": {"secret"},
			"Connection": {"Upgrade, X-Api-Key, Authorization"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"a"},
		}
	}
	plain := http.Header{
		"Accept": {"application/json"}, "User-Agent": {"browser"}, "Origin": {"https://app.example.com"}, "Content-Type": {"text/plain"},
		"Via": {"1.1 veneer"}, "Cdn-Loop": {"other", "veneer"},
	}
	with := func(name, value string) http.Header {
		h := plain.Clone()
		h[name] = []string{value}
		return h
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   http.Header
	}{
		{"by default", nil, plain},
		{"from a trusted peer", func(c *Config) { c.Trust = trustDocumentation }, plain},
		{"Authorization kept", func(c *Config) { c.Keep = []string{"Authorization"} }, with("Authorization", "Bearer secret")},
		{"a key kept, whatever Connection lists", func(c *Config) { c.Keep = []string{"X-Api-Key"} }, with("X-Api-Key", "secret")},
		{"Proxy-Authorization is the connection's", func(c *Config) { c.Keep = []string{"Proxy-Authorization"} }, plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, echo)
			got := roundTripEcho(t, newExternal(t, c.change, server+"/base"), newRequest(t, "GET", "/a?b", header()))
			want := received{Method: "GET", URI: "/base/a?b", Host: strings.TrimPrefix(server, "http://"), Header: c.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Interim response, response and trailer section of a third party leave the
// proxy's host alone. That a response sets a cookie is for the cache to see.
func TestExternalResponse(t *testing.T) {
	const response = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: a=b\r\nStrict-Transport-Security: max-age=1\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Alt-Svc, X-T\r\nContent-Type: text/html\r\nSet-Cookie: a=b\r\n" +
		"Strict-Transport-Security: max-age=1\r\nAlt-Svc: clear\r\nClear-Site-Data: \"*\"\r\nContent-Security-Policy: default-src *\r\nX-Rate: 1\r\n\r\n" +
		"2\r\nok\r\n0\r\nAlt-Svc: clear\r\nX-T: 1\r\n\r\n"
	for _, c := range []struct {
		name                     string
		cookies                  bool
		interim, header, trailer http.Header
	}{
		{
			"without cookies", false, http.Header{"Link": {"</a>"}},
			http.Header{"Content-Type": {"text/html"}, "X-Rate": {"1"}, "Content-Security-Policy": {"sandbox"}, "Set-Cookie": {"a=b"}}, http.Header{"X-T": {"1"}},
		},
		{
			"with cookies", true, http.Header{"Link": {"</a>"}, "Set-Cookie": {"a=b"}},
			http.Header{"Content-Type": {"text/html"}, "X-Rate": {"1"}, "Content-Security-Policy": {"sandbox"}, "Set-Cookie": {"a=b"}}, http.Header{"X-T": {"1"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveRaw(t, answering(response))
			p := newExternal(t, func(cfg *Config) { cfg.External.Cookies = c.cookies }, server.url)
			var interim http.Header
			r := newRequest(t, "GET", "/", nil)
			res, err := p.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { interim = http.Header(h).Clone(); return nil },
			})))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.ReadAll(res.Body); err != nil {
				t.Fatal(err)
			}
			got := []http.Header{interim, res.Header, res.Trailer}
			if diff := cmp.Diff([]http.Header{c.interim, c.header, c.trailer}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A certificate that nobody vouches for is refused, and there is no way to say
// otherwise.
func TestExternalTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake fails on purpose
	s.StartTLS()
	t.Cleanup(s.Close)
	if got, want := do(t, newExternal(t, nil, s.URL), newRequest(t, "GET", "/", nil)), (result{Kind: "upstream-unreachable"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig
	got := roundTripEcho(t, newExternal(t, func(c *Config) { c.TLS = roots }, s.URL), newRequest(t, "GET", "/", nil))
	if want := strings.TrimPrefix(s.URL, "https://"); got.Host != want {
		t.Errorf("Host is %q, want %q", got.Host, want)
	}
}

func TestExternalConfig(t *testing.T) {
	u, err := url.Parse("https://api.third.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"host", Config{Host: "other.example", External: &External{}}, "an external upstream gets the host of its server, and no other"},
		{"unverified", Config{TLS: &tls.Config{InsecureSkipVerify: true}, External: &External{}}, "the certificate of an external upstream is always verified"},
		{"redirects", Config{External: &External{Redirects: -1}}, "the number of redirects is negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Name, c.config.Servers = "third", []*url.URL{u}
			_, err := New(c.config)
			if want := `cannot make upstream "third": ` + c.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
