package upstream

import (
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// attempt is one try on one server. The hooks of the trace may run on other
// goroutines, and after RoundTrip of the transport has returned.
type attempt struct {
	pool    *Pool
	request *http.Request // out of prepare
	upgrade string        // the protocol that it asks to change to
	to      *server       // the one to ask; nil: any
	server  *server       // the one that was asked
	body    *requestBody
	counted bool // the failure counts against the server

	asked     atomic.Bool // for a connection
	connected atomic.Bool
	reused    atomic.Bool // the connection was a kept one
	received  atomic.Bool // the first byte of a response, also of an interim one
}

// run picks a server, not the given one if there is another, and sends the
// request to it.
func (a *attempt) run(not *server) (*http.Response, error) {
	p, external := a.pool, a.pool.config.External
	if a.server = a.to; a.server != nil {
		p.group.take(a.server)
	} else if a.server = p.group.pick(p.config.Now(), not); a.server == nil {
		return nil, &Error{Kind: NoServer, Server: p.config.Name}
	}
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { a.asked.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) {
			a.reused.Store(i.Reused)
			a.connected.Store(true)
		},
		GotFirstResponseByte: func() { a.received.Store(true) },
	}
	if external != nil {
		external.watch(trace)
	}
	ctx := httptrace.WithClientTrace(a.request.Context(), trace)
	out := a.request.WithContext(ctx)
	out.URL = serverURL(a.server, a.request.URL)
	if external != nil {
		out.Host = out.URL.Host
	}
	a.body, _ = out.Body.(*requestBody)
	res, err := p.transport.RoundTrip(out)
	if err != nil {
		kind, counts := classify(ctx, err, a)
		if cause := a.body.failed(); cause != nil {
			err = cause
		}
		a.counted = counts
		a.fail(counts)
		return nil, &Error{Kind: kind, Server: a.server.url.Host, Err: err}
	}
	if err := a.accept(res); err != nil {
		res.Body.Close()
		a.fail(false)
		return nil, &Error{Kind: Protocol, Server: a.server.url.Host, Err: err}
	}
	p.group.report(a.server, p.config.Now(), success)
	return res, nil
}

// fail ends an attempt that brought no response. counts says whether that is
// the server's fault.
func (a *attempt) fail(counts bool) {
	o := neutral
	if counts {
		o = failure
	}
	a.pool.group.report(a.server, a.pool.config.Now(), o)
	a.server.inFlight.Add(-1)
}

// retryable reports whether a second attempt makes sense among n servers, for a
// request that may be repeated.
func (a *attempt) retryable(n int) bool {
	if a.server == nil || !a.counted || a.received.Load() {
		return false
	}
	return n > 1 || !a.connected.Load() || a.reused.Load()
}

// Bytes that go out unescaped in a path and in a query: what RFC 3986 §3.3 and
// §3.4 allow, "%", and what browsers leave as it is. All others would break the
// request line or be read in two ways, and are escaped; in a canonical target
// URI there are none.
const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	pathBytes    = alphanumeric + "-._~!$&'()*+,;=:@/%[]"
	queryBytes   = pathBytes + "?\"<>\\^`{|}"
)

// serverURL returns the URL of an attempt: the server's scheme and authority,
// its base path, then path and query of u as they are escaped.
func serverURL(s *server, u *url.URL) *url.URL {
	escaped := u.RawPath
	if escaped == "" {
		escaped = u.EscapedPath()
	}
	out := &url.URL{Scheme: s.url.Scheme, Host: s.url.Host, RawQuery: wireBytes(u.RawQuery, queryBytes)}
	if escaped == "*" { // OPTIONS for the server as a whole, RFC 9112 §3.2.4
		out.Path = escaped
		return out
	}
	escaped = wireBytes(escaped, pathBytes)
	if !strings.HasPrefix(escaped, "/") {
		escaped = "/" + escaped
	}
	escaped = s.base + escaped
	path, err := url.PathUnescape(escaped)
	if err != nil { // a lone "%"
		out.Path = escaped
		return out
	}
	out.Path, out.RawPath = path, escaped
	return out
}

// wireBytes escapes every byte of s that is not in allowed.
func wireBytes(s, allowed string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = strings.IndexByte(allowed, s[i]) >= 0
	}
	if clean {
		return s
	}
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(allowed, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}
