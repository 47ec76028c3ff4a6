package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Paint puts a colour on text for a person: severity is "" for what is good.
type Paint func(severity Severity, text string) string

// maxColumn bounds a column of the evidence, in characters. --json has all.
const maxColumn = 64

// WriteText writes the report for people: a table of the checks, each finding
// with its evidence side by side and its fix, and the verdict as the last
// line. A nil paint leaves the text plain.
func (rep *Report) WriteText(w io.Writer, paint Paint) error {
	if paint == nil {
		paint = func(_ Severity, text string) string { return text }
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", rep.URL)
	for i, o := range rep.Origins {
		fmt.Fprintf(&b, "  origin %c   %s\n", 'A'+i, o)
	}
	fmt.Fprintf(&b, "  preflight  %s\n", strings.Join(append([]string{rep.Method}, rep.Headers...), ", "))
	fmt.Fprintf(&b, "  server     %s\n", strings.Join(rep.Servers, ", "))
	requests := len(rep.Exchanges)
	for _, x := range rep.Exchanges {
		requests += x.Retries
	}
	fmt.Fprintf(&b, "  requests   %d\n\n", requests)
	rep.table(&b, paint)
	for _, f := range rep.Findings {
		rep.finding(&b, f, paint)
	}
	fmt.Fprintf(&b, "\n%s\n", rep.verdict(paint))
	_, err := io.WriteString(w, b.String())
	return err
}

func (rep *Report) table(b *strings.Builder, paint Paint) {
	for _, c := range rep.Checks {
		word, severity := "ok", Severity("")
		switch c.Result {
		case "skipped", undecidedResult:
			word, severity = "-", Note
		case string(Fault):
			word, severity = "FAULT", Fault
		case string(Warning), string(Note):
			word, severity = c.Result, Severity(c.Result)
		}
		fmt.Fprintf(b, "%s  %-25s  %s", paint(severity, pad(word, 7)), c.ID, c.Asks)
		if c.Reason != "" {
			fmt.Fprintf(b, " (%s)", c.Reason)
		}
		b.WriteString("\n")
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func (rep *Report) finding(b *strings.Builder, f Finding, paint Paint) {
	word := string(f.Severity)
	if f.Severity == Fault {
		word = "FAULT"
	}
	fmt.Fprintf(b, "\n%s %s: %s\n  %s\n", paint(f.Severity, word), f.ID, f.Title, f.Why)
	var x [2]*Exchange
	for i, name := range f.Evidence {
		x[i] = rep.exchange(name)
	}
	if x[0] != nil {
		sideBySide(b, x[0], x[1])
	}
	if f.Server == string(kindUnknown) {
		fmt.Fprintf(b, "  fix: %s\n", f.Fix)
		return
	}
	fmt.Fprintf(b, "  fix (%s): %s\n", f.Server, f.Fix)
}

// row is a line of the evidence.
type row [3]string

func sideBySide(b *strings.Builder, left, right *Exchange) {
	rows := []row{{"", left.About, ""}, {"request", left.line(), ""}, {"Origin", orDash(left.origin()), ""}, {"status", left.outcome(), ""}}
	names := left.names()
	if right != nil {
		rows[0][2], rows[1][2], rows[2][2], rows[3][2] = right.About, right.line(), orDash(right.origin()), right.outcome()
		names = append(names, right.names()...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		l, r := left.lines(name), right.lines(name)
		for i := range max(len(l), len(r), 1) {
			rows = append(rows, row{name, at(l, i), at(r, i)})
			if right == nil {
				rows[len(rows)-1][2] = ""
			}
		}
	}
	var width [2]int
	for _, row := range rows {
		for i := range width {
			width[i] = max(width[i], utf8.RuneCountInString(cut(row[i])))
		}
	}
	for _, row := range rows {
		line := "    " + pad(row[0], width[0]) + "  " + pad(cut(row[1]), width[1])
		if right != nil {
			line += "  | " + cut(row[2])
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "-"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxColumn {
		return string(r[:maxColumn-1]) + "…"
	}
	return s
}

func (x *Exchange) line() string { return x.Method + " " + pathOf(x.URL) }

func (x *Exchange) outcome() string {
	if x.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(x.Status)
}

// names are the response fields that the evidence shows: those of CORS and of
// caches. Two are shown even where they are missing, because that is what most
// evidence is about.
func (x *Exchange) names() []string {
	names := []string{fieldAllowOrigin}
	if !x.preflight() {
		names = append(names, fieldVary)
	}
	for _, f := range x.Received {
		if f.Name != "Content-Type" && f.Name != fieldServer && f.Name != fieldPoweredBy {
			names = append(names, f.Name)
		}
	}
	return names
}

func (rep *Report) verdict(paint Paint) string {
	faults, warnings, notes := rep.count(Fault), rep.count(Warning), rep.count(Note)
	text, severity := "good", Severity("")
	if faults > 0 {
		text, severity = plural(faults, "fault"), Fault
	} else if warnings > 0 {
		severity = Warning
	}
	if n := rep.undecided(); n > 0 {
		if faults == 0 {
			text, severity = "not known", Warning
		}
		text += ", " + plural(n, "check") + " not decided"
	}
	if warnings > 0 {
		text += ", " + plural(warnings, "warning")
	}
	if notes > 0 {
		text += ", " + plural(notes, "note")
	}
	return paint(severity, "verdict: "+text)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
