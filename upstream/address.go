package upstream

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// AddressError says that a server's name led to an address that an external
// upstream must not have. Nothing was sent there.
type AddressError struct {
	Name string     // host and port, as configured
	Addr netip.Addr // what the name resolved to
	Why  string
}

// Error names the name, the address and the reason.
func (e *AddressError) Error() string {
	return e.Name + " resolves to " + e.Addr.String() + ", " + e.Why + ", which an external upstream must not be"
}

// special are the networks that are nobody's public server, the most telling
// first: those of the IANA special-purpose registries (RFC 6890) that are not
// globally reachable, and addresses at which clouds answer the machine itself.
var special = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.169.254/32"), "a cloud's metadata service"},
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata service"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a cloud's metadata service"},
	{netip.MustParsePrefix("192.0.0.192/32"), "a cloud's metadata service"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a shared address of a carrier (RFC 6598)"},
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this host (RFC 1122)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "an address for protocols (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), "a documentation address (RFC 5737)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a documentation address (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a documentation address (RFC 5737)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a benchmarking address (RFC 2544)"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay (RFC 7526)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), "the broadcast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address (RFC 1112)"},

	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("::/128"), "an address of this host"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "a cloud's metadata service"},
	{netip.MustParsePrefix("fd20:ce::254/128"), "a cloud's metadata service"},
	{netip.MustParsePrefix("fc00::/7"), "a private address (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "a site-local address (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	// Teredo (2001::/32) stands in it, which may lead to any IPv4 address.
	{netip.MustParsePrefix("2001::/23"), "an address for protocols (RFC 2928)"},
	{netip.MustParsePrefix("2001:db8::/32"), "a documentation address (RFC 3849)"},
	{netip.MustParsePrefix("3fff::/20"), "a documentation address (RFC 9637)"},
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1
	sixToFour     = netip.MustParsePrefix("2002::/16")    // RFC 3056 §2
)

// RefusedAddress says why an external upstream must not have the address, or ""
// when it may: why it is nobody's public server. An IPv6 address that stands
// for an IPv4 one (mapped, NAT64, 6to4) is as good as that. The zone does not
// matter. It allocates nothing.
func RefusedAddress(a netip.Addr) string {
	a = embedded(a.WithZone("").Unmap())
	if !a.IsValid() {
		return "no address"
	}
	for i := range special {
		if special[i].prefix.Contains(a) {
			return special[i].why
		}
	}
	// What is not in 2000::/3 is assigned for no server of the Internet: the
	// local NAT64 prefix (RFC 8215), IPv4-compatible and -translated
	// addresses, 100::/64 and what is to come.
	if a.Is6() && !globalUnicast.Contains(a) {
		return "no global unicast address (RFC 4291)"
	}
	return ""
}

// embedded returns the IPv4 address that a stands for, or a. It looks once:
// IPv4 addresses embed nothing.
func embedded(a netip.Addr) netip.Addr {
	switch b := a.As16(); {
	case !a.Is6():
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// guard dials for an external upstream. It looks at the address of every single
// attempt to connect, after the name was resolved and right before anything is
// sent: a look at the name, or at a resolution of its own, could be told
// something else than the dialer (DNS rebinding).
type guard struct {
	dialer net.Dialer
	refuse func(netip.Addr) string
}

func newGuard(c Config) *guard {
	g := &guard{
		dialer: net.Dialer{Timeout: c.Timeouts.Connect, KeepAlive: 30 * time.Second, Resolver: c.External.Resolver},
	}
	interfaces := net.InterfaceAddrs
	if c.External.interfaces != nil {
		interfaces = c.External.interfaces
	}
	g.refuse = refuser(interfaces)
	if c.External.refuse != nil {
		g.refuse = c.External.refuse
	}
	if c.External.PrivateAddresses {
		g.refuse = func(netip.Addr) string { return "" }
	}
	return g
}

// refuser adds to RefusedAddress the addresses that this machine has now, public
// ones too: what listens there may trust whoever comes from the machine itself.
func refuser(interfaces func() ([]net.Addr, error)) func(netip.Addr) string {
	return func(a netip.Addr) string {
		if why := RefusedAddress(a); why != "" {
			return why
		}
		own, err := interfaces()
		if err != nil {
			return "" // it is no worse than any other public address
		}
		a = embedded(a.WithZone("").Unmap())
		for _, o := range own {
			if n, ok := o.(*net.IPNet); ok && n.IP.Equal(a.AsSlice()) {
				return "an address of this machine"
			}
		}
		return ""
	}
}

// dial connects to host:port. That it fails with an *AddressError means that
// one of the addresses was refused, and no other could be connected to.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var refused atomic.Pointer[AddressError] // attempts on two families run side by side
	d := g.dialer
	d.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(resolved)
		why := "no address that can be looked at"
		if err == nil {
			why = g.refuse(at.Addr())
		}
		if why == "" {
			return nil
		}
		e := &AddressError{Name: address, Addr: at.Addr(), Why: why}
		refused.Store(e)
		return e
	}
	conn, err := d.DialContext(ctx, network, address)
	if e := refused.Load(); err != nil && e != nil {
		return nil, e
	}
	return conn, err
}
