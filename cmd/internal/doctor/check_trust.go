package doctor

import "fmt"

func reflectsAny(r *run) verdict {
	for _, name := range []string{probeStranger, probePreflightStranger} {
		x := r.get(name)
		switch {
		case !x.reflects():
		case x.credentials():
			return fault(x, nil, "Any origin is let in by name, with credentials.")
		default:
			return warning(x, nil, "Any origin is let in by name.")
		}
	}
	return verdict{}
}

const everybody = "everybody is let in"

// open: the rules for single origins mean nothing.
func (r *run) open() bool {
	x := r.get(probeStranger)
	return x.answered() && x.allows()
}

func reflectsNull(r *run) verdict {
	switch x := r.get(probeNull); {
	case r.open():
		return skip(everybody)
	case !x.answered():
		return skip("there was no answer")
	case x.allowOrigin() == "null":
		return fault(x, r.sound(probeStranger), "The origin null is let in.")
	}
	return verdict{}
}

func looseMatch(r *run) verdict {
	if r.open() {
		return skip(everybody)
	}
	strangerX := r.sound(probeStranger)
	sibling, prefixed, glued := r.get(probeSibling), r.get(probePrefixed), r.get(probeGlued)
	for _, x := range []*Exchange{r.get(probeSuffixed), r.get(probeDotless), glued} {
		if x.reflects() {
			return fault(x, strangerX, fmt.Sprintf("%s is let in.", x.origin()))
		}
	}
	port := r.get(probePort)
	switch {
	case port.reflects() && (!prefixed.reflects() || sibling.reflects()):
		return warning(port, strangerX, fmt.Sprintf("%s is let in: what listens on any port of A's host must be trusted.", port.origin()))
	case !prefixed.reflects():
		return verdict{}
	case sibling.reflects():
		// A pattern for all subdomains, meant as one.
		return note(prefixed, strangerX, "Every name under A's domain is let in; each of them must be trusted.")
	}
	return fault(prefixed, strangerX, fmt.Sprintf("%s is let in.", prefixed.origin()))
}

func insecureOrigin(r *run) verdict {
	x := r.get(probeInsecure)
	switch {
	case r.open():
		return skip(everybody)
	case x == nil:
		return skip("A is not https")
	case !x.answered():
		return skip("there was no answer")
	case x.reflects():
		return fault(x, r.sound(probeStranger), fmt.Sprintf("%s is let in.", x.origin()))
	}
	return verdict{}
}
