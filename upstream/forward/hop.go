package forward

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// hopByHop are the fields that are about one connection, whether Connection
// lists them or not (RFC 9110 §7.6.1; RFC 9112 §C.2.2 for the old ones).
// Content-Length stands among them because framing is written anew from what
// was parsed, never copied: an HTTP/2 peer may send one that is wrong or doubled.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Http2-Settings", "Content-Length",
}

// endToEnd are fields that Connection cannot name away: they decide about
// meaning, caching or routing, "all recipients of the content" need them
// (RFC 9110 §7.6.1), and whoever lists them wants the two sides of this proxy
// to see different messages. Names that begin with a member of endToEndPrefix
// belong to them.
var endToEnd = map[string]bool{
	"Age": true, "Allow": true, "Authorization": true, "Cache-Control": true, "Cache-Status": true,
	"Cdn-Loop": true, "Cookie": true, "Date": true, "Etag": true, "Expect": true,
	"Expires": true, "Forwarded": true, "Host": true, "Last-Modified": true, "Location": true,
	"Max-Forwards": true, "Origin": true, "Pragma": true, "Range": true, "Referer": true,
	"Retry-After": true, "Set-Cookie": true, "Surrogate-Control": true, "Surrogate-Key": true, "User-Agent": true,
	"Vary": true, "Via": true, "Www-Authenticate": true, "Accept": true,
}

var endToEndPrefix = [...]string{"Accept-", "Access-Control-", "Content-", "Cross-Origin-", "If-", "Sec-"}

// StripRequest removes the hop-by-hop fields of a request: those that
// Connection lists, the connection's own, and every Proxy-* field, "Proxy"
// included (it becomes HTTP_PROXY in a CGI program). Fields named in keep, in
// canonical form, stay even if Connection lists them: what is in the key must
// reach the upstream. "TE: trailers" is put back, because trailers pass through.
//
// The caller asks UpgradeType before, and adds its own fields after.
func StripRequest(h http.Header, keep []string) {
	trailers := acceptsTrailers(h["Te"])
	strip(h, keep)
	for name := range h {
		if name == "Proxy" || strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
	if trailers {
		h["Te"] = []string{"trailers"}
	}
}

// StripResponse removes the hop-by-hop and framing fields of a response.
// Content-Length goes too: the length that was parsed is the truth.
// Proxy-Status stays, it is end-to-end (RFC 9209 §2).
func StripResponse(h http.Header) {
	strip(h, nil)
	for name := range h {
		if name != "Proxy-Status" && strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
}

// StripTrailer removes from a trailer section what may not stand in one
// (RFC 9110 §6.5.1): framing, routing, authentication, content format, caching
// and cookies. A sender could otherwise add them after they were looked at.
func StripTrailer(t http.Header) {
	StripResponse(t)
	for name := range t {
		if (endToEnd[name] && name != "Etag" && name != "Cache-Status") ||
			strings.HasPrefix(name, "Content-") && name != "Content-Digest" {
			delete(t, name)
		}
	}
}

// UpgradeType returns the protocol that the message wants to change to
// (RFC 9110 §7.8), or "" when it does not, when it names several, or when the
// protocol is a version of HTTP or TLS: through "h2c" a client could talk past
// everything that this proxy checks.
func UpgradeType(h http.Header) string {
	if len(h["Upgrade"]) != 1 || !lists(h["Connection"], "Upgrade") {
		return ""
	}
	protocol := trim(h["Upgrade"][0])
	name, version, versioned := strings.Cut(protocol, "/")
	if !isToken(name) || versioned && !isToken(version) {
		return ""
	}
	switch strings.ToLower(name) {
	case "h2c", "h2", "h3", "http", "tls":
		return ""
	}
	return protocol
}

// strip removes what Connection lists and the hop-by-hop fields.
func strip(h http.Header, keep []string) {
	for _, line := range h["Connection"] {
		// Options are tokens; a quote has no meaning here.
		for option := range strings.SplitSeq(line, ",") {
			name := textproto.CanonicalMIMEHeaderKey(trim(option))
			if !protected(name) && !slices.Contains(keep, name) {
				delete(h, name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

func protected(name string) bool {
	if endToEnd[name] {
		return true
	}
	for _, p := range endToEndPrefix {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// lists reports whether a list of tokens has the given one, in any case.
func lists(lines []string, token string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(trim(member), token) {
				return true
			}
		}
	}
	return false
}

// acceptsTrailers reports whether a TE field has "trailers" (RFC 9110 §10.1.4).
// The keyword takes neither parameter nor weight.
func acceptsTrailers(lines []string) bool { return lists(lines, "trailers") }
