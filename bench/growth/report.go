package growth

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Point is one measurement.
type Point struct {
	Size  int // of what grows
	Value float64
}

// Series is how one cost grows.
type Series struct {
	Name   string
	Points []Point // by size, the least first
}

// factor is that by which the cost at the largest size exceeds the cost at the
// least, as text; "" where there is none.
func (s Series) factor() string {
	if first := s.Points[0].Value; first > 0 {
		return fmt.Sprintf("%.2f", s.Points[len(s.Points)-1].Value/first)
	}
	return ""
}

// Panel is what grows with the number of one thing.
type Panel struct {
	Title  string
	Over   string // what there are more and more of
	Unit   string // of the values
	Series []Series
}

// Report is the outcome of all measurements.
type Report struct{ Panels []Panel }

// Add puts a Point into a Series of a Panel, which are made as they come.
func (r *Report) Add(panel Panel, series string, p Point) {
	at := -1
	for i := range r.Panels {
		if r.Panels[i].Title == panel.Title {
			at = i
		}
	}
	if at < 0 {
		at = len(r.Panels)
		r.Panels = append(r.Panels, Panel{Title: panel.Title, Over: panel.Over, Unit: panel.Unit})
	}
	of := &r.Panels[at]
	for i := range of.Series {
		if s := &of.Series[i]; s.Name == series {
			s.Points = append(s.Points, p)
			return
		}
	}
	of.Series = append(of.Series, Series{series, []Point{p}})
}

// WriteText writes the Report for reading: a table for each Panel, a Series a
// line, with the factor from the least size to the largest.
func (r *Report) WriteText(w io.Writer) error {
	b := &strings.Builder{}
	for i, p := range r.Panels {
		if i > 0 {
			b.WriteByte('\n')
		}
		sizes := p.sizes()
		fmt.Fprintf(b, "%-34s", p.Title+", "+p.Unit)
		for _, n := range sizes {
			fmt.Fprintf(b, " %9s", short(n))
		}
		fmt.Fprintf(b, " %7s  %s\n", "factor", p.Over)
		for _, s := range p.Series {
			fmt.Fprintf(b, "  %-32s", s.Name)
			for _, n := range sizes {
				fmt.Fprintf(b, " %9s", s.at(n))
			}
			fmt.Fprintf(b, " %7s\n", s.factor())
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}

// sizes are those of all Series, the least first.
func (p Panel) sizes() []int {
	var all []int
	for _, s := range p.Series {
		for _, x := range s.Points {
			all = append(all, x.Size)
		}
	}
	return sorted(all)
}

// at is the value at a size as text, or "" where it was not measured.
func (s Series) at(size int) string {
	for _, p := range s.Points {
		if p.Size == size {
			return figure(p.Value)
		}
	}
	return ""
}

// figure writes a value with three digits that mean something.
func figure(v float64) string {
	digits := 0
	if a := math.Abs(v); a > 0 && a < 100 {
		digits = min(2-int(math.Floor(math.Log10(a))), 4)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// short writes a number of things: 1000 is 1k, a million 1M.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n >= 1000 && n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}
