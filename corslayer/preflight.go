package corslayer

import (
	"net/http"
	"strconv"
	"strings"

	"veneer/corslayer/origin"
)

// Limits of what a preflight may ask for (case P5), and of a configured name or
// method, in bytes.
const (
	maxAskedBytes = 8 << 10
	maxAskedNames = 64
	maxName       = 128
)

// Step is how far a preflight's check came, in the order of Fetch,
// "CORS-preflight fetch".
type Step uint8

const (
	// RefusedOrigin: the policy does not let the Origin in.
	RefusedOrigin Step = iota
	// RefusedMethod: the policy does not allow the method.
	RefusedMethod
	// RefusedHeader: the policy does not allow a request field.
	RefusedHeader
	// RefusedSize: more fields are asked for than anybody needs (case P5).
	RefusedSize
	// Granted: the browser may go on.
	Granted
)

// Verdict is what a policy says about one preflight. Name is the method or the
// request field that was refused, as the client sent it: any bytes and any
// number of them, which String makes fit to print.
type Verdict struct {
	Step Step
	Name string
}

// String says the verdict in a few words, on one line, in at most 200 bytes.
func (v Verdict) String() string {
	switch v.Step {
	case RefusedOrigin:
		return "the policy does not let the origin in"
	case RefusedMethod:
		return "the policy does not allow the method " + quoted(v.Name)
	case RefusedHeader:
		return "the policy does not allow the request field " + quoted(v.Name)
	case RefusedSize:
		return "the preflight asks for more than 64 request fields, or in more than 8 KiB"
	}
	return "granted"
}

// quoted cuts what it quotes, in ASCII: it comes from strangers.
func quoted(s string) string {
	const most = 32
	tail := ""
	if len(s) > most {
		s, tail = s[:most], "…"
	}
	return strconv.QuoteToASCII(s) + tail
}

// JudgePreflight says what Preflight says about r, and why, without answering
// or counting. ok is false for a request that is no CORS preflight (case C4).
// In pass mode the application answers, which is Granted here. d is what
// Decide or Judge said about r. It allocates nothing; the Verdict shares r's
// bytes.
func (p *Policy) JudgePreflight(r *http.Request, d Decision) (v Verdict, ok bool) {
	switch {
	case !preflight(r, d):
		return Verdict{}, false
	case p.mode == ModePass:
		return Verdict{Step: Granted}, true
	case p.mode == ModeOff:
		return Verdict{}, true
	}
	var a asked
	step := p.check(r.Header, d, &a)
	return Verdict{Step: step, Name: a.refused}, true
}

// Preflight answers a CORS preflight and reports whether r was one. In own
// mode the policy decides: 204 or 403 (cases P1–P10). In off mode the answer is
// 403: no cross-origin page may go on, and whatever the upstream could say
// would be stripped. In pass mode the application answers, so it returns false
// (case A1).
//
// Any other OPTIONS request is an ordinary one (case C4). d is what Decide said
// about r. Every OPTIONS request is counted here, once: Decide leaves it out.
func (p *Policy) Preflight(w http.ResponseWriter, r *http.Request, d Decision) bool {
	if r.Method != http.MethodOptions {
		return false
	}
	if p.mode == ModePass || !preflight(r, d) {
		p.counts.request(p.mode, d)
		return false
	}
	h := w.Header()
	if p.mode == ModeOff {
		p.counts.preflights[RefusedOrigin].Add(1)
		h[fieldCacheControl] = lineNoStore
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	var a asked
	reached := p.check(r.Header, d, &a)
	p.counts.preflights[reached].Add(1)
	h[fieldVary] = p.preflightVary
	h[fieldCacheControl] = lineNoStore
	if reached != Granted && (!p.debug || reached == RefusedMethod && safelisted(r.Header[fieldRequestMethod])) {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	p.answer(h, r.Header, d, reached, &a)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// answer writes the fields up to the step that was reached.
func (p *Policy) answer(h, request http.Header, d Decision, reached Step, a *asked) {
	if reached > RefusedOrigin {
		h[fieldAllowOrigin] = p.allowOrigin(request, d)
		if p.credentials {
			h[fieldAllowCredentials] = lineTrue
		}
	}
	switch {
	case reached == RefusedMethod:
		// Without a list a browser may take the method that it asked for as
		// listed (Fetch, "CORS-preflight fetch", use-CORS-preflight flag).
		h[fieldAllowMethods] = p.allowMethods
	case reached > RefusedMethod:
		h[fieldAllowMethods] = p.methodsFor(request)
	}
	if reached != Granted {
		return
	}
	if names := p.headersFor(request, a); names != nil {
		h[fieldAllowHeaders] = names
	}
	if p.network && asksNetwork(request) {
		h[fieldAllowNetwork] = lineTrue
	}
	h[fieldMaxAge] = p.maxAge
	h[fieldCacheControl] = p.preflightCache
}

// preflight reports whether r is a CORS preflight (case C4).
func preflight(r *http.Request, d Decision) bool {
	return r.Method == http.MethodOptions && d.Class != origin.None && asksMethod(r.Header)
}

func asksMethod(h http.Header) bool {
	for _, line := range h[fieldRequestMethod] {
		if line != "" {
			return true
		}
	}
	return false
}

// safelisted reports whether a method needs no mention in an answer (Fetch,
// CORS-safelisted method): only a status that is not ok refuses it.
func safelisted(lines []string) bool {
	return len(lines) == 1 && (lines[0] == http.MethodGet || lines[0] == http.MethodHead || lines[0] == http.MethodPost)
}

// asksNetwork reports whether a public page asks for a server of a private
// network (Private Network Access, "CORS preflight").
func asksNetwork(h http.Header) bool {
	lines := h[fieldRequestNetwork]
	return len(lines) == 1 && lines[0] == "true"
}

// check goes through the steps in the order of Fetch, "CORS-preflight fetch".
func (p *Policy) check(h http.Header, d Decision, a *asked) Step {
	if !d.Allowed {
		return RefusedOrigin
	}
	method := h[fieldRequestMethod]
	switch {
	case len(method) > 1:
		a.refused = "more than one"
		return RefusedMethod
	case !p.methodAllowed(method[0]):
		a.refused = method[0]
		return RefusedMethod
	}
	return p.checkHeaders(h[fieldRequestHeaders], a)
}

// methodAllowed compares with regard to case (case P5). What * does not bring
// is what browsers never ask for.
func (p *Policy) methodAllowed(m string) bool {
	if len(m) > maxName {
		return false
	}
	return p.methods[m] || p.anyMethod && isToken(m)
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

// asked is what was found in the fields of a preflight.
type asked struct {
	names   int
	empty   bool   // there are empty elements
	byRange bool   // Range is among them, and the policy's list may lack it
	refused string // the method or the name that is not allowed
}

// checkHeaders reads the lines of Access-Control-Request-Headers in any case,
// order and number, with empty elements and white space (RFC 9110 §5.6.1.2),
// within the limits of case P5. A line that is too long is not looked at, so
// that a hostile one costs nothing.
func (p *Policy) checkHeaders(lines []string, a *asked) Step {
	size := -1 // the lines are one field, with a comma between them
	for _, line := range lines {
		if size += len(line) + 1; size > maxAskedBytes {
			return RefusedSize
		}
	}
	for _, line := range lines {
		comma := false // after the last name
		for line != "" {
			// A run of empty elements costs a step a byte, no more.
			switch line[0] {
			case ',':
				a.empty = true
				fallthrough
			case ' ', '\t':
				line = line[1:]
				continue
			}
			var name string
			name, line, comma = strings.Cut(line, ",")
			if name = strings.TrimRight(name, " \t"); !p.headerAllowed(name, a) {
				a.refused = name
				return RefusedHeader
			}
			if a.names++; a.names > maxAskedNames {
				return RefusedSize
			}
		}
		a.empty = a.empty || comma
	}
	return Granted
}

func (p *Policy) headerAllowed(name string, a *asked) bool {
	if p.anyHeader {
		return isToken(name)
	}
	if len(name) > maxName {
		return false
	}
	var room [maxName]byte
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
