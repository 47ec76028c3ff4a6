package corslayer

import (
	"net/http"
	"slices"
	"strings"

	"veneer/corslayer/origin"
)

// page is the browser's side of the CORS protocol, as Fetch has it: it knows a
// request that a script makes, and judges what came back. It shares no code
// with the package.
type page struct {
	origin  string
	include bool // the request's credentials mode is "include"
	method  string
	names   []string // the CORS-unsafe request-header names
	network bool     // the page is in a public network and the server is not
}

// value is what "get" makes of a header list: all lines in one.
func value(h http.Header, name string) (string, bool) {
	lines, ok := h[name]
	return strings.Join(lines, ", "), ok
}

// mayRead is the CORS check.
func (g page) mayRead(h http.Header) bool {
	allowed, ok := value(h, "Access-Control-Allow-Origin")
	switch {
	case !ok:
		return false
	case !g.include && allowed == "*":
		return true
	case allowed != g.origin:
		return false
	case !g.include:
		return true
	}
	credentials, _ := value(h, "Access-Control-Allow-Credentials")
	return credentials == "true"
}

// preflight is the request of "CORS-preflight fetch".
func (g page) preflight() *http.Request {
	r := ask(g.origin, g.method)
	if len(g.names) > 0 {
		r.Header["Access-Control-Request-Headers"] = []string{strings.Join(slices.Sorted(slices.Values(g.names)), ",")}
	}
	if g.network {
		r.Header["Access-Control-Request-Private-Network"] = []string{"true"}
	}
	return r
}

// goesOn is the rest of "CORS-preflight fetch", and the check of Private
// Network Access.
func (g page) goesOn(status int, h http.Header) bool {
	if !g.mayRead(h) || status < 200 || status > 299 {
		return false
	}
	if network, _ := value(h, "Access-Control-Allow-Private-Network"); g.network && network != "true" {
		return false
	}
	methods, headers := members(h, "Access-Control-Allow-Methods"), members(h, "Access-Control-Allow-Headers")
	safelisted := g.method == "GET" || g.method == "HEAD" || g.method == "POST"
	if !safelisted && !slices.Contains(methods, g.method) && (g.include || !slices.Contains(methods, "*")) {
		return false
	}
	for _, name := range g.names {
		listed := slices.ContainsFunc(headers, func(s string) bool { return strings.EqualFold(s, name) })
		wild := !g.include && slices.Contains(headers, "*") && !strings.EqualFold(name, "Authorization")
		if !listed && !wild {
			return false
		}
	}
	return true
}

// members extracts header list values.
func members(h http.Header, name string) []string {
	text, ok := value(h, name)
	if !ok {
		return nil
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.Trim(list[i], " \t")
	}
	return list
}

// exists reports whether a browser could make such a request.
func (g page) exists() bool {
	_, ok := origin.Parse(g.origin)
	return (ok || g.origin == "null") && isToken(g.method)
}

// unsafeNames are names as a browser asks for them: in lower case, each once.
func unsafeNames(list string) []string {
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		if isToken(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
