package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
)

// Result is what came of one check.
type Result struct {
	ID   string `json:"id"`
	Asks string `json:"asks"`
	// Result is ok, skipped, undecided (what it rests on was 429, 5xx or no
	// answer), or the severity of the finding.
	Result string `json:"result"`
	// Reason says why the check was skipped or is undecided.
	Reason string `json:"reason,omitempty"`
}

// Finding is something that is not as it should be.
type Finding struct {
	// ID is the check's.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Title is the finding in one sentence, Why what comes of it.
	Title string `json:"title"`
	Why   string `json:"why"`
	// Evidence names one or two exchanges.
	Evidence []string `json:"evidence"`
	// Fix is one line in the words of Server, which is one of the report's or
	// "unknown".
	Fix    string `json:"fix"`
	Server string `json:"server"`
}

// Report is one examination. Its JSON names, the ids of checks and the names
// of exchanges are stable; there may be more of each in a later release.
// Nothing changes a Report once Examine has returned it.
type Report struct {
	URL     string   `json:"url"`
	Origins []string `json:"origins"`
	Method  string   `json:"method"`
	Headers []string `json:"headers"`
	// Servers are what the answers speak of, edge first: nginx, apache, caddy,
	// envoy, traefik, kong, aws-api-gateway, cloudflare, cloudfront, fastly,
	// varnish, express, veneer; or unknown alone.
	Servers []string `json:"servers"`
	// Good: there is no fault, and Known. There may be warnings and notes.
	Good bool `json:"good"`
	// Known: no check is undecided.
	Known     bool        `json:"known"`
	Checks    []Result    `json:"checks"`
	Findings  []Finding   `json:"findings"` // the worst first
	Exchanges []*Exchange `json:"exchanges"`
}

// report puts the questions to the record.
func (r *run) report() *Report {
	found := detect(r.all())
	rep := &Report{
		URL: r.s.url.String(), Origins: []string{r.s.a.Text}, Method: r.s.method, Headers: append([]string{}, r.s.headers...),
		Good: true, Known: true, Findings: []Finding{}, Exchanges: r.exchanges,
	}
	if r.s.b.Text != "" {
		rep.Origins = append(rep.Origins, r.s.b.Text)
	}
	for _, k := range found {
		rep.Servers = append(rep.Servers, string(k))
	}
	for _, c := range checks {
		rep.add(r, c, found)
	}
	slices.SortStableFunc(rep.Findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return rep
}

func (rep *Report) add(r *run, c check, found []kind) {
	r.doubt = nil
	v := r.decided(c, c.look(r))
	result := Result{ID: c.id, Asks: c.asks, Result: "ok", Reason: v.skipped}
	switch {
	case v.undecided != "":
		result.Result, result.Reason = undecidedResult, v.undecided
		rep.Known, rep.Good = false, false
	case v.skipped != "":
		result.Result = "skipped"
	}
	if v.severity == "" {
		rep.Checks = append(rep.Checks, result)
		return
	}
	why := c.why
	if c.preflight && !r.s.needsPreflight() {
		why += " What was asked for needs no preflight; --method and --header name what does."
		if v.severity == Fault {
			v.severity = Note
		}
	}
	result.Result = string(v.severity)
	rep.Checks = append(rep.Checks, result)
	f := Finding{ID: c.id, Severity: v.severity, Title: v.title, Why: why, Evidence: []string{}}
	for _, x := range []*Exchange{v.left, v.right} {
		if x != nil {
			f.Evidence = append(f.Evidence, x.Name)
		}
	}
	k, fix := f.blame(v, c.cure, found, r.s)
	f.Server, f.Fix = string(k), fix
	rep.Findings = append(rep.Findings, f)
	rep.Good = rep.Good && v.severity != Fault
}

const undecidedResult = "undecided"

// blame prescribes, and looks behind a cache that says that it did not use
// what it had.
func (f *Finding) blame(v verdict, c remedy, found []kind, s *subject) (kind, string) {
	wrong := v.right // the answer that a cache is said to have spoilt
	if c == curePurge {
		wrong = v.left
	}
	if c != cureKey && c != curePurge {
		return prescribe(found, c, s)
	}
	cache := wrong.forwardedBy()
	if cache == "" {
		return prescribe(found, c, s)
	}
	f.Why += fmt.Sprintf(" Cache-Status says that %s forwarded the request: the cache at fault is behind it.", cache)
	found = without(found, cache)
	if k, fix := prescribe(found, c, s); k != kindUnknown {
		return k, fix
	}
	return prescribe(found, cureBehind, s)
}

func (s Severity) rank() int { return slices.Index([]Severity{Fault, Warning, Note}, s) }

// count returns how many findings have a severity.
func (rep *Report) count(s Severity) int {
	n := 0
	for _, f := range rep.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (rep *Report) undecided() int {
	n := 0
	for _, c := range rep.Checks {
		if c.Result == undecidedResult {
			n++
		}
	}
	return n
}

// exchange returns the exchange of a name, or nil.
func (rep *Report) exchange(name string) *Exchange {
	i := slices.IndexFunc(rep.Exchanges, func(x *Exchange) bool { return x.Name == name })
	if i < 0 {
		return nil
	}
	return rep.Exchanges[i]
}

// WriteJSON writes the report for programs.
func (rep *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(rep)
}

// pathOf is a URL without its origin, which is the same all over a report.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.RequestURI()
}
