package contest

import (
	"math"
	"time"

	"veneer/bench/peers/internal/client"
	"veneer/bench/peers/internal/figure"
	"veneer/bench/peers/internal/usage"
)

// Round is what one server did in one round.
type Round struct {
	client.Result
	CPU      time.Duration `json:"cpu_ns"` // of the server, with all that it has started
	Clock    usage.Clock   `json:"clock,omitempty"`
	Upstream int64         `json:"upstream"` // requests that reached it
	Others   float64       `json:"others"`   // the share of the server's core that others had
}

// PerRequest is the processor time of a request in microseconds, NaN in a round
// that went wrong.
func (r Round) PerRequest() float64 {
	if r.Problem != "" || r.Requests == 0 {
		return math.NaN()
	}
	return float64(r.CPU) / float64(time.Microsecond) / float64(r.Requests)
}

// Entry is one server in one Row.
type Entry struct {
	Server string  `json:"server"`
	Why    string  `json:"why,omitempty"`   // it has no figures
	Fault  bool    `json:"fault,omitempty"` // ... and it is one of ours that should have
	Rounds []Round `json:"rounds,omitempty"`
}

// Outcome is what came of one Row.
type Outcome struct {
	Row     string  `json:"row"`
	Title   string  `json:"title"`
	Base    string  `json:"base"`
	Entries []Entry `json:"entries"`
}

// Entry returns the entry of a server, or nil.
func (o *Outcome) Entry(server string) *Entry {
	for i := range o.Entries {
		if o.Entries[i].Server == server {
			return &o.Entries[i]
		}
	}
	return nil
}

// costs are the costs of a request, a round each.
func (e *Entry) costs() []float64 {
	var all []float64
	for _, r := range e.Rounds {
		all = append(all, r.PerRequest())
	}
	return all
}

// Cost sums up the microseconds of processor time of a request.
func (e *Entry) Cost() figure.Summary { return figure.Summarize(e.costs()) }

// Rate sums up the requests a second.
func (e *Entry) Rate() figure.Summary {
	var all []float64
	for _, r := range e.Rounds {
		all = append(all, r.Result.Rate())
	}
	return figure.Summarize(all)
}

// Busy sums up the share of its core that the server has used.
func (e *Entry) Busy() figure.Summary {
	var all []float64
	for _, r := range e.Rounds {
		all = append(all, float64(r.CPU)/float64(r.Took))
	}
	return figure.Summarize(all)
}

// Others sums up the share of the server's core that others have used.
func (e *Entry) Others() figure.Summary {
	var all []float64
	for _, r := range e.Rounds {
		all = append(all, r.Others)
	}
	return figure.Summarize(all)
}

// Measured says whether there are figures.
func (e *Entry) Measured() bool { return e != nil && e.Why == "" && len(e.Rounds) > 0 }

// Ratio sums up the cost of a request to one server as part of that to another,
// round by round. It has no values unless both were measured.
func (o *Outcome) Ratio(server, base string) figure.Summary {
	a, b := o.Entry(server), o.Entry(base)
	if !a.Measured() || !b.Measured() {
		return figure.Summary{}
	}
	return figure.Summarize(figure.Ratios(a.costs(), b.costs()))
}
