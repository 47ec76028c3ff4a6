package doctor

import (
	"fmt"
	"net/http"
)

func notModified(r *run) (x *Exchange, why string) {
	x = r.get(probeValidate)
	switch {
	case !r.letIn():
		return nil, notLetIn
	case !x.answered():
		return nil, "there is no ETag and no Last-Modified"
	case x.Status != http.StatusNotModified:
		return nil, fmt.Sprintf("the conditional request got %d", x.Status)
	case len(x.lines(fieldAllowOrigin)) > 1:
		return nil, "the field comes twice"
	}
	if _, cold := r.cold(); x.origin() == r.s.b.Text && !cold.allows() {
		return nil, "B is not let in"
	}
	return x, ""
}

func notModifiedNoAllowOrigin(r *run) verdict {
	x, why := notModified(r)
	switch {
	case x == nil:
		return skip(why)
	case x.allowOrigin() == "":
		return fault(r.get(probeFirstA), x, fmt.Sprintf("The 304 to %s has no Access-Control-Allow-Origin.", r.letter(x.origin())))
	}
	return verdict{}
}

func notModifiedForeign(r *run) verdict {
	x, why := notModified(r)
	switch {
	case x == nil:
		return skip(why)
	case x.allowOrigin() != "" && !x.allows():
		return fault(r.get(probeFirstA), x, fmt.Sprintf("The 304 to %s has Access-Control-Allow-Origin: %s.", r.letter(x.origin()), x.allowOrigin()))
	}
	return verdict{}
}

// errorNoAllowOrigin: who lets A in, in the answer or in the preflight, should
// do so in errors. An unknown method may never get past a server that knows
// nothing of CORS, and pages do not send it: that alone is a warning.
func errorNoAllowOrigin(r *run) verdict {
	good := r.get(probeFirstA)
	if !good.allows() {
		good = r.get(probePreflightA)
	}
	if !good.allows() {
		return skip(notLetIn)
	}
	v := skip("no request brought an error")
	for _, x := range r.wanted() {
		if !x.failed() || x.origin() != r.s.a.Text {
			continue
		}
		if v.skipped != "" {
			v = verdict{}
		}
		if x.allowOrigin() != "" {
			continue
		}
		title := fmt.Sprintf("The error %d has no Access-Control-Allow-Origin (%s).", x.Status, x.About)
		if x.Name != probeMethod {
			return fault(good, x, title)
		}
		v = warning(good, x, title)
	}
	return v
}

func headNoAllowOrigin(r *run) verdict {
	x, a := r.get(probeHead), r.get(probeFirstA)
	switch {
	case !r.letIn():
		return skip(notLetIn)
	case !x.answered() || x.Status != a.Status:
		return skip("HEAD is answered with another status")
	case !x.allows() && len(x.lines(fieldAllowOrigin)) < 2:
		return fault(a, x, "HEAD does not let A in, and GET does.")
	case a.credentials() && !x.credentials():
		return fault(a, x, "HEAD does not allow credentials, and GET does.")
	}
	return verdict{}
}

func redirectNoAllowOrigin(r *run) verdict {
	if !r.letIn() && !r.get(probeFirstA).redirects() {
		return skip(notLetIn)
	}
	seen := false
	for _, x := range r.wanted() {
		if !x.redirects() || x.Name == probeFollow {
			continue
		}
		seen = true
		if x.origin() == r.s.a.Text && !x.allows() && len(x.lines(fieldAllowOrigin)) < 2 {
			return fault(x, r.get(probeFirstA), fmt.Sprintf("The redirect %d to %s does not let A in.", x.Status, x.value(fieldLocation)))
		}
	}
	if !seen {
		return skip("nothing is redirected")
	}
	return verdict{}
}

func redirectTarget(r *run) verdict {
	from := r.get(probePlain)
	if u := r.target(from); u != nil && ownOrigin(u) != ownOrigin(r.s.url) {
		return leadsAway(from, r.get(probeAway), ownOrigin(u))
	}
	x := r.get(probeFollow)
	switch {
	case !r.letIn() && !r.get(probeFirstA).redirects():
		return skip(notLetIn)
	case !x.answered():
		return skip("nothing is redirected")
	case x.allows() || x.failed() || x.redirects() || len(x.lines(fieldAllowOrigin)) > 1:
		return verdict{}
	}
	return fault(x, r.get(probeFirstA), "Where the redirect leads, A is not let in.")
}

// leadsAway: x is what another site says to Origin: null.
func leadsAway(from, x *Exchange, site string) verdict {
	switch {
	case !x.answered() || x.broken():
		return warning(from, x, fmt.Sprintf("The URL redirects to %s, where browsers send Origin: null.", site))
	case x.allows():
		return verdict{}
	}
	return fault(from, x, fmt.Sprintf("The URL redirects to %s, where browsers send Origin: null, which is not let in.", site))
}
