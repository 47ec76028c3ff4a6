package hitratio

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Measures of the chart, in pixels.
const (
	panelColumns = 3
	panelWidth   = 330
	panelHeight  = 220
	plotLeft     = 34 // inside a panel
	plotTop      = 34
	plotWidth    = 280
	plotHeight   = 150
	headHeight   = 62
	groupGap     = 16
)

// colours are told apart by most who see few colours, and in grey.
var colours = []string{"#bbbbbb", "#88ccee", "#ddaa33", "#999933", "#aa3377", "#332288"}

// WriteSVG draws the Table: a panel for each trace, a group of bars for each
// size, a bar for each cache. The bar is the part of requests, the line across
// it the part of bytes.
func (t *Table) WriteSVG(w io.Writer) error {
	var names []string
	panels := make(map[string][]Row)
	for _, r := range t.Rows {
		if panels[r.Trace] == nil {
			names = append(names, r.Trace)
		}
		panels[r.Trace] = append(panels[r.Trace], r)
	}
	width := panelColumns * panelWidth
	height := headHeight + (len(names)+panelColumns-1)/panelColumns*panelHeight
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#222">`+"\n",
		width, height, width, height)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	t.legend(b)
	for i, name := range names {
		fmt.Fprintf(b, `<g transform="translate(%d,%d)">`+"\n", i%panelColumns*panelWidth, headHeight+i/panelColumns*panelHeight)
		panel(b, name, panels[name])
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the chart: %w", err)
	}
	return nil
}

func (t *Table) legend(b *strings.Builder) {
	fmt.Fprintf(b, `<text x="%d" y="20" font-size="14">Hit ratio in per cent: bars by requests, lines by bytes</text>`+"\n", plotLeft)
	x := plotLeft
	for i, c := range t.Caches {
		fmt.Fprintf(b, `<rect x="%d" y="34" width="11" height="11" fill="%s"/><text x="%d" y="44">%s</text>`+"\n",
			x, colours[i%len(colours)], x+16, html.EscapeString(c))
		x += 40 + 7*len(c)
	}
}

// panel draws the rows of one trace.
func panel(b *strings.Builder, name string, rows []Row) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", plotLeft, plotTop-12, html.EscapeString(name))
	for v := 0; v <= 100; v += 25 {
		y := level(float64(v) / 100)
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`+"\n",
			plotLeft, y, plotWidth, plotLeft-5, y+4, v)
	}
	group := float64(plotWidth) / float64(len(rows))
	for i, r := range rows {
		left := plotLeft + float64(i)*group + groupGap/2
		bars(b, left, group-groupGap, r.Ratios)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">room for %d %%</text>`+"\n",
			left+(group-groupGap)/2, plotTop+plotHeight+16, r.Percent)
	}
}

// bars draws one group.
func bars(b *strings.Builder, left, width float64, ratios []Ratio) {
	step := width / float64(len(ratios))
	for i, x := range ratios {
		at, top := left+float64(i)*step, level(x.Objects)
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%.1f %% of requests, %.1f %% of bytes</title></rect>`+"\n",
			at, top, step-1.5, plotTop+plotHeight-top, colours[i%len(colours)], 100*x.Objects, 100*x.Bytes)
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1f" stroke="#000" stroke-width="1.5"/>`+"\n", at, level(x.Bytes), step-1.5)
	}
}

// level is the height of a ratio in a panel.
func level(ratio float64) float64 { return plotTop + plotHeight*(1-ratio) }
