package origin

import (
	"slices"
	"strings"
)

// maxPattern bounds a pattern's text, in bytes; maxPorts its list of ports.
const (
	maxPattern = 1024
	maxPorts   = 64
)

// Fault says why a text is not a Pattern, and what to write instead. It is
// meant for the person who wrote the text.
type Fault struct {
	Value, Why, Fix string
}

// Error returns value and reason in one line.
func (f *Fault) Error() string {
	return "cannot use origin " + quote(f.Value) + ": " + f.Why
}

// quote cuts what it quotes: the text may be anything.
func quote(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}

// ParsePattern reads a rule: a serialised origin, or one with a wildcard in
// its first label (Shape), with ":*" for any port or ":[8080,8081]" for some.
// "*" and "null" are not patterns. An error is a *Fault.
func ParsePattern(s string) (Pattern, error) {
	p, f := parsePattern(s)
	if f != nil {
		f.Value = s
		if mended, ok := mend(s); ok {
			f.Fix = "write " + mended
		}
		return Pattern{}, f
	}
	return p, nil
}

func parsePattern(s string) (Pattern, *Fault) {
	if f := checkText(s); f != nil {
		return Pattern{}, f
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Pattern{}, &Fault{Why: "it has no scheme", Fix: `begin with https://`}
	}
	if f := checkURLParts(scheme, rest); f != nil {
		return Pattern{}, f
	}
	host, port, hasPort := splitPort(rest)
	p := Pattern{scheme: scheme}
	if f := p.setHost(host); f != nil {
		return Pattern{}, f
	}
	if !hasPort {
		p.ports.list = []uint16{0}
		return p, nil
	}
	return p, p.setPorts(port)
}

// checkText finds what is wrong with the text as a whole.
func checkText(s string) *Fault {
	switch {
	case s == "":
		return &Fault{Why: "it is empty", Fix: "write an origin such as https://app.example.com"}
	case s == "*":
		return &Fault{Why: "* stands for every origin and is no pattern", Fix: "let it stand alone in the list"}
	case s == "null":
		return &Fault{Why: "null is shared by sandboxed frames, local files and redirects of anybody", Fix: "allow_null: true, if that is meant"}
	case len(s) > maxPattern:
		return &Fault{Why: "it is longer than 1024 bytes", Fix: "split the list of ports"}
	case strings.HasPrefix(s, "file:"):
		return &Fault{Why: "pages from files have the origin null", Fix: "serve the page over http://localhost"}
	case strings.TrimSpace(s) != s || strings.ContainsAny(s, " \t\r\n"):
		return &Fault{Why: "it has white space", Fix: "write one origin for each entry, without spaces"}
	case strings.ContainsAny(s, quotes):
		return &Fault{Why: "it has quotation marks in it", Fix: "remove them"}
	case strings.Count(s, "://") > 1 && strings.Contains(s, ","):
		return &Fault{Why: "it is more than one origin", Fix: "write one entry for each"}
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return &Fault{Why: "browsers send host names in ASCII", Fix: "write the host in punycode (xn--…)"}
		}
	}
	if strings.ToLower(s) != s {
		return &Fault{Why: "browsers send origins in lower case", Fix: "write it in lower case"}
	}
	return nil
}

// checkURLParts finds the parts of a URL that an origin does not have.
func checkURLParts(scheme, rest string) *Fault {
	if strings.Contains(scheme, "*") {
		return &Fault{Why: "the scheme cannot be a wildcard", Fix: "write one entry for http and one for https"}
	}
	if !validScheme(scheme) {
		return &Fault{Why: "the scheme is not valid", Fix: "begin with https://"}
	}
	switch i := strings.IndexAny(rest, "/?#@"); {
	case i < 0:
		return nil
	case rest[i] == '@':
		return &Fault{Why: "an origin has no user name", Fix: "remove what ends at the @"}
	case rest[i:] == "/":
		return &Fault{Why: "an origin does not end in a slash", Fix: "remove the slash"}
	case rest[i] == '/':
		return &Fault{Why: "an origin has no path", Fix: "remove what begins at the slash"}
	case rest[i] == '?':
		return &Fault{Why: "an origin has no query", Fix: "remove what begins at the ?"}
	}
	return &Fault{Why: "an origin has no fragment", Fix: "remove what begins at the #"}
}

// setHost reads the host with its wildcard.
func (p *Pattern) setHost(host string) *Fault {
	if strings.HasPrefix(host, "[") {
		if strings.ContainsAny(host, "*+") {
			return ipWildcard()
		}
		if !validHost(host) {
			return &Fault{Why: "it is not the compressed form of an IPv6 address", Fix: "write it as browsers do, such as [2001:db8::1]"}
		}
		p.host = host
		return nil
	}
	label, domain, dotted := strings.Cut(host, ".")
	if !strings.ContainsAny(host, "*+") {
		p.host = host
		return checkName(host)
	}
	if f := p.setWildcard(label); f != nil {
		return f
	}
	if strings.ContainsAny(domain, "*+") {
		return misplaced()
	}
	if !dotted || domain == "" {
		return &Fault{Why: "it lets in every host", Fix: `write "*" for all origins, without credentials`}
	}
	if validDomain(domain) && endsInNumber(domain) {
		return ipWildcard()
	}
	p.host = domain
	if len(domain)+2 > maxHost {
		return &Fault{Why: "the domain is too long to have a name below it", Fix: "a host has at most 253 bytes"}
	}
	return checkName(domain)
}

func (p *Pattern) setWildcard(label string) *Fault {
	before, after, found := strings.Cut(label, "*")
	switch {
	case label == "*":
		p.shape = Subdomains
	case label == "+":
		p.shape = OneLabel
	case strings.Contains(after, "*"):
		return &Fault{Why: "it has two wildcards", Fix: "a pattern has one, in its first label"}
	case !found || strings.Contains(label, "+"):
		return misplaced()
	case !validLabelPart(before) || !validLabelPart(after) || !validLabelPart(before+after):
		return checkName(before + "x" + after)
	default:
		p.shape, p.prefix, p.suffix = InLabel, before, after
	}
	return nil
}

func misplaced() *Fault {
	return &Fault{Why: "the wildcard is in the wrong place", Fix: "*.domain for any depth, +.domain for one label, name-*.domain inside the first label"}
}

func ipWildcard() *Fault {
	return &Fault{Why: "an IP address has no subdomains", Fix: "list the addresses"}
}

// checkName explains what is wrong with a host name or a dotted quad.
func checkName(host string) *Fault {
	if validHost(host) {
		return nil
	}
	switch {
	case host == "":
		return &Fault{Why: "it has no host", Fix: "write an origin such as https://app.example.com"}
	case len(host) > maxHost:
		return &Fault{Why: "the host has more than 253 bytes", Fix: "shorten it"}
	case strings.HasPrefix(host, ".") || strings.Contains(host, ".."):
		return &Fault{Why: "the host has an empty label", Fix: "remove the dot that is too much"}
	case validDomain(host):
		return &Fault{Why: "it is not an IPv4 address as browsers write it", Fix: "write four decimal numbers without leading zeros"}
	}
	for label := range strings.SplitSeq(host, ".") {
		if len(label) > maxLabel {
			return &Fault{Why: "a label of the host has more than 63 bytes", Fix: "shorten it"}
		}
	}
	return &Fault{Why: "the host has a character that no host has", Fix: "use letters, digits, hyphens and dots"}
}

// setPorts reads what follows the host's colon.
func (p *Pattern) setPorts(s string) *Fault {
	if s == "*" {
		p.ports.any = true
		return nil
	}
	list, isList := strings.CutPrefix(s, "[")
	if isList {
		var closed bool
		if list, closed = strings.CutSuffix(list, "]"); !closed {
			return &Fault{Why: "the list of ports does not end", Fix: "write :[8080,8081]"}
		}
	} else if strings.Contains(s, ",") {
		return &Fault{Why: "the port is not a number from 1 to 65535", Fix: "write several ports as :[8080,8081]"}
	}
	for text := range strings.SplitSeq(list, ",") {
		port, ok := parsePort(text)
		if !ok {
			return &Fault{Why: "the port is not a number from 1 to 65535", Fix: "write it without leading zeros, or :* for any port"}
		}
		if port == defaultPort(p.scheme) {
			return &Fault{Why: "browsers leave the default port out", Fix: "write " + (Pattern{shape: p.shape, scheme: p.scheme, prefix: p.prefix, suffix: p.suffix, host: p.host}).String() + ", in an entry of its own"}
		}
		p.ports.list = append(p.ports.list, port)
	}
	if len(p.ports.list) > maxPorts {
		return &Fault{Why: "it lists more than 64 ports", Fix: "write :* for any port, or two entries"}
	}
	slices.Sort(p.ports.list)
	p.ports.list = slices.Compact(p.ports.list)
	return nil
}
