package doctor

import (
	"fmt"
	"net/http"
	"strings"

	"veneer/corslayer/origin"
)

// letter is A or B for the two origins.
func (r *run) letter(text string) string {
	if text == r.s.b.Text && text != "" {
		return "B"
	}
	return "A"
}

// wanted are the exchanges with A or B that a page's script would see.
func (r *run) wanted() []*Exchange {
	var all []*Exchange
	for _, x := range r.exchanges {
		if o := x.origin(); x.answered() && x.Method != http.MethodOptions && (o == r.s.a.Text || o == r.s.b.Text && o != "") {
			all = append(all, x)
		}
	}
	return all
}

// cold returns what A and B get on a key that nobody asked for; b may be nil.
// Where the key is not new to a cache that says so, B's answer may be what A
// left there, and is the subject of foreignAllowOrigin.
func (r *run) cold() (a, b *Exchange) {
	a, b = r.get(probeFirstA), r.get(probeThenB)
	if c := r.get(probeColdB); c.answered() {
		b = c
	}
	return a, b
}

// letIn: there is no use in asking about caches, errors and redirects before A
// is let in.
func (r *run) letIn() bool { return r.get(probeFirstA).allows() }

const notLetIn = "A is not let in"

func answers(r *run) verdict {
	for _, x := range r.exchanges {
		switch {
		case !x.answered():
			return warning(x, nil, fmt.Sprintf("There was no answer to one request (%s): %s.", x.About, strings.TrimSuffix(x.Error, ".")))
		case x.Status == http.StatusTooManyRequests:
			return warning(x, nil, "The server answers 429: it limits the rate, so what follows may be wrong.")
		case x.Status >= 500 && x.Status != http.StatusNotImplemented:
			return warning(x, nil, fmt.Sprintf("The server answers %d (%s).", x.Status, x.About))
		}
	}
	return verdict{}
}

func noAllowOrigin(r *run) verdict {
	a, b := r.cold()
	none := r.get(probeNone)
	if !a.answered() {
		return skip("there was no answer")
	}
	if a.allowOrigin() == "" {
		switch {
		case a.redirects():
			return skip("A is redirected")
		case a.failed() && r.get(probePreflightA).allows():
			return skip(fmt.Sprintf("A's answer is an error, %d", a.Status))
		case b.allows():
			return fault(a, b, "A gets no Access-Control-Allow-Origin, and B gets one.")
		}
		return fault(a, none, fmt.Sprintf("A gets no Access-Control-Allow-Origin (status %d).", a.Status))
	}
	if b.answered() && b.allowOrigin() == "" && b.Status/100 == a.Status/100 && !b.fromCache() {
		return fault(a, b, "B gets no Access-Control-Allow-Origin, and A gets one.")
	}
	return verdict{}
}

func wrongOrigin(r *run) verdict {
	a, b := r.cold()
	if !a.answered() {
		return skip("there was no answer")
	}
	for _, x := range []*Exchange{a, b} {
		if x == nil || !singleOrigin(x) || x.allows() || x == b && b.fromCache() {
			continue
		}
		other := a
		if x == a {
			other = b
		}
		return fault(x, other, fmt.Sprintf("%s is answered with Access-Control-Allow-Origin: %s.", r.letter(x.origin()), x.allowOrigin()))
	}
	return verdict{}
}

// singleOrigin: the field is there, once, with a value that has a meaning.
func singleOrigin(x *Exchange) bool {
	lines := x.lines(fieldAllowOrigin)
	return len(lines) == 1 && validAllowOrigin(lines[0])
}

func validAllowOrigin(v string) bool {
	_, ok := origin.Parse(v)
	return ok || v == "*" || v == "null"
}

func invalidAllowOrigin(r *run) verdict {
	for _, x := range r.exchanges {
		lines := x.lines(fieldAllowOrigin)
		if len(lines) != 1 || validAllowOrigin(lines[0]) {
			continue
		}
		v := lines[0]
		what := "is no origin"
		switch {
		case v == "":
			what = "is empty"
		case strings.ContainsAny(v, ", "):
			what = "holds several values"
		case strings.Contains(v, "*"):
			what = "is a pattern"
		}
		return fault(x, nil, fmt.Sprintf("Access-Control-Allow-Origin %s: %q.", what, v))
	}
	return verdict{}
}

// doubleHeaders: of what may come once only, two lines are a fault. The others
// are lists, and two lines merely show that there are two layers.
func doubleHeaders(r *run) verdict {
	for _, x := range r.exchanges {
		for _, name := range []string{fieldAllowOrigin, fieldAllowCredentials} {
			if n := len(x.lines(name)); n > 1 {
				return fault(x, r.get(probeNone), fmt.Sprintf("%s comes %d times (%s).", name, n, x.About))
			}
		}
	}
	for _, x := range r.exchanges {
		for _, name := range []string{fieldAllowMethods, fieldAllowHeaders, "Access-Control-Expose-Headers", fieldMaxAge} {
			if n := len(x.lines(name)); n > 1 {
				return warning(x, nil, fmt.Sprintf("%s comes %d times (%s).", name, n, x.About))
			}
		}
	}
	return verdict{}
}

func wildcardCredentials(r *run) verdict {
	for _, x := range r.exchanges {
		if x.allowOrigin() == "*" && x.credentials() {
			return fault(x, nil, "Access-Control-Allow-Origin: * comes with Access-Control-Allow-Credentials: true.")
		}
	}
	return verdict{}
}

func credentialsValue(r *run) verdict {
	for _, x := range r.exchanges {
		lines := x.lines(fieldAllowCredentials)
		if len(lines) != 1 || lines[0] == "true" {
			continue
		}
		title := fmt.Sprintf("Access-Control-Allow-Credentials is %q.", lines[0])
		if lines[0] == "false" {
			return note(x, nil, title)
		}
		return warning(x, nil, title)
	}
	return verdict{}
}
