package corslayer

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"veneer/corslayer/origin"
)

// Difference is what a page would notice if the policy in a Shadow's place
// answered its request.
type Difference uint8

const (
	// Same: nothing.
	Same Difference = iota
	// OriginAllowed and OriginRefused: the shadow lets an Origin in that the
	// policy refuses, and the reverse.
	OriginAllowed
	OriginRefused
	// PreflightAllowed and PreflightRefused: the shadow grants a preflight that
	// the policy refuses, and the reverse.
	PreflightAllowed
	PreflightRefused
	// RequestAllowed and RequestRefused: only one of the two answers an actual
	// request with 403 (case C5).
	RequestAllowed
	RequestRefused
	// Fields: both let the page go on, with another say about credentials or
	// about the fields that its scripts may read.
	Fields

	differences // keep last
)

var differenceNames = [differences]string{
	"same", "origin_allowed", "origin_refused", "preflight_allowed", "preflight_refused", "request_allowed", "request_refused", "fields",
}

// String returns the difference as a label.
func (d Difference) String() string {
	if d < differences {
		return differenceNames[d]
	}
	return "unknown"
}

// Differences returns all but Same, in order.
func Differences() []Difference {
	all := make([]Difference, 0, differences-1)
	for d := OriginAllowed; d < differences; d++ {
		all = append(all, d)
	}
	return all
}

// Shadow tries a policy out beside the one that answers: it is told every
// request that was answered, and counts where the other would have answered
// something else. It never acts, and it leaves the counters of both policies
// alone. It is safe for concurrent use and allocates nothing.
type Shadow struct {
	policy, shadow *Policy
	fields         bool // what they say to a page that both let in differs
	counts         [differences]atomic.Uint64
}

// NewShadow compares p, which answers, with shadow. Both are in own mode.
func NewShadow(p, shadow *Policy) *Shadow {
	return &Shadow{policy: p, shadow: shadow, fields: !sameFields(p, shadow)}
}

// sameFields compares what Apply puts on for an Origin that is let in.
func sameFields(p, q *Policy) bool {
	return p.credentials == q.credentials && p.timing == q.timing && slices.Equal(p.resourcePolicy, q.resourcePolicy) &&
		p.exposeAuto == q.exposeAuto && p.mergeExpose == q.mergeExpose && slices.Equal(sortedNames(p.expose), sortedNames(q.expose))
}

// sortedNames makes lists equal that name the same fields.
func sortedNames(line []string) []string {
	if line == nil {
		return nil
	}
	names := strings.Split(strings.ToLower(line[0]), ", ")
	slices.Sort(names)
	return names
}

// Actual compares the two on a request that is no preflight. lines are its
// Origin lines, d is what the policy's Decide said about them.
func (s *Shadow) Actual(lines []string, d Decision) Difference {
	if d.Class == origin.None || d.Class == origin.Bad { // no page sends a bad one
		return Same
	}
	e := s.shadow.Judge(http.MethodGet, lines)
	switch {
	case d.Refuse != e.Refuse:
		return s.count(d.Refuse, RequestAllowed, RequestRefused)
	case d.Allowed != e.Allowed:
		return s.count(e.Allowed, OriginAllowed, OriginRefused)
	case d.Allowed && s.fields:
		return s.count(true, Fields, Same)
	}
	return Same
}

// Preflight compares the two on a preflight that the policy answered. r is the
// request, d is what the policy's Decide said about it.
func (s *Shadow) Preflight(r *http.Request, d Decision) Difference {
	v, ok := s.policy.JudgePreflight(r, d)
	if !ok || d.Class == origin.Bad {
		return Same
	}
	w, _ := s.shadow.JudgePreflight(r, s.shadow.Judge(r.Method, r.Header[fieldOrigin]))
	granted := w.Step == Granted
	switch {
	case (v.Step == Granted) != granted:
		return s.count(granted, PreflightAllowed, PreflightRefused)
	case granted && (s.policy.credentials != s.shadow.credentials || s.policy.network != s.shadow.network && asksNetwork(r.Header)):
		return s.count(true, Fields, Same)
	}
	return Same
}

func (s *Shadow) count(first bool, is, otherwise Difference) Difference {
	d := otherwise
	if first {
		d = is
	}
	s.counts[d].Add(1)
	return d
}

// Count returns how many requests had the difference.
func (s *Shadow) Count(d Difference) uint64 {
	if d >= differences {
		return 0
	}
	return s.counts[d].Load()
}
