// Package corstry asks a handler the same as several web origins would and says
// of each answer what a browser would make of it: the try-out of the admin page.
//
// Nothing leaves the process but what the handler sends to its upstream.
package corstry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Bounds of a Question.
const (
	maxURL     = 8 << 10
	maxOrigins = 8
	maxOrigin  = 1 << 10
	maxNames   = 32
	maxName    = 128
)

// Question is what is to be tried.
type Question struct {
	URL     string   `json:"url"`
	Method  string   `json:"method"`  // "": GET
	Origins []string `json:"origins"` // "": a request without Origin
	// Preflight: what is sent is the preflight of such a request, with the
	// names of RequestHeaders.
	Preflight      bool     `json:"preflight"`
	RequestHeaders []string `json:"request_headers"`
	// Credentials: the page asks with credentials: "include". Cookies are not
	// sent; it decides how the answer is judged.
	Credentials bool `json:"credentials"`
}

// Answer is what one origin gets.
type Answer struct {
	Origin   string      `json:"origin"`
	Status   int         `json:"status"` // 0: there was no answer
	Fields   [][2]string `json:"fields"` // those that matter here, sorted
	Readable bool        `json:"readable"`
	Why      string      `json:"why"`
}

// Parse reads a Question. Its errors say what is wrong and what to do.
func Parse(body []byte) (*Question, error) {
	var q Question
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return nil, bad("the body is no such question: %w; send {\"url\":U,\"origins\":[A,B]}", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("something follows the question; send one question in a request")
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	return &q, q.check()
}

func bad(format string, args ...any) error { return fmt.Errorf("cannot try: "+format, args...) }

func (q *Question) check() error {
	switch u, err := url.Parse(q.URL); {
	case len(q.URL) > maxURL:
		return bad("the URL has %d bytes; %d are the most", len(q.URL), maxURL)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, strings.ContainsFunc(q.URL, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return bad("the URL is none; write it whole, with scheme and host, such as https://api.example.com/users/")
	case len(q.Origins) == 0 || len(q.Origins) > maxOrigins:
		return bad("%d origins are given; give 1 to %d", len(q.Origins), maxOrigins)
	case !httpguts.ValidHeaderFieldName(q.Method) || len(q.Method) > maxName: // a method is a token, as a name is
		return bad("the method is none; give one such as PUT")
	case !q.Preflight && q.Method != http.MethodGet && q.Method != http.MethodHead:
		return bad("a request with the method %s may change something; try GET, HEAD, or the preflight of %s", q.Method, q.Method)
	case len(q.RequestHeaders) > maxNames:
		return bad("%d request headers are given; %d are the most", len(q.RequestHeaders), maxNames)
	}
	for _, o := range q.Origins {
		if len(o) > maxOrigin || !httpguts.ValidHeaderFieldValue(o) {
			return bad("an origin cannot stand in a field; write one such as https://app.example.com")
		}
	}
	for _, name := range q.RequestHeaders {
		if len(name) > maxName || !httpguts.ValidHeaderFieldName(name) {
			return bad("the request header %.50q is no name of a field", name)
		}
	}
	return nil
}

// Ask asks h as each origin, one after the other: what the first brings into
// the cache, the second finds there. It ends with ctx. q must be of Parse.
func Ask(ctx context.Context, h http.Handler, q *Question) []Answer {
	answers := make([]Answer, 0, len(q.Origins))
	for _, origin := range q.Origins {
		answers = append(answers, ask(ctx, h, q, origin))
	}
	return answers
}

func ask(ctx context.Context, h http.Handler, q *Question, origin string) Answer {
	w := &response{header: make(http.Header)}
	cut := w.from(h, q.request(ctx, origin))
	a := Answer{Origin: origin, Status: w.status, Fields: fieldsOf(w.sent)}
	switch {
	case w.status == 0:
		a.Why = "there was no answer"
	case cut:
		a.Why = "the answer ended early: the browser reports a network error"
	default:
		a.Readable, a.Why = q.judge(w.status, w.sent, origin)
	}
	return a
}

// request is what a browser would send. It looks as a server's does.
func (q *Question) request(ctx context.Context, origin string) *http.Request {
	u, _ := url.Parse(q.URL) // check has read it
	r := (&http.Request{
		Method: q.Method, Host: u.Host, RequestURI: u.RequestURI(), Header: make(http.Header), Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "127.0.0.1:0",
	}).WithContext(ctx)
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	if u.Scheme == "https" {
		r.TLS = new(tls.ConnectionState)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if !q.Preflight {
		return r
	}
	r.Method = http.MethodOptions
	r.Header.Set("Access-Control-Request-Method", q.Method)
	if names := q.sorted(); len(names) > 0 {
		r.Header.Set("Access-Control-Request-Headers", strings.Join(names, ","))
	}
	return r
}

// sorted is the names as a browser sends them (Fetch, "CORS-unsafe request-header
// names").
func (q *Question) sorted() []string {
	names := make([]string, len(q.RequestHeaders))
	for i, n := range q.RequestHeaders {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fieldsOf are the fields that show what cache and policy did.
func fieldsOf(h http.Header) [][2]string {
	fields := [][2]string{}
	for name, lines := range h {
		switch name {
		case "Vary", "Cache-Status", "Cache-Control", "Age", "Location", "Allow", "Timing-Allow-Origin":
		default:
			if !strings.HasPrefix(name, "Access-Control-") {
				continue
			}
		}
		for _, v := range lines {
			fields = append(fields, [2]string{name, strings.ToValidUTF8(v, "\uFFFD")})
		}
	}
	slices.SortFunc(fields, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return fields
}

// response keeps status and fields of an answer and drops its content.
type response struct {
	header http.Header
	status int
	sent   http.Header // header as it was sent
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}

// from lets h answer r, and reports whether the answer was cut.
func (w *response) from(h http.Handler, r *http.Request) (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			cut = true
		}
	}()
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return false
}
