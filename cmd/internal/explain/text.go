package explain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"veneer/cache/cachestatus"
)

// printer writes headings and facts, and keeps the first error.
type printer struct {
	w     *tabwriter.Writer
	paint func(text string) string
	told  map[string]bool // remedies that were printed: once each is enough
}

func (p *printer) heading(text, section string) {
	if section != "" {
		section = " (" + section + ")"
	}
	fmt.Fprintf(p.w, "\n%s%s\n", p.paint(text), section)
}

func (p *printer) fact(name, format string, args ...any) {
	fmt.Fprintf(p.w, "  %s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
}

func (p *printer) facts(name string, values []string) {
	for _, v := range values {
		p.fact(name, "%s", v)
		name = ""
	}
}

func (p *printer) reason(name string, r *reason) {
	if r == nil {
		return
	}
	p.fact(name, "%s: %s (%s)", r.Token, r.Sentence, r.Section)
	if r.Remedy != "" && !p.told[r.Token] {
		p.told[r.Token] = true
		p.fact("to change it", "%s", r.Remedy)
	}
}

// printable escapes what a terminal could take for a command: much of an answer
// has come from strangers.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}

// Text writes the answer for people. heading makes a text stand out.
func (a *Answer) Text(w io.Writer, heading func(string) string) error {
	p := &printer{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0), paint: heading, told: make(map[string]bool)}
	fmt.Fprintf(p.w, "%s %s\n%s\n", printable(a.Request.Method), printable(a.Request.URL), p.paint(printable(a.Verdict)))
	a.textRequest(p)
	a.textCORS(p)
	a.textKey(p)
	a.textStore(p)
	a.textUpstream(p)
	a.textOutcomes(p)
	return p.w.Flush()
}

func (a *Answer) textRequest(p *printer) {
	p.heading("Request", "")
	p.facts("fields", a.Request.Fields)
	if a.Route == nil {
		none := "not looked for"
		if r := a.Outcome.Reason; r != nil && r.Token == cachestatus.NoRoute.String() {
			none = "none matches host and path"
		}
		p.fact("route", "%s", none)
		return
	}
	host := "host " + a.Route.Host
	if a.Route.Host == "" {
		host = "any host"
	}
	p.fact("route", "%s (%s, path %s), to upstream %s", a.Route.Name, host, a.Route.Path, a.Route.Upstream)
	for _, name := range a.Route.Also {
		p.fact("", "%s matches too, and is less specific", name)
	}
	if a.Route.External {
		p.fact("", "the upstream is a third party's: it gets the credentials and fields that its forward lists, and no others (external: true)")
	}
	if a.Route.RateLimit != "" {
		p.fact("", "clients may send %s (rate_limit); that is not weighed here", a.Route.RateLimit)
	}
	switch {
	case a.Request.Ignored:
		p.fact("directives", "ignored (cache.request_directives: ignore)")
	case a.Request.Directives != nil:
		p.fact("directives", "%s (RFC 9111 §5.2.1)", strings.Join(a.Request.Directives, ", "))
	}
	t := a.Target
	if t == nil {
		return
	}
	p.fact("target", "%s", t.URI)
	if t.Dropped != nil {
		p.fact("", "without %s: neither keyed nor sent (cache.key.query)", strings.Join(t.Dropped, ", "))
	}
	if t.Sorted {
		p.fact("", "query sorted by name (cache.key.query.sort)")
	}
	if t.Resolved != "" {
		p.fact("", "dot segments stay in key and target (RFC 3986 §6.2.2.3); resolved, %s has the same route", t.Resolved)
	}
}

func (a *Answer) textCORS(p *printer) {
	c := a.CORS
	if c == nil {
		return
	}
	p.heading("CORS", "Fetch")
	mode := c.Mode
	if c.Policy != "" {
		mode += ", policy " + c.Policy
	}
	p.fact("mode", "%s", mode)
	p.fact("origin", "%s%s: %s", c.Class, allowedText(c), c.Why)
	if c.Rule != "" {
		p.fact("rule", "%s", c.Rule)
	}
	p.fact("bucket", "%s", c.Bucket)
	if c.Preflight != nil {
		granted := "refused"
		if c.Preflight.Granted {
			granted = "granted"
		}
		p.fact("preflight", "%s: %s", granted, c.Preflight.Why)
	}
	if len(c.Fields) == 0 {
		p.fact("client gets", "no CORS field, and no Vary")
	}
	p.facts("client gets", c.Fields)
}

// allowedText says what a policy of our own says of an Origin that there is.
func allowedText(c *CORS) string {
	switch {
	case c.Mode != "own" || c.Class == "none":
		return ""
	case c.Allowed:
		return ", allowed"
	}
	return ", not allowed"
}

func (a *Answer) textKey(p *printer) {
	if a.Key == nil {
		return
	}
	p.heading("Key", "RFC 9111 §2")
	p.fact("method", "%s", a.Key.Method)
	p.fact("URI", "%s", a.Key.URI)
	p.fact("origin", "%s", a.Key.Origin)
	for _, h := range a.Key.Headers {
		p.fact("field", "%s: %s", h.Name, h.Value)
	}
	for _, c := range a.Key.Cookies {
		p.fact("cookie", "%s: %s", c.Name, c.Value)
	}
}

func (a *Answer) textStore(p *printer) {
	s := a.Store
	if s == nil {
		return
	}
	p.heading("Store", "RFC 9111 §4")
	if len(s.Variants) == 0 {
		nothing := "nothing under this key"
		if !a.Live {
			nothing += " (offline; --live asks a running instance)"
		}
		p.fact("stored", "%s", nothing)
	}
	for i := range s.Variants {
		v := &s.Variants[i]
		head := fmt.Sprintf("%d, %d bytes%s%s", v.Status, v.Size, selectingText(v.Selecting), tagsText(v.Tags))
		if !v.Selected {
			p.fact("variant", "%s, age %s s, ttl %s s", head, number(v.Freshness.Age), number(v.Freshness.TTL))
			continue
		}
		p.fact("selected", "%s", head)
		v.Freshness.text(p, true)
	}
	if s.Reuse != "" {
		p.fact("decided", "%s", reuseText(s.Reuse))
		p.reason("because", s.Reason)
	}
	if s.HitForMiss {
		p.fact("mark", "hit-for-miss: nobody waits for another's fetch of this key")
	}
	if s.InFlight {
		p.fact("in flight", "this key is being fetched at this moment")
	}
}

// reuseText says what rfc9111.Reuse stands for.
func reuseText(reuse string) string {
	switch reuse {
	case "fresh":
		return "use it, it is fresh (RFC 9111 §4.2)"
	case "stale":
		return "use it although it is stale (RFC 9111 §4.2.4)"
	case "validate":
		return "ask the upstream whether it is still good (RFC 9111 §4.3.1)"
	case "forward":
		return "ask the upstream for another, there is nothing to validate with"
	}
	return reuse
}

func selectingText(ps []part) string {
	var b strings.Builder
	for i, s := range ps {
		if i == 0 {
			b.WriteString(", for ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(s.Name + ": " + s.Value)
	}
	return b.String()
}

func tagsText(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return ", tags " + strings.Join(tags, " ")
}

// text writes the arithmetic of RFC 9111 §4.2, and what else counts for what
// is stored.
func (f *freshness) text(p *printer, stored bool) {
	if a := f.Arrival; a != nil {
		p.fact("  age on arrival", "%s s: the greater of apparent age %s s and Age %s s plus delay %s s (RFC 9111 §4.2.3)",
			number(f.InitialAge), number(a.ApparentAge), number(a.AgeValue), number(a.Delay))
	}
	p.fact("  age", "%s s: %s s on arrival and %s s here (RFC 9111 §4.2.3)", number(f.Age), number(f.InitialAge), number(f.ResidentTime))
	p.fact("  lifetime", "%s s, from %s (RFC 9111 §4.2.1)", number(f.Lifetime), f.Source)
	p.fact("  ttl", "%s s", number(f.TTL))
	if !stored {
		return
	}
	if f.StaleWhileRevalidate > 0 {
		p.fact("  stale", "for %s s more while it is validated in the background (RFC 5861 §3)", number(f.StaleWhileRevalidate))
	}
	if f.StaleIfError > 0 {
		p.fact("  stale", "for %s s more while the upstream fails (RFC 5861 §4)", number(f.StaleIfError))
	}
	p.facts("  rule", f.Rules)
	var validators []string
	if f.ETag != "" {
		validators = append(validators, "ETag "+f.ETag)
	}
	if f.LastModified != "" {
		validators = append(validators, "Last-Modified "+f.LastModified)
	}
	if validators == nil {
		validators = []string{"none: once it is stale it is fetched anew"}
	}
	p.fact("  validators", "%s", strings.Join(validators, ", "))
}

func (a *Answer) textUpstream(p *printer) {
	if len(a.Upstream) > 0 {
		p.heading("Upstream", "")
	}
	for _, u := range a.Upstream {
		p.fact("is asked", "%s %s", u.Method, u.URL)
		if len(u.Fields) == 0 {
			p.fact("it sees", "no Origin, no validator, no credentials of the client")
		}
		p.facts("it sees", u.Fields)
	}
	r := a.Response
	if r == nil {
		return
	}
	p.heading("Response", "RFC 9111 §3")
	p.fact("assumed", "%s", a.Assumed)
	if r.From != "" {
		p.fact("directives", "those of %s", r.From)
	}
	if r.Stored {
		p.fact("stored", "yes%s", selectingText(r.Selecting))
	} else {
		p.fact("stored", "no")
		p.reason("because", r.Reason)
	}
	if r.Freshness != nil {
		r.Freshness.text(p, r.Stored)
	}
}

func (a *Answer) textOutcomes(p *printer) {
	p.heading("Outcome", "")
	a.Outcome.text(p, func(string) bool { return true })
	if a.Outcome.Problem != "" {
		p.fact("problem", "%s", a.Outcome.Problem)
	}
	if len(a.Upstream) > 0 {
		p.heading("The same request again", "")
		a.Next.text(p, ofCache)
	}
	if a.Failing != nil {
		p.heading("If the upstream could not be reached", "")
		a.Failing.text(p, ofCache)
	}
}

// ofCache leaves the fields of a response out that were shown before.
func ofCache(field string) bool {
	return strings.HasPrefix(field, "Cache-Status:") || strings.HasPrefix(field, "Age:")
}

func (o *outcome) text(p *printer, show func(field string) bool) {
	result := o.Result
	if o.Forward != "" {
		result += " (fwd=" + o.Forward + ")"
	}
	p.fact("result", "%s, status %s", result, strconv.Itoa(o.Status))
	p.reason("reason", o.Reason)
	var fields []string
	for _, f := range o.Fields {
		if show(f) {
			fields = append(fields, f)
		}
	}
	p.facts("fields", fields)
}

// Reasons writes the enum of reasons as a table, or the one with the token.
func Reasons(w io.Writer, token string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if token != "" {
		r, ok := cachestatus.ParseReason(token)
		if !ok {
			return fmt.Errorf("cannot explain the reason %s: there is none; there are %s", quoted(token), strings.Join(tokens(), ", "))
		}
		fmt.Fprintf(t, "reason\t%s\nmeans\t%s\nsection\t%s\n", r, r.Sentence(), r.Section())
		if r.Remedy() != "" {
			fmt.Fprintf(t, "to change it\t%s\n", r.Remedy())
		}
		return t.Flush()
	}
	fmt.Fprintln(t, "REASON\tSECTION\tMEANS")
	for _, r := range cachestatus.Reasons() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", r, r.Section(), r.Sentence())
	}
	return t.Flush()
}

// ReasonsJSON is the enum for programs.
func ReasonsJSON() any {
	var out []*reason
	for _, r := range cachestatus.Reasons() {
		out = append(out, reasonOf(r))
	}
	return out
}
