// Package report writes what servers cost side by side: a table for a terminal
// or for Markdown, a chart, everything as JSON, and which goals are met.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"veneer/bench/peers/internal/contest"
	"veneer/bench/peers/internal/figure"
)

// Report is one run.
type Report struct {
	Date     time.Time         `json:"date"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // by program
	Flags    map[string]string `json:"flags"`
	Outcomes []contest.Outcome `json:"outcomes"`
}

// entry is a contest.Entry with its sums.
type entry struct {
	contest.Entry
	Cost  figure.Summary `json:"cost_us"`
	Ratio figure.Summary `json:"ratio"`
	Rate  figure.Summary `json:"rate"`
}

// JSON writes all of it, every round and what is made of them.
func (r *Report) JSON(w io.Writer) error {
	type outcome struct {
		contest.Outcome
		Entries []entry `json:"entries"` // in place of those without sums
	}
	all := struct {
		*Report
		Outcomes []outcome `json:"outcomes"`
	}{Report: r}
	for i := range r.Outcomes {
		o := outcome{Outcome: r.Outcomes[i]}
		for _, e := range o.Outcome.Entries {
			with := entry{Entry: e}
			if e.Measured() {
				with.Cost, with.Ratio, with.Rate = e.Cost(), o.Ratio(e.Server, o.Base), e.Rate()
			}
			o.Entries = append(o.Entries, with)
		}
		all.Outcomes = append(all.Outcomes, o)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// columns are those of the table, the first to the left and the others to the
// right.
var columns = []string{"server", "CPU µs a request", "min–max", "ratio", "min–max", "requests/s", "core", "others"}

// Table writes what was measured for reading, or as Markdown.
func (r *Report) Table(w io.Writer, markdown bool) error {
	b := &strings.Builder{}
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		rows, notes := rows(o)
		if markdown {
			asMarkdown(b, o, rows, notes)
		} else {
			asText(b, o, rows, notes)
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}
