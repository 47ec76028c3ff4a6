package corstry

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// judge says what a browser makes of an answer to a page of that origin.
func (q *Question) judge(status int, h http.Header, origin string) (readable bool, why string) {
	if origin == "" {
		return true, "there is no Origin: no cross-origin request of a page"
	}
	if ok, why := q.corsCheck(h, origin); !ok {
		return false, why
	}
	if !q.Preflight {
		return true, "the page may read the answer"
	}
	switch {
	case status < 200 || status > 299:
		return false, "a preflight has to be answered with 2xx, not with " + strconv.Itoa(status)
	case !q.methodAllowed(members(h, "Access-Control-Allow-Methods")):
		return false, "Access-Control-Allow-Methods does not have " + q.Method
	}
	if name := q.notAllowed(members(h, "Access-Control-Allow-Headers")); name != "" {
		return false, "Access-Control-Allow-Headers does not have " + name
	}
	return true, "the browser may send the request"
}

// corsCheck is Fetch, "CORS check".
func (q *Question) corsCheck(h http.Header, origin string) (ok bool, why string) {
	lines := h["Access-Control-Allow-Origin"]
	value := strings.Join(lines, ", ")
	switch {
	case len(lines) == 0:
		return false, "there is no Access-Control-Allow-Origin"
	case len(lines) > 1:
		return false, "there are " + strconv.Itoa(len(lines)) + " Access-Control-Allow-Origin lines"
	case value == "*" && !q.Credentials:
		return true, ""
	case value == "*":
		return false, "Access-Control-Allow-Origin: * lets nobody in who asks with credentials"
	case value != origin:
		return false, "Access-Control-Allow-Origin names another origin"
	case !q.Credentials:
		return true, ""
	case strings.Join(h["Access-Control-Allow-Credentials"], ", ") != "true":
		return false, "Access-Control-Allow-Credentials is not true, and the page asks with credentials"
	}
	return true, ""
}

// members are the elements of a list field.
func members(h http.Header, name string) []string {
	var all []string
	for _, line := range h[name] {
		for m := range strings.SplitSeq(line, ",") {
			if m = strings.Trim(m, " \t"); m != "" {
				all = append(all, m)
			}
		}
	}
	return all
}

// methodAllowed is step 4 of what follows the check in Fetch, "CORS-preflight
// fetch": methods have a case, and three need no leave.
func (q *Question) methodAllowed(allowed []string) bool {
	switch q.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return true
	}
	return slices.Contains(allowed, q.Method) || !q.Credentials && slices.Contains(allowed, "*")
}

// notAllowed returns the first request header that the answer does not allow, or
// "". Authorization has to be named even where "*" stands.
func (q *Question) notAllowed(allowed []string) string {
	wildcard := !q.Credentials && slices.Contains(allowed, "*")
	for _, name := range q.sorted() {
		if wildcard && name != "authorization" {
			continue
		}
		if !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }) {
			return name
		}
	}
	return ""
}
