package corslayer

import (
	"net/http"
	"slices"
	"strings"
)

// ExposedField carries what an upstream exposes, with merge, from Strip to
// Apply inside a stored response, which may not have a CORS field. It is no
// field of HTTP: Strip removes what an upstream sends under that name, and
// Apply removes it from what a client gets. Whoever writes a stored response
// without Apply leaves it out.
const ExposedField = "Veneer-Exposed"

// corsPrefix begins the name of every CORS field (Fetch, "HTTP responses"),
// those that are yet to come included.
const corsPrefix = "Access-Control-"

// Strip removes the CORS fields of an upstream's response, where Veneer is the
// authority (own, off), and returns how many lines there were. It is for the
// fields of every response: final, 304, 1xx, and trailers. Names are in
// canonical form, as net/http reads them, so duplicates go together. Vary is
// left alone: see StripVary. In pass mode it does nothing.
func (p *Policy) Strip(h http.Header) int {
	if p.mode == ModePass {
		return 0
	}
	delete(h, ExposedField)
	exposed := h[fieldExposeHeaders]
	n := 0
	for name, lines := range h {
		if strings.HasPrefix(name, corsPrefix) {
			n += max(len(lines), 1)
			delete(h, name)
		}
	}
	if n > 0 {
		p.counts.stripped.Add(1)
	}
	if p.mergeExpose {
		if names := p.upstreamExposes(exposed); names != "" {
			h[ExposedField] = one(names)
		}
	}
	return n
}

// Bounds of what is kept of an upstream's Access-Control-Expose-Headers: names,
// and the bytes after which no name follows.
const (
	maxExposed      = 64
	maxExposedBytes = 1 << 10
)

// upstreamExposes returns the names that an upstream exposes and a policy may
// pass on, in one line.
func (p *Policy) upstreamExposes(lines []string) string {
	var names []string
	size := 0
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.Trim(name, " \t")
			switch {
			case name == "*" && !p.credentials:
				return "*"
			case len(names) == maxExposed, size > maxExposedBytes, len(name) > maxName:
				return strings.Join(names, ", ")
			case name != "*" && isToken(name) && !hasFold(names, name):
				names = append(names, name)
				size += len(name)
			}
		}
	}
	return strings.Join(names, ", ")
}

func hasFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, name) })
}

// Apply puts onto a response what the policy says to the client at hand. It is
// the same for every status, for stored and for fresh responses and for those
// that Veneer makes itself (cases E1–E9), and is called once, before the first
// byte, on a map of the caller's own. request are the client's fields, d what
// Decide said about them.
//
// The values that it puts into h are shared: see Policy. It allocates nothing
// for a Vary or a list of exposed names that it has seen before, up to 256 of
// each.
func (p *Policy) Apply(h, request http.Header, d Decision) {
	exposed := h[ExposedField]
	if exposed != nil {
		delete(h, ExposedField)
	}
	switch p.mode {
	case ModePass:
		if p.addsVary() {
			p.mergeVary(h, lineVaryOrigin)
		}
		return
	case ModeOff:
		return
	}
	allow := p.allowOrigin(request, d)
	if allow != nil {
		h[fieldAllowOrigin] = allow
		if p.credentials {
			h[fieldAllowCredentials] = lineTrue
		}
		if names := p.exposes(h, exposed); names != nil {
			h[fieldExposeHeaders] = names
		}
	}
	if p.timing {
		delete(h, fieldTiming)
		if allow != nil {
			h[fieldTiming] = allow
		}
	}
	if p.resourcePolicy != nil {
		h[fieldResourcePolicy] = p.resourcePolicy
	}
	if p.list() || p.static && p.learned.echoes.Load() {
		p.mergeVary(h, lineVaryOrigin)
	} else {
		p.mergeVary(h, nil)
	}
}

// ApplyNotModified is Apply for a 304 of the upstream's, which has but a few of
// the response's fields: where the list of exposed fields depends on those, it
// is left out, and the browser keeps the one that it has.
func (p *Policy) ApplyNotModified(h, request http.Header, d Decision) {
	p.Apply(h, request, d)
	if p.mode == ModeOwn && (p.exposeAuto || p.mergeExpose) {
		delete(h, fieldExposeHeaders)
	}
}

// allowOrigin returns the value of Access-Control-Allow-Origin, or nil. Only a
// Valid Origin that the policy lets in is ever reflected.
func (p *Policy) allowOrigin(request http.Header, d Decision) []string {
	switch {
	case p.any:
		return lineAny
	case p.static:
		return p.onlyOrigin
	case !d.Allowed:
		return nil
	case d.Bucket == "null":
		return lineNull
	case p.onlyOrigin != nil && d.Bucket == p.onlyOrigin[0]:
		return p.onlyOrigin
	}
	// The request's own slice, unless somebody changed the request since.
	if lines := request[fieldOrigin]; len(lines) == 1 && lines[0] == d.Bucket {
		return lines[:1:1]
	}
	return one(d.Bucket)
}

// exposes returns the value of Access-Control-Expose-Headers, or nil.
func (p *Policy) exposes(h http.Header, exposed []string) []string {
	if p.exposeAuto {
		return p.exposesPresent(h)
	}
	if !p.mergeExpose || len(exposed) != 1 {
		return p.expose
	}
	if exposed[0] == "*" {
		if p.credentials { // stored under a policy without them (case E3)
			return p.expose
		}
		return lineAny
	}
	if v := p.exposed.get(exposed[0]); v != nil {
		return v
	}
	var names []string
	if p.expose != nil {
		names = strings.Split(p.expose[0], ", ")
	}
	for name := range strings.SplitSeq(exposed[0], ", ") {
		if !hasFold(names, name) {
			names = append(names, name)
		}
	}
	return p.exposed.put(exposed[0], strings.Join(names, ", "))
}

// exposesPresent lists the response's own fields, sorted, but for those that
// scripts can read anyway and those that they never can (case E3, auto).
func (p *Policy) exposesPresent(h http.Header) []string {
	var nameRoom [48]string
	names := nameRoom[:0]
	for name := range h {
		if exposable(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	var lineRoom [1024]byte
	line := lineRoom[:0]
	for _, name := range names {
		if len(line) > 0 {
			line = append(line, ", "...)
		}
		line = append(line, name...)
	}
	if v := p.exposed.getBytes(line); v != nil {
		return v
	}
	text := string(line)
	return p.exposed.put(text, text)
}

// exposable is given a canonical name.
func exposable(name string) bool {
	switch name {
	case "Cache-Control", "Content-Language", "Content-Length", "Content-Type", "Expires", "Last-Modified", "Pragma",
		"Set-Cookie", "Set-Cookie2":
		return false
	}
	return !strings.HasPrefix(name, "Access-Control-") && isToken(name)
}
