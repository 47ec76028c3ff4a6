package upstream

import (
	"fmt"
	"net/http"
	"strings"

	"veneer/upstream/forward"
)

// Pool is a group of servers that answer alike, as an http.RoundTripper. It is
// safe for concurrent use. A server that is down when the Pool is made does no
// harm: nothing is connected before a request comes.
type Pool struct {
	config    Config
	group     group
	transport *http.Transport

	// Lines that requests share; nobody changes a line of a request in place.
	via, loop []string // what AddVia makes of HTTP/1.1, and AddLoop, of no line
}

// noAgent keeps net/http from adding a User-Agent of its own.
var noAgent = []string{""}

// New makes a Pool. The error names everything that is wrong with c.
func New(c Config) (*Pool, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("cannot make upstream %q: %w", c.Name, err)
	}
	c = c.withDefaults()
	dial := newDialer(c)
	p := &Pool{config: c, transport: newTransport(c, dial), via: []string{"1.1 " + c.LoopID}, loop: []string{c.LoopID}}
	p.group.balancer, p.group.maxFails, p.group.failTimeout = c.Balancer, c.MaxFails, c.FailTimeout
	for _, u := range c.Servers {
		copied := *u
		s := &server{url: &copied, base: strings.TrimRight(u.EscapedPath(), "/")}
		s.direct = newDirect(&p.config, s, dial)
		p.group.servers = append(p.group.servers, s)
	}
	return p, nil
}

// Servers returns the state of every server, in the order of the Config.
func (p *Pool) Servers() []ServerState { return p.group.states() }

// Close closes the connections that have no request, and the others when theirs
// end. Requests under way go on. A Pool that is used after Close works, and
// keeps connections again.
func (p *Pool) Close() {
	p.transport.CloseIdleConnections()
	for _, s := range p.group.servers {
		s.direct.end()
	}
}

// RoundTrip sends a request to one server and returns its response. An error is
// an *Error.
//
// URL is the client-facing target URI: its path and query are sent as they are
// escaped, behind the server's base path; its scheme and host go into
// X-Forwarded-* only. Host is sent unless the Config has another. RemoteAddr
// and the protocol version are those of the client's request, empty for a fetch
// without a client. The Pool takes the header map over and changes it. It reads
// the body as it sends it and never closes it: a server's request body belongs
// to the server. Trailers of the request are not passed on (RFC 9110 §6.5.1
// allows to drop them), since nobody has checked them.
//
// There is a second attempt, on another server if there is one, only when the
// method is idempotent, the content can be had again, and the connection failed
// before anything was received. With a single server it is made only if no
// connection was had or a kept one broke. Below that, what had a kept connection
// that the server closed goes on another one at once: GET and HEAD on the direct
// way to a cleartext server, and OPTIONS, TRACE and what has an Idempotency-Key
// and no content by net/http.
//
// Of the hooks of a httptrace.ClientTrace in the request's context only
// GetConn and Got1xxResponse are called on every way.
//
// The response has no hop-by-hop and no framing fields; ContentLength is its
// length. (net/http hides what a Connection field lists beside "close".) Via is
// as the server sent it. Redirects are followed only as External says. Content
// that ends early or breaks its framing fails with an *Error that wraps the
// cause (io.ErrUnexpectedEOF). A trailer section is complete at io.EOF. After a
// 101 the Body is an io.ReadWriteCloser. The caller closes the Body.
func (p *Pool) RoundTrip(req *http.Request) (*http.Response, error) {
	if forward.Looped(req.Header, p.config.LoopID) {
		return nil, &Error{Kind: Loop, Server: p.config.Name}
	}
	a := &attempt{pool: p, ctx: req.Context()}
	a.request = &a.prepared
	a.upgrade = p.prepare(req, a.request)
	res, err := a.run(nil)
	if err != nil && a.upgrade == "" && repeatable(req) && a.retryable(len(p.group.servers)) && rewind(a.request, req) {
		not := a.server
		a = &attempt{pool: p, ctx: a.ctx, request: a.request}
		res, err = a.run(not)
	}
	if err == nil && p.config.External != nil {
		res, err = p.follow(req, a, res)
	}
	if err != nil {
		return nil, err
	}
	res.Request = req // and not the one with the server's address
	return res, nil
}

// repeatable reports whether a request may be sent a second time: the method
// is idempotent (RFC 9110 §9.2.2) and the content, if any, can be had again.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	}
	return false
}

// rewind gives out the content of req anew, for a second attempt, and reports
// whether that could be done.
func rewind(out, req *http.Request) bool {
	if out.Body == nil {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	rc, err := req.GetBody()
	if err != nil {
		return false
	}
	out.Body = &requestBody{rc: rc, owned: true}
	return true
}

// prepare makes out the outgoing request, still without a server, and returns
// the protocol that it asks to change to. What the client's Connection lists goes
// before anything of ours is added.
func (p *Pool) prepare(req, out *http.Request) (upgrade string) {
	h, c := req.Header, &p.config
	if h == nil {
		h = make(http.Header)
	}
	if c.External == nil && (req.ContentLength == 0 || req.Body == nil || req.Body == http.NoBody) {
		// With content the transport might still be sending it on the
		// connection that the tunnel takes over.
		upgrade = p.upgrade(h)
	}
	forward.StripRequest(h, c.Keep)
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	if c.External != nil {
		forward.ThirdPartyRequest(h, c.Keep)
	} else {
		forward.DropUnkeyed(h, c.Keep, c.Trust.Contains(req.RemoteAddr))
		forward.Extend(h, forward.Hop{RemoteAddr: req.RemoteAddr, Scheme: req.URL.Scheme, Host: host}, c.Trust)
	}
	major, minor := req.ProtoMajor, req.ProtoMinor
	if major == 0 {
		major, minor = 1, 1
	}
	if h["Via"] == nil && major == 1 && minor == 1 {
		h["Via"] = p.via
	} else {
		forward.AddVia(h, major, minor, c.LoopID)
	}
	if h["Cdn-Loop"] == nil {
		h["Cdn-Loop"] = p.loop
	} else {
		forward.AddLoop(h, c.LoopID)
	}
	if upgrade != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = noAgent
	}
	if c.Host != "" {
		host = c.Host
	}
	// The version is what net/http waits by for a 100 (Continue).
	*out = http.Request{Method: req.Method, URL: req.URL, Header: h, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if req.Body != nil && req.Body != http.NoBody && req.ContentLength != 0 {
		out.Body, out.ContentLength = &requestBody{rc: req.Body}, req.ContentLength
	} else {
		delete(h, "Expect") // there is nothing to wait with
	}
	return upgrade
}

// upgrade returns the protocol that a request may ask to change to. On a
// connection that may turn out to be HTTP/2 only WebSocket can be asked for:
// net/http then takes one that is HTTP/1.1. Anything else is not asked for, and
// is answered as if nobody had (RFC 9110 §7.8).
func (p *Pool) upgrade(h http.Header) string {
	protocol := forward.UpgradeType(h)
	for _, s := range p.group.servers {
		if s.url.Scheme == "https" && !strings.EqualFold(protocol, "websocket") {
			return ""
		}
	}
	return protocol
}
