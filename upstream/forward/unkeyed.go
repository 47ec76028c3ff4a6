package forward

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// unkeyed are request fields by which known frameworks and servers change the
// URL, method, scheme, host or client that they see. None of them is in the
// key, so one client could put its response into everybody's cache.
var unkeyed = map[string]bool{
	// another URL
	"X-Original-Url": true, "X-Rewrite-Url": true, "X-Original-Uri": true, "X-Override-Url": true, "X-Request-Uri": true,
	"X-Http-Destinationurl": true, "X-Http-Path-Override": true, "X-Invoke-Path": true, "X-Invoke-Query": true,
	"X-Matched-Path": true, "X-Now-Route-Matches": true, "X-Middleware-Subrequest": true, "X-Middleware-Rewrite": true,
	"X-Script-Name": true, "X-Envoy-Original-Path": true, "X-Replaced-Path": true, "Base-Url": true, "Destination-Url": true,
	"Script-Name": true, "Path-Info": true,
	// another method
	"X-Http-Method": true, "X-Http-Method-Override": true, "X-Method-Override": true, "X-Original-Method": true,
	// another host
	"X-Host": true, "X-Original-Host": true, "X-Http-Host-Override": true, "X-Backend-Host": true, "X-Real-Host": true,
	"Proxy-Host": true, "Request-Uri": true, "Fastly-Host": true,
	// another scheme
	"Front-End-Https": true, "X-Url-Scheme": true, "X-Scheme": true, "X-Https": true, "Https": true,
	"Cf-Visitor": true, "Cloudfront-Forwarded-Proto": true, "X-Arr-Ssl": true, "X-Ssl": true, "Wl-Proxy-Ssl": true,
	"Fastly-Ssl": true, "X-Client-Scheme": true, "X-Proto": true,
	// orders to a server
	"X-Accel-Mapping": true, "X-Sendfile-Type": true, "X-Accel-Redirect": true, "X-Forwarded": true, "Forwarded-For": true,
}

// clientAddress are fields that say who the client is. A trusted peer may say
// so; anybody else would be believed without right.
var clientAddress = map[string]bool{
	"X-Real-Ip": true, "True-Client-Ip": true, "Cf-Connecting-Ip": true, "X-Client-Ip": true, "Client-Ip": true,
	"X-Cluster-Client-Ip": true, "Fastly-Client-Ip": true, "X-Originating-Ip": true, "X-Remote-Ip": true,
	"X-Remote-Addr": true, "X-Proxyuser-Ip": true, "X-Azure-Clientip": true,
	"Cf-Connecting-Ipv6": true, "X-Envoy-External-Address": true, "Wl-Proxy-Client-Ip": true,
}

// ours are the X-Forwarded-* fields that Extend writes; all others are dropped.
var ours = map[string]bool{"X-Forwarded-For": true, "X-Forwarded-Proto": true, "X-Forwarded-Host": true}

// DropUnkeyed removes request fields that can change the response and are in
// no key: another URL, method, host, scheme or prefix (X-Original-URL,
// X-HTTP-Method-Override, X-Forwarded-Prefix, Front-End-Https and their like).
// From a peer that is not trusted it removes those that name the client's
// address, too (X-Real-IP and its like).
//
// Fields named in keep, in canonical form, stay: an operator who needs one puts
// it into the route's key and names it here. A name with "_" for "-" counts as
// the one with "-", because a CGI program cannot tell the two apart; such a
// spelling of a field that this package writes, removes or keeps is removed.
func DropUnkeyed(h http.Header, keep []string, trusted bool) {
	for name := range h {
		if slices.Contains(keep, name) {
			continue
		}
		plain, respelt := name, false
		if strings.IndexByte(name, '_') >= 0 {
			plain, respelt = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-")), true
		}
		if changesResponse(plain) || clientAddress[plain] && !trusted || respelt && (reserved(plain) || slices.Contains(keep, plain)) {
			delete(h, name)
		}
	}
}

func changesResponse(name string) bool {
	return unkeyed[name] || strings.HasPrefix(name, "X-Forwarded-") && !ours[name]
}

// reserved reports whether another spelling of name could pass for a field that
// decides about framing, routing, credentials or the client's address.
func reserved(name string) bool {
	return ours[name] || clientAddress[name] || protected(name) ||
		slices.Contains(hopByHop[:], name) || name == "Proxy" || strings.HasPrefix(name, "Proxy-")
}
