// Package corslayer compiles what an operator says about CORS and answers
// three questions with it: what a browser's preflight gets (Preflight), what
// of an upstream's response must not be stored (Strip), and what a response
// says to the client at hand (Apply).
//
// A response is stored bare and gets its CORS fields after the lookup, so one
// stored response serves every origin and none of them sees another's fields.
// In pass mode the application keeps its say; the package then only finds out
// where the application's answers cannot be stored safely (ObservePass).
//
// The comments name the cases of the contract: C classify, K key, E emit, P
// preflight, A pass. "Fetch" is the WHATWG Fetch standard. Origin is always
// the browser's web origin.
package corslayer

import (
	"net/http"
	"strconv"
	"time"

	"veneer/corslayer/origin"
)

var modeNames = [...]string{"own", "pass", "off"}

// String returns the mode as it is written in the configuration.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return "unknown"
}

// Policy is a compiled Config. It is safe for concurrent use and does not
// change, but for its counters and for what a route in pass mode learns.
//
// Every []string that it puts into a header map is shared by all requests. Its
// capacity is its length, so that appending to it copies; nobody may write to
// an element.
type Policy struct {
	mode Mode

	any    bool   // "*"
	static string // the one origin that every response names, or ""
	set    *origin.Set
	null   bool
	public map[string]bool // the route's own origins
	forbid bool            // Enforce

	methods           map[string]bool
	anyMethod         bool
	headers           map[string]bool // lower case
	anyHeader         bool
	credentials       bool
	minimal           bool
	debug             bool
	exposeAuto        bool
	exposeAny         bool
	mergeExpose       bool
	timing            bool
	varyFix           VaryFix
	allowMethods      []string
	allowHeaders      []string // nil when none is listed
	allowHeadersRange []string // the same with Range, for who asks for it
	expose            []string
	maxAge            []string
	staticOrigin      []string
	resourcePolicy    []string
	preflightVary     []string
	preflightCache    []string

	varies  interned // merged Vary lines by the lines they came from
	exposed interned // Expose-Headers by what they were made of
	learned passState
	counts  counters
}

// one makes a shareable field value of one line.
func one(s string) []string { return []string{s} }

// Lines that all policies share.
var (
	lineAny        = one("*")
	lineNull       = one("null")
	lineTrue       = one("true")
	lineNoStore    = one("no-store")
	lineVaryOrigin = one(fieldOrigin)
)

func newPolicy(m Mode) *Policy { return &Policy{mode: m, set: new(origin.Set)} }

// Pass returns the policy of a route whose application owns CORS. Of c it uses
// VaryFix.
func Pass(c Config) *Policy {
	p := newPolicy(ModePass)
	p.varyFix = c.VaryFix
	return p
}

// Off returns the policy of a route for its own origin only: CORS fields are
// removed and none are added.
func Off() *Policy { return newPolicy(ModeOff) }

// freeze computes the field values that depend on several settings.
func (p *Policy) freeze(c Config) {
	p.null = c.AllowNull
	p.forbid = c.Enforce
	p.credentials, p.minimal, p.debug = c.Credentials, c.MinimalPreflight, c.Debug
	p.timing = c.TimingAllowOrigin
	if c.ResourcePolicy != "" {
		p.resourcePolicy = one(c.ResourcePolicy)
	}
	if p.static != "" {
		p.staticOrigin = one(p.static)
	}
	vary := fieldRequestMethod
	if !p.any {
		vary = fieldOrigin + ", " + vary
	}
	if !p.anyHeader || !p.wildcards() {
		vary += ", " + fieldRequestHeaders
	}
	p.preflightVary = one(vary)
	p.preflightCache = lineNoStore
	if c.CDNMaxAge > 0 {
		p.preflightCache = one("public, max-age=" + strconv.FormatInt(int64(c.CDNMaxAge/time.Second), 10))
	}
}

// wildcards reports whether a preflight's answer may say * (case P4): only
// without credentials, and only where whole lists are sent.
func (p *Policy) wildcards() bool { return !p.credentials && !p.minimal }

// list reports whether the answer differs from origin to origin.
func (p *Policy) list() bool { return p.mode == ModeOwn && !p.any && p.static == "" }

// Mode returns the policy's mode.
func (p *Policy) Mode() Mode { return p.mode }

// Decision is what a policy says about one request's Origin. It is a small
// value; the zero value is a request without Origin on a route without a
// policy.
type Decision struct {
	Class origin.Class

	// Bucket is what the key holds of the Origin (cases K2, K4): "" for none,
	// "other", "null", or the Origin's own bytes. Those have "://" in them, so
	// the four cannot be confused.
	Bucket string

	// Allowed: the policy lets the Origin in. In pass mode nobody is refused.
	Allowed bool
	// Capped: how many such buckets there are depends on the clients; at most
	// so many a target URI are stored, and none is evicted for another.
	Capped bool
	// ForwardOrigin: the upstream may see the Origin, since the key holds it
	// or the response is not stored (case K3). In shared mode the key decides
	// otherwise for GET and HEAD. Upgrades always forward it.
	ForwardOrigin bool
	// FullOnConditional: answer a conditional request with the whole response,
	// never 304 (case E8): a 304 cannot take back what a browser has stored.
	FullOnConditional bool
	// BypassStore: neither look up nor store (case K4).
	BypassStore bool
	// Refuse: answer 403 (case C5, opt-in).
	Refuse bool
}

// otherBucket stands for every Origin that is not let in (case K2).
const otherBucket = "other"

// Decide classifies a request's Origin and says what follows from it. The
// lines are those of the request's Origin field; the Decision shares their
// bytes. It is called once a request, counts, and allocates nothing.
func (p *Policy) Decide(method string, lines []string) Decision {
	o, class := origin.Classify(lines)
	var d Decision
	switch p.mode {
	case ModeOwn:
		d = p.decideOwn(o, class)
	case ModePass:
		d = decidePass(o, class)
	default:
		d = Decision{Class: class}
	}
	// An unsafe method's response is not stored, and its checks against
	// forgery want the Origin as it came, a bad one too.
	if class != origin.None && method != http.MethodGet && method != http.MethodHead {
		d.ForwardOrigin = true
	}
	p.counts.decision(class, d.Allowed)
	return d
}

func (p *Policy) decideOwn(o origin.Origin, class origin.Class) Decision {
	d := Decision{Class: class}
	if class == origin.None {
		return d
	}
	if p.any {
		// Everybody gets the same answer, so the Origin is kept from the
		// upstream and from the key: one entry serves all.
		d.Allowed = true
		return d
	}
	match := origin.NoMatch
	if class == origin.Valid {
		match = p.set.Match(o)
	}
	d.Allowed = match != origin.NoMatch || class == origin.Null && p.null
	if d.Allowed {
		d.Bucket, d.ForwardOrigin = o.Text, true
		d.Capped = match == origin.MatchPattern
		return d
	}
	d.Bucket = otherBucket
	d.FullOnConditional = p.list()
	d.Refuse = p.forbid && !p.public[o.Text]
	return d
}

func decidePass(o origin.Origin, class origin.Class) Decision {
	d := Decision{Class: class, ForwardOrigin: class != origin.None, Allowed: class != origin.Bad}
	switch class {
	case origin.Bad:
		d.Bucket, d.BypassStore = otherBucket, true
	case origin.Null, origin.Valid:
		d.Bucket, d.Capped = o.Text, true
	}
	return d
}
