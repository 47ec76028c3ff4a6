package cachestatus

// Reason says why a response was not stored, why a stored response was not
// reused, or why Veneer answered with an error of its own. It is the detail
// parameter of Cache-Status (RFC 9211 §2.8), the label of the not-stored
// counter and the vocabulary of explain: one enum, so that a word in a log, a
// metric and a response field always means the same.
//
// The zero value is None: nothing to explain.
type Reason uint8

// Reasons for not storing a response.
const (
	None Reason = iota
	Method
	RequestBody
	RequestNoStore
	RequestRange
	Precondition
	Upgrade
	NoStore
	Private
	Authorization
	SetCookie
	Cookie
	VaryStar
	NotFinal
	Partial
	MustUnderstand
	NoFreshness
	Expired
	Incomplete
	TooLarge
	MemoryBudget
	TooManyVariants
	TooManyOrigins
	BadOrigin
	ForeignACAO
	HitForMiss
	NotAdmitted
	Purged
	StoreFailed
	CachingOff
	Trailers
	Preflight

	// Reasons for not reusing a stored response.

	Stale
	NoCache
	MustRevalidate
	RequestNoCache
	RequestMaxAge
	RequestMinFresh
	OnlyIfCached
	VaryMismatch
	StaleServed
	RevalidationFailed

	// Reasons for an answer that Veneer made itself.

	NoRoute
	BadRequest
	OriginRefused
	BodyTooLarge
	RequestTimeout
	UpstreamUnreachable
	UpstreamTimeout
	UpstreamProtocol
	NoHealthyServer
	Loop
	Internal
	NotImplemented
	MaxForwards
	Overload

	reasonCount // keep last
)

// entry is what the enum knows about one reason.
type entry struct {
	token    string // sf-token, stable: outside checks rely on it
	section  string // the section that asks for it, or "policy"
	sentence string
}

var entries = [reasonCount]entry{
	None:                {"none", "", "nothing to explain"},
	Method:              {"method", "RFC 9111 §3", "responses to this method are not stored"},
	RequestBody:         {"request-body", "RFC 9110 §9.3.1", "the request has content, which is not part of the key"},
	RequestNoStore:      {"request-no-store", "RFC 9111 §5.2.1.5", "the request says no-store"},
	RequestRange:        {"request-range", "RFC 9111 §3.3", "a range was asked for and the complete response was not fetched"},
	Precondition:        {"precondition", "RFC 9111 §4.3.2", "the request has a precondition that only the origin server evaluates"},
	Upgrade:             {"upgrade", "RFC 9110 §7.8", "the connection changes protocol"},
	NoStore:             {"no-store", "RFC 9111 §5.2.2.5", "the response says no-store"},
	Private:             {"private", "RFC 9111 §5.2.2.7", "the response says private"},
	Authorization:       {"authorization", "RFC 9111 §3.5", "the request has Authorization and the response does not say public, s-maxage or must-revalidate"},
	SetCookie:           {"set-cookie", "RFC 9111 §7.3", "the response sets a cookie and does not say that it may be shared"},
	Cookie:              {"cookie", "policy", "the request has Cookie and the response has no explicit freshness"},
	VaryStar:            {"vary-star", "RFC 9111 §4.1", "the response varies on something that is not in the request"},
	NotFinal:            {"not-final", "RFC 9111 §3", "the status is not one of a final response that can be stored"},
	Partial:             {"partial", "RFC 9111 §3.3", "the response has a part of the representation only"},
	MustUnderstand:      {"must-understand", "RFC 9111 §5.2.2.3", "the response says must-understand and its status is not understood"},
	NoFreshness:         {"no-freshness", "RFC 9111 §3", "the response has neither a freshness lifetime nor a reason to guess one"},
	Expired:             {"expired", "RFC 9111 §4.2", "the response was stale on arrival and has no validator"},
	Incomplete:          {"incomplete", "RFC 9111 §3.3", "the response ended early"},
	TooLarge:            {"too-large", "policy", "the content is larger than max_object"},
	MemoryBudget:        {"memory-budget", "policy", "too many bytes are in flight"},
	TooManyVariants:     {"too-many-variants", "policy", "the URL has as many variants as the route allows"},
	TooManyOrigins:      {"too-many-origins", "policy", "the URL has as many origins as the route allows"},
	BadOrigin:           {"bad-origin", "policy", "the request's Origin is not a serialised origin"},
	ForeignACAO:         {"foreign-acao", "policy", "the upstream answered with another origin's Access-Control-Allow-Origin"},
	HitForMiss:          {"hit-for-miss", "policy", "the last response to this request could not be stored, so nobody waits for this one"},
	NotAdmitted:         {"not-admitted", "policy", "the store's policy did not admit it"},
	Purged:              {"purged", "policy", "a purge came while it was fetched"},
	StoreFailed:         {"store-failed", "policy", "the store could not take it"},
	CachingOff:          {"caching-off", "policy", "the route does not cache"},
	Preflight:           {"preflight", "Fetch", "a CORS preflight, answered from the route's policy"},
	Trailers:            {"trailers", "RFC 9110 §6.5.1", "the response announces trailers, which a stored response cannot keep"},
	Stale:               {"stale", "RFC 9111 §4.2", "the stored response is stale"},
	NoCache:             {"no-cache", "RFC 9111 §5.2.2.4", "the stored response says no-cache"},
	MustRevalidate:      {"must-revalidate", "RFC 9111 §5.2.2.2", "the stored response is stale and must be validated"},
	RequestNoCache:      {"request-no-cache", "RFC 9111 §5.2.1.4", "the request says no-cache"},
	RequestMaxAge:       {"request-max-age", "RFC 9111 §5.2.1.1", "the stored response is older than the request allows"},
	RequestMinFresh:     {"request-min-fresh", "RFC 9111 §5.2.1.3", "the stored response is not fresh for as long as the request asks"},
	OnlyIfCached:        {"only-if-cached", "RFC 9111 §5.2.1.7", "the request says only-if-cached and nothing suitable is stored"},
	VaryMismatch:        {"vary-mismatch", "RFC 9111 §4.1", "no stored variant has the request's selecting fields"},
	StaleServed:         {"stale-served", "RFC 5861 §4", "the upstream failed and the stored response may be used stale"},
	RevalidationFailed:  {"revalidation-failed", "RFC 9111 §4.3.3", "the stored response could not be validated"},
	NoRoute:             {"no-route", "policy", "no route matches host and path"},
	BadRequest:          {"bad-request", "RFC 9110 §15.5.1", "the request is malformed"},
	OriginRefused:       {"origin-refused", "policy", "the route's policy refuses requests from this origin"},
	BodyTooLarge:        {"body-too-large", "RFC 9110 §15.5.14", "the request content is larger than the limit"},
	RequestTimeout:      {"request-timeout", "RFC 9110 §15.5.9", "the request content did not arrive in time"},
	UpstreamUnreachable: {"upstream-unreachable", "RFC 9110 §15.6.3", "the upstream cannot be reached"},
	UpstreamTimeout:     {"upstream-timeout", "RFC 9110 §15.6.5", "the upstream did not answer in time"},
	UpstreamProtocol:    {"upstream-protocol", "RFC 9110 §15.6.3", "the upstream's response is not valid HTTP"},
	NoHealthyServer:     {"no-healthy-server", "RFC 9110 §15.6.4", "no server of the upstream is healthy"},
	Loop:                {"loop", "RFC 8586 §2", "the request has been here before"},
	Internal:            {"internal", "RFC 9110 §15.6.1", "a fault in Veneer"},
	NotImplemented:      {"not-implemented", "RFC 9110 §15.6.2", "the method or coding is not supported"},
	MaxForwards:         {"max-forwards", "RFC 9110 §7.6.2", "Max-Forwards reached zero here"},
	Overload:            {"overload", "RFC 9110 §15.6.4", "too many requests are under way"},
}

// String returns the reason's token as it stands in Cache-Status.
func (r Reason) String() string {
	if r < reasonCount {
		return entries[r].token
	}
	return "unknown"
}

// Section names the section that asks for the behaviour, or "policy" where it
// is Veneer's or the operator's own choice.
func (r Reason) Section() string {
	if r < reasonCount {
		return entries[r].section
	}
	return ""
}

// Sentence explains the reason to a person.
func (r Reason) Sentence() string {
	if r < reasonCount {
		return entries[r].sentence
	}
	return ""
}

// Reasons returns every reason but None, in the order of the enum.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := None + 1; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}
