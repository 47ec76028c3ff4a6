// Command picture draws the pictures of the README, so that they change with
// the words they show:
//
//	go run ./cmd/internal/picture > cmd/internal/picture/life.svg
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// step is one of the steps of a request's life (package cache).
type step struct {
	name, does, ends string
}

var steps = []step{
	{"1 route", "host + path → route", "404 · 421"},
	{"2 preflight", "answered by the policy", "204 · 403"},
	{"3 key", "URL + origin bucket", "not cacheable → 6"},
	{"4 lookup", "variant by Vary", ""},
	{"5 reuse", "fresh? stale? validate?", "fresh → 7"},
	{"6 fill", "one fetch for all waiters", "502 · 504"},
	{"7 deliver", "Age · 304 · 206 · CORS", ""},
	{"8 record", "counters, span, log", ""},
}

const (
	boxWidth, boxHeight = 188, 74
	gap                 = 28
	perRow              = 4
	margin              = 20
	rowHeight           = 190
	width               = margin*2 + perRow*boxWidth + (perRow-1)*gap
	height              = 400
)

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2933 }
  .name { font-weight: 600; font-size: 15px }
  .ends, .note { font-size: 12px; fill: #52606d }
  .box { fill: #f5f7fa; stroke: #9aa5b1 }
  .veneer { fill: #e3f8ff; stroke: #0b69a3 }
  .bare { fill: #fffbea; stroke: #b44d12 }
  .line { stroke: #52606d; fill: none; marker-end: url(#tip) }
  @media (prefers-color-scheme: dark) {
    text { fill: #f5f7fa } .ends, .note { fill: #cbd2d9 }
    .box { fill: #323f4b; stroke: #7b8794 } .veneer { fill: #0b4f75 } .bare { fill: #663a12 }
    .line { stroke: #cbd2d9 }
  }
`

func main() {
	if err := draw(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// draw writes the picture of a request's life as SVG.
func draw(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="A request's life in eight steps: what is stored is bare, CORS is put on in step 7">`+"\n", width, height)
	fmt.Fprintf(&b, "<style>%s</style>\n", style)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#52606d"/></marker></defs>` + "\n")
	for i, s := range steps {
		drawStep(&b, i, s)
	}
	store := margin + 3*(boxWidth+gap)
	fmt.Fprintf(&b, `<rect class="bare" x="%d" y="150" width="%d" height="36" rx="18"/><text x="%d" y="173" text-anchor="middle">store: bare responses</text>`+"\n",
		store, boxWidth, store+boxWidth/2)
	fmt.Fprintf(&b, `<path class="line" d="M%d %d V148"/>`+"\n", store+boxWidth/2, margin+boxHeight+22)
	up := margin + boxWidth + gap
	fmt.Fprintf(&b, `<rect class="bare" x="%d" y="340" width="%d" height="36" rx="18"/><text x="%d" y="363" text-anchor="middle">upstream</text>`+"\n",
		up, boxWidth, up+boxWidth/2)
	fmt.Fprintf(&b, `<path class="line" d="M%d %d V338"/>`+"\n", up+boxWidth/2, margin+rowHeight+boxHeight+22)
	fmt.Fprintf(&b, `<text class="note" x="%d" y="346">what the upstream says of CORS is stripped</text><text class="note" x="%d" y="364">before anything is stored (own mode)</text>`+"\n",
		up+boxWidth+20, up+boxWidth+20)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func drawStep(b *strings.Builder, i int, s step) {
	x := margin + i%perRow*(boxWidth+gap)
	y := margin + i/perRow*rowHeight
	class := "box"
	if s.name == "2 preflight" || s.name == "7 deliver" {
		class = "veneer"
	}
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, class, x, y, boxWidth, boxHeight)
	fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text><text x="%d" y="%d">%s</text>`, x+14, y+28, s.name, x+14, y+52, s.does)
	if s.ends != "" {
		fmt.Fprintf(b, `<text class="ends" x="%d" y="%d">%s</text>`, x+14, y+boxHeight+18, s.ends)
	}
	switch {
	case i%perRow < perRow-1 && i < len(steps)-1:
		fmt.Fprintf(b, `<path class="line" d="M%d %d H%d"/>`, x+boxWidth, y+boxHeight/2, x+boxWidth+gap-2)
	case i < len(steps)-1: // on to the next row
		fmt.Fprintf(b, `<path class="line" d="M%d %d h14 v126 H%d v%d"/>`, x+boxWidth, y+boxHeight/2+16, margin+boxWidth/2, rowHeight-126-boxHeight/2-18)
	}
	b.WriteString("\n")
}
