// Package explain is the question and the answer of `veneer explain`: a request
// that a client could send, and what Veneer would do with it, with the reason
// and the section of the standard for every step. It reads command lines and
// the admin API's queries, and prints for people and for programs.
//
// It decides nothing: cache.Engine.Explain does, by serving the request on a
// stage. No credential that it is given comes out again.
package explain

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"veneer/cache"
)

// Limits of a question, in bytes where it is no number of fields. They are far
// below those of a real request: a question comes in a query.
const (
	maxURL    = 4 << 10
	maxFields = 64 // of the request, and of the response
	maxField  = 4 << 10
	maxMethod = 32
)

// Request is what is asked: a request, and what the upstream is assumed to
// answer. It is immutable.
type Request struct {
	method   string
	url      *url.URL
	text     string      // of url, as it was given
	fields   http.Header // as a server hands them over: without Host
	host     string      // of the Host field, or of url
	length   int64       // of the content; -1 when it is chunked
	status   int         // 0: what fits
	response http.Header
}

// New reads a question. url is absolute, with http or https. fields and
// response are "Name: value" lines; those of one name follow one another. The
// method is GET where it is "". A status of 0 leaves open whether the upstream
// confirms what is stored. Errors say what is wrong with which value, and hide
// the values of fields.
func New(method, url string, fields []string, status int, response []string) (*Request, error) {
	if method == "" {
		method = http.MethodGet
	}
	// RFC 9110 §9.1: a method is a token.
	if len(method) > maxMethod || !httpguts.ValidHeaderFieldName(method) {
		return nil, fmt.Errorf("cannot use the method %s: it is no token of at most %d characters", quoted(method), maxMethod)
	}
	r := &Request{method: method, text: url, status: status}
	if status != 0 && (status < 200 || status > 599) {
		return nil, fmt.Errorf("cannot assume the status %d: a final one is 200 to 599", status)
	}
	var err error
	if r.url, err = parseURL(url); err != nil {
		return nil, err
	}
	if r.fields, err = parseFields("request", fields); err != nil {
		return nil, err
	}
	if r.response, err = parseFields("response", response); err != nil {
		return nil, err
	}
	return r, r.frame()
}

// parseURL reads a target URI as a client would send it.
func parseURL(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("cannot use a URL of %d bytes: %d are the most", len(text), maxURL)
	}
	u, err := url.Parse(text)
	var fault *url.Error
	switch {
	case errors.As(err, &fault):
		return nil, fmt.Errorf("cannot read the URL %s: %w", quoted(text), fault.Err)
	case u.User != nil:
		return nil, errors.New("cannot use a URL with a user name: send -H 'Authorization: ...' in its place")
	case !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https"), u.Host == "", u.Opaque != "":
		return nil, fmt.Errorf("cannot use the URL %s: it must be absolute, such as https://api.example.com/path", quoted(text))
	case strings.Contains(text, "#"):
		return nil, fmt.Errorf("cannot use the URL %s: a client sends no fragment; leave \"#\" and what follows it out, or write %%23", quoted(text))
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return nil, fmt.Errorf("cannot use the URL %s: it has a space or a control character, which a client sends encoded", quoted(text))
	}
	return u, nil
}

// parseFields reads "Name: value" lines (RFC 9110 §5.5, §5.6.2).
func parseFields(of string, lines []string) (http.Header, error) {
	h := make(http.Header)
	if len(lines) > maxFields {
		return nil, fmt.Errorf("cannot use %d %s fields: %d are the most", len(lines), of, maxFields)
	}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimRight(name, " \t"), strings.Trim(value, " \t")
		switch {
		case !ok && !httpguts.ValidHeaderFieldName(name): // it may be a credential
			return nil, fmt.Errorf("cannot read the %s field %d: there is no colon; write 'Name: value'", of, i+1)
		case !ok:
			return nil, fmt.Errorf("cannot read the %s field %d: there is no colon after %s; write 'Name: value'", of, i+1, quoted(name))
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("cannot use the name %s of the %s field %d: it is no token", quoted(name), of, i+1)
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("cannot use the value of the %s field %s: it has a control character", of, quoted(name))
		case len(line) > maxField:
			return nil, fmt.Errorf("cannot use the %s field %s of %d bytes: %d are the most", of, quoted(name), len(line), maxField)
		}
		h.Add(name, value)
	}
	return h, nil
}

// frame takes out of the fields what a server reads itself: Host, and how much
// content there is.
func (r *Request) frame() error {
	r.host = r.url.Host
	if hosts := r.fields["Host"]; len(hosts) > 0 {
		if len(hosts) > 1 {
			return errors.New("cannot use two Host fields: a server answers 400 (RFC 9112 §3.2)")
		}
		r.host = hosts[0]
		delete(r.fields, "Host")
	}
	for name, h := range map[string]http.Header{"request": r.fields, "response": r.response} {
		for _, line := range h["Content-Length"] {
			n, err := strconv.ParseInt(line, 10, 64)
			if err != nil || n < 0 || len(h["Content-Length"]) > 1 {
				return fmt.Errorf("cannot use the %s field Content-Length %s: it must be one number of bytes", name, quoted(line))
			}
		}
	}
	r.length, _ = strconv.ParseInt(r.fields.Get("Content-Length"), 10, 64)
	if r.fields["Transfer-Encoding"] != nil {
		r.length = -1
		delete(r.fields, "Transfer-Encoding")
		delete(r.fields, "Content-Length")
	}
	return nil
}

// quoted shows a value that may be long and may hold anything.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// The parameters of GET /api/explain.
const (
	paramURL      = "url"
	paramMethod   = "method"
	paramField    = "header" // may be repeated
	paramStatus   = "status"
	paramResponse = "response_header" // may be repeated
)

// Query returns the question as the query of GET /api/explain.
func (r *Request) Query() url.Values {
	q := url.Values{paramURL: {r.text}, paramMethod: {r.method}}
	fields := r.fields.Clone()
	if r.host != r.url.Host {
		fields["Host"] = []string{r.host}
	}
	if r.length < 0 {
		fields["Transfer-Encoding"] = []string{"chunked"}
	}
	if f := lines(fields); f != nil {
		q[paramField] = f
	}
	if r.status != 0 {
		q[paramStatus] = []string{strconv.Itoa(r.status)}
	}
	if f := lines(r.response); f != nil {
		q[paramResponse] = f
	}
	return q
}

// FromQuery reads what Query writes. A parameter that it does not know, or that
// comes twice and may not, is an error: a question that is read otherwise than
// it was meant has a wrong answer.
func FromQuery(q url.Values) (*Request, error) {
	for name, values := range q {
		switch name {
		case paramField, paramResponse:
		case paramURL, paramMethod, paramStatus:
			if len(values) > 1 {
				return nil, fmt.Errorf("cannot use the parameter %s twice", name)
			}
		default:
			return nil, fmt.Errorf("cannot use the parameter %s: there are url, method, header, status and response_header", quoted(name))
		}
	}
	if q.Get(paramURL) == "" {
		return nil, errors.New("cannot explain without a url: ask /api/explain?url=https%3A%2F%2Fapi.example.com%2Fpath")
	}
	status := 0
	if text := q.Get(paramStatus); text != "" {
		var err error
		if status, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("cannot use the status %s: it is no number", quoted(text))
		}
	}
	return New(q.Get(paramMethod), q.Get(paramURL), q[paramField], status, q[paramResponse])
}

// lines returns fields as "Name: value" lines, sorted by name.
func lines(h http.Header) []string {
	var out []string
	for name, values := range h {
		for _, v := range values {
			out = append(out, spelled(name)+": "+v)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		x, _, _ := strings.Cut(a, ":")
		y, _, _ := strings.Cut(b, ":")
		return strings.Compare(x, y)
	})
	return out
}

// HTTP returns the request as a server hands it to the engine. It is the
// caller's own.
func (r *Request) HTTP() *http.Request {
	u := *r.url
	h := &http.Request{
		Method: r.method, URL: &u, Host: r.host, Header: r.fields.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: r.length, RemoteAddr: "127.0.0.1:0",
	}
	if r.length < 0 {
		h.TransferEncoding = []string{"chunked"}
	}
	return h
}

// Assumption returns what the upstream is assumed to answer.
func (r *Request) Assumption() cache.Assumption {
	return cache.Assumption{Status: r.status, Header: r.response.Clone()}
}
