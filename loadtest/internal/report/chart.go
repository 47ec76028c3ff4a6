package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Pixels of a chart and of its margins.
const (
	width, height            = 460.0, 240.0
	left, right, top, bottom = 56.0, 12.0, 26.0, 34.0
)

// chart is one drawing. Its axes are given in units of their own; place turns a
// value into a share of the axis.
type chart struct {
	title, describe string
	x, y            axis
	lines           []line
	bars            []point // from the bottom up
	marks           []mark  // vertical lines with a word
	limit           float64 // a horizontal line, unless zero
}

type axis struct {
	unit  string
	ticks []tick
	place func(v float64) float64 // 0 to 1
}

type tick struct {
	at   float64
	text string
}

type point struct{ x, y float64 }

type line struct {
	name   string
	hue    int
	dashed bool
	points []point
}

type mark struct {
	at   float64
	text string
}

// linear goes from 0 to most, with four or five ticks at round values.
func linear(unit string, most float64) axis {
	if most <= 0 {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{0.2, 0.5, 1, 2} {
		if most/(step*f) <= 5 {
			step *= f
			break
		}
	}
	a := axis{unit: unit, place: func(v float64) float64 { return v / most }}
	for v := 0.0; v <= most*1.0001; v += step {
		a.ticks = append(a.ticks, tick{v, fmt.Sprintf("%g", math.Round(v*1000)/1000)})
	}
	return a
}

// logarithmic goes from least to most, with a tick at each power of ten.
func logarithmic(unit string, least, most float64) axis {
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	if high <= low {
		high = low + 1
	}
	a := axis{unit: unit, place: func(v float64) float64 { return (math.Log10(max(v, math.Pow(10, low))) - low) / (high - low) }}
	for e := low; e <= high; e++ {
		a.ticks = append(a.ticks, tick{math.Pow(10, e), fmt.Sprintf("%g", math.Pow(10, e))})
	}
	return a
}

// svg draws it.
func (c *chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s"><title>%s</title>`, width, height, html.EscapeString(c.describe), html.EscapeString(c.describe))
	text(&b, left, 14, "start", "head", c.title)
	for _, t := range c.y.ticks {
		y := c.py(t.at)
		segment(&b, "grid", left, y, width-right, y)
		text(&b, left-5, y+3.5, "end", "", t.text)
	}
	for _, t := range c.x.ticks {
		x := c.px(t.at)
		segment(&b, "grid", x, top, x, height-bottom)
		text(&b, x, height-bottom+13, "middle", "", t.text)
	}
	text(&b, width-right, height-4, "end", "", c.x.unit)
	text(&b, 4, top+4, "start", "", c.y.unit)
	wide := (width - left - right) / float64(max(len(c.bars), 1))
	for _, p := range c.bars {
		if y := c.py(p.y); p.y > 0 {
			fmt.Fprintf(&b, `<rect class="bad" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, c.px(p.x), y, max(wide, 1.5), height-bottom-y)
		}
	}
	if c.limit > 0 {
		segment(&b, "limit", left, c.py(c.limit), width-right, c.py(c.limit))
		text(&b, width-right, c.py(c.limit)-3, "end", "", "promised")
	}
	for i, m := range c.marks {
		segment(&b, "mark", c.px(m.at), top, c.px(m.at), height-bottom)
		if i == 0 || m.text != c.marks[i-1].text {
			text(&b, c.px(m.at)+2, top+8, "start", "", m.text)
		}
	}
	c.drawLines(&b)
	b.WriteString("</svg>")
	return b.String()
}

// drawLines draws the lines, and a legend of those that have a name.
func (c *chart) drawLines(b *strings.Builder) {
	x := left + 7*float64(len(c.title)) + 12
	for _, l := range c.lines {
		var d strings.Builder
		for i, p := range l.points {
			command := 'L'
			if i == 0 {
				command = 'M'
			}
			fmt.Fprintf(&d, "%c%.1f %.1f", command, c.px(p.x), c.py(p.y))
		}
		class := fmt.Sprintf("line h%d", l.hue%hues)
		if l.dashed {
			class += " dashed"
		}
		fmt.Fprintf(b, `<path class="%s" d="%s"/>`, class, d.String())
		if l.name != "" {
			segment(b, class, x, 10, x+14, 10)
			text(b, x+18, 14, "start", "", l.name)
			x += 26 + 5.6*float64(len(l.name))
		}
	}
}

const hues = 6

func (c *chart) px(v float64) float64 {
	return left + clamp(c.x.place(v))*(width-left-right)
}

func (c *chart) py(v float64) float64 {
	return height - bottom - clamp(c.y.place(v))*(height-top-bottom)
}

func clamp(share float64) float64 { return min(1, max(0, share)) }

func segment(b *strings.Builder, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1fL%.1f %.1f"/>`, class, x1, y1, x2, y2)
}

func text(b *strings.Builder, x, y float64, anchor, class, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(s))
}
