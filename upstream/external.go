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
//   - A response cannot act on the proxy's host, see Clean.
//   - A connection is made to public addresses only, see RefusedAddress, and to
//     none of this machine.
//   - Redirects within the upstream are followed; the others are the client's.
//     A Location is absolute: a relative one would be one of the proxy's host.
//     Whoever knows the routes may take it back to our side, see Pool.Inside.
//   - No protocol is changed: a WebSocket obeys no CORS policy, so that every
//     page of the web could talk through this proxy.
type External struct {
	// Redirects is how many redirects are followed for one request; 0: none.
	Redirects int
	// Cookies: Set-Cookie is for the client. Whether Cookie passes is for
	// Config.Keep to say, which may also have it because a route sets one of
	// its own: that session is the operator's, and no client's.
	Cookies bool
	// PrivateAddresses lets in the addresses that are refused otherwise.
	PrivateAddresses bool
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver

	// For tests: what is refused, and what net.InterfaceAddrs says.
	refuse     func(netip.Addr) string
	interfaces func() ([]net.Addr, error)
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

// Clean removes from the fields of a third party's response what would act on
// the proxy's host (forward.ThirdPartyResponse), and makes a document of it that
// is sandboxed: it would else run as a page of that host. RoundTrip has done it.
//
// Set-Cookie stays even without Cookies: a cache has to see that there was one,
// since the response may be of the session that it begins (RFC 9111 §7.3). The
// caller then removes it from what goes to clients.
func (e *External) Clean(h http.Header) {
	forward.ThirdPartyResponse(h, true)
	h["Content-Security-Policy"] = isolate[:1:1]
}

// watch adds to a trace that interim responses are cleaned too. The hook that
// is there runs after it, on the same fields.
func (e *External) watch(t *httptrace.ClientTrace) {
	old := t.Got1xxResponse
	t.Got1xxResponse = func(code int, h textproto.MIMEHeader) error {
		forward.ThirdPartyResponse(http.Header(h), e.Cookies)
		if old == nil {
			return nil
		}
		return old(code, h)
	}
}
