package origin

import (
	"net/netip"
	"strings"
)

// validHost: a domain in ASCII lower case, a dotted quad, or a bracketed
// compressed IPv6 address, as the URL standard's host serialiser writes them.
func validHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		return strings.HasSuffix(s, "]") && validIPv6(s[1:len(s)-1])
	}
	return validDomain(s) && (!endsInNumber(s) || validIPv4(s))
}

// validDomain checks bytes and lengths. One trailing dot is a name of its own
// that browsers do send. The underscore is no host name to DNS, but it is one
// to browsers. Labels may begin and end with a hyphen for the same reason.
func validDomain(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case labelBytes[c]:
			if label++; label > maxLabel {
				return false
			}
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return true
}

// labelBytes are the bytes of a label.
var labelBytes = func() (t [256]bool) {
	for i := range t {
		c := byte(i)
		t[i] = lowerAlnum(c) || c == '-' || c == '_'
	}
	return t
}()

// validLabelPart reports whether s can stand inside a label; "" can.
func validLabelPart(s string) bool {
	for i := range len(s) {
		if !labelBytes[s[i]] {
			return false
		}
	}
	return len(s) < maxLabel
}

// endsInNumber is the URL standard's "ends in a number checker": such a host
// is an IPv4 address or nothing.
func endsInNumber(s string) bool {
	last := strings.TrimSuffix(s, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if last == "" || last[0] > '9' {
		return false // most names
	}
	hex := strings.HasPrefix(last, "0x")
	if hex {
		last = last[2:]
	}
	for i := range len(last) {
		c := last[i]
		if !('0' <= c && c <= '9' || hex && 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// validIPv4: four decimal numbers up to 255 without leading zeros.
func validIPv4(s string) bool {
	parts := 0
	for more := true; more; parts++ {
		var part string
		part, s, more = strings.Cut(s, ".")
		if part == "0" {
			continue
		}
		if n, ok := parsePort(part); !ok || n > 255 {
			return false
		}
	}
	return parts == 4
}

// validIPv6 reports whether s is the one compressed form of an IPv6 address
// (URL, "IPv6 serializer"; RFC 5952 but for IPv4-mapped addresses, which the
// URL standard writes in hexadecimal).
func validIPv6(s string) bool {
	addr, ok := parseIPv6(s)
	if !ok {
		return false
	}
	var room [48]byte
	return string(appendIPv6(room[:0], addr)) == s
}

// parseIPv6 exists because netip.ParseAddr allocates its error, and what is
// parsed here comes from strangers. It may accept what is not the canonical
// form: validIPv6 compares.
func parseIPv6(s string) (addr [16]byte, ok bool) {
	n, gap := 0, -1
	if strings.HasPrefix(s, "::") {
		gap, s = 0, s[2:]
	}
	for s != "" {
		var piece string
		piece, s, ok = strings.Cut(s, ":")
		v, valid := parseHex(piece)
		if !valid || n == len(addr) {
			return addr, false
		}
		addr[n], addr[n+1] = byte(v>>8), byte(v)
		n += 2
		if strings.HasPrefix(s, ":") && gap < 0 {
			gap, s = n, s[1:]
		} else if ok && s == "" {
			return addr, false // ends in a single colon
		}
	}
	if gap < 0 {
		return addr, n == len(addr)
	}
	moved := copy(addr[len(addr)-(n-gap):], addr[gap:n])
	clear(addr[gap : len(addr)-moved])
	return addr, n < len(addr)
}

func parseHex(s string) (v uint16, ok bool) {
	if s == "" || len(s) > 4 {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			v = v<<4 | uint16(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint16(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

func appendIPv6(dst []byte, addr [16]byte) []byte {
	ip := netip.AddrFrom16(addr)
	if !ip.Is4In6() {
		return ip.AppendTo(dst)
	}
	// ::ffff:7f00:1, where netip writes ::ffff:127.0.0.1.
	dst = append(dst, "::ffff:"...)
	dst = appendHex(dst, uint16(addr[12])<<8|uint16(addr[13]))
	dst = append(dst, ':')
	return appendHex(dst, uint16(addr[14])<<8|uint16(addr[15]))
}

func appendHex(dst []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	started := false
	for shift := 12; shift >= 0; shift -= 4 {
		d := v >> shift & 0xf
		if started = started || d != 0 || shift == 0; started {
			dst = append(dst, digits[d])
		}
	}
	return dst
}

// loopback is given a valid host.
func loopback(host string) bool {
	name := strings.TrimSuffix(host, ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		host == "[::1]" || strings.HasPrefix(host, "127.") && endsInNumber(host)
}
