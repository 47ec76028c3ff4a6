package forward

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxChain bounds how many earlier hops are kept, the nearest ones, so that a
// chain of trusted peers cannot grow a field without end.
const maxChain = 32

// Trust is the set of peers whose word about the client counts. The zero value
// trusts nobody. Immutable and safe for concurrent use.
type Trust struct{ prefixes []netip.Prefix }

// NewTrust makes a Trust of prefixes. An IPv4 prefix holds the IPv4-mapped
// IPv6 addresses too, and the other way round.
func NewTrust(prefixes ...netip.Prefix) Trust {
	t := Trust{}
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.IsValid() {
			t.prefixes = append(t.prefixes, p.Masked())
		}
	}
	return t
}

// Contains reports whether remoteAddr, an http.Request's RemoteAddr, is of a
// trusted peer. What is no IP address is not trusted. It allocates nothing.
func (t Trust) Contains(remoteAddr string) bool {
	a, ok := nodeAddr(remoteAddr)
	return ok && t.holds(a)
}

func (t Trust) holds(a netip.Addr) bool {
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Fields is the view of a request's fields by canonical name. http.Header is
// one.
type Fields interface {
	Values(name string) []string
}

// Effective returns the scheme and the address of the client that stands at the
// far end of the trusted peers of a request with the fields h. peer is the
// host:port at the other end of the connection, secure whether that is TLS.
//
// The connection decides unless its peer is trusted. Then X-Forwarded-For and
// X-Forwarded-Proto count, or, where there is no X-Forwarded-For, Forwarded
// (RFC 7239): addresses are walked from the nearest hop, and the first that is
// not trusted is the client, since whatever stands before it is its own claim.
// A trusted peer has to overwrite or extend both families, as proxies do.
//
// The scheme is "http" or "https". The address is invalid when peer is no
// IP address.
func Effective(peer string, secure bool, h Fields, t Trust) (scheme string, client netip.Addr) {
	scheme = "http"
	if secure {
		scheme = "https"
	}
	client, ok := nodeAddr(peer)
	if !ok || !t.holds(client) {
		return scheme, client
	}
	hops, protos := claimed(h)
	depth := 0
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := nodeAddr(hops[i])
		if !ok {
			break
		}
		client, depth = a, len(hops)-1-i
		if !t.holds(a) {
			break
		}
	}
	if n := len(protos); n > 0 {
		// One proto a hop, or one that the edge set and others passed on.
		if s := schemeOf(protos[max(0, n-1-depth)]); s != "" {
			scheme = s
		}
	}
	return scheme, client
}

// claimed returns the addresses and schemes that the fields of a trusted peer
// claim, farthest hop first.
func claimed(h Fields) (hops, protos []string) {
	for _, line := range h.Values("X-Forwarded-Proto") {
		members(line, func(m string) { protos = append(protos, m) })
	}
	if lines := h.Values("X-Forwarded-For"); len(lines) > 0 {
		for _, line := range lines {
			members(line, func(m string) { hops = append(hops, m) })
		}
		return hops, protos
	}
	elements, ok := parseForwarded(h.Values("Forwarded"))
	if !ok {
		return nil, protos
	}
	fromX := len(protos) > 0
	for _, e := range elements {
		hops = append(hops, e.node)
		if !fromX {
			protos = append(protos, e.proto)
		}
	}
	return hops, protos
}

func schemeOf(proto string) string {
	switch strings.ToLower(proto) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// Hop is what Extend says about the message that it passes on.
type Hop struct {
	RemoteAddr string // of the peer, as in http.Request; "" when there is none (a background fetch)
	Scheme     string // of the effective target URI
	Host       string // of the effective target URI, the port included
}

// Extend writes X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and
// Forwarded (RFC 7239). The addresses of earlier hops are kept only from a
// trusted peer. Scheme and host are always those of hop, also in Forwarded: they
// are what the key was built from, and the upstream must not see others.
func Extend(h http.Header, hop Hop, t Trust) {
	peer, known := nodeAddr(hop.RemoteAddr)
	var chain, nodes []string
	if known && t.holds(peer) {
		chain, nodes = earlier(h)
	}
	addr, own := "", "unknown"
	if known {
		addr = peer.String()
		if own = addr; peer.Is6() {
			own = node(peer)
		}
	}
	lines := &[...]string{joined(chain, addr), hop.Scheme, hop.Host, joined(nodes, ownElement(own, hop))}
	for i, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		if lines[i] == "" {
			delete(h, name)
			continue
		}
		h[name] = lines[i : i+1 : i+1]
	}
}

// ownElement writes an element of Forwarded in one piece.
func ownElement(node string, hop Hop) string {
	switch {
	case hop.Host == "" && hop.Scheme == "":
		return "for=" + node
	case hop.Host == "":
		return "for=" + node + ";proto=" + quote(hop.Scheme)
	case hop.Scheme == "":
		return "for=" + node + ";host=" + quote(hop.Host)
	}
	return "for=" + node + ";host=" + quote(hop.Host) + ";proto=" + quote(hop.Scheme)
}

// joined is the list of earlier hops, the nearest that are kept, with the own
// one, which may be empty.
func joined(hops []string, own string) string {
	switch {
	case len(hops) == 0:
		return own
	case own == "":
		return strings.Join(last(hops, maxChain), ", ")
	}
	return strings.Join(append(last(hops, maxChain-1), own), ", ")
}

// earlier returns the hops that a trusted peer reports: for X-Forwarded-For and
// as elements of Forwarded, of which only "for" is kept. Where there are both,
// X-Forwarded-For counts for both, as in Effective: a peer that extends the one
// may pass the client's own invention of the other on. A Forwarded field that is
// malformed is not kept.
func earlier(h http.Header) (chain, nodes []string) {
	for _, line := range h["X-Forwarded-For"] {
		members(line, func(m string) {
			chain = append(chain, m)
			if addr, ok := nodeAddr(m); ok {
				nodes = append(nodes, "for="+node(addr))
			} else {
				nodes = append(nodes, "for=unknown")
			}
		})
	}
	if chain != nil {
		return chain, nodes
	}
	elements, ok := parseForwarded(h["Forwarded"])
	if !ok {
		return chain, nil
	}
	for _, e := range elements {
		if e.node != "" {
			nodes = append(nodes, "for="+quote(e.node))
		}
	}
	return chain, nodes
}

func last(list []string, n int) []string {
	return list[max(0, len(list)-n):]
}

// element is one hop of a Forwarded field.
type element struct{ node, proto, host, by string }

// parseForwarded reads Forwarded, RFC 7239 §4, strictly: an error anywhere
// makes all of it worth nothing, since hops could otherwise be hidden.
func parseForwarded(lines []string) (elements []element, ok bool) {
	ok = true
	for _, line := range lines {
		closed := members(line, func(m string) {
			e, good := parseElement(m)
			ok = ok && good
			elements = append(elements, e)
		})
		ok = ok && closed
	}
	if !ok {
		return nil, false
	}
	return elements, true
}

// parseElement reads [ forwarded-pair ] *( ";" [ forwarded-pair ] ).
func parseElement(m string) (e element, ok bool) {
	ok = true
	seen := map[string]bool{}
	split(m, ';', func(pair string) {
		name, v, has := strings.Cut(pair, "=")
		v, good := value(v)
		name = strings.ToLower(name)
		// "Each parameter MUST NOT occur more than once per element."
		ok = ok && has && good && isToken(name) && !seen[name]
		seen[name] = true
		switch name {
		case "for":
			e.node = v
		case "proto":
			e.proto = v
		case "host":
			e.host = v
		case "by":
			e.by = v
		}
	})
	return e, ok
}

// nodeAddr reads an IP address with or without a port and brackets, as it
// stands in RemoteAddr, X-Forwarded-For and the nodes of RFC 7239 §6. The zone
// is dropped and an IPv4-mapped address becomes IPv4.
func nodeAddr(s string) (netip.Addr, bool) {
	if s == "" || s[0] < '0' && s[0] != '"' && s[0] != ':' {
		return netip.Addr{}, false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && (s[end+1] != ':' || !digits(s[end+2:])) {
			return netip.Addr{}, false
		}
		s = s[1:end]
	} else if i := strings.IndexByte(s, ':'); i >= 0 && i == strings.LastIndexByte(s, ':') {
		if !digits(s[i+1:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.WithZone("").Unmap(), true
}

// node writes an address as a node of RFC 7239 §6.
func node(a netip.Addr) string {
	if a.Is6() {
		return `"[` + a.String() + `]"`
	}
	return a.String()
}
