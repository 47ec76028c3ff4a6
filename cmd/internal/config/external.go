package config

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"veneer/corslayer"
	"veneer/corslayer/origin"
	"veneer/upstream"
	"veneer/upstream/forward"
)

// External says that an upstream is a third party's: an API that browsers are
// to use through Veneer because it has no CORS of its own. The server is as
// fixed as any upstream's. Beyond that less is sent to it, its responses cannot
// act on our host, its addresses have to be public ones, and a route to it has
// to say whose pages it is for; see upstream.External.
//
// The last is refused by Check because the two together are an open CORS proxy:
// a server that is not ours, for pages that are not ours. An upstream of one's
// own may be open to everybody, since it then is a public API of its owner's,
// but not with credentials that the operator adds: they are lent to everybody
// then, and the server is more likely a third party's that nobody called one.
type External struct {
	// Forward are the request fields, canonical, that are sent beyond those
	// that any server needs (forward.ThirdPartyNeeds). But for Authorization,
	// for which RFC 9111 has a rule (§3.5), each of them is in the key of every
	// route to the upstream: Check puts it there. Cookie as well: the RFC leaves
	// it to Vary, which a third party forgets as easily as any.
	Forward []string
	// Redirects is how many redirects within the upstream are followed; 0: none.
	Redirects int
	// PrivateAddresses (dangerously_private_addresses): the name may resolve to
	// loopback, private, link-local and metadata addresses.
	PrivateAddresses bool
}

// maxRedirects is how many redirects a browser follows (Fetch, "HTTP-redirect
// fetch"), and half of that for a proxy before it.
const maxRedirects = 10

// external reads what makes an upstream a third party's.
func (r *reader) external(s *section, u *Upstream) {
	e := &External{Redirects: defaultRedirects}
	var external bool
	s.boolean("external", &external)
	given := map[string]bool{
		"forward":                       s.texts("forward", &e.Forward),
		"redirects":                     s.count("redirects", &e.Redirects, 0, maxRedirects),
		"dangerously_private_addresses": s.boolean("dangerously_private_addresses", &e.PrivateAddresses) && e.PrivateAddresses,
	}
	s.boolean("dangerously_open_to_any_origin", &u.OpenToAnyOrigin)
	if external {
		u.External = e
		return
	}
	for name, is := range given {
		if is && r.clean(join(s.path, name)) {
			r.problem(join(s.path, name), "", "says how a third party's API is used, and this upstream is not called one", "external: true beside it, or remove it")
		}
	}
}

// forwardOwned are the request fields that no third party is sent.
var forwardOwned = owned(map[string]rule{
	"Host":                           {"is the server's own at a third party", "leave it out"},
	"Origin":                         ruleOrigin,
	"Access-Control-Request-Method":  ruleOrigin,
	"Access-Control-Request-Headers": ruleOrigin,
	"Via":                            ruleThirdParty,
})

var ruleThirdParty = rule{
	"says who the client is or which way the request came, and is not sent to a third party",
	"leave it out",
}

// tellsAddress reports whether a request field is one of the dozens in which
// CDNs, proxies and load balancers hand on the address of the client, in any of
// the spellings that programs take for the same name.
func tellsAddress(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if strings.Contains(name, "forwarded") || strings.HasSuffix(name, "clientip") {
		return true
	}
	last := name[strings.LastIndexByte(name, '-')+1:]
	return slices.Contains([]string{"ip", "ipv4", "ipv6", "addr", "address"}, last)
}

// checkForward checks what is sent to a third party by name.
func (e *External) checkForward(r *report, field string) {
	warned := false
	for i, name := range e.Forward {
		at := r.element(field, i)
		if tellsAddress(name) {
			r.problem(at, quote(name), ruleThirdParty.why, ruleThirdParty.fix)
		}
		if strings.EqualFold(name, "Cookie") && !warned {
			warned = true
			r.warn(at, quote(name), "sends the third party every cookie that browsers hold for this host, sessions of other routes too, and makes an entry for every client", "leave it out; a key belongs in Authorization or a field of its own")
		}
	}
	e.Forward = fieldNames(r, field, e.Forward, forwardOwned)
}

// checkExternal checks an upstream by itself.
func (u *Upstream) checkExternal(r *report, field string) {
	e := u.External
	if e == nil {
		return
	}
	if u.Host != "" {
		r.problem(field+".host", quote(u.Host), "an external upstream gets the Host of its server", "leave it out; the URL under servers decides")
	}
	if e.Redirects < 0 || e.Redirects > maxRedirects {
		r.problem(field+".redirects", fmt.Sprint(e.Redirects), "is out of range", fmt.Sprintf("between 0 and %d", maxRedirects))
	}
	for j, s := range u.Servers {
		at := u.serverField(r, j)
		if s == nil || e.PrivateAddresses || !r.clean(at) {
			continue
		}
		if why := privateHost(s.Hostname()); why != "" {
			r.problem(at, quote(s.Redacted()), why+", and an external upstream is on the Internet", "the API's public name; dangerously_private_addresses: true if this is meant; without external: true if the server is yours")
		} else if s.Scheme == "http" {
			r.warn(at, quote(s.Redacted()), "is asked unencrypted across the Internet", "https")
		}
	}
	e.checkForward(r, field+".forward")
}

// privateHost says why a host cannot be a third party's, as far as that can be
// seen without resolving it, or "".
func privateHost(host string) string {
	lower := strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(lower); err == nil {
		if why := upstream.RefusedAddress(a); why != "" {
			return "is " + why
		}
		return ""
	}
	if lower == "localhost" || strings.HasSuffix(lower, ".localhost") {
		return "is this machine"
	}
	return ""
}

// checkExternalRoute checks a route together with its upstream. Names that do
// not exist are reported elsewhere.
func (rt *Route) checkExternalRoute(r *report, field string, u *Upstream, p *CORSPolicy) {
	switch {
	case u == nil || rt.CORS.Policy != "" && p == nil:
	case u.External == nil:
		if !u.OpenToAnyOrigin {
			rt.refuseLent(r, field+".cors", u, p)
		}
	default:
		if !u.OpenToAnyOrigin {
			rt.refuseOpen(r, field+".cors", u, p)
		}
		if slices.Contains(rt.Cache.Targets, "Surrogate-Control") {
			r.warn(field+".cache.surrogate_control", "", "has no effect: this cache is no surrogate of a third party's, and its Surrogate-Control is removed", "leave it out")
		}
		rt.keyForwarded(r, field+".cache.key", u.External)
	}
}

// refuseOpen refuses what would make an open CORS proxy of the route.
func (rt *Route) refuseOpen(r *report, field string, u *Upstream, p *CORSPolicy) {
	const fix = "a policy under cors that lists your own origins, or off; dangerously_open_to_any_origin: true on the upstream if all the web is meant"
	with := ""
	if secrets := rt.operatorFields(); len(secrets) > 0 {
		with = ", with the " + strings.Join(secrets, " and ") + " that headers.request.set adds"
	}
	if rt.CORS.Mode == corslayer.ModePass {
		r.problem(field, quote(rt.CORS.word()), fmt.Sprintf("with pass the third party behind %s decides whose pages may use it through this host, which may be everybody's%s", u.Name, with), fix)
		return
	}
	if p == nil || rt.CORS.Mode != corslayer.ModeOwn {
		return
	}
	if who := strangers(&p.Config); who != "" {
		r.problem(field, quote(p.Name), fmt.Sprintf("the policy lets in %s, and %s is a third party's: that is an open CORS proxy, for pages of anybody%s", who, u.Name, with), fix)
	}
}

// word is what the file says, or means, after routes[].cors.
func (c RouteCORS) word() string {
	if c.Policy != "" {
		return c.Policy
	}
	return c.Mode.String()
}

// strangers names the rule of a policy that lets in pages of people whom its
// author cannot know, or "".
func strangers(c *corslayer.Config) string {
	for _, s := range c.Origins {
		if s == "*" {
			return "every origin"
		}
		if p, err := origin.ParsePattern(s); err == nil && p.PublicSuffix() {
			return s + ", where anybody can have a page"
		}
	}
	if c.AllowNull {
		return "null, which any page can be"
	}
	return ""
}

// operatorFields are the request fields that a route sets beyond what any
// server needs: credentials, as a rule.
func (rt *Route) operatorFields() []string {
	var out []string
	for _, s := range rt.Headers.Request.Set {
		if !forward.ThirdPartyNeeds(s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}

// credentials are the operatorFields that let somebody in, as far as names
// tell: all but those that say how the request came.
func (rt *Route) credentials() []string {
	return slices.DeleteFunc(rt.operatorFields(), func(name string) bool { return strings.HasPrefix(name, "X-Forwarded-") })
}

// refuseLent refuses a server on the Internet that all the web may use with the
// operator's own credentials, though nobody has called it a third party's. A
// public API without them needs nothing of all this. By plain http it is hardly
// somebody else's, and in pass mode the server decides: then it is a warning.
func (rt *Route) refuseLent(r *report, field string, u *Upstream, p *CORSPolicy) {
	lent := rt.credentials()
	i := slices.IndexFunc(u.Servers, func(s *url.URL) bool { return s != nil && onInternet(s.Hostname()) })
	if len(lent) == 0 || i < 0 {
		return
	}
	const fix = "a policy that lists your own origins; external: true on the upstream if the server is a third party's; dangerously_open_to_any_origin: true on it if all the web is meant"
	with := fmt.Sprintf("can use %s with the %s that headers.request.set adds", u.Servers[i].Host, strings.Join(lent, " and "))
	if rt.CORS.Mode == corslayer.ModePass {
		r.warn(field, quote(rt.CORS.word()), "with pass the server decides whose pages "+with, fix)
		return
	}
	if p == nil || rt.CORS.Mode != corslayer.ModeOwn {
		return
	}
	who := strangers(&p.Config)
	if who == "" {
		return
	}
	tell := r.problem
	if !slices.ContainsFunc(u.Servers, func(s *url.URL) bool { return s != nil && s.Scheme == "https" && onInternet(s.Hostname()) }) {
		tell = r.warn
	}
	tell(field, quote(p.Name), fmt.Sprintf("the policy lets in %s, and those pages %s", who, with), fix)
}

// local are the ends of names that mean nothing on the Internet.
var local = []string{".local", ".localhost", ".internal", ".intranet", ".lan", ".home.arpa", ".corp", ".home", ".private", ".test", ".svc", ".consul", ".invalid"}

func onInternet(host string) bool {
	if privateHost(host) != "" {
		return false
	}
	lower := strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.ContainsAny(lower, ".:") && !slices.ContainsFunc(local, func(end string) bool { return strings.HasSuffix(lower, end) })
}

// keyForwarded puts what the upstream sees into the key, and warns of what is in
// the key and not seen.
func (rt *Route) keyForwarded(r *report, field string, e *External) {
	k := &rt.Cache.Key
	const why = "is in the key, and the external upstream is not sent it: the same response would be stored many times"
	const fix = "name it under forward of the upstream, or leave it out"
	sent := func(name string) bool { return forward.ThirdPartyNeeds(name) || slices.Contains(e.Forward, name) }
	for i, name := range k.Headers {
		if !sent(name) {
			r.warn(r.element(field+".headers", i), quote(name), why, fix)
		}
	}
	if len(k.Cookies) > 0 && !sent("Cookie") {
		r.warn(field+".cookies", "", why, "Cookie "+strings.TrimPrefix(fix, "name it "))
	}
	for _, name := range e.Forward {
		own := slices.Contains(rt.Headers.Request.Remove, name) ||
			slices.ContainsFunc(rt.Headers.Request.Set, func(s FieldSet) bool { return s.Name == name })
		if name == "Authorization" || own || forward.ThirdPartyNeeds(name) || slices.Contains(k.Headers, name) {
			continue
		}
		k.Headers = append(k.Headers, name)
	}
}

// checkAllowedFields warns of request fields that a policy tells pages they may
// send, where all its routes lead to one external upstream that is not sent
// them: the request would be let through, and fail at the third party.
func (c *Config) checkAllowedFields(r *report) {
	if !r.clean("routes") || !r.clean("upstreams") {
		return
	}
	for i := range c.CORS {
		p := &c.CORS[i]
		only, set := c.onlyExternal(p.Name)
		if only == nil {
			continue
		}
		for j, name := range p.Config.Headers {
			canonical := http.CanonicalHeaderKey(name)
			if name == "*" || forward.ThirdPartyNeeds(canonical) || slices.Contains(only.External.Forward, canonical) || slices.Contains(set, canonical) {
				continue
			}
			r.warn(r.element("cors."+p.Name+".headers", j), quote(name), fmt.Sprintf("pages may send it, and the external upstream %s is not sent it", only.Name), fmt.Sprintf("name it under upstreams.%s.forward, or remove it here", only.Name))
		}
	}
}

// onlyExternal returns the external upstream that all routes of a policy lead
// to, or nil, and what those routes set.
func (c *Config) onlyExternal(policy string) (only *Upstream, set []string) {
	for i := range c.Routes {
		rt := &c.Routes[i]
		if rt.CORS.Policy != policy {
			continue
		}
		u := c.Upstream(rt.Upstream)
		if u == nil || u.External == nil || only != nil && u != only {
			return nil, nil
		}
		only = u
		set = append(set, rt.operatorFields()...)
	}
	return only, set
}
