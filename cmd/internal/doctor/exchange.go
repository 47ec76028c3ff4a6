package doctor

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The fields that the checks read, in canonical form.
const (
	fieldOrigin         = "Origin"
	fieldRequestMethod  = "Access-Control-Request-Method"
	fieldRequestHeaders = "Access-Control-Request-Headers"

	fieldAllowOrigin      = "Access-Control-Allow-Origin"
	fieldAllowCredentials = "Access-Control-Allow-Credentials"
	fieldAllowMethods     = "Access-Control-Allow-Methods"
	fieldAllowHeaders     = "Access-Control-Allow-Headers"
	fieldExposeHeaders    = "Access-Control-Expose-Headers"
	fieldMaxAge           = "Access-Control-Max-Age"
	fieldVary             = "Vary"
	fieldAge              = "Age"
	fieldCacheControl     = "Cache-Control"
	fieldCacheStatus      = "Cache-Status"
	fieldETag             = "ETag"
	fieldLastModified     = "Last-Modified"
	fieldLocation         = "Location"
	fieldServer           = "Server"
	fieldVia              = "Via"
	fieldPoweredBy        = "X-Powered-By"
	fieldRetryAfter       = "Retry-After"
)

// telling are the response fields that are kept, beside all that begin with
// Access-Control-. What a server may hide a secret in (Set-Cookie,
// WWW-Authenticate) is not among them.
var telling = []string{
	fieldVary, fieldAge, fieldCacheControl, fieldCacheStatus, "X-Cache", "X-Cache-Status", "X-Proxy-Cache", "Cf-Cache-Status",
	fieldETag, fieldLastModified, fieldLocation, fieldRetryAfter, "Allow", "Content-Type", "Timing-Allow-Origin",
	fieldServer, fieldVia, fieldPoweredBy,
	// Only servers of one kind send these.
	"Cf-Ray", "X-Amz-Cf-Id", "Apigw-Requestid", "X-Amz-Apigw-Id", "X-Kong-Proxy-Latency", "X-Kong-Response-Latency",
	"X-Envoy-Upstream-Service-Time", "X-Served-By", "X-Varnish",
}

// Field is one field line. A field that was sent twice is two of them.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Exchange is one request and its answer. Its JSON names are stable. Nothing
// changes it once it is part of a Report.
type Exchange struct {
	// Name is the probe's: stable, and unique in a Report.
	Name string `json:"name"`
	// About says in a few words what the probe is for.
	About  string  `json:"about"`
	Method string  `json:"method"`
	URL    string  `json:"url"`
	Sent   []Field `json:"sent"`
	// Status is 0 when there was no answer; Error says why.
	Status int `json:"status"`
	// Retries is how often it was sent again after a 429; the record has the
	// last answer.
	Retries int `json:"retries,omitempty"`
	// Received are the telling lines of the answer, sorted by name; lines of
	// one name are in the order in which they came.
	Received []Field `json:"received"`
	Error    string  `json:"error,omitempty"`
}

// receive keeps the lines of h that tell something.
func (x *Exchange) receive(h http.Header) {
	x.Received = []Field{}
	for name, lines := range h {
		i := slices.IndexFunc(telling, func(t string) bool { return strings.EqualFold(t, name) })
		switch {
		case i >= 0:
			name = telling[i]
		case !strings.HasPrefix(name, "Access-Control-"):
			continue
		}
		for _, line := range lines {
			if name == fieldLocation {
				line = withoutQuery(line)
			}
			x.Received = append(x.Received, Field{clean(name), clean(line)})
		}
	}
	slices.SortStableFunc(x.Received, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
}

// withoutQuery: what stands in the query of a redirect is often a token.
func withoutQuery(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i+1] + "…"
	}
	return s
}

// maxValue bounds what is kept of a value, in bytes.
const maxValue = 1024

// clean makes a value safe to print: a server may send control sequences.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), maxValue)], "?"))
	return s
}

// answered is false for a probe that was not sent or got no answer. This and
// what follows may be called on nil.
func (x *Exchange) answered() bool { return x != nil && x.Status != 0 }

func (x *Exchange) good() bool { return x.answered() && x.Status/100 == 2 }

func (x *Exchange) failed() bool { return x.answered() && x.Status >= http.StatusBadRequest }

// redirects: the statuses that Fetch follows, and 304 is none.
func (x *Exchange) redirects() bool {
	if x == nil {
		return false
	}
	switch x.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// origin returns the Origin that was sent, or "".
func (x *Exchange) origin() string {
	if x == nil {
		return ""
	}
	for _, f := range x.Sent {
		if f.Name == fieldOrigin {
			return f.Value
		}
	}
	return ""
}

// preflight: OPTIONS with Access-Control-Request-Method (Fetch, "CORS-preflight
// request").
func (x *Exchange) preflight() bool {
	return x.Method == http.MethodOptions && slices.ContainsFunc(x.Sent, func(f Field) bool { return f.Name == fieldRequestMethod })
}

// lines returns the values of a response field, line by line.
func (x *Exchange) lines(name string) []string {
	if x == nil {
		return nil
	}
	var all []string
	for _, f := range x.Received {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return all
}

// value returns the lines of a field as Fetch's "get" combines them.
func (x *Exchange) value(name string) string { return strings.Join(x.lines(name), ", ") }

// list returns the elements of a list field (RFC 9110 §5.6.1).
func (x *Exchange) list(name string) []string {
	var all []string
	for _, line := range x.lines(name) {
		for e := range strings.SplitSeq(line, ",") {
			if e = strings.Trim(e, " \t"); e != "" {
				all = append(all, e)
			}
		}
	}
	return all
}

// lists reports whether a list field has an element, whatever its case.
func (x *Exchange) lists(name, element string) bool {
	return slices.ContainsFunc(x.list(name), func(e string) bool { return strings.EqualFold(e, element) })
}

func (x *Exchange) allowOrigin() string { return x.value(fieldAllowOrigin) }

// allows is Fetch's CORS check for a request without credentials, of the
// Origin that was sent.
func (x *Exchange) allows() bool {
	v := x.allowOrigin()
	return x.answered() && (v == "*" || v != "" && v == x.origin())
}

// reflects: the very Origin that was sent is let in.
func (x *Exchange) reflects() bool {
	return x.answered() && x.origin() != "" && x.allowOrigin() == x.origin()
}

func (x *Exchange) credentials() bool { return x.value(fieldAllowCredentials) == "true" }

// variesOnOrigin: a cache would keep answers to other origins apart.
func (x *Exchange) variesOnOrigin() bool {
	return x.lists(fieldVary, fieldOrigin) || x.lists(fieldVary, "*")
}

// fromCache reports whether the answer says that a shared cache had it.
func (x *Exchange) fromCache() bool {
	if age, err := strconv.Atoi(x.value(fieldAge)); err == nil && age > 0 {
		return true
	}
	for _, status := range x.list(fieldCacheStatus) {
		_, parameters, _ := strings.Cut(status, ";") // the first part is the cache's name
		for parameter := range strings.SplitSeq(parameters, ";") {
			if strings.TrimSpace(parameter) == "hit" {
				return true
			}
		}
	}
	for _, name := range []string{"X-Cache", "X-Cache-Status", "X-Proxy-Cache", "Cf-Cache-Status"} {
		if strings.Contains(strings.ToLower(x.value(name)), "hit") {
			return true
		}
	}
	return false
}
