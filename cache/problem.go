package cache

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"veneer/cache/cachestatus"
)

// ProblemType is the type of a problem document (RFC 9457 §3.1.1) of the given
// reason. It is stable: programs may compare it.
func ProblemType(r cachestatus.Reason) string { return problemPrefix + r.String() }

const problemPrefix = "urn:veneer:problem:"

const problemContent = "application/problem+json"

// problem is the content of every error that Veneer makes (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// fail answers with an error of our own: the one place that writes them. Like
// every response it has the CORS fields of the client at hand, so that a
// browser lets the page read what went wrong. It always reports true.
func (x *exchange) fail(status int, reason cachestatus.Reason, detail string) bool {
	x.note(reason)
	x.decision.Result = ResultError
	if !x.asked {
		x.decision.Forward = cachestatus.NotForwarded
	}
	if x.started {
		x.abort = true
		return true
	}
	body, err := json.Marshal(problem{ProblemType(reason), http.StatusText(status), status, detail})
	if err != nil {
		body = nil // cannot be: strings and a number
	}
	h := x.w.Header()
	h["Content-Type"] = []string{problemContent}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	s := cachestatus.Status{Forward: x.decision.Forward, Detail: reason}
	h["Cache-Status"] = []string{s.String()}
	x.start(status)
	if x.r.Method != http.MethodHead {
		x.write(body)
	}
	return true
}

// tooLarge refuses a request whose content is more than the limit. The rest of
// it is not read, so the connection ends (RFC 9110 §15.5.14).
func (x *exchange) tooLarge() bool {
	return x.closing(http.StatusRequestEntityTooLarge, cachestatus.BodyTooLarge, "The request content is larger than this server takes.")
}

// tooMany refuses a request of a client that has sent too many (RFC 6585 §4).
func (x *exchange) tooMany(wait time.Duration) bool {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	x.w.Header()["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	return x.fail(http.StatusTooManyRequests, cachestatus.RateLimited, "Too many requests: wait as long as Retry-After says.")
}

// closing is fail where what is left of the request cannot be trusted.
func (x *exchange) closing(status int, reason cachestatus.Reason, detail string) bool {
	if !x.started && x.r.ProtoMajor == 1 {
		x.w.Header()["Connection"] = []string{"close"}
	}
	return x.fail(status, reason, detail)
}

// upstreamError is what a RoundTripper's error may say about itself: the
// status that the client gets, and one of the tokens of cachestatus.
type upstreamError interface {
	error
	HTTPStatus() int
	Token() string
}
