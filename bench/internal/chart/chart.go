// Package chart has what the charts of bench share: a page with a title and a
// legend that reads on light and on dark ground, panels in a grid, and the
// colours. What stands in a panel is drawn by its owner.
package chart

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Measures in pixels. Left, Top, Width and Height are the plot inside a panel;
// around it there is room for the numbers of the axes.
const (
	Left   = 40
	Top    = 34
	Width  = 274
	Height = 150

	columns     = 3
	panelWidth  = 330
	panelHeight = 220
	headHeight  = 62
)

// style has the colours for light and dark ground. Those of the series are told
// apart by most who see few colours, and in grey.
const style = `<style>
svg{font:11px sans-serif;fill:#222}
.ground{fill:#fff}.title{font-size:14px}.name{font-weight:bold}.grid{stroke:#ddd}.mark{stroke:#000;stroke-width:1.5}
.area{fill:currentColor}.line{fill:none;stroke:currentColor;stroke-width:1.5}
.s0{color:#bbbbbb}.s1{color:#88ccee}.s2{color:#ddaa33}.s3{color:#999933}.s4{color:#aa3377}.s5{color:#332288}
@media(prefers-color-scheme:dark){svg{fill:#ddd}.ground{fill:#1b1b1f}.grid{stroke:#3a3a40}.mark{stroke:#fff}
.s4{color:#dd77aa}.s5{color:#9988ee}}
</style>
`

const series = 6

// Series is the class that gives the colour of the i-th series to an "area" or
// a "line".
func Series(i int) string { return fmt.Sprintf("s%d", i%series) }

// Page is a chart in the making.
type Page struct {
	b      strings.Builder
	panels int
	height int
}

// New begins a chart of so many panels. names are the series of all panels; it
// is empty where each panel has a legend of its own.
func New(title string, names []string, panels int) *Page {
	p := &Page{}
	width := columns * panelWidth
	p.height = headHeight + (panels+columns-1)/columns*panelHeight
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", width, p.height, width, p.height)
	p.b.WriteString(style)
	fmt.Fprintf(&p.b, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, p.height)
	fmt.Fprintf(&p.b, `<text class="title" x="%d" y="20">%s</text>`+"\n", Left, html.EscapeString(title))
	Legend(&p.b, Left, 44, 0, series, names)
	return p
}

// Panel draws the next panel; draw has the plot's measures.
func (p *Page) Panel(name string, draw func(b *strings.Builder)) {
	fmt.Fprintf(&p.b, `<g transform="translate(%d,%d)">`+"\n", p.panels%columns*panelWidth, headHeight+p.panels/columns*panelHeight)
	fmt.Fprintf(&p.b, `<text class="name" x="%d" y="%d">%s</text>`+"\n", Left, Top-12, html.EscapeString(name))
	draw(&p.b)
	p.b.WriteString("</g>\n")
	p.panels++
}

// WriteTo writes the whole chart. Nothing may be drawn afterwards.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	p.b.WriteString("</svg>\n")
	n, err := io.WriteString(w, p.b.String())
	if err != nil {
		return int64(n), fmt.Errorf("cannot write the chart: %w", err)
	}
	return int64(n), nil
}

// Legend writes the names of the series from first on beside their colours, so
// many in a row; x and y are where the first text's line begins.
func Legend(b *strings.Builder, x, y, first, perRow int, names []string) {
	const width, height = Width / 2, 14
	for i, name := range names {
		left, base := x+i%perRow*width, y+i/perRow*height
		fmt.Fprintf(b, `<rect class="area %s" x="%d" y="%d" width="11" height="11"/><text x="%d" y="%d">%s</text>`+"\n",
			Series(first+i), left, base-10, left+16, base, html.EscapeString(name))
	}
}

// Level draws a line across the plot at a height from 0 to 1, with its number.
func Level(b *strings.Builder, share float64, number string) {
	y := Y(share)
	fmt.Fprintf(b, `<path class="grid" d="M%d %.1fh%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
		Left, y, Width, Left-5, y+4, html.EscapeString(number))
}

// Below writes a number under the plot, its middle at x.
func Below(b *strings.Builder, x float64, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, Top+Height+16, html.EscapeString(text))
}

// Y is where a height from 0 to 1 stands in a panel.
func Y(share float64) float64 { return Top + Height*(1-share) }
