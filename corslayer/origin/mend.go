package origin

import (
	"net/netip"
	"strings"
)

// quotes are what shells, YAML and templates leave around a value.
const quotes = "'\"`"

// mend returns the pattern that the author of s most likely means, when it
// takes no more than to leave out what is no part of an origin and to write
// the rest as browsers do. What it returns is a pattern.
func mend(s string) (string, bool) {
	if len(s) > maxPattern {
		return "", false
	}
	scheme, rest, ok := strings.Cut(strings.Trim(s, quotes+" \t\r\n"), "://")
	if !ok {
		return "", false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host, port, _ := splitPort(rest)
	if host, ok = mendHost(host); !ok {
		return "", false
	}
	mended := strings.ToLower(scheme) + "://" + host
	if n, isPort := parsePort(port); port != "" && (!isPort || n != defaultPort(strings.ToLower(scheme))) {
		mended += ":" + port
	}
	if _, f := parsePattern(mended); f != nil {
		return "", false
	}
	return mended, true
}

// mendHost returns the host in lower case and ASCII; an IPv6 address in its
// compressed form.
func mendHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		return "[" + string(appendIPv6(nil, ip.As16())) + "]", true
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		var ok bool
		if labels[i], ok = punycodeLabel(label); !ok {
			return "", false
		}
	}
	return strings.Join(labels, "."), true
}
