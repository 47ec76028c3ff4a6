package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"veneer/cache/key"
)

// Check completes a Config that was built in code, and checks it as Load does
// with a file: names and hosts become canonical, defaults that depend on other
// values are filled in, CORS policies are compiled. It must be called before
// the Config is used, by the one goroutine that has it; calling it again
// changes nothing. Problems name fields as a file would (routes[0].match.path).
func (c *Config) Check() Problems {
	r := newReport(c.File)
	c.check(r)
	return r.done()
}

func (c *Config) check(r *report) {
	c.checkListeners(r)
	c.checkAdmin(r)
	c.checkUpstreams(r)
	c.checkPolicies(r)
	c.checkRoutes(r)
	c.checkUse(r)
	c.checkAllowedFields(r)
	c.checkTelemetry(r)
	c.checkAccessLog(r)
}

// listener is an address with the field that it stands in.
type listener struct {
	field, text string
	host        string
	port        int
}

func (c *Config) checkListeners(r *report) {
	var all []listener
	const most = 64
	if len(c.Server.HTTP) > most {
		r.problem("server.http", "", fmt.Sprintf("has more than %d addresses", most), "an address without a host, such as :8080, which takes every interface")
		return
	}
	add := func(field, text string) {
		host, port, why, fix := parseAddress(text)
		if why != "" {
			if r.clean(field) {
				r.problem(field, quote(text), why, fix)
			}
			return
		}
		l := listener{field, text, host, port}
		for _, o := range all {
			if l.overlaps(o) {
				r.problem(field, quote(text), "takes the same address as "+o.field, "another port")
				break
			}
		}
		all = append(all, l)
	}
	for i, a := range c.Server.HTTP {
		add(r.element("server.http", i), a)
	}
	if c.Server.HTTPS != nil {
		add("server.https.address", c.Server.HTTPS.Address)
	}
	if len(c.Server.HTTP) == 0 && c.Server.HTTPS == nil && r.clean("server.http") {
		r.problem("server.http", "", "there is no listener", "an address such as "+defaultListen)
	}
	if c.Admin.Address != "" {
		add("admin.address", c.Admin.Address)
	}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		for j, s := range u.Servers {
			if s == nil {
				continue
			}
			if self := serverListener(s); slices.ContainsFunc(all, self.overlaps) && self.local() {
				r.problem(u.serverField(r, j), quote(s.Redacted()), "is one of Veneer's own listeners, requests would go in a circle", "the address of the application's server")
			}
		}
	}
}

// serverField is the path of server j: a single server may stand without a list.
func (u *Upstream) serverField(r *report, j int) string {
	field := "upstreams." + u.Name + ".servers"
	if exact := fmt.Sprintf("%s[%d]", field, j); len(u.Servers) > 1 || r.has(exact) {
		return exact
	}
	return field
}

// serverListener is the address that a server's URL leads to.
func serverListener(s *url.URL) listener {
	port, err := strconv.Atoi(s.Port())
	if err != nil {
		port = 80
		if s.Scheme == "https" {
			port = 443
		}
	}
	return listener{host: strings.ToLower(s.Hostname()), port: port}
}

// addr returns the listener's address; ok is false for a host name.
func (l listener) addr() (a netip.Addr, ok bool) {
	switch l.host {
	case "":
		return netip.IPv6Unspecified(), true
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	a, err := netip.ParseAddr(l.host)
	return a.Unmap(), err == nil
}

func (l listener) local() bool {
	a, ok := l.addr()
	return ok && (a.IsLoopback() || a.IsUnspecified())
}

// overlaps reports whether one of two listeners would keep the other from its
// address. Port 0 is any free port.
func (l listener) overlaps(o listener) bool {
	if l.port != o.port || l.port == 0 {
		return false
	}
	a, okA := l.addr()
	b, okB := o.addr()
	if !okA || !okB {
		return l.host == o.host
	}
	return a == b || covers(a, b) || covers(b, a)
}

// covers reports whether a is the unspecified address of a family that b is
// of. The IPv6 one takes IPv4 too, as Go opens it.
func covers(a, b netip.Addr) bool {
	return a.IsUnspecified() && (a.Is6() || b.Is4())
}

// parseAddress reads host:port, with an empty host for every interface.
func parseAddress(s string) (host string, port int, why, fix string) {
	if s == "" {
		return "", 0, "is missing", "host:port, such as " + defaultListen
	}
	host, service, err := net.SplitHostPort(s)
	if err != nil {
		switch _, e := strconv.ParseUint(s, 10, 16); {
		case e == nil:
			return "", 0, "has no host part", ":" + s + " for every interface, or 127.0.0.1:" + s
		case strings.Contains(s, "://"):
			return "", 0, "is a URL, and an address belongs here", "host:port alone"
		case strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "["):
			return "", 0, "an IPv6 address with a port needs brackets", "[::1]:8080"
		}
		return "", 0, "is not host:port", "an address such as " + defaultListen
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, "the port is not a number from 0 to 65535", "an address such as " + defaultListen
	}
	if host == "*" {
		return "", 0, "an asterisk is no host", ":" + service + " for every interface"
	}
	if host == "" {
		return "", int(n), "", ""
	}
	if _, err := netip.ParseAddr(host); err != nil && !validHost(strings.ToLower(host)) {
		return "", 0, "the host is neither an IP address nor a name", "an address such as " + defaultListen
	}
	return strings.ToLower(host), int(n), "", ""
}

// minToken is the shortest token that guards an admin listener which the
// network can reach: 128 bits in hex digits would be 32, but people use
// other alphabets.
const minToken = 16

func (c *Config) checkAdmin(r *report) {
	host, port, why, _ := parseAddress(c.Admin.Address)
	if c.Admin.Address == "" || why != "" {
		return
	}
	const fix = "token_file with a long random token, or an address on 127.0.0.1"
	if a, ok := (listener{host: host, port: port}).addr(); ok && a.IsLoopback() || !r.clean("admin.token_file") {
		return
	}
	switch n := len(c.Admin.Token.Reveal()); {
	case n == 0:
		r.problem("admin.address", quote(c.Admin.Address), "can be reached from other machines, and no token guards it", fix)
	case n < minToken:
		r.problem("admin.token_file", "", fmt.Sprintf("the token has fewer than %d characters, and the address can be reached from other machines", minToken), fix)
	}
}

func (c *Config) checkUpstreams(r *report) {
	seen := map[string]bool{}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		field := "upstreams." + u.Name
		if seen[u.Name] {
			r.problem(field, "", "is defined twice", "one upstream of a name")
		}
		seen[u.Name] = true
		if len(u.Servers) == 0 && r.clean(field) {
			r.problem(field+".servers", "", "there is no server", `one URL or a list, such as ["http://127.0.0.1:8081"]`)
		}
		urls := map[string]bool{}
		for j, s := range u.Servers {
			at := u.serverField(r, j)
			if why, fix := checkServer(s); why != "" {
				if r.clean(at) {
					r.problem(at, "", why, fix)
				}
				continue
			}
			if urls[s.String()] {
				r.problem(at, quote(s.Redacted()), "stands here twice", "remove one; a server's weight is always one")
			}
			urls[s.String()] = true
		}
		if u.Host != "" {
			c.checkUpstreamHost(r, field+".host", u)
		}
		u.checkExternal(r, field)
	}
}

func (c *Config) checkUpstreamHost(r *report, field string, u *Upstream) {
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		host, port = u.Host, "0"
	}
	_, err = strconv.ParseUint(port, 10, 16)
	if lower := strings.ToLower(host); err != nil || !validHost(lower) && !validIP(lower) {
		r.problem(field, quote(u.Host), "is not a host with an optional port", "the host name that the application expects, such as app.internal")
		return
	}
	u.Host = strings.ToLower(u.Host)
}

// parseServer reads the URL of one upstream server. The texts that it returns
// hold no part of s: it may have credentials in it.
func parseServer(s string) (u *url.URL, why, fix string) {
	const example = "a URL such as http://127.0.0.1:8081"
	if !strings.Contains(s, "://") {
		if _, _, why, _ := parseAddress(s); why == "" {
			return nil, "has no scheme", "http:// or https:// in front"
		}
		return nil, "is not a URL", example
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, "is not a URL", example
	}
	if strings.Contains(s, "#") {
		return nil, "has a fragment, which is never sent", "remove it, with the #"
	}
	if why, fix = checkServer(u); why != "" {
		return nil, why, fix
	}
	u.Host = strings.ToLower(u.Host)
	return u, "", ""
}

func checkServer(u *url.URL) (why, fix string) {
	const example = "a URL such as http://127.0.0.1:8081"
	switch {
	case u == nil:
		return "is missing", example
	case u.Scheme != "http" && u.Scheme != "https":
		return "has a scheme that is neither http nor https", example
	case u.User != nil:
		return "has credentials, which would end up in logs", "headers.request.set with Authorization on the route, the value from ${ENV}"
	case u.RawQuery != "" || u.ForceQuery:
		return "has a query, and the query is the request's own", "scheme, host, port and perhaps a base path alone"
	case u.Fragment != "":
		return "has a fragment, which is never sent", "remove it, with the #"
	case !validHost(strings.ToLower(u.Hostname())) && !validIP(u.Hostname()):
		return "has no valid host", example
	case strings.HasSuffix(u.Host, ":") || u.Port() == "0":
		return "has no valid port", example
	}
	if p := u.Port(); p != "" {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return "has no valid port", example
		}
	}
	return "", ""
}

func validIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// validHost reports whether s is a lower-case host name in ASCII: labels of
// letters, digits, - and _, with dots between.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// matchHost brings the host of a route to the form that requests are compared
// in: lower case, no trailing dot, an IPv6 address in brackets. A port may
// follow.
func matchHost(s string) (host, why, fix string) {
	if s == "" || s == "*" {
		return "", "", ""
	}
	const example = "a name such as api.example.com or *.example.com"
	if strings.Contains(s, "://") {
		return "", "is a URL, and a host belongs here", example
	}
	lower := strings.ToLower(s)
	name, port, err := net.SplitHostPort(lower)
	if err != nil {
		name = lower
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return "", "has a port that is not a number from 1 to 65535", "the host alone, which matches every port"
	}
	if validHost(strings.TrimPrefix(name, "*.")) {
		return lower, "", ""
	}
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && a.Zone() == "" {
		if a.Is6() && lower[0] != '[' {
			return "", "is an IPv6 address, which stands in brackets in a URL", "[" + lower + "]"
		}
		return lower, "", ""
	}
	switch {
	case strings.HasSuffix(name, ".") && name != ".":
		return "", "ends in a dot, which requests lose before they are matched", strings.TrimSuffix(name, ".")
	case strings.Contains(lower, "*"):
		return "", "has a wildcard that is not the whole first label", example
	}
	if strings.ContainsFunc(lower, func(c rune) bool { return c > unicode.MaxASCII }) {
		return "", "is not ASCII, and requests carry the ASCII form", "the punycode form, labels that begin with xn--"
	}
	return "", "is not a host name", example
}

// matchPath checks that the path of a route is one that a request can have
// after it was made canonical; any other would match nothing.
func matchPath(s string) (why, fix string) {
	switch {
	case s == "":
		return "is empty", "/ for every path"
	case s[0] != '/':
		return "does not begin with a slash", quote("/" + s)
	case strings.ContainsAny(s, "?#"):
		return "has a query or a fragment, and routes look at the path alone", quote(s[:strings.IndexAny(s, "?#")])
	case strings.Contains(strings.TrimSuffix(s, "*"), "*"):
		return "has a * that is not at its end", "a path that ends in / or * matches everything below it"
	case slices.ContainsFunc(strings.Split(s, "/"), func(seg string) bool { return seg == "." || seg == ".." }):
		return "has a dot segment, which clients resolve before they send it", quote(path.Clean(s))
	}
	t, err := (&key.Query{}).Canonical("http", "h", s, "")
	if err != nil {
		return "has an invalid percent-encoding", "% and two hex digits"
	}
	if t.Path != s {
		return "is not in the form that requests are compared in", quote(t.Path)
	}
	return "", ""
}
