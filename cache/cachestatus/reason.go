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
	UpstreamRefusedAddress
	RateLimited
	RedirectFollowed

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
	VaryStar:            {"vary-star", "RFC 9111 §4.1", "the response says Vary: *, or names something that no request can match"},
	NotFinal:            {"not-final", "RFC 9111 §3", "the status is not one of a final response that can be stored"},
	Partial:             {"partial", "RFC 9111 §3.3", "the response has a part of the representation only"},
	MustUnderstand:      {"must-understand", "RFC 9111 §5.2.2.3", "the response says must-understand and its status is not understood"},
	NoFreshness:         {"no-freshness", "RFC 9111 §3", "the response states no freshness lifetime, and none may be guessed"},
	Expired:             {"expired", "RFC 9111 §4.2", "the response was stale on arrival, and neither can it be validated nor may it be served stale"},
	Incomplete:          {"incomplete", "RFC 9111 §3.3", "the response ended early"},
	TooLarge:            {"too-large", "policy", "the content is larger than max_object"},
	MemoryBudget:        {"memory-budget", "policy", "the responses under way take as much memory as they may together"},
	TooManyVariants:     {"too-many-variants", "policy", "as many variants are stored under the key as the route allows, and none is evicted for another"},
	TooManyOrigins:      {"too-many-origins", "policy", "as many origins are stored under the URL as the route allows, and none is evicted for another"},
	BadOrigin:           {"bad-origin", "policy", "the request's Origin field is not one serialised origin, so it cannot be part of a key"},
	ForeignACAO:         {"foreign-acao", "policy", "the upstream answered with the Access-Control-Allow-Origin of another origin than the request's"},
	HitForMiss:          {"hit-for-miss", "policy", "the last response to this request could not be stored, so nobody waits for this one"},
	NotAdmitted:         {"not-admitted", "policy", "the store had no room for it: what it would have displaced is used more often, or it is too large for the store"},
	Purged:              {"purged", "policy", "a purge, or a write to the URL, came after the fetch of the response had begun"},
	StoreFailed:         {"store-failed", "policy", "the store could not take it"},
	CachingOff:          {"caching-off", "policy", "the route has caching switched off"},
	Preflight:           {"preflight", "Fetch", "a CORS preflight, answered from the route's policy"},
	Trailers:            {"trailers", "RFC 9110 §6.5.1", "the response announces trailers, which a stored response cannot keep"},
	Stale:               {"stale", "RFC 9111 §4.2", "the stored response is stale: its age has reached its freshness lifetime"},
	NoCache:             {"no-cache", "RFC 9111 §5.2.2.4", "the stored response says no-cache"},
	MustRevalidate:      {"must-revalidate", "RFC 9111 §5.2.2.2", "the stored response is stale and says must-revalidate, proxy-revalidate or s-maxage, so it is never served stale"},
	RequestNoCache:      {"request-no-cache", "RFC 9111 §5.2.1.4", "the request says no-cache"},
	RequestMaxAge:       {"request-max-age", "RFC 9111 §5.2.1.1", "the stored response is older than the request allows"},
	RequestMinFresh:     {"request-min-fresh", "RFC 9111 §5.2.1.3", "the stored response is not fresh for as long as the request asks"},
	OnlyIfCached:        {"only-if-cached", "RFC 9111 §5.2.1.7", "the request says only-if-cached and nothing suitable is stored"},
	VaryMismatch:        {"vary-mismatch", "RFC 9111 §4.1", "responses are stored under the key, and none was selected by the request's values of the fields that Vary names"},
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
	MaxForwards:         {"max-forwards", "RFC 9110 §7.6.2", "the request says Max-Forwards: 0, so it goes no further than here"},
	Overload:            {"overload", "RFC 9110 §15.6.4", "too many requests are under way"},

	UpstreamRefusedAddress: {"upstream-refused-address", "policy", "the upstream's name stands for an address that an external upstream may not have"},
	RateLimited:            {"rate-limited", "RFC 6585 §4", "the client sends more requests than the route allows it"},
	RedirectFollowed:       {"redirect-followed", "policy", "a redirect of the external upstream was followed, and it may lead elsewhere the next time or for somebody else"},
}

// remedies say what can be done about a reason, where something can. They name
// the party whose move it is and the configuration key where there is one.
var remedies = [reasonCount]string{
	Method:              "nothing: only GET and HEAD are answered from the cache",
	RequestBody:         "have the client send GET without content",
	RequestNoStore:      "have the client leave no-store out, or set cache.request_directives: ignore on the route",
	RequestRange:        "nothing: a small representation is fetched whole afterwards, and the next range comes from the cache",
	Precondition:        "have the client use If-None-Match or If-Modified-Since in place of If-Match, If-Unmodified-Since or If-Range",
	NoStore:             "have the upstream leave no-store out, or say CDN-Cache-Control: max-age=N, which counts here in its place",
	Private:             "have the upstream leave private out, or list the private fields: private=\"Set-Cookie\"",
	Authorization:       "have the upstream say public or s-maxage if every user may have the same response",
	SetCookie:           "have the upstream set the cookie elsewhere or say public; or set cache.set_cookie: strip on the route",
	Cookie:              "have the upstream state a lifetime (Cache-Control: max-age=N), or remove Cookie from the request on the route",
	VaryStar:            "have the upstream name the request fields that it looks at",
	Partial:             "have the upstream answer 200 to a request without Range",
	MustUnderstand:      "have the upstream use a registered status code, or leave must-understand out",
	NoFreshness:         "have the upstream send Cache-Control: max-age=N, or set cache.default_ttl on the route",
	Expired:             "have the upstream send a lifetime longer than the response's Age, or an ETag",
	Incomplete:          "look for why the upstream closes the connection early",
	TooLarge:            "raise cache.max_object on the route (at most an eighth of store.memory.size counts)",
	MemoryBudget:        "nothing, if it is rare; else lower cache.max_object",
	TooManyVariants:     "have the upstream vary on fewer fields or values, or raise cache.variants",
	TooManyOrigins:      "raise cache.origins, or set cache.key.origin: shared if the upstream answers every origin alike",
	BadOrigin:           "nothing: no browser sends such an Origin",
	ForeignACAO:         "have the application answer with the request's own Origin, or let Veneer own CORS with a policy",
	HitForMiss:          "make the response storable, or wait: the mark lasts two minutes",
	NotAdmitted:         "raise store.memory.size",
	StoreFailed:         "look into the log for the store's error",
	CachingOff:          "take cache: off out of the route",
	Trailers:            "have the upstream send the trailer fields as header fields",
	Stale:               "have the upstream send a longer max-age or stale-while-revalidate, or set cache.stale_while_revalidate",
	NoCache:             "have the upstream send max-age=N in place of no-cache if a copy may be used unasked",
	MustRevalidate:      "nothing, if the upstream means it; else have it send max-age without must-revalidate",
	RequestNoCache:      "nothing: it is a forced reload; cache.request_directives: ignore makes the route answer it from the cache",
	RequestMaxAge:       "nothing: it is a reload; cache.request_directives: ignore makes the route answer it from the cache",
	RequestMinFresh:     "have the client ask for less, or set cache.request_directives: ignore on the route",
	OnlyIfCached:        "have the client ask without only-if-cached",
	VaryMismatch:        "nothing, if the variants are few: each is fetched once; else have the upstream vary on fewer fields",
	StaleServed:         "mend the upstream; stale-if-error and cache.grace say for how long this goes on",
	NoRoute:             "add a route that matches, for one with match: { path: / }",
	BadRequest:          "have the client send a well-formed request",
	OriginRefused:       "add the origin to the policy's origins, or take enforce: true out of it",
	BodyTooLarge:        "raise server.limits.body_bytes",
	RequestTimeout:      "have the client send its content faster",
	UpstreamUnreachable: "see that the upstream listens where upstreams.NAME.servers says",
	UpstreamTimeout:     "make the upstream faster, or raise upstreams.NAME.response_timeout",
	UpstreamProtocol:    "look for what the upstream sends that is not HTTP",
	NoHealthyServer:     "bring a server of the upstream back",
	Loop:                "take Veneer out of the path from the upstream back to itself",
	Internal:            "report the log line to who maintains Veneer",
	MaxForwards:         "have the client raise Max-Forwards",
	Overload:            "slow the clients down or add an instance",

	UpstreamRefusedAddress: "see what the name resolves to; a private address needs upstreams.NAME.dangerously_private_addresses",
	RateLimited:            "have the client wait for Retry-After seconds, or raise rate_limit on the route",
	RedirectFollowed:       "have the client ask for the URL that the redirect leads to; a 301 or 308 that says nothing of caching is stored",
}

// Remedy says what can be done about the reason, or "" where there is nothing
// to be said.
func (r Reason) Remedy() string {
	if r < reasonCount {
		return remedies[r]
	}
	return ""
}

// ParseReason finds a reason by its token.
func ParseReason(token string) (Reason, bool) {
	for r := None + 1; r < reasonCount; r++ {
		if entries[r].token == token {
			return r, true
		}
	}
	return None, false
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
