package config

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"veneer/cache/key"
	"veneer/corslayer"
	"veneer/upstream/route"
)

func (c *Config) checkRoutes(r *report) {
	if len(c.Routes) == 0 && r.clean("routes") {
		r.problem("routes", "", "there is no route, so nothing would be served", "at least one, such as - { match: { path: / }, upstream: NAME }")
	}
	upstreams, policies := c.names()
	for i := range c.Routes {
		rt := &c.Routes[i]
		field := fmt.Sprintf("routes[%d]", i)
		c.checkMatch(r, field+".match", rt)
		checkUpstreamName(r, field+".upstream", rt, upstreams)
		checkCORSName(r, field+".cors", rt, policies)
		checkOriginMode(r, field+".cache.key.origin", rt)
		c.checkCache(r, field+".cache", &rt.Cache)
		rt.Rate.check(r, field+".rate_limit")
		checkChanges(r, field+".headers.request", &rt.Headers.Request, requestOwned)
		checkChanges(r, field+".headers.response", &rt.Headers.Response, responseOwned)
		rt.checkExternalRoute(r, field, upstreams[rt.Upstream], policies[rt.CORS.Policy])
	}
	c.checkConflicts(r)
}

func (c *Config) checkMatch(r *report, field string, rt *Route) {
	host, why, fix := matchHost(rt.Host)
	if why != "" {
		r.problem(field+".host", quote(rt.Host), why, fix)
	} else {
		rt.Host = host
	}
	if why, fix := matchPath(rt.Path); why != "" {
		r.problem(field+".path", quote(rt.Path), why, fix)
	}
	if strings.HasSuffix(rt.Path, "/*") {
		rt.Path = strings.TrimSuffix(rt.Path, "*")
	}
	rt.Name = rt.Host + rt.Path
	if rt.Host == "" {
		rt.Name = "*" + rt.Path
	}
}

// names returns the upstreams and policies by name; a file may have as many as
// it has lines.
func (c *Config) names() (map[string]*Upstream, map[string]*CORSPolicy) {
	upstreams, policies := map[string]*Upstream{}, map[string]*CORSPolicy{}
	for i := range c.Upstreams {
		upstreams[c.Upstreams[i].Name] = &c.Upstreams[i]
	}
	for i := range c.CORS {
		policies[c.CORS[i].Name] = &c.CORS[i]
	}
	return upstreams, policies
}

func checkUpstreamName(r *report, field string, rt *Route, upstreams map[string]*Upstream) {
	switch {
	case rt.Upstream == "" && r.clean(field):
		r.problem(field, "", "is missing", "the name of one of the upstreams")
	case rt.Upstream != "" && upstreams[rt.Upstream] == nil && !r.has("upstreams."+rt.Upstream):
		known := slices.Sorted(maps.Keys(upstreams))
		r.problem(field, quote(rt.Upstream), "no upstream has this name", oneOf(rt.Upstream, known, "define it under upstreams"))
	}
}

func checkCORSName(r *report, field string, rt *Route, policies map[string]*CORSPolicy) {
	if p := policies[rt.CORS.Policy]; p != nil {
		rt.CORS.Mode = p.Config.Mode
		return
	}
	if rt.CORS.Policy == "" && rt.CORS.Mode != corslayer.ModeOwn || r.has("cors."+rt.CORS.Policy) {
		return
	}
	known := append(slices.Sorted(maps.Keys(policies)), "pass", "off")
	r.problem(field, quote(rt.CORS.Policy), "no CORS policy has this name", oneOf(rt.CORS.Policy, known, "define it under cors"))
}

// oneOf is the fix for a name that is not defined.
func oneOf(word string, names []string, otherwise string) string {
	if near := nearest(word, names); near != "" {
		return near
	}
	if len(names) == 0 || len(names) > 10 {
		return otherwise
	}
	return "one of " + strings.Join(names, ", ") + ", or " + otherwise
}

// checkOriginMode holds the rule that what the upstream may see of Origin is
// in the key, and that only a policy bounds how many Origins there are.
func checkOriginMode(r *report, field string, rt *Route) {
	k := &rt.Cache.Key
	if !rt.Cache.OriginSet {
		k.Origin = originMode(rt.CORS.Mode)
		return
	}
	switch {
	case rt.CORS.Mode == corslayer.ModePass && k.Origin == key.OriginShared:
		r.problem(field, quote("shared"), "in pass mode the application's CORS fields are stored, and one origin would get another's", "exact, or give the route a CORS policy")
	case rt.CORS.Mode == corslayer.ModePass && k.Origin == key.OriginBucket:
		r.problem(field, quote("bucket"), "without a CORS policy there is nothing to sort origins by", "exact, or give the route a CORS policy")
	case rt.CORS.Mode == corslayer.ModeOff && k.Origin == key.OriginBucket:
		r.problem(field, quote("bucket"), "without a CORS policy there is nothing to sort origins by", "shared or exact")
	case rt.CORS.Mode == corslayer.ModeOwn && k.Origin == key.OriginExact:
		r.problem(field, quote("exact"), "any stranger's Origin would make an entry of its own", "bucket, which keeps each allowed Origin apart")
	}
}

func (c *Config) checkCache(r *report, field string, dst *Cache) {
	if dst.MaxObject > c.Store.MemorySize {
		if r.has(field + ".max_object") {
			r.problem(field+".max_object", quote(formatSize(dst.MaxObject)), "is more than the whole store, store.memory.size is "+formatSize(c.Store.MemorySize), "a smaller max_object or a larger store")
		}
		dst.MaxObject = c.Store.MemorySize
	}
	checkQuery(r, field+".key.query", &dst.Key.Query)
	for i, n := range dst.Key.Headers {
		if hint, ok := keyHints[http.CanonicalHeaderKey(n)]; ok {
			r.warn(r.element(field+".key.headers", i), quote(n), hint.why, hint.fix)
		}
	}
	dst.Key.Headers = fieldNames(r, field+".key.headers", dst.Key.Headers, keyedFields)
	dst.Key.Cookies = names(r, field+".key.cookies", dst.Key.Cookies, func(n string) (string, string, string) {
		if !validToken(n) {
			return "", "is not a cookie name", "the name alone, without = and value"
		}
		return n, "", ""
	})
	dst.Targets = names(r, field+".targets", dst.Targets, func(n string) (string, string, string) {
		switch canonical := http.CanonicalHeaderKey(n); {
		case !validToken(n):
			return "", "is not a field name", "a name such as CDN-Cache-Control"
		case canonical == "Cache-Control" || canonical == "Expires":
			return "", "is always read, and no targeted field", "leave it out"
		}
		return http.CanonicalHeaderKey(n), "", ""
	})
	const most = 8
	if len(dst.Targets) > most {
		r.problem(field+".targets", "", fmt.Sprintf("has more than %d fields", most), "the ones that your upstreams send")
	}
}

func checkQuery(r *report, field string, q *key.Query) {
	pattern := func(n string) (string, string, string) {
		if strings.ContainsAny(strings.TrimSuffix(n, "*"), "*&=#?") || n == "" {
			return "", "is not the name of a query parameter", "a name, or the beginning of one and a *, such as utm_*"
		}
		return n, "", ""
	}
	q.Ignore = names(r, field+".ignore", q.Ignore, pattern)
	q.Allow = names(r, field+".allow", q.Allow, pattern)
	if q.AllowSet && len(q.Ignore) > 0 {
		r.warn(field+".ignore", "", "has no effect beside allow, which names all that counts", "remove one of the two")
	}
}

// names checks a list element by element, drops what appears again, and
// returns the good ones as check has them.
func names(r *report, field string, list []string, check func(string) (name, why, fix string)) []string {
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, n := range list {
		at := r.element(field, i)
		if n == "" && !r.clean(at) {
			continue
		}
		name, why, fix := check(n)
		switch {
		case why != "":
			r.problem(at, quote(n), why, fix)
		case seen[name]:
			r.warn(at, quote(n), "stands here twice", "remove one")
		default:
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// fieldNames checks field names and returns them canonical. Those in owned
// are refused.
func fieldNames(r *report, field string, list []string, owned map[string]rule) []string {
	return names(r, field, list, func(n string) (string, string, string) {
		if !validToken(n) {
			return "", "is not a field name", "letters, digits and -, such as X-Request-Id"
		}
		name := http.CanonicalHeaderKey(n)
		if rule, ok := ownedField(name, owned); ok {
			return "", rule.why, rule.fix
		}
		return name, "", ""
	})
}

// checkUse warns of what is defined and not used, once the routes can be
// trusted to say so.
func (c *Config) checkUse(r *report) {
	if !r.clean("routes") {
		return
	}
	upstreams, policies := map[string]bool{}, map[string]bool{}
	for i := range c.Routes {
		upstreams[c.Routes[i].Upstream] = true
		policies[c.Routes[i].CORS.Policy] = true
	}
	for i := range c.CORS {
		policies[c.CORS[i].Shadow] = true
	}
	for i := range c.Upstreams {
		if name := c.Upstreams[i].Name; !upstreams[name] {
			r.warn("upstreams."+name, "", "no route uses this upstream", "name it in a route, or remove it")
		}
	}
	for i := range c.CORS {
		if name := c.CORS[i].Name; !policies[name] {
			r.warn("cors."+name, "", "no route uses this policy", "name it in a route, or remove it")
		}
	}
}

// checkConflicts refuses two routes that match the same requests, and shows
// one that both match. What the table itself calls malformed and the checks
// before did not is reported in its words.
func (c *Config) checkConflicts(r *report) {
	var entries []route.Entry[int]
	for i := range c.Routes {
		if rt := &c.Routes[i]; r.clean(fmt.Sprintf("routes[%d].match", i)) {
			entries = append(entries, route.Entry[int]{Host: rt.Host, Path: rt.Path, Value: i})
		}
	}
	_, conflicts := route.New(entries)
	for _, f := range conflicts {
		field := fmt.Sprintf("routes[%d].match", entries[f.Second].Value)
		if f.First == f.Second {
			r.problem(field, "", f.Problem, "")
			continue
		}
		r.problem(field, "", fmt.Sprintf("routes[%d] matches the same requests, for one %s", entries[f.First].Value, f.Host+f.Path), "another host or path, or one route")
	}
}
