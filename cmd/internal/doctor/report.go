package doctor

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
)

// Result is what came of one check.
type Result struct {
	ID   string `json:"id"`
	Asks string `json:"asks"`
	// Result is ok, skipped, or the severity of the finding.
	Result string `json:"result"`
	// Reason says why the check was skipped.
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
	// Good: there is no fault. There may be warnings and notes.
	Good      bool        `json:"good"`
	Checks    []Result    `json:"checks"`
	Findings  []Finding   `json:"findings"` // the worst first
	Exchanges []*Exchange `json:"exchanges"`
}

// report puts the questions to the record.
func (r *run) report() *Report {
	found := detect(r.exchanges)
	rep := &Report{
		URL: r.s.url.String(), Origins: []string{r.s.a.Text}, Method: r.s.method, Headers: append([]string{}, r.s.headers...),
		Good: true, Findings: []Finding{}, Exchanges: r.exchanges,
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
	v := c.look(r)
	result := Result{ID: c.id, Asks: c.asks, Result: "ok", Reason: v.skipped}
	if v.skipped != "" {
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
	k, fix := prescribe(found, c.cure, r.s)
	f.Server, f.Fix = string(k), fix
	rep.Findings = append(rep.Findings, f)
	rep.Good = rep.Good && v.severity != Fault
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
