package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"veneer/loadtest/internal/scenario"
)

// About says where and when the figures were taken.
type About struct {
	When    time.Time
	Machine string // processors and what else matters
	Program string // what was put under load
}

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"charts": charts, "latencies": latencies, "statuses": statuses, "round": round,
	"mode": mode,
}).Parse(page))

// HTML writes the page. Nothing in it is fetched from anywhere.
func HTML(w io.Writer, about About, results []*scenario.Result) error {
	broken := 0
	for _, r := range results {
		broken += len(r.Broken())
	}
	err := pageTemplate.Execute(w, struct {
		About   About
		Results []*scenario.Result
		Broken  int
	}{about, results, broken})
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// Text writes what a terminal gets of one result: its figures, and its promises
// with those that were broken first.
func Text(w io.Writer, r *scenario.Result) {
	verdict := "all kept"
	if n := len(r.Broken()); n > 0 {
		verdict = fmt.Sprintf("%d BROKEN", n)
	}
	fmt.Fprintf(w, "%s (%s): %d requests in %s, %d promises, %s\n", r.Scenario.Name, mode(r), r.Load.Sent, round(r.Load.Took), len(r.Promises), verdict)
	for _, row := range latencies(r) {
		fmt.Fprintf(w, "    %-14s %6d requests   50 %% %-9s 99 %% %-9s max %s\n", row.Class, row.Count, row.P50, row.P99, row.Max)
	}
	for _, p := range r.Broken() {
		fmt.Fprintf(w, "    BROKEN: %s\n            %s\n", p.Text, p.Got)
	}
	for _, p := range r.Promises {
		if p.Kept {
			fmt.Fprintf(w, "    kept: %s (%s)\n", p.Text, p.Got)
		}
	}
}

func mode(r *scenario.Result) string {
	protocol := "HTTP/1.1"
	if r.Options.Secure {
		protocol = "HTTP/2, TLS"
	}
	return fmt.Sprintf("%s, %g requests a second for %s, seed %d", protocol, r.Options.Rate, r.Options.Duration, r.Options.Seed)
}

// row is the latency of one class.
type row struct {
	Class                          string
	Count                          int64
	P50, P90, P99, P999, Max, Send time.Duration
}

func latencies(r *scenario.Result) []row {
	var rows []row
	for _, name := range r.Load.Classes() {
		l := r.Load.Class(name)
		rows = append(rows, row{
			name, l.Count(), round(l.Response(0.5)), round(l.Response(0.9)), round(l.Response(0.99)),
			round(l.Response(0.999)), round(l.Response(1)), round(l.Service(0.99)),
		})
	}
	return rows
}

func statuses(r *scenario.Result) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Statuses)) {
		all = append(all, fmt.Sprintf("%s: %d", name, r.Statuses[name]))
	}
	return strings.Join(all, ", ")
}

// round is for reading: three digits or so.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}
