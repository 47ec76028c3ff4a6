package rfc9111

import (
	"net/http"
	"slices"
	"strings"

	"veneer/cache/cachestatus"
)

// StoredFields returns the fields that r is stored with, a copy (RFC 9111
// §3.1): without those of the connection and those that Connection lists,
// without what proxies say to each other (Proxy-*), without what private="…"
// lists, without Set-Cookie where the policy strips it. Age, Content-Length and
// Trailer are left out too: the first counts in Meta, the second follows from
// the content, the third is not kept. A Date is added from ResponseTime where
// there was none (RFC 9110 §6.6.1).
func StoredFields(r *Response, p *Policy) http.Header {
	out := make(http.Header, len(r.Header)+1)
	drop := listed(r.Header["Connection"])
	if d := ParseResponse(r.Header, p.Targets); len(d.PrivateFields) > 0 {
		drop = append(drop, d.PrivateFields...)
	}
	for name, lines := range r.Header {
		if neverStored(name) || slices.Contains(drop, name) {
			continue
		}
		out[name] = slices.Clone(lines)
	}
	if p.SetCookie == SetCookieStrip {
		delete(out, "Set-Cookie")
	}
	if len(out["Date"]) == 0 {
		out["Date"] = []string{formatDate(r.ResponseTime)}
	}
	return out
}

// neverStored reports whether a field is of one message or connection only.
func neverStored(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Age", "Content-Length":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// neverUpdated reports whether a field describes the stored content itself and
// is not touched by a response that came without it (§3.2): a 304 with another
// Content-Encoding does not recode what is stored, and one with another ETag
// does not turn it into the other representation.
func neverUpdated(name string) bool {
	switch name {
	case "Content-Encoding", "Content-Range", "Content-Md5", "Etag":
		return true
	}
	return false
}

// listed returns the names in the lines of a list field, canonical.
func listed(lines []string) []string {
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

// Freshen returns the stored fields, updated by those of a 304 or of a response
// to HEAD (RFC 9111 §3.2, §4.3.4): each field of fresh replaces the stored one,
// what fresh omits stays. Fields that are not stored do not update, nor do
// Content-Length and those that describe the stored content. It is a new map.
//
// The Age of fresh is in it, and Date is not when fresh has none, because the
// result is to be assessed as a new response; StoredFields then puts that
// right. Refresh does the whole of it.
func Freshen(stored, fresh http.Header) http.Header {
	out := stored.Clone()
	if out == nil {
		out = make(http.Header)
	}
	delete(out, "Date")
	delete(out, "Age")
	drop := listed(fresh["Connection"])
	for name, lines := range fresh {
		if name != "Age" && neverStored(name) || neverUpdated(name) || slices.Contains(drop, name) {
			continue
		}
		out[name] = slices.Clone(lines)
	}
	return out
}

// Refresh freshens a stored response (§4.3.4, §4.3.5). Its fields and status
// are stored and status; r is the validation: the client's request and the 304
// or the response to HEAD, whose Status and Method do not count. With the
// reason None it returns the fields and the Meta to store. With another nothing
// is to be updated. Where the reason is the response's (NoStore, say) it may no
// longer be stored as it has become, and what is stored is to be removed; where
// it is this request's (Authorization, Cookie, RequestNoStore) what is stored
// stays as it was. This client may have the response in either case.
//
// A Set-Cookie that the policy would not store is not taken over.
func Refresh(stored http.Header, status int, r *Response, p *Policy) (http.Header, Meta, cachestatus.Reason) {
	whole := *r
	whole.Method, whole.Status = http.MethodGet, status
	whole.Header = Freshen(stored, r.Header)
	if len(r.Header["Set-Cookie"]) > 0 && p.SetCookie == SetCookieBypass {
		if d := ParseResponse(whole.Header, p.Targets); !d.sharesCookies() {
			delete(whole.Header, "Set-Cookie")
		}
	}
	m, reason := Assess(&whole, p)
	if reason != cachestatus.None {
		return nil, Meta{}, reason
	}
	return StoredFields(&whole, p), m, cachestatus.None
}

// HeadFreshens reports whether a 200 to HEAD speaks of the stored response to
// GET, which it then freshens; if it does not, the stored response is outdated
// and is to be invalidated (§4.3.5). Every validator that the response to HEAD
// has must be the stored one, and its Content-Length the length of the stored
// content.
func HeadFreshens(stored, head http.Header, length int64) bool {
	for _, name := range [...]string{"Etag", "Last-Modified"} {
		if lines := head[name]; len(lines) > 0 && !slices.Equal(lines, stored[name]) {
			return false
		}
	}
	switch lines := head["Content-Length"]; len(lines) {
	case 0:
		return true
	case 1:
		n, ok := parsePosition(lines[0])
		return ok && n == length
	}
	return false
}
