package corslayer

import (
	"net/http"
	"slices"
	"strings"
)

// CORS request fields, in canonical form.
const (
	fieldOrigin         = "Origin"
	fieldRequestMethod  = "Access-Control-Request-Method"
	fieldRequestHeaders = "Access-Control-Request-Headers"
	fieldRequestNetwork = "Access-Control-Request-Private-Network"
)

// CORS response fields, in canonical form.
const (
	fieldAllowOrigin      = "Access-Control-Allow-Origin"
	fieldAllowCredentials = "Access-Control-Allow-Credentials"
	fieldAllowMethods     = "Access-Control-Allow-Methods"
	fieldAllowHeaders     = "Access-Control-Allow-Headers"
	fieldAllowNetwork     = "Access-Control-Allow-Private-Network"
	fieldExposeHeaders    = "Access-Control-Expose-Headers"
	fieldMaxAge           = "Access-Control-Max-Age"

	fieldVary           = "Vary"
	fieldCacheControl   = "Cache-Control"
	fieldTiming         = "Timing-Allow-Origin"
	fieldResourcePolicy = "Cross-Origin-Resource-Policy"
)

// mediaFields is the media preset (case E6).
var mediaFields = []string{"Content-Range", "Accept-Ranges", "ETag", "Content-Encoding"}

// readable are the CORS-safelisted response-header names (Fetch): scripts read
// them without being told that they may.
var readable = []string{"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}

// forbiddenRequest are the forbidden request-headers (Fetch): scripts cannot
// set them, so no preflight asks for them. Those that begin with proxy- or
// sec- are forbidden too.
var forbiddenRequest = []string{
	"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method",
	"access-control-request-private-network", "connection", "content-length", "cookie", "cookie2", "date", "dnt",
	"expect", "host", "keep-alive", "origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

// preflight compiles what a preflight may ask for.
func (k *compiler) preflight() {
	k.methods()
	k.headers()
}

func (k *compiler) methods() {
	names := k.c.Methods
	if names == nil {
		names = []string{http.MethodGet, http.MethodHead, http.MethodPost}
	}
	p := k.p
	p.methods = make(map[string]bool)
	var list []string
	for i, m := range names {
		upper := strings.ToUpper(m)
		switch {
		case m == "*":
			p.anyMethod = true
			continue
		case !isToken(m):
			k.failAt("methods", i, m, "it is not a method", "write a token such as PATCH")
		case len(m) > maxName:
			k.failAt("methods", i, m, "the method is longer than 128 bytes", "shorten it")
		case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
			k.failAt("methods", i, m, "browsers never send it (Fetch, forbidden method)", "remove it")
		case m != upper && knownMethod(upper):
			k.failAt("methods", i, m, "methods are compared with regard to case", "write "+upper)
		case !p.methods[m]:
			p.methods[m] = true
			list = append(list, m)
		}
	}
	if p.anyMethod && len(list) > 0 {
		k.fail("methods", strings.Join(list, ", "), "* allows every method, so the other entries mean nothing", "remove them, or the *")
	}
	if len(names) == 0 {
		k.fail("methods", "[]", "the policy allows no method", "list methods, or leave the field out")
	}
	// HEAD is GET without the content (RFC 9110 §9.3.2).
	p.methods[http.MethodHead] = p.methods[http.MethodHead] || p.methods[http.MethodGet]
	p.allowMethods = one(strings.Join(list, ", "))
	if p.anyMethod {
		p.allowMethods = one("*")
	}
}

func knownMethod(m string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}, m)
}

func (k *compiler) headers() {
	p := k.p
	p.headers = make(map[string]bool)
	var list []string
	for i, name := range k.c.Headers {
		lower := strings.ToLower(name)
		switch {
		case name == "*":
			p.anyHeader = true
			continue
		case !isToken(name):
			k.failAt("headers", i, name, "it is not a field name", "write a token such as Content-Type")
			continue
		case slices.Contains(forbiddenRequest, lower) || strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "sec-"):
			k.failAt("headers", i, name, "scripts cannot set it (Fetch, forbidden request-header)", "remove it")
			continue
		case strings.HasPrefix(lower, "access-control-"):
			k.failAt("headers", i, name, "it is a response field", "remove it; Veneer sends the CORS fields")
			continue
		}
		if len(name) > maxName {
			k.failAt("headers", i, name, "the name is longer than 128 bytes", "shorten it")
			continue
		}
		if !p.headers[lower] {
			p.headers[lower] = true
			list = append(list, name)
		}
	}
	if p.anyHeader && slices.ContainsFunc(list, func(s string) bool { return !strings.EqualFold(s, "Authorization") }) {
		k.fail("headers", strings.Join(list, ", "), "* allows every field, so the other entries mean nothing", "remove them, or the *")
	}
	if p.anyHeader {
		// * does not cover Authorization (Fetch, CORS non-wildcard
		// request-header name).
		p.allowHeaders = one("*, Authorization")
		return
	}
	listsRange := p.headers["range"]
	p.headers["range"] = true
	text := strings.Join(list, ", ")
	if text != "" {
		p.allowHeaders = one(text)
		text += ", "
	}
	p.allowHeadersRange = one(text + "Range")
	if listsRange {
		p.allowHeadersRange = p.allowHeaders
	}
}

// exposed compiles what scripts may read of a response.
func (k *compiler) exposed() {
	var list []string
	seen := make(map[string]bool)
	add := func(name string) {
		if lower := strings.ToLower(name); !seen[lower] {
			seen[lower] = true
			list = append(list, name)
		}
	}
	for i, name := range k.c.Expose {
		lower := strings.ToLower(name)
		switch {
		case name == "*" || name == "auto":
			k.exposeWord(i, name)
		case !isToken(name):
			k.failAt("expose", i, name, "it is not a field name", "write a token such as X-Request-Id")
		case lower == "set-cookie" || lower == "set-cookie2":
			k.failAt("expose", i, name, "scripts cannot read it (Fetch, forbidden response-header name)", "remove it")
		case lower == "origin" || strings.HasPrefix(lower, "access-control-request-"):
			k.failAt("expose", i, name, "it is a request field", "remove it")
		case slices.Contains(readable, lower):
			k.warnAt("expose", i, name, "scripts can always read it (Fetch, CORS-safelisted response-header name)", "remove it")
		default:
			add(name)
		}
	}
	if k.c.Media {
		for _, name := range mediaFields {
			add(name)
		}
	}
	k.p.mergeExpose = k.c.MergeExpose && !k.p.exposeAny && !k.p.exposeAuto
	switch {
	case k.p.exposeAny:
		k.p.expose = one("*")
	case len(list) > 0:
		k.p.expose = one(strings.Join(list, ", "))
	}
}

func (k *compiler) exposeWord(i int, word string) {
	if len(k.c.Expose) > 1 {
		k.failAt("expose", i, word, "it stands for a whole list, so the other entries mean nothing", "let it stand alone")
	}
	if word == "auto" {
		k.p.exposeAuto = true
		return
	}
	k.p.exposeAny = true
	if k.c.Credentials {
		k.failAt("expose", i, "*", "browsers take * for a field name where requests have credentials", "list the fields, or auto")
	}
}

// isToken: RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenByte = func() (t [256]bool) {
	const symbols = "!#$%&'*+-.^_`|~"
	for c := range t {
		b := byte(c)
		t[c] = '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || strings.IndexByte(symbols, b) >= 0
	}
	return t
}()
