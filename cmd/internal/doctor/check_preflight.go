package doctor

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The caps of browsers on Access-Control-Max-Age, in seconds.
const (
	chromiumCap = 7200
	firefoxCap  = 86400
)

// preflights are those of A and B, as far as they were answered.
func (r *run) preflights() []*Exchange {
	var all []*Exchange
	for _, name := range []string{probePreflightA, probePreflightB} {
		if x := r.get(name); x.answered() {
			all = append(all, x)
		}
	}
	return all
}

func preflightRedirected(r *run) verdict {
	for _, x := range r.preflights() {
		if x.redirects() {
			return fault(x, r.sound(probeFirstA), fmt.Sprintf("The preflight is redirected (%d) to %s.", x.Status, x.value(fieldLocation)))
		}
	}
	return verdict{}
}

func preflightStatus(r *run) verdict {
	for _, name := range []string{probePreflightA, probePreflightB} {
		x := r.get(name)
		switch {
		case x == nil || x.good() || x.redirects():
		case !x.answered():
			return fault(x, nil, fmt.Sprintf("The preflight is not answered: %s.", x.Error))
		case x.Status == http.StatusUnauthorized || x.Status == http.StatusProxyAuthRequired:
			return fault(x, nil, fmt.Sprintf("The preflight is answered with %d: it is asked for credentials, which browsers never send in it.", x.Status))
		default:
			return fault(x, nil, fmt.Sprintf("The preflight of %s is answered with %d.", r.letter(x.origin()), x.Status))
		}
	}
	return verdict{}
}

func preflightNoAllowOrigin(r *run) verdict {
	all := r.goodPreflights()
	if len(all) == 0 {
		return skip("the preflight is not answered")
	}
	for _, x := range all {
		if x.allows() || len(x.lines(fieldAllowOrigin)) > 1 {
			continue
		}
		other := all[0]
		if x == other {
			other = r.sound(probeFirstA)
		}
		title := fmt.Sprintf("The preflight of %s gets no Access-Control-Allow-Origin.", r.letter(x.origin()))
		if v := x.allowOrigin(); v != "" {
			title = fmt.Sprintf("The preflight of %s gets Access-Control-Allow-Origin: %s.", r.letter(x.origin()), v)
		}
		return fault(x, other, title)
	}
	return verdict{}
}

func (r *run) goodPreflights() []*Exchange {
	return slices.DeleteFunc(r.preflights(), func(x *Exchange) bool { return !x.good() })
}

// preflightLetsIn is what the lists of methods and headers depend on.
func preflightLetsIn(r *run) (*Exchange, string) {
	x := r.get(probePreflightA)
	if !x.good() || !x.allows() && len(x.lines(fieldAllowOrigin)) < 2 {
		return nil, "the preflight does not let A in"
	}
	return x, ""
}

func preflightMethod(r *run) verdict {
	x, why := preflightLetsIn(r)
	if x == nil {
		return skip(why)
	}
	methods := x.list(fieldAllowMethods)
	switch {
	case r.s.safeMethod():
		return skip(r.s.method + " needs no mention")
	case slices.Contains(methods, r.s.method):
		return verdict{}
	case slices.Contains(methods, "*") && !x.credentials():
		return verdict{}
	case slices.Contains(methods, "*"):
		return fault(x, nil, fmt.Sprintf("%s is allowed by * only, and with credentials * is a method of that name.", r.s.method))
	case x.lists(fieldAllowMethods, r.s.method):
		return fault(x, nil, fmt.Sprintf("%s is allowed in other letters: %s.", r.s.method, x.value(fieldAllowMethods)))
	}
	return fault(x, nil, fmt.Sprintf("%s is not allowed; allowed: %s.", r.s.method, orNothing(x.value(fieldAllowMethods))))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func preflightHeaders(r *run) verdict {
	x, why := preflightLetsIn(r)
	if x == nil {
		return skip(why)
	}
	wanted := r.s.unsafeHeaders()
	if len(wanted) == 0 {
		return skip("no --header needs to be allowed")
	}
	star := x.lists(fieldAllowHeaders, "*")
	for _, name := range wanted {
		switch {
		case x.lists(fieldAllowHeaders, name):
		case star && name == "authorization":
			return fault(x, nil, "Authorization is allowed by * only, which does not cover it.")
		case star && x.credentials():
			return fault(x, nil, fmt.Sprintf("%s is allowed by * only, and with credentials * is a field of that name.", name))
		case !star:
			return fault(x, nil, fmt.Sprintf("%s is not allowed; allowed: %s.", name, orNothing(x.value(fieldAllowHeaders))))
		}
	}
	return verdict{}
}

// preflightCapitals: when only the capitals are refused, browsers do not
// notice.
func preflightCapitals(r *run) verdict {
	a, x := r.get(probePreflightA), r.get(probePreflightCapitals)
	switch {
	case !x.answered() || !a.answered():
		return skip("no --header is asked for")
	case a.good() && a.allows() && (!x.good() || !x.allows()):
		return note(a, x, "The preflight is refused when the names have capitals.")
	case x.good() && x.allows() && (!a.good() || !a.allows()):
		return fault(a, x, "The preflight is let in only when the names have capitals, and browsers send lower case.")
	}
	return verdict{}
}

func preflightMaxAge(r *run) verdict {
	x, why := preflightLetsIn(r)
	if x == nil {
		return skip(why)
	}
	lines := x.lines(fieldMaxAge)
	if len(lines) == 0 {
		return note(x, nil, "There is no Access-Control-Max-Age.")
	}
	n, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	switch {
	case len(lines) > 1:
		return verdict{} // it comes twice
	case err != nil:
		return warning(x, nil, fmt.Sprintf("Access-Control-Max-Age is not a number of seconds: %q.", lines[0]))
	case n > firefoxCap:
		return note(x, nil, fmt.Sprintf("Access-Control-Max-Age is %d, more than any browser takes.", n))
	case n > chromiumCap:
		return note(x, nil, fmt.Sprintf("Access-Control-Max-Age is %d, more than Chromium takes (%d).", n, chromiumCap))
	case n <= 0:
		return note(x, nil, fmt.Sprintf("Access-Control-Max-Age is %d: every request is preceded by a preflight.", n))
	}
	return verdict{}
}

func preflightCached(r *run) verdict {
	for _, x := range r.all() {
		if x.Method == http.MethodOptions && x.answered() && (x.fromCache() || len(x.lines(fieldAge)) > 0) {
			return warning(x, nil, fmt.Sprintf("A shared cache has answered OPTIONS (%s).", x.About))
		}
	}
	return verdict{}
}
