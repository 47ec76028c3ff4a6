package corslayer

import (
	"net/http"
	"strings"

	"veneer/corslayer/origin"
)

// Limits of what a preflight may ask for (case P5), and of a configured name,
// in bytes.
const (
	maxAskedBytes = 8 << 10
	maxAskedNames = 64
	maxHeaderName = 128
)

// step is how far a preflight's check came.
type step uint8

const (
	refusedOrigin step = iota
	refusedMethod
	refusedHeader
	granted
)

// Preflight answers a CORS preflight and reports whether r was one. In own
// mode the policy decides: 204 or 403 (cases P1–P9). In off mode the answer is
// 403: no cross-origin page may go on, and whatever the upstream could say
// would be stripped. In pass mode the application answers, so it returns false
// (case A1).
//
// Any other OPTIONS request is an ordinary one (case C4). d is what Decide said
// about r.
func (p *Policy) Preflight(w http.ResponseWriter, r *http.Request, d Decision) bool {
	if p.mode == ModePass || r.Method != http.MethodOptions || d.Class == origin.None || !asksMethod(r.Header) {
		return false
	}
	h := w.Header()
	if p.mode == ModeOff {
		h[fieldCacheControl] = lineNoStore
		p.counts.preflightOrigin.Add(1)
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	var a asked
	reached := p.check(r.Header, d, &a)
	p.counts.preflight(reached)
	h[fieldVary] = p.preflightVary
	h[fieldCacheControl] = lineNoStore
	if reached != granted && !p.debug {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	if reached > refusedOrigin {
		h[fieldAllowOrigin] = p.allowOrigin(r.Header, d)
		if p.credentials {
			h[fieldAllowCredentials] = lineTrue
		}
	}
	if reached > refusedMethod {
		h[fieldAllowMethods] = p.methodsFor(r.Header)
	}
	if reached == granted {
		if names := p.headersFor(r.Header, &a); names != nil {
			h[fieldAllowHeaders] = names
		}
		h[fieldMaxAge] = p.maxAge
		h[fieldCacheControl] = p.preflightCache
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (c *counters) preflight(reached step) {
	switch reached {
	case refusedOrigin:
		c.preflightOrigin.Add(1)
	case refusedMethod:
		c.preflightMethod.Add(1)
	case refusedHeader:
		c.preflightHeader.Add(1)
	case granted:
		c.preflightOK.Add(1)
	}
}

func asksMethod(h http.Header) bool {
	for _, line := range h[fieldRequestMethod] {
		if line != "" {
			return true
		}
	}
	return false
}

// check goes through the steps in the order of Fetch, "CORS-preflight fetch".
func (p *Policy) check(h http.Header, d Decision, a *asked) step {
	if !d.Allowed {
		return refusedOrigin
	}
	method := h[fieldRequestMethod]
	if len(method) != 1 || !p.methodAllowed(method[0]) {
		return refusedMethod
	}
	if !p.headersAllowed(h[fieldRequestHeaders], a) {
		return refusedHeader
	}
	return granted
}

// methodAllowed compares with regard to case (case P5). What * does not bring
// is what browsers never ask for.
func (p *Policy) methodAllowed(m string) bool {
	if !p.anyMethod {
		return p.methods[m]
	}
	return len(m) <= maxHeaderName && isToken(m)
}

// methodsFor returns the Access-Control-Allow-Methods for a request that asked
// for a method that is allowed.
func (p *Policy) methodsFor(h http.Header) []string {
	if p.minimal || p.anyMethod && p.credentials {
		return h[fieldRequestMethod][:1:1]
	}
	return p.allowMethods
}

// headersFor returns the Access-Control-Allow-Headers for a request that asked
// for fields that are allowed, or nil.
func (p *Policy) headersFor(h http.Header, a *asked) []string {
	if p.minimal || p.anyHeader && p.credentials {
		return a.echo(h[fieldRequestHeaders])
	}
	if a.byRange {
		return p.allowHeadersRange
	}
	return p.allowHeaders
}

// asked is what was found in Access-Control-Request-Headers.
type asked struct {
	names   int
	empty   bool // there are empty elements
	byRange bool // Range is among them, and the policy's list may lack it
}

// headersAllowed reads the lines of Access-Control-Request-Headers in any
// case, order and number, with empty elements and white space (RFC 9110
// §5.6.1.2), within the limits of case P5.
func (p *Policy) headersAllowed(lines []string, a *asked) bool {
	size := 0
	for _, line := range lines {
		if size += len(line) + 1; size > maxAskedBytes {
			return false
		}
	}
	for _, line := range lines {
		for more := true; more; {
			var name string
			name, line, more = strings.Cut(line, ",")
			name = strings.Trim(name, " \t")
			if name == "" {
				a.empty = true
				continue
			}
			if a.names++; a.names > maxAskedNames || !p.headerAllowed(name, a) {
				return false
			}
		}
	}
	return true
}

func (p *Policy) headerAllowed(name string, a *asked) bool {
	if p.anyHeader {
		return isToken(name)
	}
	if len(name) > maxHeaderName {
		return false
	}
	var room [maxHeaderName]byte
	lower := room[:len(name)]
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	a.byRange = a.byRange || string(lower) == "range"
	return p.headers[string(lower)]
}

// echo returns the names that were asked for in one line. Each is a token, so
// that the request's own line can be used where it is the only one.
func (a *asked) echo(lines []string) []string {
	if a.names == 0 {
		return nil
	}
	if len(lines) == 1 && !a.empty {
		return lines[:1:1]
	}
	size := 0
	for _, line := range lines {
		size += len(line) + len(", ")
	}
	var b strings.Builder
	b.Grow(size)
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(name)
		}
	}
	return one(b.String())
}
