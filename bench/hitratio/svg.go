package hitratio

import (
	"fmt"
	"io"
	"strings"

	"veneer/bench/internal/chart"
)

// groupGap is what stands between two groups of bars, in pixels.
const groupGap = 16

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
	page := chart.New("Hit ratio in per cent: bars by requests, lines by bytes", t.Caches, len(names))
	for _, name := range names {
		page.Panel(name, func(b *strings.Builder) { panel(b, panels[name]) })
	}
	_, err := page.WriteTo(w)
	return err
}

// panel draws the rows of one trace.
func panel(b *strings.Builder, rows []Row) {
	for v := 0; v <= 100; v += 25 {
		chart.Level(b, float64(v)/100, fmt.Sprint(v))
	}
	group := float64(chart.Width) / float64(len(rows))
	for i, r := range rows {
		left := chart.Left + float64(i)*group + groupGap/2
		bars(b, left, group-groupGap, r.Ratios)
		chart.Below(b, left+(group-groupGap)/2, fmt.Sprintf("room for %d %%", r.Percent))
	}
}

// bars draws one group.
func bars(b *strings.Builder, left, width float64, ratios []Ratio) {
	step := width / float64(len(ratios))
	for i, x := range ratios {
		at, top := left+float64(i)*step, chart.Y(x.Objects)
		fmt.Fprintf(b, `<rect class="area %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%.1f %% of requests, %.1f %% of bytes</title></rect>`+"\n",
			chart.Series(i), at, top, step-1.5, chart.Y(0)-top, 100*x.Objects, 100*x.Bytes)
		fmt.Fprintf(b, `<path class="mark" d="M%.1f %.1fh%.1f"/>`+"\n", at, chart.Y(x.Bytes), step-1.5)
	}
}
