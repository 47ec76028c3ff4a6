package upstream

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"

	"veneer/upstream/forward"
)

// External says that the servers are somebody else's: an API of a third party
// that browsers are to use through this proxy. The servers are as fixed as any
// Pool's, and beyond that:
//
//   - A request has only the fields that forward.ThirdPartyNeeds or Config.Keep
//     names. The third party learns neither the client's address nor earlier
//     hops, and Host is the server's own.
//   - A response cannot act on the proxy's host (forward.ThirdPartyResponse).
//     As a document it is sandboxed: it would else run as a page of that host.
//   - A connection is made to public addresses only, see RefusedAddress.
//   - Redirects within the upstream are followed; the others are the client's.
//     A Location that stays within the upstream is written as a reference on
//     the client's side, so that a browser that follows it stays with us.
//   - No protocol is changed: a WebSocket obeys no CORS policy, so that every
//     page of the web could talk through this proxy.
type External struct {
	// Redirects is how many redirects are followed for one request; 0: none.
	Redirects int
	// Cookies: Set-Cookie passes. Whether Cookie does is for Config.Keep to
	// say, which may also have it because a route sets one of its own: that
	// session is the operator's, and no client's.
	Cookies bool
	// PrivateAddresses lets in the addresses that are refused otherwise.
	PrivateAddresses bool
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver

	refuse func(netip.Addr) string // RefusedAddress if nil; for tests
}

// checkExternal returns what cannot be said of an external upstream.
func (c Config) checkExternal() error {
	var problems []error
	switch {
	case c.External == nil:
		return nil
	case c.Host != "":
		problems = append(problems, errors.New("an external upstream gets the host of its server, and no other"))
	case c.TLS != nil && c.TLS.InsecureSkipVerify:
		problems = append(problems, errors.New("the certificate of an external upstream is always verified"))
	}
	if c.External.Redirects < 0 {
		problems = append(problems, errors.New("the number of redirects is negative"))
	}
	return errors.Join(problems...)
}

// isolate is the Content-Security-Policy of a third party's response. Only a
// document or a worker heeds it: it then runs in an origin of its own, without
// scripts, and not as a page of the proxy's host (CSP Level 3 §6.4).
var isolate = []string{"sandbox"}

// clean makes the response of a third party one that can be passed on.
func (e *External) clean(h http.Header) {
	forward.ThirdPartyResponse(h, e.Cookies)
	h["Content-Security-Policy"] = isolate[:1:1]
}

// watch adds to a trace that interim responses are cleaned too. Hooks that were
// there before run after it, on the same fields.
func (e *External) watch(t *httptrace.ClientTrace) {
	t.Got1xxResponse = func(_ int, h textproto.MIMEHeader) error {
		forward.ThirdPartyResponse(http.Header(h), e.Cookies)
		return nil
	}
}
