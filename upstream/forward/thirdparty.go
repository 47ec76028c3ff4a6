package forward

import (
	"net/http"
	"slices"
	"strings"
)

// needed are the request fields that a server needs to answer, and that say
// nothing of who asks. A third party gets these and no others: the list is one
// of what is sent, because nobody can list every field in which a proxy, a
// load balancer or a login service before this one names the user.
var needed = map[string]bool{
	// What is asked for, and in which form (RFC 9110 §12.5, §13, §14).
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true,
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
	"If-Range": true, "Range": true, "Last-Event-Id": true,
	"Cache-Control": true, "Pragma": true, "User-Agent": true,
	// A CORS check or one against forged requests is the third party's right.
	// What it sees of them is decided with the key.
	"Origin": true, "Access-Control-Request-Method": true, "Access-Control-Request-Headers": true,
	// Without it a retry would order twice.
	"Idempotency-Key": true,
	// How the message is sent.
	"Expect": true, "Te": true, "Max-Forwards": true,
	// Nobody may take a CDN's name away (RFC 8586 §2): without it a loop
	// through several parties has no end.
	"Cdn-Loop": true,
}

// ThirdPartyNeeds reports whether a third party gets the request field of that
// name, in canonical form, without anybody having said so: those that describe
// the content and what is asked for, Origin, and none that says who asks.
func ThirdPartyNeeds(name string) bool {
	return needed[name] || strings.HasPrefix(name, "Content-")
}

// ThirdPartyRequest removes the request fields that are none of a third party's
// business: Cookie and Authorization, the client's address in all its
// spellings, earlier hops (Via and Forwarded), and everything else that neither
// ThirdPartyNeeds nor keep names. It takes the place of DropUnkeyed and Extend.
//
// Via is removed for AddVia to begin anew: a gateway has to name itself, and
// may hide who stands behind it (RFC 9110 §7.6.3).
func ThirdPartyRequest(h http.Header, keep []string) {
	for name := range h {
		if !ThirdPartyNeeds(name) && !slices.Contains(keep, name) {
			delete(h, name)
		}
	}
}

// siteWide are response fields that change how a browser treats all of a host,
// what it tells whom about it, or that a server between here and the client
// takes for an order. On a third party's response they would do so to the host
// of this proxy.
var siteWide = map[string]bool{
	// How the host is reached (RFC 6797, RFC 7838, RFC 7469, RFC 9163).
	"Strict-Transport-Security": true, "Alt-Svc": true, "Expect-Ct": true, "Onion-Location": true,
	"Public-Key-Pins": true, "Public-Key-Pins-Report-Only": true,
	// What is stored for it, and who is logged in to it.
	"Clear-Site-Data": true, "Service-Worker-Allowed": true, "Origin-Agent-Cluster": true,
	"Use-As-Dictionary": true, "Set-Login": true, "Idp-Signin-Status": true,
	"Activate-Storage-Access": true, "Shared-Storage-Write": true, "Observe-Browsing-Topics": true,
	"X-Allow-Fledge": true, "Supports-Loading-Mode": true,
	// What browsers send to it, or report of it to somebody else.
	"Accept-Ch": true, "Critical-Ch": true, "Nel": true, "Report-To": true, "Reporting-Endpoints": true,
	// Whose pages may read it or time it, or what those may do, where it is a
	// document. Timing-Allow-Origin is the policy's to set, as CORS is.
	"Content-Security-Policy-Report-Only": true, "Speculation-Rules": true, "P3p": true, "Refresh": true,
	"Timing-Allow-Origin": true, "X-Permitted-Cross-Domain-Policies": true,
	// Files and places inside that a server in front of this proxy (nginx,
	// Apache, lighttpd) would answer with in place of the response; mod_zip
	// collects them.
	"X-Sendfile": true, "X-Sendfile2": true, "X-Sendfile-Temporary": true, "X-Archive-Files": true,
	// An order to surrogates of the third party, which this proxy and what
	// stands before it are not: with content="ESI/1.0" they would run the
	// content as a program (W3C Edge Architecture §2.2).
	"Surrogate-Control": true, "Surrogate-Capability": true,
}

// siteWidePrefix are the beginnings of such names: ad measurement, sessions
// bound to a device, internal redirects (nginx, lighttpd, LiteSpeed, Perlbal
// and H2O, App Engine, GitLab), health of the upstream (Envoy), and our own.
var siteWidePrefix = [...]string{
	"Attribution-Reporting-", "Ad-Auction-", "Secure-Session-", "Sec-Session-",
	"X-Accel-", "X-Lighttpd-", "X-Litespeed-", "X-Reproxy-", "X-Appengine-", "Gitlab-Workhorse-",
	"X-Envoy-", "Veneer-",
}

func actsOnHost(name string) bool {
	if siteWide[name] {
		return true
	}
	for _, p := range siteWidePrefix {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// ThirdPartyResponse removes from a third party's response, interim response or
// trailer section what would act on the host of this proxy: HSTS, Alt-Svc,
// Clear-Site-Data, reporting, internal redirects and their like, and Set-Cookie
// unless cookies is true. Those that stay lose their Domain: it is the third
// party's, for which a browser refuses them, or one that they would reach our
// other hosts by.
//
// A WWW-Authenticate goes for which a browser would open a box that asks for a
// password in the name of this host. RFC 9110 §11.6.1 wants one in a 401, and
// whoever reads it gets the others, such as Bearer; but what is typed into that
// box belongs to this host, and no third party is to ask for it.
func ThirdPartyResponse(h http.Header, cookies bool) {
	for name := range h {
		if actsOnHost(name) || !cookies && (name == "Set-Cookie" || name == "Set-Cookie2") {
			delete(h, name)
		}
	}
	for i, line := range h["Set-Cookie"] {
		h["Set-Cookie"][i] = withoutDomain(line)
	}
	lines := h["Www-Authenticate"]
	if lines = slices.DeleteFunc(lines, asksForPassword); len(lines) == 0 {
		delete(h, "Www-Authenticate")
	} else {
		h["Www-Authenticate"] = lines
	}
}

// dialogs are the authentication schemes for which browsers ask the user, or
// answer by themselves with the login of the machine.
var dialogs = [...]string{"basic", "digest", "negotiate", "ntlm"}

// asksForPassword reports whether a WWW-Authenticate line may name one of
// dialogs. It takes the word in a realm for one too: several challenges can
// stand in a line, and programs differ in where they see one begin.
func asksForPassword(line string) bool {
	line = strings.ToLower(line)
	for _, scheme := range dialogs {
		if strings.Contains(line, scheme) {
			return true
		}
	}
	return false
}

// withoutDomain removes the Domain attributes of a Set-Cookie line (RFC 6265
// §5.2): what stands between semicolons after the first, in any case.
func withoutDomain(line string) string {
	attributes := strings.Split(line, ";")
	kept := attributes[:1]
	for _, a := range attributes[1:] {
		if name, _, _ := strings.Cut(a, "="); !strings.EqualFold(trim(name), "Domain") {
			kept = append(kept, a)
		}
	}
	return strings.Join(kept, ";")
}
