package cache

import (
	"net/http"
	"strings"

	"veneer/cache/key"
)

// Request is a request as steps 1 to 5 read it, whoever parsed it: net/http's
// handler and the hit lane both fill one, so that there is one implementation
// of every decision. Its strings and lines belong to whoever filled it and are
// not kept.
type Request struct {
	Method   string
	Protocol string // "HTTP/1.1", "HTTP/2.0"
	Host     string // authority, as it was sent
	Path     string // escaped, as it was sent
	Query    string // what stood behind the first "?"
	Secure   bool   // it came over TLS
	Peer     string // host:port at the other end of the connection

	// Fields returns the lines of a field by its canonical name.
	Fields key.Fields
	// Content: it has content, or may have.
	Content bool
}

// lines are the fields of a net/http request. Other than http.Header.Values it
// takes names as canonical, which they are wherever the engine asks.
type lines http.Header

// Values implements key.Fields.
func (l lines) Values(name string) []string { return l[name] }

// requestOf views a request of net/http.
func requestOf(r *http.Request) Request {
	return Request{
		Method: r.Method, Protocol: r.Proto, Host: r.Host, Path: key.EscapedPath(r.URL), Query: r.URL.RawQuery,
		Secure: r.TLS != nil, Peer: r.RemoteAddr, Fields: lines(r.Header),
		Content: r.ContentLength != 0 || len(r.TransferEncoding) > 0,
	}
}

// has reports whether the request has the named field.
func (q *Request) has(name string) bool { return len(q.Fields.Values(name)) > 0 }

// upgrades reports whether the request asks to change protocol (RFC 9110
// §7.8).
func (q *Request) upgrades() bool {
	if !q.has("Upgrade") {
		return false
	}
	for _, line := range q.Fields.Values("Connection") {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(member), "upgrade") {
				return true
			}
		}
	}
	return false
}

// read reports whether the request's method is GET or HEAD, whose requests may
// hide Origin from the upstream. The others always show it, because checks
// against forgery live there.
func (q *Request) read() bool { return safe(q.Method) }

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// requestView shows a request's fields as the upstream sees them. What is
// hidden from the upstream cannot select a response.
type requestView struct {
	fields                  key.Fields
	hideOrigin, hideRequest bool // Origin, Access-Control-Request-*
}

// Values returns the lines of the named field.
func (v *requestView) Values(name string) []string {
	if v.hides(name) {
		return nil
	}
	return v.fields.Values(name)
}

func (v *requestView) hides(name string) bool {
	switch name {
	case "Origin":
		return v.hideOrigin
	case "Access-Control-Request-Method", "Access-Control-Request-Headers", "Access-Control-Request-Private-Network":
		return v.hideRequest
	}
	return false
}
