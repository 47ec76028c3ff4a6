package upstream

import (
	"context"
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
	ctx     context.Context // the caller's
	request *http.Request   // out of prepare, without a context
	upgrade string          // the protocol that it asks to change to
	to      *server         // the one to ask; nil: any
	server  *server         // the one that was asked
	body    *requestBody
	counted bool // the failure counts against the server

	prepared http.Request // what request points to, in the first attempt
	untraced untraced
	trace    httptrace.ClientTrace

	asked     atomic.Bool // for a connection
	connected atomic.Bool
	reused    atomic.Bool // the connection was a kept one
	received  atomic.Bool // the first byte of a response, also of an interim one
}

// run picks a server, not the given one if there is another, and sends the
// request to it.
func (a *attempt) run(not *server) (*http.Response, error) {
	p := a.pool
	if a.server = a.to; a.server != nil {
		p.group.take(a.server)
	} else if a.server = p.group.pick(p.config.Now(), not); a.server == nil {
		return nil, &Error{Kind: NoServer, Server: p.config.Name}
	}
	ctx, direct := a.ctx, a.server.direct
	if !direct.takes(a) {
		direct, ctx = nil, a.watched()
	}
	out := a.request.WithContext(ctx)
	out.URL = serverURL(a.server, a.request.URL)
	if p.config.External != nil {
		out.Host = out.URL.Host
	}
	a.body, _ = out.Body.(*requestBody)
	var res *http.Response
	var err error
	if direct != nil {
		res, err = direct.roundTrip(a, out)
	} else {
		res, err = p.transport.RoundTrip(out)
	}
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

// watched returns the caller's context with the attempt's hooks before those
// that the caller has. They are joined by hand: httptrace does it by reflection,
// for every request that passes.
func (a *attempt) watched() context.Context {
	t := &a.trace
	old := httptrace.ContextClientTrace(a.ctx)
	if old == nil {
		old = t // whose hooks are nil
	} else {
		*t = *old
	}
	getConn, gotConn, firstByte := old.GetConn, old.GotConn, old.GotFirstResponseByte
	t.GetConn = func(hostPort string) {
		a.asked.Store(true)
		if getConn != nil {
			getConn(hostPort)
		}
	}
	t.GotConn = func(i httptrace.GotConnInfo) {
		a.reused.Store(i.Reused)
		a.connected.Store(true)
		if gotConn != nil {
			gotConn(i)
		}
	}
	t.GotFirstResponseByte = func() {
		a.received.Store(true)
		if firstByte != nil {
			firstByte()
		}
	}
	if external := a.pool.config.External; external != nil {
		external.watch(t)
	}
	a.untraced.Context = a.ctx
	return httptrace.WithClientTrace(&a.untraced, t)
}

// untraced is a context without its hooks, which WithClientTrace would join
// those of an attempt with once more.
type untraced struct{ context.Context }

// Value implements context.Context.
func (u *untraced) Value(key any) any {
	v := u.Context.Value(key)
	if _, hooks := v.(*httptrace.ClientTrace); hooks {
		return nil
	}
	return v
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
	out := &url.URL{Scheme: s.url.Scheme, Host: s.url.Host, RawQuery: wireBytes(u.RawQuery, &querySet)}
	if escaped == "*" { // OPTIONS for the server as a whole, RFC 9112 §3.2.4
		out.Path = escaped
		return out
	}
	escaped = wireBytes(escaped, &pathSet)
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

// byteSet says which bytes are in it.
type byteSet [256]bool

var pathSet, querySet = setOf(pathBytes), setOf(queryBytes)

func setOf(bytes string) (s byteSet) {
	for i := range len(bytes) {
		s[bytes[i]] = true
	}
	return s
}

// wireBytes escapes every byte of s that is not in allowed.
func wireBytes(s string, allowed *byteSet) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = allowed[s[i]]
	}
	if clean {
		return s
	}
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; allowed[c] {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}
