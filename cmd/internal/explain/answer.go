package explain

import (
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

// Answer is what would happen to a request, and why: the JSON of `explain
// --json` and of GET /api/explain. All durations are seconds.
type Answer struct {
	At      time.Time `json:"at"`
	Live    bool      `json:"live"`    // of a running instance and what it has stored
	Assumed string    `json:"assumed"` // what the upstream is taken to answer
	Verdict string    `json:"verdict"` // all of it in one sentence
	// Error: Veneer answers the request with an error of its own, a preflight
	// that it refuses included.
	Error bool `json:"error"`

	Request  request   `json:"request"`
	Route    *Route    `json:"route"` // null: none matches
	Target   *target   `json:"target,omitempty"`
	CORS     *CORS     `json:"cors,omitempty"`
	Key      *keyParts `json:"key,omitempty"`
	Store    *stored   `json:"store,omitempty"`
	Upstream []asked   `json:"upstream,omitempty"`
	Response *response `json:"response,omitempty"` // the upstream's

	Outcome outcome  `json:"outcome"`
	Next    outcome  `json:"next"`              // the same request again
	Failing *outcome `json:"failing,omitempty"` // if the upstream could not be reached
}

// Facts are what the engine does not know and the answer holds.
type Facts struct {
	Live  bool
	Route *Route // nil where the engine found none
	CORS  *CORS  // nil without a route
}

// Route is the route of a request.
type Route struct {
	Name     string   `json:"name"`
	Host     string   `json:"host"` // "" is any
	Path     string   `json:"path"`
	Upstream string   `json:"upstream"`
	Also     []string `json:"also,omitempty"` // other routes that match, and are less specific
	// External: the upstream is a third party's, which is shown less.
	External bool `json:"external,omitempty"`
	// RateLimit is what a client may send; nobody's share of it is asked after.
	RateLimit string `json:"rate_limit,omitempty"`
}

// CORS is what the route's policy says of a request.
type CORS struct {
	Mode      string     `json:"mode"`
	Policy    string     `json:"policy,omitempty"` // its name
	Class     string     `json:"class"`            // of the Origin field: none, bad, null or valid
	Bucket    string     `json:"bucket"`           // of the Origin in the key
	Allowed   bool       `json:"allowed"`
	Rule      string     `json:"rule,omitempty"` // that lets the origin in
	Why       string     `json:"why"`
	Preflight *Preflight `json:"preflight,omitempty"` // null: the request is none that is answered here
	Fields    []string   `json:"fields"`              // of the response that the browser looks at
}

// Preflight is the answer to a CORS preflight.
type Preflight struct {
	Granted bool   `json:"granted"`
	Why     string `json:"why"` // the step that refused it
}

// reason is a cachestatus.Reason with all that is known of it.
type reason struct {
	Token    string `json:"token"`
	Sentence string `json:"sentence"`
	Section  string `json:"section"`
	Remedy   string `json:"remedy,omitempty"`
}

func reasonOf(r cachestatus.Reason) *reason {
	if r == cachestatus.None {
		return nil
	}
	return &reason{r.String(), r.Sentence(), r.Section(), r.Remedy()}
}

type request struct {
	Method     string   `json:"method"`
	URL        string   `json:"url"`
	Fields     []string `json:"fields,omitempty"`
	Directives []string `json:"directives,omitempty"` // in force (RFC 9111 §5.2.1)
	Ignored    bool     `json:"directives_ignored,omitempty"`
}

// target is the target URI, and what was done to it.
type target struct {
	URI      string   `json:"uri"`                // canonical: keyed, and sent upstream
	Dropped  []string `json:"dropped,omitempty"`  // query parameters that do not count
	Sorted   bool     `json:"sorted,omitempty"`   // their order was changed
	Resolved string   `json:"resolved,omitempty"` // the path without its dot segments
}

// part is a named part of a key or of a variant.
type part struct {
	Name  string `json:"name"`
	Value string `json:"value"` // "(absent)", or "(hidden)" for credentials
}

type keyParts struct {
	Method  string `json:"method"`
	URI     string `json:"uri"`
	Origin  string `json:"origin"`
	Headers []part `json:"headers,omitempty"`
	Cookies []part `json:"cookies,omitempty"`
}

// stored is what the store has for the request.
type stored struct {
	Variants   []variant `json:"variants"`
	HitForMiss bool      `json:"hit_for_miss"`
	InFlight   bool      `json:"in_flight"`
	// Reuse is what is decided about the selected variant (RFC 9111 §4), and
	// Reason why it is not simply used.
	Reuse  string  `json:"reuse,omitempty"`
	Reason *reason `json:"reason,omitempty"`
}

type variant struct {
	Selected  bool      `json:"selected"`
	Selecting []part    `json:"selecting,omitempty"` // by Vary (RFC 9111 §4.1)
	Status    int       `json:"status"`
	Freshness freshness `json:"freshness"`
	Tags      []string  `json:"tags,omitempty"`
	Size      int64     `json:"size"` // bytes of memory, index entry included
}

// freshness is the arithmetic of RFC 9111 §4.2.
type freshness struct {
	Source       string    `json:"source"` // of the lifetime
	Date         time.Time `json:"date"`
	ResponseTime time.Time `json:"response_time"`
	InitialAge   float64   `json:"initial_age"`   // corrected_initial_age
	ResidentTime float64   `json:"resident_time"` // since it was received
	Age          float64   `json:"age"`           // current_age
	Lifetime     float64   `json:"lifetime"`
	TTL          float64   `json:"ttl"` // lifetime less age

	StaleWhileRevalidate float64 `json:"stale_while_revalidate"`
	StaleIfError         float64 `json:"stale_if_error"`

	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// Rules are what is to be kept to beside the numbers.
	Rules []string `json:"rules,omitempty"`
	// Arrival says what the initial age is made of; null for a response that is
	// stored already, which keeps the sum only.
	Arrival *arrival `json:"arrival,omitempty"`
}

type arrival struct {
	ApparentAge float64 `json:"apparent_age"`
	AgeValue    float64 `json:"age_value"`
	Delay       float64 `json:"response_delay"`
}

// asked is a request to the upstream.
type asked struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	// Fields are those of CORS, those that validate, and, hidden, credentials.
	Fields []string `json:"fields"`
}

type response struct {
	Status    int        `json:"status"`
	Stored    bool       `json:"stored"`
	Reason    *reason    `json:"reason,omitempty"`    // why not
	Selecting []part     `json:"selecting,omitempty"` // whom it would be stored for, by Vary
	From      string     `json:"directives_from,omitempty"`
	Freshness *freshness `json:"freshness,omitempty"`
}

type outcome struct {
	Result   string   `json:"result"`
	Status   int      `json:"status"`
	Forward  string   `json:"forward,omitempty"` // why it went to the upstream (RFC 9211 §2.2)
	Upstream int      `json:"upstream_status,omitempty"`
	Stored   bool     `json:"stored"`
	Reason   *reason  `json:"reason,omitempty"`
	Problem  string   `json:"problem,omitempty"`
	Fields   []string `json:"fields"` // of the response, those that caches and CORS are about
}

// Make puts together what is known of r.
func Make(r *Request, ex *cache.Explanation, f Facts) *Answer {
	a := &Answer{
		At: ex.At, Live: f.Live, Assumed: assumed(r), Route: f.Route, CORS: f.CORS,
		Request:  request{Method: r.method, URL: r.text, Fields: visible(lines(r.fields))},
		Outcome:  outcomeOf(ex.Outcome),
		Next:     outcomeOf(ex.Next),
		Upstream: askedOf(ex.Asked),
	}
	a.Request.Directives = directives(ex.Directives)
	if ex.Route != nil {
		a.Request.Ignored = ex.Route.IgnoreDirectives && (r.fields["Cache-Control"] != nil || r.fields["Pragma"] != nil)
		a.Target = targetOf(r, ex)
	}
	if ex.Failing != nil {
		failing := outcomeOf(*ex.Failing)
		a.Failing = &failing
	}
	if a.CORS != nil {
		a.CORS.Fields = pick(ex.Outcome.Header, corsField)
	}
	if ex.Key != nil {
		a.Key = keyOf(ex.Key)
		a.Store = storedOf(ex)
	}
	if ex.Outcome.Decision.Upstream != 0 || ex.Assessed != nil {
		a.Response = responseOf(ex)
	}
	a.Error = ex.Outcome.Decision.Result == cache.ResultError || a.CORS != nil && a.CORS.Preflight != nil && !a.CORS.Preflight.Granted
	a.Verdict = a.verdict(ex)
	return a
}

func assumed(r *Request) string {
	fields := visible(lines(r.response))
	if r.response["Date"] == nil {
		fields = append([]string{"a Date of now"}, fields...)
	}
	with := " with " + strings.Join(fields, ", ")
	if r.status == 0 {
		return "the upstream answers 304 when it is asked to validate, else 200," + with
	}
	return "the upstream answers " + strconv.Itoa(r.status) + with
}

// targetOf compares what was sent with what counts.
func targetOf(r *Request, ex *cache.Explanation) *target {
	if ex.Target == (key.Target{}) {
		return nil
	}
	t := &target{URI: ex.Target.String(), Resolved: ex.Resolved}
	plain, err := new(key.Query).Canonical(ex.Target.Scheme, r.host, key.EscapedPath(r.url), r.url.RawQuery)
	if err != nil || plain.Query == ex.Target.Query {
		return t
	}
	kept := strings.Split(ex.Target.Query, "&")
	var order []string
	for p := range strings.SplitSeq(plain.Query, "&") {
		if i := slices.Index(kept, p); i >= 0 && ex.Target.Query != "" {
			kept = slices.Delete(kept, i, i+1)
			order = append(order, p)
			continue
		}
		t.Dropped = append(t.Dropped, p)
	}
	t.Sorted = strings.Join(order, "&") != ex.Target.Query
	return t
}

// directives writes the request's directives that are in force.
func directives(q rfc9111.RequestDirectives) []string {
	var out []string
	for _, d := range []struct {
		name string
		set  bool
	}{{"no-cache", q.NoCache}, {"no-store", q.NoStore}, {"only-if-cached", q.OnlyIfCached}, {"no-transform", q.NoTransform}} {
		if d.set {
			out = append(out, d.name)
		}
	}
	for _, d := range []struct {
		name  string
		value rfc9111.Delta
	}{{"max-age", q.MaxAge}, {"min-fresh", q.MinFresh}, {"max-stale", q.MaxStale}, {"stale-if-error", q.StaleIfError}} {
		if d.value.Present() {
			out = append(out, d.name+"="+strconv.FormatInt(int64(d.value.Duration()/time.Second), 10))
		}
	}
	return out
}

func outcomeOf(o cache.Outcome) outcome {
	d := &o.Decision
	why := d.Reason
	if o.Error != cachestatus.None {
		why = o.Error
	}
	return outcome{
		Result: d.Result.String(), Status: d.Status, Forward: d.Forward.String(), Upstream: d.Upstream,
		Stored: d.Stored, Reason: reasonOf(why), Problem: o.Problem, Fields: pick(o.Header, cacheField),
	}
}

func askedOf(rs []*http.Request) []asked {
	var out []asked
	for _, r := range rs {
		fields := pick(r.Header, upstreamField)
		out = append(out, asked{Method: r.Method, URL: r.URL.String(), Fields: fields})
	}
	return out
}
