package corslayer

import "time"

// Mode says who is the authority for CORS on a route.
type Mode uint8

const (
	// ModeOwn: Veneer alone; a policy is configured.
	ModeOwn Mode = iota
	// ModePass: the application; Veneer keeps its answers apart.
	ModePass
	// ModeOff: nobody; the route is for its own origin only.
	ModeOff
)

// VaryFix says when a route in pass mode adds "Vary: Origin" (case A3).
type VaryFix uint8

const (
	// VaryAuto: once the upstream was seen to vary on Origin without saying so.
	VaryAuto VaryFix = iota
	// VaryAlways: on every response.
	VaryAlways
	// VaryNever: the upstream's Vary is left as it is.
	VaryNever
)

// Config is a policy as its author wrote it. Compile makes a Policy of it. The
// zero value is an own-mode policy without origins, which Compile refuses;
// routes without a policy have Pass(Config{}) or Off().
type Config struct {
	Mode Mode

	// Origins are rules (origin.ParsePattern), or "*" alone.
	Origins []string
	// AllowNull lets the opaque origin in, beside a list.
	AllowNull bool
	// Dynamic makes a policy of one origin answer like a list: only that
	// origin is told that it may, and Vary says so. Without it the one origin
	// is static: named in every response, and Vary is not needed.
	Dynamic bool
	// Credentials allows cookies, TLS client certificates and Authorization.
	Credentials bool

	// Methods are compared with regard to case. Nil means the methods that
	// need no preflight of their own: GET, HEAD and POST. GET brings HEAD. "*"
	// allows every method.
	Methods []string
	// Headers are request fields, or "*". Range is always allowed.
	Headers []string
	// Expose lists response fields that scripts may read, or is "*" or "auto"
	// alone; auto means the fields that the response has.
	Expose []string
	// Media exposes what players need: Content-Range, Accept-Ranges, ETag and
	// Content-Encoding, beside Expose.
	Media bool
	// MergeExpose adds what the upstream exposes to what Expose lists.
	MergeExpose bool

	// MaxAge is how long browsers may keep a preflight's answer, in whole
	// seconds: nil means 2 h, 0 not at all, -1 s turns their cache off.
	MaxAge *time.Duration
	// MinimalPreflight answers with what was asked and is allowed instead of
	// the whole lists.
	MinimalPreflight bool
	// CDNMaxAge, in whole seconds, lets CDNs that cache OPTIONS keep allowed
	// preflights. Zero means no-store.
	CDNMaxAge time.Duration
	// Debug answers a refused preflight with 204 and the fields up to the step
	// that failed, so that the browser's console says which. JudgePreflight
	// says it to the operator.
	Debug bool
	// PrivateNetwork lets pages from a public network, of the origins that are
	// let in, reach this route in a private one (Private Network Access).
	PrivateNetwork bool

	// TimingAllowOrigin sends Timing-Allow-Origin to whom the policy allows.
	TimingAllowOrigin bool
	// ResourcePolicy is the Cross-Origin-Resource-Policy to send: "",
	// "same-origin", "same-site" or "cross-origin".
	ResourcePolicy string

	// Enforce refuses actual requests of origins that are not let in, but for
	// PublicOrigins: browsers send Origin with same-origin POSTs too. It
	// implies Dynamic, since the answer then depends on the Origin.
	Enforce bool
	// PublicOrigins are the serialised origins that the route itself is
	// served under. They are no cross-origin callers.
	PublicOrigins []string

	// VaryFix is for pass mode.
	VaryFix VaryFix

	// The switches for what is dangerous with credentials, and still wanted:
	// to let in the opaque origin, origins without TLS, and names that
	// anybody can register.
	DangerouslyCredentialedNull         bool
	DangerouslyCredentialedInsecure     bool
	DangerouslyCredentialedPublicSuffix bool
	// DangerouslyPrivateNetworkForAnyOrigin lets PrivateNetwork stand where
	// anybody can be an origin that is let in: any page of the web can then
	// reach what the private network was to keep from it.
	DangerouslyPrivateNetworkForAnyOrigin bool
}

// Problem is one thing that is wrong with a Config: which field (in the words
// of the configuration file), which element of it (Index, -1 where it is no
// list), what was got, why that will not do and what to write instead. A
// Warning does not stop the policy from being used.
type Problem struct {
	Field   string
	Index   int
	Value   string
	Why     string
	Fix     string
	Warning bool
}

// String returns the problem in one line.
func (p Problem) String() string {
	return p.Field + ": got " + p.Value + ": " + p.Why + "; fix: " + p.Fix
}
