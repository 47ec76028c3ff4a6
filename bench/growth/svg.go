package growth

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"

	"veneer/bench/internal/chart"
)

// WriteSVG draws the Report: both axes are logarithmic, so that a cost in
// proportion is a slope of one to one decade, and one that does not depend on
// the size is level.
func (r *Report) WriteSVG(w io.Writer) error {
	page := chart.New("How costs grow: by what is configured, stored and connected", nil, len(r.Panels))
	for _, p := range r.Panels {
		page.Panel(p.Title+", "+p.Unit, p.draw)
	}
	_, err := page.WriteTo(w)
	return err
}

// firstSeries is the first colour that is used: the ones before it are too pale
// for a line.
const firstSeries = 2

// axis places values by their logarithm between two powers of ten.
type axis struct{ low, high float64 }

// decades is the axis that all values are on; at least one decade.
func decades(values []float64) axis {
	a := axis{math.Floor(math.Log10(slices.Min(values))), math.Ceil(math.Log10(slices.Max(values)))}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	return a
}

func (a axis) share(v float64) float64 { return (math.Log10(v) - a.low) / (a.high - a.low) }

// powers calls visit with each power of ten of the axis.
func (a axis) powers(visit func(v float64)) {
	for e := a.low; e <= a.high; e++ {
		visit(math.Pow(10, e))
	}
}

// draw draws one Panel. What is not above zero has no place on the axes and is
// left out.
func (p Panel) draw(b *strings.Builder) {
	var names []string
	var sizes, values []float64
	for _, s := range p.Series {
		names = append(names, s.Name)
		for _, x := range s.Points {
			if x.Value > 0 {
				sizes, values = append(sizes, float64(x.Size)), append(values, x.Value)
			}
		}
	}
	chart.Legend(b, chart.Left, chart.Top+2, firstSeries, 2, names)
	if len(values) == 0 {
		return
	}
	across, up := decades(sizes), decades(values)
	// What is above is kept for two rows of the legend.
	height := func(v float64) float64 { return 0.82 * up.share(v) }
	up.powers(func(v float64) { chart.Level(b, height(v), fmt.Sprintf("%g", v)) })
	x := func(size float64) float64 { return chart.Left + chart.Width*across.share(size) }
	across.powers(func(v float64) { chart.Below(b, x(v), short(int(v))) })
	for i, s := range p.Series {
		line(b, firstSeries+i, s, p, func(q Point) (float64, float64) { return x(float64(q.Size)), chart.Y(height(q.Value)) })
	}
}

// line draws a Series in the i-th colour; each Point says what it is.
func line(b *strings.Builder, i int, s Series, p Panel, place func(Point) (x, y float64)) {
	var path, dots strings.Builder
	for _, q := range s.Points {
		if q.Value <= 0 {
			continue
		}
		x, y := place(q)
		verb := "L"
		if path.Len() == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, x, y)
		fmt.Fprintf(&dots, `<circle class="area %s" cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`+"\n", chart.Series(i), x, y,
			html.EscapeString(fmt.Sprintf("%s: %s %s at %s %s", s.Name, figure(q.Value), p.Unit, short(q.Size), p.Over)))
	}
	fmt.Fprintf(b, `<path class="line %s" d="%s"/>`+"\n%s", chart.Series(i), path.String(), dots.String())
}

// sorted returns the different numbers, the least first.
func sorted(all []int) []int {
	slices.Sort(all)
	return slices.Compact(all)
}
