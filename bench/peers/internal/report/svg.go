package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"

	"veneer/bench/peers/internal/contest"
	"veneer/bench/peers/internal/figure"
)

// Measures of the chart, in pixels.
const (
	panelColumns = 3
	panelWidth   = 330.0
	headHeight   = 46.0
	titleHeight  = 44.0 // of a panel
	barHeight    = 13.0
	barStep      = 19.0
	axisHeight   = 22.0
	nameWidth    = 100.0
	plotWidth    = 175.0
)

// style has one set of colours for light and one for dark. The ground is
// whatever the page has.
const style = `
  svg { color: #1f2933 }
  text { font: 11px system-ui, sans-serif; fill: currentColor }
  .head { font-size: 14px; font-weight: 600 } .name { font-weight: 600; font-size: 12px }
  .note { fill: #52606d } .grid { stroke: #d5dbe1 } .one { stroke: currentColor; stroke-dasharray: 3 2 }
  .spread { stroke: currentColor; fill: none }
  .veneer { fill: #0b69a3 } .base { fill: #9aa5b1 } .other { fill: #cf8a3a }
  @media (prefers-color-scheme: dark) {
    svg { color: #f5f7fa } .note { fill: #cbd2d9 } .grid { stroke: #3e4c59 }
    .veneer { fill: #40a9e0 } .base { fill: #7b8794 } .other { fill: #d99a4e }
  }
`

// SVG draws the ratios: a panel for each row, a bar for each server with its
// median, and a line from the least to the most of the rounds.
func (r *Report) SVG(w io.Writer) error {
	lines := (len(r.Outcomes) + panelColumns - 1) / panelColumns
	most := 1
	for _, o := range r.Outcomes {
		most = max(most, len(o.Entries))
	}
	panel := titleHeight + float64(most)*barStep + axisHeight
	columns := float64(max(2, min(panelColumns, len(r.Outcomes)))) // two, for the text at the top
	width, height := columns*panelWidth, headHeight+float64(lines)*panel
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="Processor time of a request beside that of a server to compare with">`+"\n<style>%s</style>\n", width, height, style)
	text(b, 10, 20, "head", "start", "Processor time of a request, as ratio: less is better")
	text(b, 10, 37, "note", "start", r.caption())
	for i := range r.Outcomes {
		fmt.Fprintf(b, `<g transform="translate(%.0f,%.0f)">`+"\n", float64(i%panelColumns)*panelWidth, headHeight+float64(i/panelColumns)*panel)
		draw(b, &r.Outcomes[i])
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the chart: %w", err)
	}
	return nil
}

// caption says where and when.
func (r *Report) caption() string {
	return fmt.Sprintf("%s · %s, %d cores, kernel %s · median of %s rounds of %s, line: least to most",
		r.Date.Format("2006-01-02"), r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Flags["rounds"], r.Flags["time"])
}

func text(b *strings.Builder, x, y float64, class, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

// draw draws the panel of one row.
func draw(b *strings.Builder, o *contest.Outcome) {
	text(b, 10, 18, "name", "start", o.Title)
	text(b, 10, 33, "note", "start", o.Row+", ratio to "+o.Base)
	ratios := make(map[string]figure.Summary)
	most := 1.0
	for _, e := range o.Entries {
		ratios[e.Server] = o.Ratio(e.Server, o.Base)
		most = max(most, ratios[e.Server].Max)
	}
	most, step := ceiling(most)
	bottom := titleHeight + float64(len(o.Entries))*barStep
	place := func(v float64) float64 { return nameWidth + v/most*plotWidth }
	for v := 0.0; v <= most*1.001; v += step {
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fV%.1f"/>`+"\n", place(v), titleHeight, bottom)
		text(b, place(v), bottom+13, "note", "middle", fmt.Sprintf("%g", math.Round(v*100)/100))
	}
	for i, e := range o.Entries {
		bar(b, titleHeight+float64(i)*barStep, e, ratios[e.Server], o.Base, place)
	}
	fmt.Fprintf(b, `<path class="one" d="M%.1f %.1fV%.1f"/>`+"\n", place(1), titleHeight, bottom)
}

// bar draws one server.
func bar(b *strings.Builder, y float64, e contest.Entry, ratio figure.Summary, base string, place func(float64) float64) {
	text(b, nameWidth-6, y+barHeight-2.5, "", "end", e.Server)
	if ratio.N == 0 {
		text(b, nameWidth+4, y+barHeight-2.5, "note", "start", short(e.Why))
		return
	}
	class := "other"
	switch {
	case e.Server == base:
		class = "base"
	case strings.HasPrefix(e.Server, "veneer"):
		class = "veneer"
	}
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`+"\n",
		class, place(0), y, place(ratio.Median)-place(0), barHeight, html.EscapeString(fmt.Sprintf("%s: %.3f (%s)", e.Server, ratio.Median, between(ratio))))
	if ratio.Max > ratio.Min {
		fmt.Fprintf(b, `<path class="spread" d="M%.1f %.1fH%.1f"/>`+"\n", place(ratio.Min), y+barHeight/2, place(ratio.Max))
	}
	text(b, place(ratio.Max)+5, y+barHeight-2.5, "", "start", middle(ratio))
}

// short is a reason as far as there is room for it.
func short(why string) string {
	const room = 34
	if runes := []rune(why); len(runes) > room {
		return string(runes[:room]) + "…"
	}
	return why
}

// ceiling returns a round value that is at least most, and the step of its
// ticks, of which there are at most six.
func ceiling(most float64) (top, step float64) {
	for scale := 0.1; ; scale *= 10 {
		for _, f := range []float64{1, 2, 5} {
			if step = scale * f; most <= 5*step {
				return math.Ceil(most/step-1e-9) * step, step
			}
		}
	}
}
