package doctor

import (
	"fmt"
	"net/http"
)

// comparable are the first answers to different origins, each on a key of its
// own, as far as they have the same status as A's.
func (r *run) comparable() []*Exchange {
	a, b := r.cold()
	if !a.answered() {
		return nil
	}
	var all []*Exchange
	for _, x := range []*Exchange{a, b, r.get(probeNone), r.get(probeStranger), r.get(probeNull)} {
		if x.answered() && x.Status == a.Status {
			all = append(all, x)
		}
	}
	return all
}

// dynamic returns two answers that differ in Access-Control-Allow-Origin by
// Origin alone, or nil when there are none.
func (r *run) dynamic() (x, y *Exchange) {
	all := r.comparable()
	for _, y := range all {
		if y.allowOrigin() != all[0].allowOrigin() {
			return all[0], y
		}
	}
	return nil, nil
}

const notDynamic = "the answer does not depend on Origin"

// unstorable: no cache keeps the answer, so a Vary that is missing harms
// nobody yet.
func unstorable(x *Exchange) bool { return x.lists(fieldCacheControl, "no-store") }

func varyVerdict(x, other *Exchange, title string) verdict {
	if unstorable(x) {
		return warning(x, other, title)
	}
	return fault(x, other, title)
}

// varyMissing looks for the worst: what can be stored first.
func varyMissing(r *run) verdict {
	x, y := r.dynamic()
	if x == nil {
		return skip(notDynamic)
	}
	var mild verdict
	for _, w := range r.wanted() {
		if w.allowOrigin() == "" || w.allowOrigin() == "*" || w.variesOnOrigin() {
			continue
		}
		other := y
		if y.allowOrigin() == w.allowOrigin() {
			other = x
		}
		v := varyVerdict(w, other, fmt.Sprintf("Access-Control-Allow-Origin depends on Origin, and Vary does not name it (%s).", w.About))
		if v.severity == Fault {
			return v
		}
		mild = v
	}
	return mild
}

func varyMissingRefused(r *run) verdict {
	x, _ := r.dynamic()
	if x == nil {
		return skip(notDynamic)
	}
	for _, w := range r.comparable() {
		if w.allowOrigin() == "" && !w.variesOnOrigin() {
			return varyVerdict(w, r.sound(probeFirstA), fmt.Sprintf("The answer without Access-Control-Allow-Origin does not say Vary: Origin (%s).", w.About))
		}
	}
	return verdict{}
}

func varyStar(r *run) verdict {
	for _, x := range r.all() {
		if x.Method != http.MethodOptions && x.lists(fieldVary, "*") {
			return warning(x, nil, "Vary is *.")
		}
	}
	return verdict{}
}

// after is the question of all orders: does x, which came second, still let its
// origin in as it would have when it came first?
func (r *run) after(x, before *Exchange, who string) verdict {
	switch a := r.get(probeFirstA); {
	case !r.letIn():
		return skip(notLetIn)
	case !x.answered() || !before.answered():
		return skip("there was no answer")
	case x.Status != a.Status && (before.Status != x.Status || x.Status == http.StatusTooManyRequests):
		return skip(fmt.Sprintf("the status differs, %d", x.Status))
	case x.allows():
		return verdict{}
	case x.allowOrigin() == "":
		return fault(before, x, fmt.Sprintf("A gets no Access-Control-Allow-Origin after %s came first.", who))
	case len(x.lines(fieldAllowOrigin)) > 1:
		return skip("the field comes twice")
	}
	return fault(before, x, fmt.Sprintf("A gets Access-Control-Allow-Origin: %s after %s came first.", x.allowOrigin(), who))
}

func poisonedNoOrigin(r *run) verdict {
	return r.after(r.get(probeNoneThenA), r.get(probeNone), "a request without Origin")
}

func poisonedRefused(r *run) verdict {
	return r.after(r.get(probeStrangerThenA), r.get(probeStranger), "a stranger")
}

func liveAnswer(r *run) verdict {
	live, a := r.get(probePlain), r.get(probeFirstA)
	switch {
	case !r.letIn():
		return skip(notLetIn)
	case !live.answered() || live.Status != a.Status || live.allows() || len(live.lines(fieldAllowOrigin)) > 1:
		return verdict{}
	case live.allowOrigin() == "":
		return fault(live, a, "A gets no Access-Control-Allow-Origin at this URL, and gets one at a URL that no cache has seen.")
	}
	return fault(live, a, fmt.Sprintf("A gets Access-Control-Allow-Origin: %s at this URL, and its own at a URL that no cache has seen.", live.allowOrigin()))
}

func lostInCache(r *run) verdict {
	a, again := r.get(probeFirstA), r.get(probeAgainA)
	switch {
	case !r.letIn():
		return skip(notLetIn)
	case again.answered() && again.Status == a.Status && !again.allows() && len(again.lines(fieldAllowOrigin)) < 2:
		return fault(a, again, "A is let in the first time and not the second.")
	}
	return verdict{}
}

func foreignAllowOrigin(r *run) verdict {
	a, b := r.get(probeFirstA), r.get(probeThenB)
	_, cold := r.cold()
	switch {
	case r.s.b.Text == "":
		return skip("there is one --origin")
	case !r.letIn():
		return skip(notLetIn)
	case !b.answered() || b.Status != a.Status:
		return skip("B's answer is another")
	case b.allows() || len(b.lines(fieldAllowOrigin)) > 1:
		return verdict{}
	case !cold.allows() && !cold.fromCache():
		return skip("B is not let in")
	case b.allowOrigin() == "":
		return fault(a, b, "B gets no Access-Control-Allow-Origin once A's answer is stored.")
	}
	return fault(a, b, fmt.Sprintf("B gets Access-Control-Allow-Origin: %s once A's answer is stored.", b.allowOrigin()))
}

// ignoresQuery: the first answer on a key of our own cannot come from a cache.
func ignoresQuery(r *run) verdict {
	if !r.unique {
		return skip("no query of our own is used")
	}
	for _, name := range []string{probeFirstA, probeNone, probeStranger} {
		if x := r.get(name); x.answered() && x.fromCache() {
			return note(x, nil, "A query that nobody has asked for is answered from a cache: the key leaves it out.")
		}
	}
	return verdict{}
}
