package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"veneer/upstream/forward"
)

// Config is what a Pool is made of. Only Servers must be given; New copies what
// it keeps.
type Config struct {
	Name    string     // for logs and labels
	Servers []*url.URL // scheme http or https, a host, perhaps a base path; nothing else
	Host    string     // the Host field to send; "": the client's own

	Balancer Balancer // picks among the servers that are not set aside; nil: RoundRobin

	// MaxFails connection failures in a row, each within FailTimeout of the one
	// before, set a server aside for FailTimeout. Zero means 3 and 10 s.
	MaxFails    int
	FailTimeout time.Duration

	Timeouts         Timeouts
	MaxIdlePerServer int         // kept connections without a request; 0 means 64
	TLS              *tls.Config // for https servers; nil means the system's roots

	LoopID string        // the id in CDN-Loop and Via; "" means "veneer"
	Trust  forward.Trust // peers whose X-Forwarded-For and Forwarded are extended
	Keep   []string      // fields, in canonical form, that neither Connection nor DropUnkeyed removes: those in the key

	External *External // the servers are a third party's; nil: our own

	Now func() time.Time // nil means time.Now
}

// Timeouts bound one attempt. Zero means the default.
type Timeouts struct {
	Connect        time.Duration // to connect, 5 s
	TLS            time.Duration // for a TLS handshake, 5 s
	ResponseHeader time.Duration // from the request's end, on the direct way its beginning, to the response's head, 60 s; or an eighth more
	Continue       time.Duration // for a 100 (Continue) before the content is sent all the same, 1 s
	Idle           time.Duration // how long a connection is kept without a request, 60 s
}

// maxResponseHeader bounds the head of a response, in bytes, interim responses
// that nobody looks at included.
const maxResponseHeader = 256 << 10

// withDefaults returns c with the defaults filled in.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.FailTimeout, 10*time.Second)
	def(&c.Timeouts.Connect, 5*time.Second)
	def(&c.Timeouts.TLS, 5*time.Second)
	def(&c.Timeouts.ResponseHeader, 60*time.Second)
	def(&c.Timeouts.Continue, time.Second)
	def(&c.Timeouts.Idle, 60*time.Second)
	if c.MaxFails <= 0 {
		c.MaxFails = 3
	}
	if c.MaxIdlePerServer <= 0 {
		c.MaxIdlePerServer = 64
	}
	if c.LoopID == "" {
		c.LoopID = "veneer"
	}
	if c.Balancer == nil {
		c.Balancer = new(RoundRobin)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// check returns every problem of c, joined.
func (c Config) check() error {
	var problems []error
	if len(c.Servers) == 0 {
		problems = append(problems, errors.New("no server is given"))
	}
	for _, u := range c.Servers {
		if why := badServer(u); why != "" {
			problems = append(problems, fmt.Errorf("server %s %s", redacted(u), why))
		}
	}
	if c.LoopID != "" && strings.Trim(c.LoopID, loopBytes) != "" {
		problems = append(problems, fmt.Errorf("loop id %q is not a token (RFC 8586 §2)", c.LoopID))
	}
	if strings.Trim(c.Host, loopBytes+"[]") != "" {
		problems = append(problems, fmt.Errorf("host %q is not a host with an optional port", c.Host))
	}
	if err := c.checkExternal(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// loopBytes are the bytes of a pseudonym or a host with port.
const loopBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:"

func redacted(u *url.URL) string {
	if u == nil {
		return "<nil>"
	}
	return u.Redacted()
}

func badServer(u *url.URL) string {
	switch {
	case u == nil:
		return "is nil"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is neither http nor https"
	case u.Hostname() == "" || u.Opaque != "":
		return "has no host"
	case u.User != nil:
		return "holds credentials: set an Authorization field on the route instead"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has a query or a fragment"
	case wireBytes(u.EscapedPath(), &pathSet) != u.EscapedPath():
		return "has a path with a byte that must be percent-encoded"
	}
	return ""
}

// newTransport makes the transport that all servers of a Pool share: net/http
// keeps connections by scheme and authority.
func newTransport(c Config, dial dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // the environment does not decide where requests go
		DialContext:            dial,
		TLSClientConfig:        c.TLS.Clone(),
		TLSHandshakeTimeout:    c.Timeouts.TLS,
		DisableCompression:     true, // content passes as it is
		MaxIdleConnsPerHost:    c.MaxIdlePerServer,
		IdleConnTimeout:        c.Timeouts.Idle,
		ResponseHeaderTimeout:  c.Timeouts.ResponseHeader,
		ExpectContinueTimeout:  c.Timeouts.Continue,
		MaxResponseHeaderBytes: maxResponseHeader,
		ForceAttemptHTTP2:      true, // by ALPN
		HTTP2: &http.HTTP2Config{ // finds a dead connection that many requests share
			SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second,
		},
	}
}

// dialer connects to a server.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func newDialer(c Config) dialer {
	if c.External != nil {
		return newGuard(c).dial
	}
	return (&net.Dialer{Timeout: c.Timeouts.Connect, KeepAlive: 30 * time.Second}).DialContext
}
