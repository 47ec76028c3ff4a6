package explain

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// keyOf names the parts of a primary key.
func keyOf(b []byte) *keyParts {
	p, err := key.Parse(b)
	if err != nil {
		return nil // cannot be: the engine built it
	}
	k := &keyParts{
		Method: p.Method, URI: p.Target.String(), Origin: p.Bucket,
		Headers: partsOf(p.Headers, key.Secret), Cookies: partsOf(p.Cookies, func(string) bool { return true }),
	}
	switch {
	case p.Origin == key.OriginShared:
		k.Origin = "(shared by all origins)"
	case p.Bucket == "":
		k.Origin = "(none)"
	}
	return k
}

func partsOf(ps []key.Part, hide func(name string) bool) []part {
	var out []part
	for _, p := range ps {
		v := strings.Join(p.Values, ", ")
		switch {
		case len(p.Values) == 0:
			v = "(absent)"
		case hide(p.Name):
			v = hidden
		}
		out = append(out, part{p.Name, v})
	}
	return out
}

func storedOf(ex *cache.Explanation) *stored {
	s := &stored{Variants: []variant{}, HitForMiss: ex.Marked, InFlight: ex.InFlight}
	for _, o := range ex.Variants {
		v := variant{Selected: o == ex.Selected, Status: o.Status, Tags: o.Tags, Size: o.Cost(), Freshness: ofObject(o, ex)}
		// Other clients sent these values, and who asks may not know them.
		v.Selecting = selectingOf(&o.Selecting, func(name string) bool { return !known(name) })
		s.Variants = append(s.Variants, v)
	}
	if ex.Selected != nil {
		s.Reuse = ex.Reuse.String()
		s.Reason = reasonOf(ex.Why)
	}
	return s
}

func selectingOf(s *key.Selecting, hide func(name string) bool) []part {
	var out []part
	for i, name := range s.Names {
		value := s.Values[i]
		switch {
		case value == key.Absent:
			value = "(absent)"
		case hide(name):
			value = hidden
		}
		out = append(out, part{name, value})
	}
	return out
}

// ofObject is the freshness of what is stored.
func ofObject(o *cache.Object, ex *cache.Explanation) freshness {
	f := numbers(&o.Meta, ex.At)
	a := rfc9111.NewAccount(&rfc9111.Response{
		Method: http.MethodGet, Status: o.Status, Header: o.Header(),
		RequestTime: o.Meta.RequestTime, ResponseTime: o.Meta.ResponseTime,
	}, &ex.Route.Policy)
	if f.Source = sourceOf(&a); a.Meta.Lifetime != o.Meta.Lifetime {
		f.Source = "what was configured when it was stored"
	}
	if at, purged := o.PurgedAt(); purged {
		f.Rules = append(f.Rules, "purged at "+at.UTC().Format(time.RFC3339)+": stale since then, and validated before the next use")
	}
	return f
}

// numbers are what a Meta says of itself at now.
func numbers(m *rfc9111.Meta, now time.Time) freshness {
	f := freshness{
		Date: m.Date.UTC(), ResponseTime: m.ResponseTime.UTC(),
		InitialAge: seconds(m.InitialAge), ResidentTime: seconds(m.Age(now) - m.InitialAge), Age: seconds(m.Age(now)),
		Lifetime: seconds(m.Lifetime), TTL: seconds(m.TTL(now)),
		StaleWhileRevalidate: seconds(m.StaleRevalidate), StaleIfError: seconds(m.StaleError),
		ETag: m.ETag,
	}
	if !m.LastModified.IsZero() {
		f.LastModified = m.LastModified.UTC().Format(http.TimeFormat)
	}
	for _, r := range []struct {
		flag rfc9111.Flags
		text string
	}{
		{rfc9111.NoCache, "validated before every use (no-cache, RFC 9111 §5.2.2.4)"},
		{rfc9111.MustRevalidate, "never served stale (must-revalidate, proxy-revalidate or s-maxage, RFC 9111 §5.2.2.2)"},
		{rfc9111.SharesAuthorized, "may answer requests with Authorization (RFC 9111 §3.5)"},
		{rfc9111.Immutable, "a reload (max-age=0) is answered from the store while it is fresh (immutable, RFC 8246)"},
	} {
		if m.Flags.Has(r.flag) {
			f.Rules = append(f.Rules, r.text)
		}
	}
	return f
}

// seconds has milliseconds, and as many digits as it needs.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// sourceOf says what a lifetime is from (RFC 9111 §4.2.1).
func sourceOf(a *rfc9111.Account) string {
	field := a.Directives.Target
	if field == "" {
		field = "Cache-Control"
	}
	switch a.Source {
	case rfc9111.SMaxAge:
		return "s-maxage in " + field
	case rfc9111.MaxAge:
		return "max-age in " + field
	case rfc9111.Expires:
		return "Expires less Date"
	case rfc9111.InvalidExpires:
		return "Expires, which is no date and so in the past (RFC 9111 §5.3)"
	case rfc9111.RouteDefault:
		return "the route's cache.default_ttl: the response states none"
	case rfc9111.LastModified:
		return "guessed: a tenth of Date less Last-Modified (RFC 9111 §4.2.2)"
	}
	return "nothing: the response states none, and there is none to guess from"
}

// responseOf is the upstream's response, and what becomes of it.
func responseOf(ex *cache.Explanation) *response {
	d := &ex.Outcome.Decision
	r := &response{Status: d.Upstream, Stored: d.Stored || ex.Stored != nil}
	if !r.Stored {
		r.Reason = reasonOf(d.NotStored)
	}
	if ex.Stored != nil {
		r.Selecting = selectingOf(&ex.Stored.Selecting, key.Secret)
	}
	if ex.Assessed == nil {
		return r
	}
	a := rfc9111.NewAccount(ex.Assessed, &ex.Route.Policy)
	f := numbers(&a.Meta, ex.At)
	f.Source = sourceOf(&a)
	f.Arrival = &arrival{seconds(a.Apparent), seconds(a.AgeValue), seconds(a.Delay)}
	r.Freshness = &f
	switch {
	case a.Directives.Target != "":
		r.From = a.Directives.Target + ", which replaces Cache-Control and Expires (RFC 9213 §2.2)"
	case ex.Assessed.Header["Cache-Control"] != nil:
		r.From = "Cache-Control"
	}
	return r
}

// verdict says what happens in one sentence.
func (a *Answer) verdict(ex *cache.Explanation) string {
	d := &ex.Outcome.Decision
	var said string
	switch d.Result {
	case cache.ResultHit:
		said = "a hit: answered from the store"
		if ex.Selected != nil {
			said += ", " + fresh(&ex.Selected.Meta, ex.At)
		}
	case cache.ResultStale:
		said = "answered from the store although it is stale: " + d.Reason.Sentence()
		if d.Reason == cachestatus.Stale && len(ex.Asked) > 0 {
			said = "answered from the store although it is stale, and validated in the background (stale-while-revalidate, RFC 5861 §3)"
		}
	case cache.ResultMiss:
		said = "a miss: fetched from the upstream and " + kept(ex, "stored")
	case cache.ResultRevalidated:
		said = "validated: the upstream confirms the stored response, which is " + kept(ex, "freshened")
	case cache.ResultPreflight:
		said = "a CORS preflight, answered by Veneer with " + strconv.Itoa(d.Status)
		if a.CORS != nil && a.CORS.Preflight != nil {
			said += ": " + a.CORS.Preflight.Why
		}
	case cache.ResultError:
		said = fmt.Sprintf("answered by Veneer with %d %s: %s", d.Status, http.StatusText(d.Status), a.Outcome.Reason.Sentence)
	default:
		said = "passed to the upstream: " + d.Reason.Sentence()
	}
	if ex.InFlight && !ex.Marked && ex.Outcome.Decision.Forward != cachestatus.NotForwarded {
		said += "; the same is being fetched at this moment, and the request waits for that"
	}
	return said
}

// kept says what becomes of a response.
func kept(ex *cache.Explanation, how string) string {
	if ex.Stored == nil {
		return "not " + how + ": " + ex.Outcome.Decision.NotStored.Sentence()
	}
	return how + ", " + fresh(&ex.Stored.Meta, ex.At)
}

func fresh(m *rfc9111.Meta, now time.Time) string {
	switch ttl := m.TTL(now); {
	case m.Flags.Has(rfc9111.NoCache):
		return "to be validated before every use"
	case ttl <= 0:
		return "stale at once"
	default:
		return "fresh for " + number(seconds(ttl)) + " s"
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// names of the reasons, for who mistypes one.
func tokens() []string {
	var out []string
	for _, r := range cachestatus.Reasons() {
		out = append(out, r.String())
	}
	slices.Sort(out)
	return out
}
