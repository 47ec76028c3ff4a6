package corslayer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"veneer/corslayer/origin"
)

// Compile checks a Config as a whole and makes the Policy that runs. It
// reports every problem at once; with one that is no Warning the Policy is
// nil. The Policy keeps nothing of c.
func Compile(c Config) (*Policy, []Problem) {
	k := compiler{c: c}
	switch c.Mode {
	case ModePass, ModeOff:
		k.refuseOwnFields()
	case ModeOwn:
		k.p = newPolicy(ModeOwn)
		k.origins()
		k.dangers()
		k.preflight()
		k.exposed()
		k.rest()
	default:
		k.fail("mode", strconv.Itoa(int(c.Mode)), "there is no such mode", "own, pass or off")
	}
	if slices.ContainsFunc(k.problems, func(p Problem) bool { return !p.Warning }) {
		return nil, k.problems
	}
	switch c.Mode {
	case ModePass:
		return Pass(c), k.problems
	case ModeOff:
		return Off(), k.problems
	}
	k.p.freeze(c)
	return k.p, k.problems
}

// compiler collects problems while it fills a Policy.
type compiler struct {
	c        Config
	p        *Policy
	problems []Problem
	patterns []listed // the rules of the list that parsed
}

// listed is a rule with its place in the list.
type listed struct {
	origin.Pattern
	index int
}

func (k *compiler) fail(field, value, why, fix string) {
	k.problems = append(k.problems, Problem{Field: field, Index: -1, Value: value, Why: why, Fix: fix})
}

func (k *compiler) failAt(field string, i int, value, why, fix string) {
	k.problems = append(k.problems, Problem{Field: field, Index: i, Value: value, Why: why, Fix: fix})
}

func (k *compiler) warnAt(field string, i int, value, why, fix string) {
	k.problems = append(k.problems, Problem{Field: field, Index: i, Value: value, Why: why, Fix: fix, Warning: true})
}

// refuseOwnFields: a route has one authority for CORS, not two.
func (k *compiler) refuseOwnFields() {
	if k.c.Enforce {
		k.fail("enforce", "true", "only a policy with origins can refuse one", "mode own, or remove it")
	}
	if c := k.c; len(c.Origins)+len(c.Methods)+len(c.Headers)+len(c.Expose) > 0 || c.Credentials || c.AllowNull || c.PrivateNetwork {
		k.fail("mode", modeNames[c.Mode], "a policy with origins is a second authority for CORS on this route",
			"mode own, or no policy")
	}
}

// origins compiles the list of rules.
func (k *compiler) origins() {
	if len(k.c.Origins) == 0 && !k.c.AllowNull {
		k.fail("origins", "[]", "the policy lets nobody in", `list origins, or use "cors: off"`)
	}
	for i, s := range k.c.Origins {
		if s == "*" {
			k.anyOrigin(i)
			continue
		}
		p, err := origin.ParsePattern(s)
		if f := (*origin.Fault)(nil); errors.As(err, &f) {
			k.failAt("origins", i, s, f.Why, f.Fix)
			continue
		}
		k.patterns = append(k.patterns, listed{p, i})
	}
	k.unreachable()
	k.ownOrigins()
	set := make([]origin.Pattern, len(k.patterns))
	for i, p := range k.patterns {
		set[i] = p.Pattern
	}
	k.p.set = origin.NewSet(set...)
	if len(set) != 1 || k.p.any {
		return
	}
	if single, ok := set[0].Single(); ok {
		k.p.onlyOrigin = one(single)
		k.p.static = !k.c.AllowNull && !k.c.Dynamic && !k.c.Enforce // which refuses by the Origin
	}
}

func (k *compiler) anyOrigin(i int) {
	k.p.any = true
	if k.c.Credentials {
		k.failAt("origins", i, "*", "browsers refuse * for requests with credentials", "list the origins, or credentials: false")
	}
	if len(k.c.Origins) > 1 {
		k.failAt("origins", i, "*", "it lets in every origin, so the other entries mean nothing", "remove them, or the *")
	}
	if k.c.AllowNull {
		k.warnAt("allow_null", -1, "true", "* covers null", "remove it")
	}
}

// unreachable refuses rules that another rule makes superfluous: one of the
// two is not what its author believes. Candidates are found by domain, so that
// a list of a hundred thousand origins is checked in linear time.
func (k *compiler) unreachable() {
	byDomain := make(map[string][]listed)
	for _, p := range k.patterns {
		key := p.Scheme() + "://" + p.Domain()
		byDomain[key] = append(byDomain[key], p)
	}
	for _, q := range k.patterns {
		for domain, more := q.Domain(), true; more; _, domain, more = strings.Cut(domain, ".") {
			if p, found := coveredBy(q, byDomain[q.Scheme()+"://"+domain]); found {
				k.failAt("origins", q.index, k.c.Origins[q.index],
					fmt.Sprintf("%s (entry %d) lets it in already", p.String(), p.index+1), "remove one of the two")
				break
			}
		}
	}
}

// coveredBy returns a rule of the candidates that covers q. Of two equal ones
// the earlier covers the later.
func coveredBy(q listed, candidates []listed) (listed, bool) {
	for _, p := range candidates {
		if p.index != q.index && p.Covers(q.Pattern) && (p.index < q.index || !q.Covers(p.Pattern)) {
			return p, true
		}
	}
	return listed{}, false
}

// ownOrigins checks the route's public origins, and that no rule names one.
func (k *compiler) ownOrigins() {
	public := make(map[string]bool)
	for i, s := range k.c.PublicOrigins {
		if _, ok := origin.Parse(s); !ok {
			k.failAt("public_origins", i, s, "it is not a serialised origin", "write it as browsers send it, such as https://www.example.com")
		}
		public[s] = true
	}
	for _, p := range k.patterns {
		if s, single := p.Single(); single && public[s] {
			k.failAt("origins", p.index, s, "it is the route's own origin, which needs no CORS", "remove it")
		}
	}
	if k.c.Enforce && len(public) == 0 {
		k.fail("enforce", "true", "same-origin POSTs carry Origin too and would be refused", "list public_origins")
	}
	k.p.public = public
}

// dangers refuses what hands a user's data, or a private network, to whoever
// asks, unless the switch for it is set.
func (k *compiler) dangers() {
	if k.c.Enforce && k.p.any {
		k.fail("enforce", "true", "* lets in every origin, so nobody is refused", "list the origins, or remove it")
	}
	if k.c.Dynamic && k.p.any {
		k.fail("dynamic", "true", "* is the same answer for everybody", "remove it")
	}
	k.privateNetwork()
	if k.c.Credentials {
		k.credentials()
	}
}

// privateNetwork refuses to open a private network (case P10) to pages that
// anybody can make, unless the switch for it is set.
func (k *compiler) privateNetwork() {
	const fix = "list the origins, or dangerously_private_network_for_any_origin: true"
	if !k.c.PrivateNetwork || k.c.DangerouslyPrivateNetworkForAnyOrigin {
		return
	}
	if k.p.any {
		k.fail("private_network", "true", "with *, any page of the web can reach the private network through the user's browser", fix)
	}
	if k.c.AllowNull && !k.p.any {
		k.fail("private_network", "true", "with allow_null, any page of the web can be null and reach the private network", fix)
	}
	for _, p := range k.patterns {
		switch {
		case p.PublicSuffix():
			k.failAt("origins", p.index, k.c.Origins[p.index], "anybody can register a name there and, with private_network, reach the private network", fix)
		case insecure(p.Scheme()) && !p.Loopback():
			k.failAt("origins", p.index, k.c.Origins[p.index], "with private_network, an attacker on the network can reach the private network",
				"use https, or dangerously_private_network_for_any_origin: true")
		}
	}
}

func (k *compiler) credentials() {
	if k.c.AllowNull && !k.c.DangerouslyCredentialedNull {
		k.fail("allow_null", "true", "with credentials, any page can be null and act for the user",
			"credentials: false, or dangerously_credentialed_null: true")
	}
	for _, p := range k.patterns {
		if !k.c.DangerouslyCredentialedInsecure && insecure(p.Scheme()) && !p.Loopback() {
			k.failAt("origins", p.index, k.c.Origins[p.index], "with credentials, an attacker on the network can act for the user",
				"use https, or dangerously_credentialed_insecure: true")
		}
		if !k.c.DangerouslyCredentialedPublicSuffix && p.PublicSuffix() {
			k.failAt("origins", p.index, k.c.Origins[p.index], "anybody can register a name there and, with credentials, act for the user",
				"list the domains, or dangerously_credentialed_public_suffix: true")
		}
	}
}

func insecure(scheme string) bool {
	return scheme == "http" || scheme == "ws" || scheme == "ftp"
}

// The bounds of max_age: browsers clamp it (Chromium to 2 h, Firefox to 24 h).
const (
	defaultMaxAge = 2 * time.Hour
	chromiumCap   = 2 * time.Hour
	longestMaxAge = 24 * time.Hour
	longestCDNAge = 365 * 24 * time.Hour
)

// rest compiles the fields that do not depend on one another.
func (k *compiler) rest() {
	age := defaultMaxAge
	if k.c.MaxAge != nil {
		age = *k.c.MaxAge
	}
	switch {
	case age%time.Second != 0:
		k.fail("max_age", age.String(), "it is not a whole number of seconds", "round it")
	case age < -time.Second:
		k.fail("max_age", age.String(), "nothing is less than -1s, which turns the browser's cache off", "-1s to 24h")
	case age > longestMaxAge:
		k.fail("max_age", age.String(), "no browser keeps a preflight's answer for so long", "-1s to 24h")
	case age > chromiumCap:
		k.warnAt("max_age", -1, age.String(), "Chromium keeps it for 2h at most", "2h")
	}
	k.p.maxAge = one(strconv.FormatInt(int64(age/time.Second), 10))
	cdn := k.c.CDNMaxAge
	if cdn%time.Second != 0 || cdn < 0 || cdn > longestCDNAge {
		k.fail("cdn_max_age", cdn.String(), "it is not a whole number of seconds from 0 to a year", "0s to 8760h")
	}
	switch k.c.ResourcePolicy {
	case "", "same-origin", "same-site", "cross-origin":
	default:
		k.fail("resource_policy", k.c.ResourcePolicy, "browsers know no such policy", "same-origin, same-site or cross-origin")
	}
	if k.c.VaryFix != VaryAuto {
		k.fail("vary_fix", "", "it is for routes where the application owns CORS", "remove it")
	}
}
