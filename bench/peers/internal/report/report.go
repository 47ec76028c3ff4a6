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
)

// Report is one run.
type Report struct {
	Date     time.Time         `json:"date"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // by program
	Flags    map[string]string `json:"flags"`
	Outcomes []contest.Outcome `json:"outcomes"`
}

// JSON writes all of it.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// columns are those of the table, the first to the left and the others to the
// right.
var columns = []string{"server", "CPU µs a request", "min–max", "ratio", "min–max", "requests/s", "core"}

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
