package doctor

const (
	noneAllowed = `
first-a GET A 200

again-a GET A 200

then-b GET B 200

cold-b GET B 200

none-then-a GET A 200

stranger-then-a GET A 200

revalidate

head GET A 200

plain GET A 200

error-path GET A 404

error-method QUERY A 405

slash

follow

none-first GET - 200

stranger-first GET https://veneer-doctor.invalid 200

null GET null 200
`
	noPreflights = `

preflight-a OPTIONS A 405

preflight-b OPTIONS B 405

preflight-capitals OPTIONS A 405
`
)

var originCases = []recordCase{
	{name: "good"},
	{name: "good with one origin", options: Options{Origins: []string{originA}}, edit: "then-b\n\npreflight-b\n\nrevalidate GET A 304\nAccess-Control-Allow-Origin: A\nVary: Origin"},
	{name: "limited", edit: "null GET null 429",
		want: []string{"warning answers"}, title: "The server answers 429: it limits the rate, and what was asked then is not known.",
		unknown: []string{"vary-missing", "vary-missing-refused", "reflects-null"}},
	{name: "limited for a minute", edit: "insecure GET http://app.example.com 429\nRetry-After: 60",
		want: []string{"warning answers"}, title: "The server answers 429: it limits the rate (Retry-After: 60), and what was asked then is not known.",
		unknown: []string{"insecure-origin"}},
	{name: "the preflight is limited", edit: "preflight-b OPTIONS B 429",
		want: []string{"warning answers"}, title: "The server answers 429: it limits the rate, and what was asked then is not known.",
		unknown: []string{"preflight-redirected", "preflight-status", "preflight-no-acao"}},
	{name: "B is broken", edit: "then-b GET B 500\nAccess-Control-Allow-Origin: B\nVary: Origin\n\nrevalidate",
		want: []string{"warning answers"}, title: "The server answers 500 (then-b).",
		unknown: []string{"no-acao", "wrong-origin", "vary-missing", "vary-missing-refused", "foreign-acao"}},
	{name: "a stranger is refused with 500", edit: "stranger-first GET https://veneer-doctor.invalid 500",
		want: []string{"warning answers"}, title: "The server answers 500 (stranger-first)."},
	{name: "broken", edit: "suffixed GET https://app.example.com.evil.invalid 502",
		want: []string{"warning answers"}, title: "The server answers 502 (suffixed)."},
	{name: "silent", edit: "dotless GET https://appxexample.com EOF",
		want: []string{"warning answers"}, title: "There was no answer to one request (dotless): EOF."},
	{name: "not implemented is an answer", edit: "error-method QUERY A 501\nAccess-Control-Allow-Origin: A\nVary: Origin"},

	{name: "nobody is let in", edit: noneAllowed + noPreflights,
		want:  []string{"fault no-acao", "fault preflight-status"},
		title: "A gets no Access-Control-Allow-Origin (status 200)."},
	{name: "B alone is let in", edit: "first-a GET A 200\nVary: Origin\n\nagain-a GET A 200\nVary: Origin",
		want:  []string{"fault no-acao"},
		title: "A gets no Access-Control-Allow-Origin, and B gets one."},
	{name: "A alone is let in", edit: "then-b GET B 200\nVary: Origin\n\ncold-b GET B 200\nVary: Origin\n\nrevalidate",
		want:  []string{"fault no-acao"},
		title: "B gets no Access-Control-Allow-Origin, and A gets one."},
	{name: "A alone is let in, without a query of our own", options: Options{NoCacheBuster: true}, edit: "then-b GET B 200\nVary: Origin\n\nrevalidate",
		want:  []string{"fault no-acao"},
		title: "B gets no Access-Control-Allow-Origin, and A gets one."},
	{name: "the answer asks who it is", edit: "first-a GET A 401",
		want:  []string{"fault error-no-acao"},
		title: "The error 401 has no Access-Control-Allow-Origin (first-a)."},

	{name: "A is always named", edit: "then-b GET B 200\nAccess-Control-Allow-Origin: A\n\ncold-b GET B 200\nAccess-Control-Allow-Origin: A\n\nrevalidate\n\n" +
		"none-first GET - 200\nAccess-Control-Allow-Origin: A\n\nstranger-first GET https://veneer-doctor.invalid 200\nAccess-Control-Allow-Origin: A\n\n" +
		"null GET null 200\nAccess-Control-Allow-Origin: A",
		want:  []string{"fault wrong-origin"},
		title: "B is answered with Access-Control-Allow-Origin: " + originA + "."},
	{name: "A gets a third", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: https://old.example.com\nVary: Origin",
		want:  []string{"fault wrong-origin"},
		title: "A is answered with Access-Control-Allow-Origin: https://old.example.com."},

	{name: "a list", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: https://app.example.com, https://partner.example.com\nVary: Origin",
		want:  []string{"fault acao-invalid"},
		title: `Access-Control-Allow-Origin holds several values: "https://app.example.com, https://partner.example.com".`},
	{name: "a pattern", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: https://*.example.com\nVary: Origin",
		want:  []string{"fault acao-invalid"},
		title: `Access-Control-Allow-Origin is a pattern: "https://*.example.com".`},
	{name: "a slash at the end", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: https://app.example.com/\nVary: Origin",
		want:  []string{"fault acao-invalid"},
		title: `Access-Control-Allow-Origin is no origin: "https://app.example.com/".`},

	{name: "two layers", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Origin: A\nVary: Origin",
		want:  []string{"fault double-headers"},
		title: "Access-Control-Allow-Origin comes 2 times (first-a)."},
	{name: "two layers, in an error", edit: "error-path GET A 404\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: true\nAccess-Control-Allow-Credentials: true\nVary: Origin",
		want:  []string{"fault double-headers"},
		title: "Access-Control-Allow-Credentials comes 2 times (error-path)."},
	{name: "two lists", edit: "preflight-b OPTIONS B 204\nAccess-Control-Allow-Origin: B\nAccess-Control-Allow-Methods: GET\nAccess-Control-Allow-Methods: PUT"},

	{name: "* with credentials", edit: "again-a GET A 200\nAccess-Control-Allow-Origin: *\nAccess-Control-Allow-Credentials: true",
		want:  []string{"fault wildcard-credentials"},
		title: "Access-Control-Allow-Origin: * comes with Access-Control-Allow-Credentials: true."},
	{name: "credentials in capitals", edit: "head HEAD A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: True\nVary: Origin",
		want:  []string{"fault credentials-value"},
		title: `Access-Control-Allow-Credentials is "True".`},
	{name: "credentials yes", edit: "again-a GET A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: false\nVary: Origin\n\n" +
		"head HEAD A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: yes\nVary: Origin",
		want:  []string{"warning credentials-value"},
		title: `Access-Control-Allow-Credentials is "yes".`},
	{name: "everything is exposed, with credentials", edit: "again-a GET A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: true\n" +
		"Access-Control-Expose-Headers: ETag\nAccess-Control-Expose-Headers: *\nVary: Origin",
		want:  []string{"warning expose-credentials"},
		title: "Access-Control-Expose-Headers: * comes with Access-Control-Allow-Credentials: true."},
	{name: "everything is exposed, without credentials", edit: "again-a GET A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Expose-Headers: *\nVary: Origin"},
	{name: "credentials false", edit: "head HEAD A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: false\nVary: Origin",
		want:  []string{"note credentials-value"},
		title: `Access-Control-Allow-Credentials is "false".`},
}

var cacheCases = []recordCase{
	{name: "no Vary", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: A\nVary: Accept-Encoding",
		want:  []string{"fault vary-missing"},
		title: "Access-Control-Allow-Origin depends on Origin, and Vary does not name it (first-a)."},
	{name: "no Vary on one error", edit: "error-path GET A 404\nAccess-Control-Allow-Origin: A",
		want:  []string{"fault vary-missing"},
		title: "Access-Control-Allow-Origin depends on Origin, and Vary does not name it (error-path)."},
	{name: "no Vary, and nothing is stored", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: A\nCache-Control: private, no-store",
		want:  []string{"warning vary-missing"},
		title: "Access-Control-Allow-Origin depends on Origin, and Vary does not name it (first-a)."},
	{name: "Vary only when there is an Origin", edit: "none-first GET - 200",
		want:  []string{"fault vary-missing-refused"},
		title: "The answer without Access-Control-Allow-Origin does not say Vary: Origin (none-first)."},
	{name: "Vary only for who is let in", edit: "stranger-first GET https://veneer-doctor.invalid 200\nVary: Accept",
		want:  []string{"fault vary-missing-refused"},
		title: "The answer without Access-Control-Allow-Origin does not say Vary: Origin (stranger-first)."},
	{name: "a stranger's error is no such answer", edit: "stranger-first GET https://veneer-doctor.invalid 403"},
	{name: "Vary: *", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: A\nVary: *",
		want: []string{"warning vary-star"}, title: "Vary is *."},
	{name: "* for everybody needs no Vary", edit: `
first-a GET A 200
Access-Control-Allow-Origin: *

then-b GET B 200
Access-Control-Allow-Origin: *

none-first GET - 200
Access-Control-Allow-Origin: *

stranger-first GET https://veneer-doctor.invalid 200
Access-Control-Allow-Origin: *

null GET null 200
Access-Control-Allow-Origin: *
`},

	{name: "somebody else's answer is stored now", edit: "plain GET A 200\nAccess-Control-Allow-Origin: B\nVary: Origin",
		want:  []string{"fault live-answer"},
		title: "A gets Access-Control-Allow-Origin: " + originB + " at this URL, and its own at a URL that no cache has seen."},
	{name: "nobody's answer is stored now", edit: "plain GET A 200\nVary: Origin",
		want:  []string{"fault live-answer"},
		title: "A gets no Access-Control-Allow-Origin at this URL, and gets one at a URL that no cache has seen."},
	{name: "the cache loses it", edit: "again-a GET A 200\nVary: Origin",
		want: []string{"fault lost-in-cache"}, title: "A is let in the first time and not the second."},
	{name: "B gets A's", edit: "then-b GET B 200\nAccess-Control-Allow-Origin: A\nVary: Origin\n\ncold-b GET B 200\nAccess-Control-Allow-Origin: B\nVary: Origin",
		want:  []string{"fault foreign-acao"},
		title: "B gets Access-Control-Allow-Origin: " + originA + " once A's answer is stored."},
	{name: "B gets A's, without a query of our own", options: Options{NoCacheBuster: true}, edit: "then-b GET B 200\nAccess-Control-Allow-Origin: A\nVary: Origin\nAge: 3",
		want:  []string{"fault foreign-acao"},
		title: "B gets Access-Control-Allow-Origin: " + originA + " once A's answer is stored."},
	{name: "B gets nothing after A, without a query of our own", options: Options{NoCacheBuster: true}, edit: "then-b GET B 200\nVary: Origin\nAge: 3\n\nrevalidate",
		want:  []string{"fault foreign-acao"},
		title: "B gets no Access-Control-Allow-Origin once A's answer is stored."},
	{name: "the query is no part of the key", edit: "then-b GET B 200\nAccess-Control-Allow-Origin: A\nVary: Origin\nX-Cache: HIT\n\ncold-b GET B 200\nAccess-Control-Allow-Origin: A\nVary: Origin\nX-Cache: HIT\n\nrevalidate",
		want:  []string{"fault foreign-acao"},
		title: "B gets Access-Control-Allow-Origin: " + originA + " once A's answer is stored."},
	{name: "B gets nothing after A", edit: "then-b GET B 200\nVary: Origin\n\ncold-b GET B 200\nAccess-Control-Allow-Origin: B\nVary: Origin",
		want:  []string{"fault foreign-acao"},
		title: "B gets no Access-Control-Allow-Origin once A's answer is stored."},
	{name: "no Origin came first", edit: "none-then-a GET A 200\nVary: Origin\nX-Cache: HIT",
		want:  []string{"fault poisoned-no-origin"},
		title: "A gets no Access-Control-Allow-Origin after a request without Origin came first."},
	{name: "a stranger came first", edit: "stranger-then-a GET A 200\nVary: Origin",
		want:  []string{"fault poisoned-refused"},
		title: "A gets no Access-Control-Allow-Origin after a stranger came first."},
	{name: "a stranger's refusal is stored", edit: "stranger-first GET https://veneer-doctor.invalid 403\n\nstranger-then-a GET A 403\nAccess-Control-Allow-Origin: https://veneer-doctor.invalid",
		want:  []string{"fault vary-missing", "fault poisoned-refused"},
		title: "Access-Control-Allow-Origin depends on Origin, and Vary does not name it (stranger-then-a)."},
	{name: "a new query is a hit", edit: "none-first GET - 200\nVary: Origin\nCache-Status: edge; hit; ttl=5",
		want: []string{"note cache-ignores-query"}, title: "A query that nobody has asked for is answered from a cache: the key leaves it out."},
}

var pathCases = []recordCase{
	{name: "304 without", edit: "revalidate GET B 304\nVary: Origin",
		want: []string{"fault not-modified-no-acao"}, title: "The 304 to B has no Access-Control-Allow-Origin."},
	{name: "304 with A's", edit: "revalidate GET B 304\nAccess-Control-Allow-Origin: A\nVary: Origin",
		want: []string{"fault not-modified-foreign-acao"}, title: "The 304 to B has Access-Control-Allow-Origin: " + originA + "."},
	{name: "no 304", edit: "revalidate GET B 200\nAccess-Control-Allow-Origin: B\nVary: Origin"},
	{name: "404 without", edit: "error-path GET A 404",
		want: []string{"fault error-no-acao"}, title: "The error 404 has no Access-Control-Allow-Origin (error-path)."},
	{name: "405 without", edit: "error-method QUERY A 405",
		want: []string{"warning error-no-acao"}, title: "The error 405 has no Access-Control-Allow-Origin (error-method)."},
	{name: "405 and 404 without", edit: "error-path GET A 404\n\nerror-method QUERY A 405",
		want: []string{"fault error-no-acao"}, title: "The error 404 has no Access-Control-Allow-Origin (error-path)."},
	{name: "no such thing as an error", edit: "error-path GET A 200\nAccess-Control-Allow-Origin: A\nVary: Origin\n\nerror-method"},
	{name: "HEAD without", edit: "head HEAD A 200",
		want: []string{"fault head-no-acao"}, title: "HEAD does not let A in, and GET does."},
	{name: "HEAD without credentials", edit: "first-a GET A 200\nAccess-Control-Allow-Origin: A\nAccess-Control-Allow-Credentials: true\nVary: Origin",
		want: []string{"fault head-no-acao"}, title: "HEAD does not allow credentials, and GET does."},
	{name: "redirect without", edit: "slash GET A 301\nLocation: /users/",
		want: []string{"fault redirect-no-acao"}, title: "The redirect 301 to /users/ does not let A in."},
	{name: "redirect to nothing", edit: "follow GET A 200",
		want: []string{"fault redirect-target"}, title: "Where the redirect leads, A is not let in."},
	{name: "redirect to another site", edit: "plain GET A 302\nAccess-Control-Allow-Origin: A\nVary: Origin\nLocation: https://www.example.com/\n\nfollow",
		want: []string{"warning redirect-target"}, title: "The URL redirects to https://www.example.com, where browsers send Origin: null."},
	{name: "redirect to another site that lets null in", edit: leadsAwayTo + "200\nAccess-Control-Allow-Origin: *"},
	{name: "redirect to another site that names null", edit: leadsAwayTo + "200\nAccess-Control-Allow-Origin: null"},
	{name: "redirect to another site that lets A in", edit: leadsAwayTo + "200\nAccess-Control-Allow-Origin: A",
		want: []string{"fault redirect-target"}, title: "The URL redirects to https://www.example.com, where browsers send Origin: null, which is not let in."},
	{name: "redirect to another site with mistakes of its own", edit: leadsAwayTo + "200\nAccess-Control-Allow-Origin: *\nAccess-Control-Max-Age: 1\nAccess-Control-Max-Age: 1\nVary: *"},
	{name: "redirect to another site that is broken", edit: leadsAwayTo + "502",
		want: []string{"warning answers", "warning redirect-target"}, title: "The server answers 502 (follow-away)."},
}

const leadsAwayTo = "plain GET A 302\nAccess-Control-Allow-Origin: A\nVary: Origin\nLocation: https://www.example.com/\n\nfollow\n\nfollow-away GET null "

// theGet is for what needs no preflight.
var theGet = Options{Method: "GET"}

var preflightCases = []recordCase{
	{name: "preflight redirected", edit: "preflight-a OPTIONS A 308\nLocation: /users/\n\npreflight-capitals OPTIONS A 308\nLocation: /users/",
		want:  []string{"fault preflight-redirected"},
		title: "The preflight is redirected (308) to /users/."},
	{name: "preflight asks who it is", edit: "preflight-a OPTIONS A 401\n\npreflight-capitals OPTIONS A 401",
		want:  []string{"fault preflight-status"},
		title: "The preflight is answered with 401: it is asked for credentials, which browsers never send in it."},
	{name: "preflight not allowed", edit: noPreflights,
		want: []string{"fault preflight-status"}, title: "The preflight of A is answered with 405."},
	{name: "preflight of B not allowed", edit: "preflight-b OPTIONS B 403\nAccess-Control-Allow-Origin: B",
		want: []string{"fault preflight-status"}, title: "The preflight of B is answered with 403."},
	{name: "preflight not answered", edit: "preflight-a OPTIONS A EOF",
		want: []string{"fault preflight-status", "warning answers"}, title: "The preflight is not answered: EOF."},
	{name: "preflight not needed", options: theGet, edit: "preflight-a OPTIONS A 405\n\npreflight-capitals\n\npreflight-b OPTIONS B 405",
		want: []string{"note preflight-status"}, title: "The preflight of A is answered with 405."},
	{name: "preflight without", edit: "preflight-a OPTIONS A 204\n\npreflight-capitals OPTIONS A 204",
		want: []string{"fault preflight-no-acao"}, title: "The preflight of A gets no Access-Control-Allow-Origin."},
	{name: "preflight of B with A's", edit: "preflight-b OPTIONS B 204\nAccess-Control-Allow-Origin: A",
		want: []string{"fault preflight-no-acao"}, title: "The preflight of B gets Access-Control-Allow-Origin: " + originA + "."},

	{name: "method missing", edit: preflightWith("Access-Control-Allow-Methods: GET, POST"),
		want: []string{"fault preflight-method"}, title: "PUT is not allowed; allowed: GET, POST."},
	{name: "no methods", edit: preflightWith(),
		want: []string{"fault preflight-method"}, title: "PUT is not allowed; allowed: nothing."},
	{name: "method in small letters", edit: preflightWith("Access-Control-Allow-Methods: put"),
		want: []string{"fault preflight-method"}, title: "PUT is allowed in other letters: put."},
	{name: "method by *", edit: preflightWith("Access-Control-Allow-Methods: *")},
	{name: "method by * with credentials", edit: preflightWith("Access-Control-Allow-Methods: *", "Access-Control-Allow-Credentials: true"),
		want: []string{"fault preflight-method"}, title: "PUT is allowed by * only, and with credentials * is a method of that name."},
	{name: "a simple method needs no mention", options: Options{Method: "POST", Headers: []string{"Content-Type"}}, edit: preflightWith()},

	{name: "header missing", edit: preflightHeadersWith("Access-Control-Allow-Headers: X-Id, CONTENT-TYPE"),
		want: []string{"fault preflight-headers"}, title: "authorization is not allowed; allowed: X-Id, CONTENT-TYPE."},
	{name: "header by *", edit: preflightHeadersWith("Access-Control-Allow-Headers: *"),
		want: []string{"fault preflight-headers"}, title: "Authorization is allowed by * only, which does not cover it."},
	{name: "header by * and name", edit: preflightHeadersWith("Access-Control-Allow-Headers: *, Authorization")},
	{name: "header by * with credentials", options: Options{Method: "PUT", Headers: []string{"X-Id"}},
		edit: preflightHeadersWith("Access-Control-Allow-Headers: *", "Access-Control-Allow-Credentials: true"),
		want: []string{"fault preflight-headers"}, title: "x-id is allowed by * only, and with credentials * is a field of that name."},
	{name: "safe headers need no mention", options: Options{Method: "PUT", Headers: []string{"Accept", "Range"}}, edit: preflightHeadersWith()},

	{name: "small letters refused", edit: "preflight-a OPTIONS A 403",
		want:  []string{"fault preflight-status", "fault preflight-capitals"},
		title: "The preflight of A is answered with 403."},
	{name: "capitals refused", edit: "preflight-capitals OPTIONS A 403",
		want: []string{"note preflight-capitals"}, title: "The preflight is refused when the names have capitals."},
	{name: "no max age", edit: preflightMaxAgeWith(),
		want: []string{"note preflight-max-age"}, title: "There is no Access-Control-Max-Age."},
	{name: "a day", edit: preflightMaxAgeWith("Access-Control-Max-Age: 86400"),
		want: []string{"note preflight-max-age"}, title: "Access-Control-Max-Age is 86400, more than Chromium takes (7200)."},
	{name: "a year", edit: preflightMaxAgeWith("Access-Control-Max-Age: 31536000"),
		want: []string{"note preflight-max-age"}, title: "Access-Control-Max-Age is 31536000, more than any browser takes."},
	{name: "no time at all", edit: preflightMaxAgeWith("Access-Control-Max-Age: -1"),
		want: []string{"note preflight-max-age"}, title: "Access-Control-Max-Age is -1: every request is preceded by a preflight."},
	{name: "quoted max age", edit: preflightMaxAgeWith(`Access-Control-Max-Age: '86400'`),
		want: []string{"warning preflight-max-age"}, title: `Access-Control-Max-Age is not a number of seconds: "'86400'".`},
	{name: "max age twice", edit: preflightMaxAgeWith("Access-Control-Max-Age: 600", "Access-Control-Max-Age: 600"),
		want: []string{"fault double-headers"}, title: "Access-Control-Max-Age comes 2 times (preflight-a)."},
	{name: "OPTIONS from a cache", edit: "preflight-b OPTIONS B 204\nAccess-Control-Allow-Origin: B\nAge: 0",
		want: []string{"warning preflight-cached"}, title: "A shared cache has answered OPTIONS (preflight-b)."},
}

func preflightWith(lines ...string) string {
	return preflightOf(append(lines, "Access-Control-Allow-Headers: Content-Type, Authorization", "Access-Control-Max-Age: 600"))
}

func preflightHeadersWith(lines ...string) string {
	return preflightOf(append(lines, "Access-Control-Allow-Methods: PUT", "Access-Control-Max-Age: 600"))
}

func preflightMaxAgeWith(lines ...string) string {
	return preflightOf(append(lines, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: Content-Type, Authorization"))
}

func preflightOf(lines []string) string {
	text := "preflight-a OPTIONS A 204\nAccess-Control-Allow-Origin: A"
	for _, line := range lines {
		text += "\n" + line
	}
	return text
}

var trustCases = []recordCase{
	{name: "anybody", edit: "stranger-first GET https://veneer-doctor.invalid 200\nAccess-Control-Allow-Origin: https://veneer-doctor.invalid\nAccess-Control-Allow-Credentials: true\nVary: Origin",
		want: []string{"fault reflects-any"}, title: "Any origin is let in by name, with credentials."},
	{name: "anybody in the preflight", edit: "preflight-stranger OPTIONS https://veneer-doctor.invalid 204\nAccess-Control-Allow-Origin: https://veneer-doctor.invalid",
		want: []string{"warning reflects-any"}, title: "Any origin is let in by name."},
	{name: "null", edit: "null GET null 200\nAccess-Control-Allow-Origin: null\nVary: Origin",
		want: []string{"fault reflects-null"}, title: "The origin null is let in."},
	{name: "by prefix", edit: "suffixed GET https://app.example.com.evil.invalid 200\nAccess-Control-Allow-Origin: https://app.example.com.evil.invalid\nVary: Origin",
		want: []string{"fault loose-match"}, title: "https://app.example.com.evil.invalid is let in."},
	{name: "by an open regular expression", edit: "dotless GET https://appxexample.com 200\nAccess-Control-Allow-Origin: https://appxexample.com\nVary: Origin",
		want: []string{"fault loose-match"}, title: "https://appxexample.com is let in."},
	{name: "by suffix", edit: prefixedIn + "\n\nsibling GET https://veneer-doctor.example.com 200\n\nglued GET https://evilexample.com 200",
		want: []string{"fault loose-match"}, title: "https://evilapp.example.com is let in."},
	{name: "by the domain's suffix", edit: prefixedIn + "\n\nsibling GET https://veneer-doctor.example.com 200\nAccess-Control-Allow-Origin: https://veneer-doctor.example.com\n\n" +
		"glued GET https://evilexample.com 200\nAccess-Control-Allow-Origin: https://evilexample.com",
		want: []string{"fault loose-match"}, title: "https://evilexample.com is let in."},
	{name: "by a pattern for subdomains", edit: prefixedIn + "\n\nsibling GET https://veneer-doctor.example.com 200\nAccess-Control-Allow-Origin: https://veneer-doctor.example.com\n\n" +
		"glued GET https://evilexample.com 200",
		want: []string{"note loose-match"}, title: "Every name under A's domain is let in; each of them must be trusted."},
	{name: "on any port", edit: "other-port GET https://app.example.com:8443 200\nAccess-Control-Allow-Origin: https://app.example.com:8443\nVary: Origin",
		want: []string{"warning loose-match"}, title: "https://app.example.com:8443 is let in: what listens on any port of A's host must be trusted."},
	{name: "on any port, by a pattern for subdomains", edit: prefixedIn + "\n\nsibling GET https://veneer-doctor.example.com 200\nAccess-Control-Allow-Origin: https://veneer-doctor.example.com\n\n" +
		"other-port GET https://app.example.com:8443 200\nAccess-Control-Allow-Origin: https://app.example.com:8443\nVary: Origin",
		want: []string{"warning loose-match"}, title: "https://app.example.com:8443 is let in: what listens on any port of A's host must be trusted."},
	{name: "over http", edit: "insecure GET http://app.example.com 200\nAccess-Control-Allow-Origin: http://app.example.com\nVary: Origin",
		want: []string{"fault insecure-origin"}, title: "http://app.example.com is let in."},
}

const prefixedIn = "prefixed GET https://evilapp.example.com 200\nAccess-Control-Allow-Origin: https://evilapp.example.com\nVary: Origin"
