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
			return warning(x, nil, limited(x))
		case x.broken():
			return warning(x, nil, fmt.Sprintf("The server answers %d (%s).", x.Status, x.About))
		}
	}
	return verdict{}
}

func noAllowOrigin(r *run) verdict {
	a, b := r.cold()
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
		return fault(a, r.sound(probeNone), fmt.Sprintf("A gets no Access-Control-Allow-Origin (status %d).", a.Status))
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
	for _, x := range r.all() {
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

// doubleHeaders: the other fields are lists, which may come in several lines
// (Fetch, "extract header list values"; RFC 9110 §5.3).
func doubleHeaders(r *run) verdict {
	for _, x := range r.all() {
		for _, name := range []string{fieldAllowOrigin, fieldAllowCredentials, fieldMaxAge} {
			if n := len(x.lines(name)); n > 1 {
				return fault(x, r.sound(probeNone), fmt.Sprintf("%s comes %d times (%s).", name, n, x.About))
			}
		}
	}
	return verdict{}
}

func wildcardCredentials(r *run) verdict {
	for _, x := range r.all() {
		if x.allowOrigin() == "*" && x.credentials() {
			return fault(x, nil, "Access-Control-Allow-Origin: * comes with Access-Control-Allow-Credentials: true.")
		}
	}
	return verdict{}
}

// credentialsValue looks for the worst: true in other letters is what somebody
// means who wants credentials, and no browser sends or shows them.
func credentialsValue(r *run) verdict {
	var mild verdict
	for _, x := range r.all() {
		lines := x.lines(fieldAllowCredentials)
		if len(lines) != 1 || lines[0] == "true" {
			continue
		}
		title := fmt.Sprintf("Access-Control-Allow-Credentials is %q.", lines[0])
		switch {
		case strings.EqualFold(lines[0], "true"):
			return fault(x, nil, title)
		case lines[0] != "false":
			mild = warning(x, nil, title)
		case mild.severity == "":
			mild = note(x, nil, title)
		}
	}
	return mild
}

// exposeCredentials: a preflight exposes nothing.
func exposeCredentials(r *run) verdict {
	for _, x := range r.all() {
		if x.Method != http.MethodOptions && x.credentials() && x.lists(fieldExposeHeaders, "*") {
			return warning(x, nil, "Access-Control-Expose-Headers: * comes with Access-Control-Allow-Credentials: true.")
		}
	}
	return verdict{}
}
