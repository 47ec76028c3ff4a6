package doctor

// Severity says what a Finding means for the pages of the origins.
type Severity string

// Fault: some page cannot read what it should, or somebody can read what he
// should not. Warning: it works, and will not for long or for everybody. Note:
// good to know.
const (
	Fault   Severity = "fault"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// verdict is what a check says. The zero value is: all is well.
type verdict struct {
	skipped   string // why the question could not be put
	undecided string // which answer it rests on that tells nothing
	severity  Severity
	title     string
	// The two exchanges that show it best; right may be nil.
	left, right *Exchange
}

func skip(why string) verdict { return verdict{skipped: why} }

func fault(left, right *Exchange, title string) verdict {
	return verdict{severity: Fault, title: title, left: left, right: right}
}

func warning(left, right *Exchange, title string) verdict {
	return verdict{severity: Warning, title: title, left: left, right: right}
}

func note(left, right *Exchange, title string) verdict {
	return verdict{severity: Note, title: title, left: left, right: right}
}

// check is one question. It looks at the record and nothing else.
type check struct {
	id   string // of the check and of its finding: stable
	asks string // what holds when all is well
	why  string // what happens otherwise
	cure remedy
	// preflight: it is about preflights only, and no fault when a browser would
	// send none.
	preflight bool
	// alone: what is wrong in one answer is wrong, be it a 429 or a 502.
	alone bool
	look  func(r *run) verdict
}

// checks are all questions in the order of the table.
var checks = []check{
	{id: "answers", asks: "every request is answered, and none with 429 or 5xx", cure: cureAnswers, alone: true, look: answers,
		why: "What a server says when it is overloaded or broken is not what it says otherwise."},
	{id: "no-acao", asks: "each origin gets an Access-Control-Allow-Origin", cure: cureAllow, look: noAllowOrigin,
		why: "Either the layer that owns CORS does not see Origin, or it does not let this one in."},
	{id: "wrong-origin", asks: "nobody gets the Access-Control-Allow-Origin of another site", cure: cureAllow, look: wrongOrigin,
		why: "The field must be * or the very Origin of the request (Fetch, CORS check)."},
	{id: "acao-invalid", asks: "Access-Control-Allow-Origin is *, null or one origin", cure: cureAllow, alone: true, look: invalidAllowOrigin,
		why: "There is no list and no pattern in this field: browsers compare it with the Origin byte for byte."},
	{id: "double-headers", asks: "no CORS field of one value comes twice", cure: cureDouble, alone: true, look: doubleHeaders,
		why: "Two layers add CORS. Browsers join the lines and refuse the result; one layer must be the only one."},
	{id: "wildcard-credentials", asks: "no * together with credentials", cure: cureCredentials, alone: true, look: wildcardCredentials,
		why: "With credentials browsers refuse * (Fetch, CORS check): name the origin."},
	{id: "credentials-value", asks: "Access-Control-Allow-Credentials is true or absent", cure: cureTrue, alone: true, look: credentialsValue,
		why: "Only true, in these four lower-case letters, means anything."},
	{id: "expose-credentials", asks: "no Access-Control-Expose-Headers: * together with credentials", cure: cureExpose, alone: true, look: exposeCredentials,
		why: "With credentials * is a field of that name (Fetch, CORS-exposed header-name list), so scripts see the safelisted fields only."},

	{id: "vary-missing", asks: "answers that differ by Origin say Vary: Origin", cure: cureVary, look: varyMissing,
		why: "A shared cache or the browser's own hands one origin's answer to another."},
	{id: "vary-missing-refused", asks: "so do those without Access-Control-Allow-Origin", cure: cureVary, look: varyMissingRefused,
		why: "One answer without Vary is enough: it is stored, and an allowed origin gets it."},
	{id: "vary-star", asks: "no Vary: *", cure: cureVary, alone: true, look: varyStar,
		why: "A stored response with Vary: * is never reused (RFC 9111 §4.1), so no cache helps."},
	{id: "live-answer", asks: "the URL as it is now is right for A", cure: curePurge, look: liveAnswer,
		why: "What was stored for somebody else is being handed out."},
	{id: "lost-in-cache", asks: "A gets the same again", cure: cureKey, look: lostInCache,
		why: "What comes out of the cache is not what went in."},
	{id: "foreign-acao", asks: "B gets its own after A's answer was stored", cure: cureKey, look: foreignAllowOrigin,
		why: "The cache key lacks Origin, so B got A's stored response, which B's browser refuses."},
	{id: "poisoned-no-origin", asks: "A gets its own after a request without Origin", cure: cureKey, look: poisonedNoOrigin,
		why: "An image, a crawler or a same-origin page that comes first breaks the URL for every other page."},
	{id: "poisoned-refused", asks: "A gets its own after an origin that is refused", cure: cureKey, look: poisonedRefused,
		why: "Any stranger that comes first breaks the URL for every page."},
	{id: "cache-ignores-query", asks: "a query that nobody has asked for is not cached", cure: cureNothing, look: ignoresQuery,
		why: "The orders above were tried on one entry, so they prove less."},

	{id: "not-modified-no-acao", asks: "a 304 lets the origin in too", cure: cureNotModified, look: notModifiedNoAllowOrigin,
		why: "A browser that revalidates what it stored for another origin checks the 304 (Fetch, HTTP-network-or-cache fetch)."},
	{id: "not-modified-foreign-acao", asks: "a 304 names no other origin", cure: cureKey, look: notModifiedForeign,
		why: "The 304 updates the stored response with the wrong origin (RFC 9111 §3.2)."},
	{id: "error-no-acao", asks: "errors let the origin in too", cure: cureErrors, alone: true, look: errorNoAllowOrigin,
		why: "The page sees a CORS error and neither the status nor the reason."},
	{id: "head-no-acao", asks: "HEAD answers as GET does", cure: cureAllow, look: headNoAllowOrigin,
		why: "HEAD is GET without the content (RFC 9110 §9.3.2), and browsers check it alike."},
	{id: "redirect-no-acao", asks: "redirects let the origin in too", cure: cureRedirect, look: redirectNoAllowOrigin,
		why: "Browsers check every step of a redirect (Fetch, HTTP fetch)."},
	{id: "redirect-target", asks: "where a redirect leads, the origin is let in", cure: cureFinal, look: redirectTarget,
		why: "Browsers check every step of a redirect; after one to another site the Origin is null."},

	{id: "preflight-redirected", asks: "the preflight is not redirected", cure: curePreflight, preflight: true, look: preflightRedirected,
		why: "Browsers never follow a redirect of a preflight (Fetch, CORS-preflight fetch)."},
	{id: "preflight-status", asks: "the preflight is answered with 2xx", cure: curePreflight, preflight: true, look: preflightStatus,
		why: "Browsers refuse any other status. OPTIONS does not reach the layer that owns CORS, or that layer refuses the origin."},
	{id: "preflight-no-acao", asks: "the preflight lets each origin in", cure: curePreflight, preflight: true, look: preflightNoAllowOrigin,
		why: "The request itself is never sent."},
	{id: "preflight-method", asks: "the method is allowed", cure: cureMethods, preflight: true, look: preflightMethod,
		why: "Browsers look for the method in Access-Control-Allow-Methods, with regard to case."},
	{id: "preflight-headers", asks: "the headers are allowed", cure: cureHeaders, preflight: true, look: preflightHeaders,
		why: "Browsers look for each in Access-Control-Allow-Headers; * covers neither Authorization nor requests with credentials."},
	{id: "preflight-capitals", asks: "capitals in the asked names make no difference", cure: cureHeaders, preflight: true, look: preflightCapitals,
		why: "Field names have no case (RFC 9110 §5.1). Browsers send lower case, curl lines do not."},
	{id: "preflight-max-age", asks: "Access-Control-Max-Age is there and below the browsers' caps", cure: cureMaxAge, preflight: true, look: preflightMaxAge,
		why: "Without it a preflight is good for 5 s; Chromium caps it at 7200 s, Firefox at 86400 s."},
	{id: "preflight-cached", asks: "no shared cache answers OPTIONS", cure: cureOptions, preflight: true, alone: true, look: preflightCached,
		why: "OPTIONS cannot be cached (RFC 9110 §9.3.7): the answer depends on fields that are in no key."},

	{id: "reflects-any", asks: "a stranger is not let in by name", cure: cureStrict, look: reflectsAny,
		why: "Every site can read what the user can, if credentials are allowed; without them * says the same and can be cached."},
	{id: "reflects-null", asks: "null is not let in", cure: cureStrict, look: reflectsNull,
		why: "Anybody's page has the origin null in a sandboxed frame."},
	{id: "loose-match", asks: "origins that only look like A are not let in", cure: cureStrict, look: looseMatch,
		why: "The comparison is by prefix, suffix or a regular expression without anchors and escaped dots; anybody can register a name that passes."},
	{id: "insecure-origin", asks: "A over http is not let in", cure: cureStrict, look: insecureOrigin,
		why: "Who is on the user's network can be that origin."},
}
