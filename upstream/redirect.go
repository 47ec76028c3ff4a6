package upstream

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// follow returns what the redirects lead to that stay within the upstream, at
// most External.Redirects of them, beginning with the response of a. The rest
// is the client's to follow.
//
// GET and HEAD are followed, and other methods where the redirect keeps them
// (307, 308) and the content can be sent again. The cache will take what comes
// out for the answer to the first URL. So it is stored only as long as that is
// true for everybody and beyond doubt, and has no validators: sent to the first
// URL later they could match what is there by then, since an entity tag is
// unique to one resource only (RFC 9110 §8.8.3).
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
		lasting = lasting && permanent(res) && !personal(a.request.Header)
		discard(res)
		next := *a.request
		next.URL, next.Header = u, unconditional(a.request.Header)
		a = &attempt{pool: p, ctx: a.ctx, request: &next, to: s}
		var err error
		if res, err = a.run(nil); err != nil {
			return nil, err
		}
	}
	if len(vary) > 0 {
		res.Header["Vary"] = append(vary, res.Header["Vary"]...)
	}
	if a != first {
		for _, name := range [...]string{"Etag", "Last-Modified", "Content-Location"} {
			delete(res.Header, name) // of the last URL
		}
		if !lasting {
			unstorable(res)
		}
	}
	relocate(a, res)
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
	case p.config.External.Cookies && res.Header["Set-Cookie"] != nil:
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
	to, ok := resolve(from, reference)
	if !ok || to.User != nil || to.Opaque != "" {
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
		if err != nil || climbs(rest) {
			return nil, nil
		}
		return s, &url.URL{Path: plain, RawPath: rest, RawQuery: to.RawQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
	}
	return nil, nil
}

// resolve returns where a Location leads, seen from the URL of a request, as
// browsers have it (URL, "basic URL parser"). It reports false when that is in
// doubt: then browsers may find another host in it than this program does.
func resolve(from *url.URL, location string) (*url.URL, bool) {
	to, err := url.Parse(location)
	if err != nil {
		return nil, false
	}
	if (to.Scheme == "http" || to.Scheme == "https") && to.Host == "" && to.User == nil {
		// "https:/b" has no authority: seen from an https URL it is relative,
		// seen from an http one its first segment is the host.
		rest := location[len(to.Scheme)+1:]
		if to.Scheme != from.Scheme || strings.HasPrefix(rest, "//") || strings.Contains(rest, `\`) {
			return nil, false
		}
		if to, err = url.Parse(rest); err != nil || to.Scheme != "" || to.Host != "" {
			return nil, false
		}
	}
	to = from.ResolveReference(to)
	if (to.Scheme == "http" || to.Scheme == "https") && !plainAuthority(to) {
		return nil, false
	}
	return to, true
}

// plainAuthority reports whether the host of a URL is the same to everybody, and
// stands in brackets if it has colons: of "//:::" package url makes the host "::",
// although it takes no "https://:::".
func plainAuthority(u *url.URL) bool {
	host := u.Hostname()
	return plainHost(host) && (!strings.Contains(host, ":") || strings.HasPrefix(u.Host, "["))
}

// plainHost reports whether a host is the same to everybody: a browser turns
// letters outside of ASCII and unusual numbers into other hosts.
func plainHost(host string) bool {
	if strings.Trim(host, loopBytes) != "" {
		return false
	}
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if strings.Contains(host, ":") || last != "" && last[0] <= '9' && strings.Trim(last, "0123456789abcdefxABCDEFX") == "" {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return last != ""
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

// climbs reports whether an escaped path has dot segments, as the most generous
// server would see it: one that decodes before it splits, or twice, takes "\"
// for "/", and what stands behind ";" for a parameter. Resolution has removed
// the plain ones; these could still lead out of the base path. Package cache
// has the same rule for what clients send.
func climbs(path string) bool {
	const decodings = 4 // more are nobody's mistake
	for range decodings {
		for segment := range strings.SplitSeq(path, "/") {
			if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
				return true
			}
		}
		decoded := strings.ReplaceAll(unescape(path), `\`, "/")
		if decoded == path {
			return false
		}
		path = decoded
	}
	return true
}

// unescape decodes what is percent-encoded once, and leaves every other "%".
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i] == '%' {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// permanent reports whether a redirect says that it will be the same for
// everybody tomorrow: it is storable by itself (RFC 9110 §15.1) and there is no
// field that says more.
func permanent(res *http.Response) bool {
	if res.StatusCode != http.StatusMovedPermanently && res.StatusCode != http.StatusPermanentRedirect {
		return false
	}
	for name := range res.Header {
		switch name {
		case "Cache-Control", "Expires", "Pragma", "Age", "Set-Cookie":
			return false
		}
		if targeted(name) {
			return false
		}
	}
	return true
}

// personal reports whether a request says who asks. A redirect that answers it
// may be for that one alone and need not say so: without a directive that
// shares it, it is not stored (RFC 9111 §3.5).
func personal(h http.Header) bool { return h["Authorization"] != nil || h["Cookie"] != nil }

// targeted reports whether a field is Cache-Control for some caches only and
// stands above it there (RFC 9213).
func targeted(name string) bool {
	return strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control"
}

// unstorable forbids to store a response: to caches behind us by its fields, of
// which no other directive is left that could stand above no-store (RFC 9111
// §5.2.2.3), and to ours by its Body, which no configured field overrides.
func unstorable(res *http.Response) {
	for name := range res.Header {
		if targeted(name) {
			delete(res.Header, name)
		}
	}
	res.Header["Cache-Control"] = []string{"no-store"}
	res.Body = unstored{res.Body}
}

// unstored is the content of a response that holds for this request only.
type unstored struct{ io.ReadCloser }

// NotStored names the reason, one of the tokens of package cachestatus.
func (unstored) NotStored() string { return "redirect-followed" }

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
// kept, and slurpTime how long that is waited for; a new connection costs less
// than more of either.
const (
	slurp     = 2 << 10
	slurpTime = 100 * time.Millisecond
)

func discard(res *http.Response) {
	if res.ContentLength > 0 && res.ContentLength <= slurp {
		timer := time.AfterFunc(slurpTime, func() { res.Body.Close() })
		_, _ = io.CopyN(io.Discard, res.Body, slurp) // a connection that fails is not kept
		timer.Stop()
	}
	res.Body.Close()
}

// relocate writes a Location in full, as the third party means it: a relative
// one would lead a browser to a path on the proxy's host, with the cookies of
// that host. One that is in doubt is removed for the same reason.
func relocate(a *attempt, res *http.Response) {
	lines := res.Header["Location"]
	if len(lines) == 0 {
		return
	}
	if to, ok := resolve(serverURL(a.server, a.request.URL), lines[0]); ok && len(lines) == 1 {
		res.Header["Location"] = []string{to.String()}
		return
	}
	delete(res.Header, "Location")
}

// Inside returns the path, query and fragment under which this proxy asks for
// an absolute URL, without the server's base path, or false when it is the URL
// of no server. Whether that path leads here on the client's side is for the
// caller to know, who has the routes.
func (p *Pool) Inside(location string) (reference string, ok bool) {
	s, u := p.locate(new(url.URL), location)
	if s == nil || strings.HasPrefix(u.RawPath, "//") { // which would begin an authority
		return "", false
	}
	return u.String(), true
}
