package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"veneer/bench/peers/internal/contest"
	"veneer/bench/peers/internal/figure"
)

// rows returns the cells of the servers that were measured, and a note for each
// that was not.
func rows(o *contest.Outcome) (cells [][]string, notes []string) {
	for i := range o.Entries {
		e := &o.Entries[i]
		if !e.Measured() {
			notes = append(notes, e.Server+": "+e.Why)
			continue
		}
		cost, ratio := e.Cost(), o.Ratio(e.Server, o.Base)
		cells = append(cells, []string{
			e.Server, fmt.Sprintf("%.2f", cost.Median), between(cost), middle(ratio), between(ratio),
			fmt.Sprintf("%.0f", e.Rate().Median), percent(e.Busy()), percent(e.Others()),
		})
	}
	return cells, notes
}

func percent(s figure.Summary) string { return fmt.Sprintf("%.0f %%", 100*s.Median) }

// middle and between are "-" where the other server of a ratio was not measured.
func middle(s figure.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", s.Median)
}

func between(s figure.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f–%.2f", s.Min, s.Max)
}

func asText(b *strings.Builder, o *contest.Outcome, cells [][]string, notes []string) {
	fmt.Fprintf(b, "%s: %s (ratio to %s)\n", o.Row, o.Title, o.Base)
	table := append([][]string{columns}, cells...)
	widths := make([]int, len(columns))
	for _, row := range table {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range table {
		b.WriteString("  ")
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			switch {
			case i == 0:
				b.WriteString(c + pad)
			default:
				b.WriteString("  " + pad + c)
			}
		}
		b.WriteString("\n")
	}
	for _, n := range notes {
		fmt.Fprintf(b, "  %s\n", n)
	}
	b.WriteString("\n")
}

func asMarkdown(b *strings.Builder, o *contest.Outcome, cells [][]string, notes []string) {
	fmt.Fprintf(b, "**%s**, ratio to %s\n\n| %s |\n|---|%s\n", o.Title, o.Base, strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)-1))
	for _, row := range cells {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
	for _, n := range notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
}
