package route

import (
	"net/netip"
	"strconv"
	"strings"
)

// pattern is an entry's host and path in canonical form. Two entries match the
// same set exactly if their patterns are equal.
type pattern struct {
	host     string // "" for any; ".example.com" with wildcard
	wildcard bool
	path     string // without the "*"
	prefix   bool
}

// parsePattern reads an entry. problem is a sentence, or "" when it is good.
func parsePattern(host, path string) (p pattern, problem string) {
	if p.host, p.wildcard, problem = parseHost(host); problem != "" {
		return p, problem
	}
	p.path, p.prefix, problem = parsePath(path)
	return p, problem
}

// witness returns a host and a path that p matches.
func (p pattern) witness() (host, path string) {
	switch {
	case p.host == "":
		host = "example.com"
	case p.wildcard:
		host = "www" + p.host
	default:
		host = p.host
	}
	return host, p.path
}

func parseHost(s string) (host string, wildcard bool, problem string) {
	if s == "" || s == "*" {
		return "", false, ""
	}
	bad := func(why string) (string, bool, string) { return "", false, "host " + strconv.Quote(s) + " " + why }
	name, port := splitPort(strings.ToLower(s))
	if strings.HasSuffix(s, ":") {
		return bad("has an empty port")
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return bad("has a port that is not a number from 1 to 65535")
		}
		port = ":" + port
	}
	if inner, v6 := strings.CutPrefix(name, "["); v6 {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		if err != nil || !closed || !a.Is6() || a.Zone() != "" {
			return bad("is not an IPv6 address in brackets")
		}
		return "[" + a.String() + "]" + port, false, ""
	}
	name = strings.TrimSuffix(name, ".")
	name, wildcard = strings.CutPrefix(name, "*.")
	for label := range strings.SplitSeq(name, ".") {
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label == "" || len(label) > 63 {
			return bad(`is not a name: letters, digits, "-" and ".", with "*." in front at most (an international name in its xn-- form, an IPv6 address in brackets)`)
		}
	}
	if len(name) > 253 {
		return bad("is longer than a host name can be")
	}
	if wildcard {
		name = "." + name
	}
	return name + port, wildcard, ""
}

func parsePath(s string) (path string, prefix bool, problem string) {
	if s == "" {
		return "/", true, ""
	}
	bad := func(why string) (string, bool, string) { return "", false, "path " + strconv.Quote(s) + " " + why }
	if s[0] != '/' {
		return bad(`does not begin with "/"`)
	}
	body, star := strings.CutSuffix(s, "*")
	if strings.IndexByte(body, '*') >= 0 {
		return bad(`has a "*" that is not at its end (write %2A for the character)`)
	}
	if i := strings.IndexAny(body, "?#"); i >= 0 {
		return bad("has a " + strconv.Quote(body[i:i+1]) + ": only the path is matched")
	}
	path, ok := canonical(body)
	if !ok {
		return bad("has an invalid percent-encoding")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return bad("has a dot segment")
		}
	}
	return path, star || strings.HasSuffix(path, "/"), ""
}

const upperHex = "0123456789ABCDEF"

// canonical normalises percent-encoding (RFC 3986 §6.2.2): unreserved bytes are
// decoded, hex digits are upper case, bytes that cannot stand in a path are
// encoded.
func canonical(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' {
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", false
			}
			c, escaped = byte(unhex(s[i+1])<<4|unhex(s[i+2])), true
			i += 2
		}
		if unreserved(c) || !escaped && strings.IndexByte("/!$&'()+,;=:@", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String(), true
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
