package key

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxName is the longest host name that the DNS can hold (RFC 1035 §3.1).
const maxName = 253

// canonicalScheme returns the scheme in lower case.
func canonicalScheme(s string) (string, error) {
	switch {
	case s == "http", s == "https":
		return s, nil
	case strings.EqualFold(s, "https"):
		return "https", nil
	case strings.EqualFold(s, "http"):
		return "http", nil
	}
	return "", targetError("scheme", s, "is neither http nor https")
}

// canonicalHost returns the authority without userinfo, [host [ ":" port ]]
// (RFC 9110 §4.2), in canonical form. A name may hold letters, digits, "-",
// "_" and ".": less than reg-name (RFC 3986 §3.2.2), all that resolves.
func canonicalHost(scheme, host string) (string, error) {
	if isPlain(host) {
		return host, nil
	}
	return rewrittenHost(scheme, host)
}

func rewrittenHost(scheme, host string) (string, error) {
	var stack [maxName + 8]byte
	name, port, ok := splitPort(host)
	if !ok {
		return "", targetError("host", host, "is not a host with an optional port")
	}
	out := stack[:0]
	if strings.HasPrefix(name, "[") {
		addr, err := netip.ParseAddr(name[1 : len(name)-1])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", targetError("host", host, "is not an IPv6 address without a zone")
		}
		out = append(out, '[')
		out = addr.AppendTo(out)
		out = append(out, ']')
	} else {
		if out, ok = appendName(out, name); !ok {
			return "", targetError("host", host, "is not a host name")
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", targetError("host", host, "has a port out of range")
		}
		if !(n == 80 && scheme == "http" || n == 443 && scheme == "https") {
			out = append(out, ':')
			out = strconv.AppendUint(out, n, 10)
		}
	}
	return same(host, out), nil
}

// isPlain reports whether host is a name in canonical form, as nearly all are,
// with or without a port of four or five digits in canonical form: none of those
// is a scheme's default.
func isPlain(host string) bool {
	if len(host) > maxName {
		return false
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == ':':
			return label > 0 && isPlainPort(host[i+1:])
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case !is(c, hostByte) || 'A' <= c && c <= 'Z':
			return false
		}
		label++
	}
	return label > 0
}

func isPlainPort(port string) bool {
	if len(port) != 4 && (len(port) != 5 || port > "65535") || port[0] == '0' {
		return false
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return true
}

// splitPort cuts host[:port]. An IPv6 address keeps its brackets.
func splitPort(host string) (name, port string, ok bool) {
	end := strings.IndexByte(host, ':')
	if strings.HasPrefix(host, "[") {
		end = strings.IndexByte(host, ']') + 1
		if end == 0 || end < len(host) && host[end] != ':' {
			return "", "", false
		}
	}
	if end < 0 || end == len(host) {
		return host, "", true
	}
	return host[:end], host[end+1:], true
}

// appendName writes a host name in lower case without its trailing dot.
func appendName(dst []byte, name string) ([]byte, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName {
		return dst, false
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		label++
		if c == '.' {
			label--
			if label == 0 {
				return dst, false
			}
			label = 0
		}
		if !is(c, hostByte) {
			return dst, false
		}
		dst = append(dst, lower(c))
	}
	return dst, label > 0
}

// lower returns the ASCII lower case of c.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
