package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"veneer/cache/cachestatus"
)

// problem is an answer of the server's own, RFC 9457. Its type is stable.
type problem struct {
	reason cachestatus.Reason
	status int
	detail string
}

// problemType is the stable part of every problem's type (RFC 9457 §3.1.1).
const problemType = "urn:veneer:problem:"

var (
	internalFault = &problem{cachestatus.Internal, http.StatusInternalServerError, "the request could not be handled"}
	notReady      = &problem{cachestatus.Overload, http.StatusServiceUnavailable, "the server is not ready"}
	tunnel        = &problem{cachestatus.NotImplemented, http.StatusNotImplemented, "CONNECT asks for a tunnel, and this is no forward proxy"}
	badTarget     = &problem{cachestatus.BadRequest, http.StatusBadRequest, "the request target must be a path or an absolute http or https URI"}
	badFragment   = &problem{cachestatus.BadRequest, http.StatusBadRequest, "the request target has a fragment"}
	headTooLarge  = &problem{cachestatus.BadRequest, http.StatusRequestHeaderFieldsTooLarge, "the request's target and fields are larger than this server takes"}
	targetTooLong = &problem{cachestatus.BadRequest, http.StatusRequestURITooLong, "the request's target is longer than this server takes"}
	badUserinfo   = &problem{cachestatus.BadRequest, http.StatusBadRequest, "the request target has userinfo"}
)

// refuse returns the problem of a request that net/http accepts and no handler
// should see; nil when there is none.
func (s *Server) refuse(r *http.Request) *problem {
	switch u := r.URL; {
	case r.Method == http.MethodConnect:
		return tunnel // RFC 9110 §9.3.6
	case strings.IndexByte(r.RequestURI, '#') >= 0:
		return badFragment // RFC 9112 §3.2; net/http makes it a part of the path
	case u.User != nil:
		return badUserinfo // RFC 9110 §4.2.4
	case u.Opaque != "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https":
		return badTarget // RFC 9112 §3.2.2
	case u.Path == "" && u.Host == "", u.Path != "" && u.Path[0] != '/':
		return badTarget // RFC 9112 §3.2.1; "*" is for OPTIONS, which net/http answers
	case len(r.RequestURI) > s.limits.HeaderBytes:
		return targetTooLong // RFC 9110 §15.5.15
	case headBytes(r) > s.limits.HeaderBytes:
		return headTooLarge // RFC 6585 §5
	}
	return nil
}

// headSlack is how many times Limits.HeaderBytes net/http reads of a head: what
// is larger than the limit and within that gets an answer of ours.
const headSlack = 4

// headBytes is the size of a request's head in bytes, about as HTTP/1.1 writes
// it.
func headBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, lines := range r.Header {
		for _, v := range lines {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// Refuser is a handler that can also answer for a request that it never got:
// one that the server refuses, or in whose handling it panicked. It knows what
// the server does not, such as the CORS policy of the request's route. It must
// answer, with WriteHeader first, and nothing was sent to w before.
type Refuser interface {
	Refuse(w http.ResponseWriter, r *http.Request, status int, reason cachestatus.Reason, detail string)
}

// answer lets the handler answer with the problem, if it can.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, p *problem) {
	h, ok := (*s.handler.Load()).(Refuser)
	if !ok {
		p.write(w, r)
		return
	}
	noted := &begun{ResponseWriter: w}
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		// What made the handler panic may do so here again.
		s.logPanic(r.Context(), cause)
		if noted.begun {
			panic(http.ErrAbortHandler)
		}
		clear(w.Header())
		p.write(w, r)
	}()
	h.Refuse(noted, r, p.status, p.reason, p.detail)
}

// begun notes whether a response has.
type begun struct {
	http.ResponseWriter
	begun bool
}

// Unwrap gives http.ResponseController the rest.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader implements http.ResponseWriter. A Refuser calls it first.
func (b *begun) WriteHeader(status int) {
	b.begun = true
	b.ResponseWriter.WriteHeader(status)
}

// write answers with the problem. On HTTP/1.1 the connection ends: a request
// like this one may not be what the bytes behind it belong to.
func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	text, _ := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{problemType + p.reason.String(), http.StatusText(p.status), p.status, p.detail})
	status := cachestatus.Status{Detail: p.reason}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("Cache-Status", status.String())
	h.Set("X-Content-Type-Options", "nosniff")
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // the client may be gone
	}
}

// unavailable is the handler of a Server that was given none.
func unavailable(w http.ResponseWriter, r *http.Request) { notReady.write(w, r) }
