package upstream

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// follow returns what the redirects lead to that stay within the upstream, at
// most External.Redirects of them, beginning with the response of a. The rest
// is the client's to follow.
//
// GET and HEAD are followed, and other methods where the redirect keeps them
// (307, 308) and the content can be sent again. The cache will take what comes
// out for the answer to the first URL. So it is stored only as long as that is
// true beyond doubt, and is not asked for with the validators of another one.
func (p *Pool) follow(req *http.Request, a *attempt, res *http.Response) (*http.Response, error) {
	first := a
	var vary []string
	lasting := true
	for range p.config.External.Redirects {
		s, u := p.redirection(req, a, res)
		if s == nil || a.request.Body != nil && !rewind(a.request, req) {
			break
		}
		vary = append(vary, res.Header["Vary"]...)
		lasting = lasting && permanent(res)
		discard(res)
		next := *a.request
		next.URL, next.Header = u, unconditional(a.request.Header)
		a = &attempt{pool: p, request: &next, to: s}
		var err error
		if res, err = a.run(nil); err != nil {
			return nil, err
		}
	}
	if len(vary) > 0 {
		res.Header["Vary"] = append(vary, res.Header["Vary"]...)
	}
	if a != first && !lasting {
		unstorable(res.Header)
	}
	p.relocate(a, res)
	return res, nil
}

// redirection returns the server, and the path and query behind its base, that
// a response redirects to, or nil when it is not to be followed.
func (p *Pool) redirection(req *http.Request, a *attempt, res *http.Response) (*server, *url.URL) {
	h, method := a.request.Header, a.request.Method
	get := method == http.MethodGet || method == http.MethodHead || method == ""
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if !get {
			return nil, nil
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	switch {
	case a.request.Body != nil && req.GetBody == nil:
		return nil, nil // the content is gone
	case h["If-Match"] != nil || h["If-Unmodified-Since"] != nil:
		return nil, nil // the condition is about the first URL
	case res.Header["Set-Cookie"] != nil:
		return nil, nil // it would be lost, and what follows may depend on it
	}
	lines := res.Header["Location"]
	if len(lines) != 1 {
		return nil, nil
	}
	return p.locate(serverURL(a.server, a.request.URL), lines[0])
}

// locate returns the server of the pool that a reference leads to, seen from
// the URL of a request, and the path and query behind the server's base. It
// returns nil for every other place. The authority of what is returned is the
// server's own and never taken from the reference.
func (p *Pool) locate(from *url.URL, reference string) (*server, *url.URL) {
	// Programs differ in what they make of a backslash, white space and bytes
	// that no URL may have: one could find another authority in them.
	if strings.ContainsFunc(reference, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return nil, nil
	}
	to, err := from.Parse(reference)
	if err != nil || to.User != nil || to.Opaque != "" {
		return nil, nil
	}
	path := to.EscapedPath()
	if path == "" {
		path = "/"
	}
	for _, s := range p.group.servers {
		rest, below := strings.CutPrefix(path, s.base)
		if !below || !strings.HasPrefix(rest, "/") || to.Scheme != s.url.Scheme || authority(to) != authority(s.url) {
			continue
		}
		plain, err := url.PathUnescape(rest)
		if err != nil || climbs(plain) {
			return nil, nil
		}
		return s, &url.URL{Path: plain, RawPath: rest, RawQuery: to.RawQuery}
	}
	return nil, nil
}

// authority returns host and port in a form that can be compared.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// climbs reports whether a path has dot segments. Resolution has removed them
// but for those that were escaped, which a server may still act upon and leave
// the base path.
func climbs(path string) bool {
	if !strings.Contains(path, "..") && !strings.Contains(path, "/.") && !strings.Contains(path, `\.`) {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }),
		func(segment string) bool { return segment == "." || segment == ".." })
}

// permanent reports whether a redirect says that it will be the same for
// everybody tomorrow: it is storable by itself (RFC 9110 §15.1) and there is no
// field that says more.
func permanent(res *http.Response) bool {
	if res.StatusCode != http.StatusMovedPermanently && res.StatusCode != http.StatusPermanentRedirect {
		return false
	}
	for name := range res.Header {
		if name == "Cache-Control" || name == "Expires" || name == "Pragma" || name == "Age" || targeted(name) {
			return false
		}
	}
	return true
}

// targeted reports whether a field is Cache-Control for some caches only and
// stands above it there (RFC 9213).
func targeted(name string) bool {
	return strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control"
}

// unstorable forbids to store a response.
func unstorable(h http.Header) {
	for name := range h {
		if targeted(name) {
			delete(h, name)
		}
	}
	lines := h["Cache-Control"]
	h["Cache-Control"] = append(lines[:len(lines):len(lines)], "no-store")
}

// unconditional returns a copy of request fields without validators: they are
// of what the first URL brought. A range that depends on one goes with it.
func unconditional(h http.Header) http.Header {
	h = h.Clone()
	if h["If-Range"] != nil {
		delete(h, "Range")
	}
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Range"} {
		delete(h, name)
	}
	return h
}

// slurp is how much content of a redirect is read so that the connection can be
// kept; more costs more than a new one.
const slurp = 2 << 10

func discard(res *http.Response) {
	if res.ContentLength > 0 && res.ContentLength <= slurp {
		_, _ = io.CopyN(io.Discard, res.Body, slurp) // a connection that fails is not kept
	}
	res.Body.Close()
}

// relocate changes a Location that a client would take for another place than
// the third party means, or that would lead a browser away from this proxy: one
// within the upstream becomes a path on our side, without the server's base,
// and a relative one that leaves the base becomes absolute.
func (p *Pool) relocate(a *attempt, res *http.Response) {
	lines := res.Header["Location"]
	if len(lines) != 1 {
		return
	}
	from := serverURL(a.server, a.request.URL)
	reference, err := url.Parse(lines[0])
	if err != nil {
		return
	}
	s, u := p.locate(from, lines[0])
	switch {
	case s != nil && !strings.HasPrefix(u.RawPath, "//"): // "//" would begin an authority
		u.Fragment, u.RawFragment = reference.Fragment, reference.RawFragment
		res.Header["Location"] = []string{u.String()}
	case reference.Host == "" && reference.Scheme == "":
		res.Header["Location"] = []string{from.ResolveReference(reference).String()}
	}
}
