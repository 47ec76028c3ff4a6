package corslayer

import (
	"net/http"
	"slices"
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
	rules

	varies  [2]interned // merged Vary lines by the lines they came from; with Origin added in the second
	exposed interned    // Expose-Headers by what they were made of
	learned passState
	counts  counters
}

// rules is what of a Policy never changes.
type rules struct {
	mode   Mode
	config Config // what it was compiled from

	any    bool // "*"
	static bool // every response names onlyOrigin
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
	network           bool // Private Network Access (case P10)
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
	onlyOrigin        []string // where one rule names one origin
	resourcePolicy    []string
	preflightVary     []string
	preflightCache    []string
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

func newPolicy(m Mode) *Policy { return &Policy{rules: rules{mode: m, set: new(origin.Set)}} }

// Pass returns the policy of a route whose application owns CORS. Of c it uses
// VaryFix.
func Pass(c Config) *Policy {
	p := newPolicy(ModePass)
	p.varyFix = c.VaryFix
	p.config = Config{Mode: ModePass, VaryFix: c.VaryFix}
	return p
}

// Off returns the policy of a route for its own origin only: CORS fields are
// removed and none are added.
func Off() *Policy {
	p := newPolicy(ModeOff)
	p.config.Mode = ModeOff
	return p
}

// freeze computes the field values that depend on several settings.
func (p *Policy) freeze(c Config) {
	p.config = clone(c)
	p.null = c.AllowNull
	p.forbid = c.Enforce
	p.credentials, p.minimal, p.debug, p.network = c.Credentials, c.MinimalPreflight, c.Debug, c.PrivateNetwork
	p.timing = c.TimingAllowOrigin
	if c.ResourcePolicy != "" {
		p.resourcePolicy = one(c.ResourcePolicy)
	}
	vary := fieldRequestMethod
	if !p.any {
		vary = fieldOrigin + ", " + vary
	}
	if !p.anyHeader || !p.wildcards() {
		vary += ", " + fieldRequestHeaders
	}
	if p.network {
		vary += ", " + fieldRequestNetwork
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
func (p *Policy) list() bool { return p.mode == ModeOwn && !p.any && !p.static }

// Config returns what the policy was compiled from: Compile makes an equal
// policy of it. It is the caller's own.
func (p *Policy) Config() Config { return clone(p.config) }

// clone copies what is behind the slices and the pointer of c.
func clone(c Config) Config {
	for _, list := range []*[]string{&c.Origins, &c.Methods, &c.Headers, &c.Expose, &c.PublicOrigins} {
		*list = slices.Clone(*list)
	}
	if c.MaxAge != nil {
		age := *c.MaxAge
		c.MaxAge = &age
	}
	return c
}

// Rehearsal returns a policy that answers as p does now. Nothing that it is
// asked is counted in p or learned by p; its own counters are at zero.
func (p *Policy) Rehearsal() *Policy {
	q := &Policy{rules: p.rules}
	q.learned.copyFrom(&p.learned)
	return q
}

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
	// FullWithCookie: the same for a request with cookies. Without credentials
	// in the policy the page may not read its response, and a 304 cannot take
	// back the credentials of another one.
	FullWithCookie bool
	// BypassStore: neither look up nor store (case K4).
	BypassStore bool
	// Refuse: answer 403 (case C5, opt-in).
	Refuse bool
}

// otherBucket stands for every Origin that is not let in (case K2).
const otherBucket = "other"

// Decide is Judge and Count in one, for who answers every request. OPTIONS
// requests are counted by Preflight. It allocates nothing.
func (p *Policy) Decide(method string, lines []string) Decision {
	d := p.Judge(method, lines)
	if method != http.MethodOptions {
		p.Count(d)
	}
	return d
}

// Count counts a request that is answered and is no OPTIONS request, once; d is
// what Judge said about it.
func (p *Policy) Count(d Decision) { p.counts.request(p.mode, d) }

// Version changes whenever Apply would do something else than before for the
// same arguments: when the policy has learned that its application varies on
// Origin.
func (p *Policy) Version() uint64 {
	if p.learned.echoes.Load() {
		return 1
	}
	return 0
}

// Judge classifies a request's Origin and says what follows from it, without
// counting it. The lines are those of the request's Origin field; the Decision
// shares their bytes. It allocates nothing.
func (p *Policy) Judge(method string, lines []string) Decision {
	if len(lines) == 0 {
		return Decision{Allowed: p.mode == ModePass}
	}
	text, class, match := p.set.Classify(lines)
	var d Decision
	switch p.mode {
	case ModeOwn:
		d = p.decideOwn(text, class, match)
		d.FullWithCookie = !p.credentials && !d.FullOnConditional
	case ModePass:
		d = decidePass(text, class)
	default:
		// Browsers may have responses from when somebody owned CORS here.
		d = Decision{Class: class, FullOnConditional: true}
	}
	// An unsafe method's response is not stored, and its checks against
	// forgery want the Origin as it came, a bad one too.
	if method != http.MethodGet && method != http.MethodHead {
		d.ForwardOrigin = true
	}
	return d
}

func (p *Policy) decideOwn(text string, class origin.Class, match origin.Match) Decision {
	switch {
	case p.any:
		// Everybody gets the same answer, so the Origin is kept from the
		// upstream and from the key: one entry serves all.
		return Decision{Class: class, Allowed: true}
	case match != origin.NoMatch:
		return Decision{Class: class, Bucket: text, Allowed: true, ForwardOrigin: true, Capped: match == origin.MatchPattern}
	case class == origin.Null && p.null:
		return Decision{Class: class, Bucket: text, Allowed: true, ForwardOrigin: true}
	}
	return Decision{Class: class, Bucket: otherBucket, FullOnConditional: !p.static, Refuse: p.forbid && !p.public[text]}
}

func decidePass(text string, class origin.Class) Decision {
	d := Decision{Class: class, ForwardOrigin: true, Allowed: class != origin.Bad}
	switch class {
	case origin.Bad:
		d.Bucket, d.BypassStore = otherBucket, true
	case origin.Null, origin.Valid:
		d.Bucket, d.Capped = text, true
	}
	return d
}
