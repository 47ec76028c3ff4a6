package report

import (
	"fmt"
	"io"

	"veneer/bench/peers/internal/contest"
)

// Goal is a promise on what a request costs one server next to another, in the
// same run.
type Goal struct {
	Row, Server, Base string
	Limit             float64
	// Spread allows for what the rounds differ by: a quarter of them has to keep
	// the limit. It is for limits without room, where one server is to be no worse
	// than another and half of all rounds of two equal ones would miss it.
	Spread bool
}

// Goals are what Veneer is to reach.
var Goals = []Goal{
	{Row: "h1-1k", Server: "veneer", Base: "floor", Limit: 1.10},
	{Row: "h1-64k", Server: "veneer", Base: "floor", Limit: 1.10},
	{Row: "h1-1m", Server: "veneer", Base: "floor", Limit: 1.05},
	{Row: "h1-1k", Server: "veneer-traces", Base: "floor", Limit: 1.15},
	{Row: "tls-1k", Server: "veneer", Base: "nginx", Limit: 0.90},
	{Row: "h1-1k", Server: "veneer-nolane", Base: "nethttp", Limit: 1.25},
	{Row: "h2-1k", Server: "veneer", Base: "nethttp", Limit: 1.00, Spread: true},
	{Row: "miss-1k", Server: "veneer", Base: "reverse", Limit: 1.10},
}

// quiet is the share of the server's core that others have on a machine that
// does nothing else: the kernel, and ticks that are counted for the wrong one.
const quiet = 0.10

// Verdict is what became of a Goal.
type Verdict uint8

// The verdicts. A Goal is Open when the run had not both servers.
const (
	Open Verdict = iota
	Met
	Missed
)

var verdicts = [...]string{Open: "not measured", Met: "met", Missed: "MISSED"}

// Judge returns the verdict on a Goal, and in words what it is about.
func (g Goal) Judge(outcomes []contest.Outcome) (Verdict, string) {
	text := fmt.Sprintf("%-8s %s ≤ %.2f of %s", g.Row, g.Server, g.Limit, g.Base)
	for i := range outcomes {
		if outcomes[i].Row != g.Row {
			continue
		}
		ratio := outcomes[i].Ratio(g.Server, g.Base)
		if ratio.N == 0 {
			break
		}
		got, word := ratio.Median, "median"
		if g.Spread {
			got, word = ratio.Lower, "lower quartile"
		}
		text += fmt.Sprintf(": %s %.3f, %s", word, got, between(ratio))
		// Such a verdict is one on a busy machine: it is said, not left out.
		if others := max(outcomes[i].Entry(g.Server).Others().Median, outcomes[i].Entry(g.Base).Others().Median); others > quiet {
			text += fmt.Sprintf("; others had %.0f %% of the core", 100*others)
		}
		if got > g.Limit {
			return Missed, text
		}
		return Met, text
	}
	return Open, text
}

// WriteGoals writes a line for each Goal, and returns how many were missed.
func (r *Report) WriteGoals(w io.Writer) (missed int) {
	for _, g := range Goals {
		verdict, text := g.Judge(r.Outcomes)
		if verdict == Missed {
			missed++
		}
		fmt.Fprintf(w, "%-12s %s\n", verdicts[verdict], text)
	}
	return missed
}

// WriteFaults writes a line for each of our own servers that has no figures and
// should have, and returns how many there are.
func (r *Report) WriteFaults(w io.Writer) (faults int) {
	for _, o := range r.Outcomes {
		for _, e := range o.Entries {
			if e.Fault {
				faults++
				fmt.Fprintf(w, "FAULT        %s: %s: %s\n", o.Row, e.Server, e.Why)
			}
		}
	}
	return faults
}
