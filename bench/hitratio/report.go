package hitratio

import (
	"fmt"
	"io"
	"strings"
)

// Table is the outcome of all replays.
type Table struct {
	Caches []string // in the order of Row.Ratios
	Rows   []Row
}

// Row is one Trace with room for a part of its footprint.
type Row struct {
	Trace   string
	Percent int // of the footprint
	Ratios  []Ratio
}

// Lead returns by how much a cache of a Row is ahead of the best of the others,
// in points (hundredths). It is negative where the cache is behind.
func (r Row) Lead(cache int) Ratio {
	best := Ratio{}
	for i, x := range r.Ratios {
		if i != cache {
			best = Ratio{max(best.Objects, x.Objects), max(best.Bytes, x.Bytes)}
		}
	}
	mine := r.Ratios[cache]
	return Ratio{100 * (mine.Objects - best.Objects), 100 * (mine.Bytes - best.Bytes)}
}

// WriteText writes the Table for reading, a Row a line: for each cache the
// percentage of requests and of bytes, and how far the last one is from the
// best of the others.
func (t *Table) WriteText(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%-8s %5s", "trace", "room")
	for _, c := range t.Caches {
		fmt.Fprintf(b, "  %11s", c)
	}
	fmt.Fprintf(b, "  %14s\n", "to the best")
	for _, r := range t.Rows {
		fmt.Fprintf(b, "%-8s %4d%%", r.Trace, r.Percent)
		for _, x := range r.Ratios {
			fmt.Fprintf(b, "  %5.1f %5.1f", 100*x.Objects, 100*x.Bytes)
		}
		lead := r.Lead(len(r.Ratios) - 1)
		fmt.Fprintf(b, "    %+5.1f %+5.1f\n", lead.Objects, lead.Bytes)
	}
	_, err := io.WriteString(w, b.String())
	if err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}
