package config

import (
	"strings"
)

// rule says why a field is not the user's to set, and what to do instead.
type rule struct{ why, fix string }

var (
	ruleHop = rule{
		"belongs to one connection (RFC 9110 §7.6.1), Veneer makes its own",
		"leave it out",
	}
	ruleFraming = rule{
		"frames the content (RFC 9112 §6), Veneer writes it from what it sends",
		"leave it out",
	}
	ruleCORS = rule{
		"would make two CORS authorities on one route",
		"a policy under cors and its name in the route; or cors: off to strip what the application sends",
	}
	ruleOrigin = rule{
		"decides the CORS answer, and must reach the upstream as the key has it",
		"cache.key.origin",
	}
	ruleForwarding = rule{
		"is written by Veneer for every request, from what it knows of the client",
		"leave it out; server.trusted_proxies says whose to keep",
	}
	ruleCaching = rule{
		"is written by Veneer for every response",
		"leave it out",
	}
	ruleConditional = rule{
		"selects a part or a state of the response, the cache sets it when it validates",
		"leave it out",
	}
)

// hopFields and framingFields are nobody's to set or to key on.
var (
	hopFields     = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Upgrade"}
	framingFields = []string{"Content-Length", "Transfer-Encoding"}
)

// requestOwned are the request fields that a route may not change.
var requestOwned = owned(map[string]rule{
	"Host":                           {"is not a field that can be set here", "upstreams.NAME.host"},
	"Origin":                         ruleOrigin,
	"Access-Control-Request-Method":  ruleOrigin,
	"Access-Control-Request-Headers": ruleOrigin,
	"Via":                            ruleForwarding,
	"Forwarded":                      ruleForwarding,
	"Cdn-Loop":                       ruleForwarding,
	"X-Forwarded-For":                ruleForwarding,
	"X-Forwarded-Host":               ruleForwarding,
	"X-Forwarded-Proto":              ruleForwarding,
	"Range":                          ruleConditional,
	"If-Range":                       ruleConditional,
	"If-Match":                       ruleConditional,
	"If-None-Match":                  ruleConditional,
	"If-Modified-Since":              ruleConditional,
	"If-Unmodified-Since":            ruleConditional,
	"Expect":                         ruleHop,
})

// responseOwned are the response fields that a route may not change.
// Access-Control-* is refused by its prefix.
var responseOwned = owned(map[string]rule{
	"Age":           ruleCaching,
	"Cache-Status":  ruleCaching,
	"Via":           ruleCaching,
	"Content-Range": ruleFraming,
	"Vary":          {"tells other caches what the response depends on, CORS included; Veneer merges it", "leave it out; let the application send its own"},
})

// keyedFields are the request fields that make no sense in a key.
var keyedFields = owned(map[string]rule{
	"Host":                           {"is part of every key already", "leave it out"},
	"Origin":                         {"has a setting of its own", "cache.key.origin"},
	"Access-Control-Request-Method":  {"is sent with preflights, which are never stored", "leave it out"},
	"Access-Control-Request-Headers": {"is sent with preflights, which are never stored", "leave it out"},
	"Cache-Control":                  {"says how the cache may answer, not what is asked for", "leave it out"},
	"Pragma":                         {"says how the cache may answer, not what is asked for", "leave it out"},
	"Range":                          ruleConditional,
	"If-Range":                       ruleConditional,
	"If-Match":                       ruleConditional,
	"If-None-Match":                  ruleConditional,
	"If-Modified-Since":              ruleConditional,
	"If-Unmodified-Since":            ruleConditional,
	"Expect":                         ruleHop,
})

// keyHints are for fields that may stand in a key and seldom should.
var keyHints = map[string]rule{
	"Cookie":        {"makes an entry for every client, analytics cookies and all", "key.cookies with the names that matter"},
	"Authorization": {"makes an entry for every client", "leave it out: responses to it are stored only when they say that they may be shared (RFC 9111 §3.5)"},
	"User-Agent":    {"makes thousands of entries for every URL", "leave it out; let the application send Vary where it matters"},
}

func owned(m map[string]rule) map[string]rule {
	for _, n := range hopFields {
		m[n] = ruleHop
	}
	for _, n := range framingFields {
		m[n] = ruleFraming
	}
	return m
}

// ownedField finds the rule for a canonical name.
func ownedField(name string, owned map[string]rule) (rule, bool) {
	if r, ok := owned[name]; ok {
		return r, true
	}
	if strings.HasPrefix(name, "Access-Control-") {
		return ruleCORS, true
	}
	return rule{}, false
}

// checkChanges checks the fields that a route sets and removes in one
// direction.
func checkChanges(r *report, field string, c *FieldChanges, owned map[string]rule) {
	seen := map[string]bool{}
	for _, f := range c.Set {
		at := field + ".set." + cut(f.Name, 64)
		switch rule, bad := ownedField(f.Name, owned); {
		case !validToken(f.Name):
			r.problem(at, "", "is not a field name", "letters, digits and -, such as X-Request-Id")
		case bad:
			r.problem(at, "", rule.why, rule.fix)
		case seen[f.Name]:
			r.problem(at, "", "is set twice, upper and lower case are one name", "keep one of them")
		case !validFieldValue(f.Value.Reveal()):
			r.problem(at, "", "the value has a line break or another control character", "one line of text")
		case strings.TrimSpace(f.Value.Reveal()) != f.Value.Reveal():
			r.problem(at, "", "the value begins or ends with white space, which the other side drops (RFC 9110 §5.5)", "the value without it")
		}
		seen[f.Name] = true
	}
	c.Remove = fieldNames(r, field+".remove", c.Remove, owned)
	for i, n := range c.Remove {
		if seen[n] {
			r.problem(r.element(field+".remove", i), quote(n), "is set and removed", "set alone, which replaces what was there")
		}
	}
}

// validToken reports whether s is a token (RFC 9110 §5.6.2), as field and
// cookie names are.
func validToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// validFieldValue reports whether s has no byte that a field value may not
// have (RFC 9110 §5.5). Bytes above ASCII are opaque, and allowed.
func validFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
