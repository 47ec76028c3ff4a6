package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestRefusedAddress(t *testing.T) {
	for in, want := range map[string]string{
		"8.8.8.8": "", "1.1.1.1": "", "172.15.255.255": "", "172.32.0.0": "", "100.63.255.255": "", "100.128.0.0": "",
		"192.0.1.0": "", "198.17.255.255": "", "198.20.0.0": "", "169.253.255.255": "", "223.255.255.255": "", "168.63.129.15": "",
		"2606:4700::1111": "", "2001:200::1": "", "2a00::1": "", "2400::": "", "2001:db9::": "",

		"127.0.0.1": "a loopback address", "127.255.255.254": "a loopback address", "::1": "a loopback address",
		"0.0.0.0": "an address of this host (RFC 1122)", "0.1.2.3": "an address of this host (RFC 1122)", "::": "an address of this host",
		"10.0.0.1": "a private address (RFC 1918)", "172.16.0.1": "a private address (RFC 1918)", "172.31.255.255": "a private address (RFC 1918)",
		"192.168.1.1": "a private address (RFC 1918)", "fc00::1": "a private address (RFC 4193)", "fdff::1": "a private address (RFC 4193)",
		"100.64.0.1": "a shared address of a carrier (RFC 6598)", "100.127.255.255": "a shared address of a carrier (RFC 6598)",
		"169.254.0.1": "a link-local address", "fe80::1": "a link-local address", "fe80::1%eth0": "a link-local address",
		"169.254.169.254": "a cloud's metadata service", "fd00:ec2::254": "a cloud's metadata service", "fd20:ce::254": "a cloud's metadata service",
		"100.100.100.200": "a cloud's metadata service", "168.63.129.16": "a cloud's metadata service", "192.0.0.192": "a cloud's metadata service",
		"192.0.0.8": "an address for protocols (RFC 6890)", "2001:2::1": "an address for protocols (RFC 2928)",
		"192.0.2.1": "a documentation address (RFC 5737)", "198.51.100.1": "a documentation address (RFC 5737)", "203.0.113.1": "a documentation address (RFC 5737)",
		"2001:db8::1": "a documentation address (RFC 3849)", "3fff:fff::1": "a documentation address (RFC 9637)",
		"198.19.0.1": "a benchmarking address (RFC 2544)", "192.88.99.1": "a 6to4 relay (RFC 7526)",
		"224.0.0.1": "a multicast address", "239.1.1.1": "a multicast address", "ff02::1": "a multicast address", "ff0e::1": "a multicast address",
		"255.255.255.255": "the broadcast address", "240.0.0.1": "a reserved address (RFC 1112)",
		"fec0::1": "a site-local address (RFC 3879)", "100::1": "no global unicast address (RFC 4291)", "4000::1": "no global unicast address (RFC 4291)",
		"64:ff9b:1::a00:1": "no global unicast address (RFC 4291)", "::a00:1": "no global unicast address (RFC 4291)", "::ffff:0:a00:1": "no global unicast address (RFC 4291)",

		"::ffff:10.0.0.1": "a private address (RFC 1918)", "::ffff:169.254.169.254": "a cloud's metadata service", "::ffff:8.8.8.8": "",
		"64:ff9b::10.0.0.1": "a private address (RFC 1918)", "64:ff9b::127.0.0.1": "a loopback address", "64:ff9b::8.8.8.8": "",
		"2002:a00:1::1": "a private address (RFC 1918)", "2002:7f00:1::": "a loopback address", "2002:808:808::1": "",
		"2001:0:a00:1::f5ff:fffe": "an address for protocols (RFC 2928)",
	} {
		if got := RefusedAddress(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if got := RefusedAddress(netip.Addr{}); got != "no address" {
		t.Errorf("the zero address: got %q", got)
	}
}

// FuzzRefusedAddress: what net/netip knows to be no public server is refused,
// and every way to put an IPv4 address into an IPv6 one is refused with it.
func FuzzRefusedAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "8.8.8.8", "fe80::1", "2606:4700::1111", "169.254.169.254", "ff02::1"} {
		a := netip.MustParseAddr(s).As16()
		f.Add(a[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, 16)...)
		six := netip.AddrFrom16([16]byte(b))
		four := netip.AddrFrom4([4]byte(b))
		for _, a := range []netip.Addr{six, four, six.WithZone("eth0")} {
			plain := a.Unmap()
			known := plain.IsPrivate() || plain.IsLoopback() || plain.IsLinkLocalUnicast() || plain.IsMulticast() || plain.IsUnspecified() || !plain.IsGlobalUnicast()
			if why := RefusedAddress(a); known && why == "" {
				t.Errorf("%s is let in", a)
			}
		}
		mapped, v4 := [16]byte{10: 0xff, 11: 0xff}, four.As4()
		copy(mapped[12:], v4[:])
		nat := [16]byte{1: 0x64, 2: 0xff, 3: 0x9b}
		copy(nat[12:], v4[:])
		relayed := [16]byte{0x20, 0x02}
		copy(relayed[2:], v4[:])
		copy(relayed[6:], b[4:14])
		want := RefusedAddress(four)
		for _, embedding := range [][16]byte{mapped, nat, relayed} {
			a := netip.AddrFrom16(embedding)
			if got := RefusedAddress(a); got != want {
				t.Errorf("%s: got %q, but %s %q", a, got, four, want)
			}
		}
		compatible, teredo, local := [16]byte{}, [16]byte{0x20, 0x01}, [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 1}
		for _, embedding := range []*[16]byte{&compatible, &teredo, &local} {
			copy(embedding[12:], v4[:])
			if a := netip.AddrFrom16(*embedding); RefusedAddress(a) == "" {
				t.Errorf("%s is let in", a)
			}
		}
	})
}

// names is a DNS server on the loopback interface.
type names struct {
	address string

	mu      sync.Mutex // guards what follows
	answers map[string][]string
	asked   bool
}

func (n *names) wasAsked() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *names) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name+"."] = addresses
}

// reply answers an A query, and every other one with nothing.
func (n *names) reply(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = true
	q := m.Questions[0]
	m.Header.Response, m.Additionals = true, nil
	for _, s := range n.answers[q.Name.String()] {
		if a := netip.MustParseAddr(s); q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	b, _ := m.Pack()
	return b
}

// serveNames runs a DNS server until the test ends, and returns a resolver that
// asks it.
func serveNames(t *testing.T) (*names, *net.Resolver) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{address: c.LocalAddr().String(), answers: map[string][]string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			size, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(n.reply(b[:size]), from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	var d net.Dialer
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "udp", n.address)
	}}
}

// A name that resolves to a public address first and to a private one later is
// refused on the connection that would go there, and so is every other attempt
// but the ones that are let in. "Public" is 127.0.0.1 here, and 127.0.0.2 is not.
func TestRebinding(t *testing.T) {
	public := serveRaw(t, answeringOnce("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	port := public.l.Addr().(*net.TCPAddr).Port
	inside, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(port)))
	if err != nil {
		t.Skipf("cannot listen on 127.0.0.2: %v", err)
	}
	reached := make(chan struct{}, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := inside.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			c.Close()
		}
	}()
	t.Cleanup(func() { inside.Close(); <-done })
	dns, resolver := serveNames(t)
	authority := net.JoinHostPort("api.third.example", strconv.Itoa(port))
	p := newPool(t, func(c *Config) {
		c.External = &External{Resolver: resolver, refuse: func(a netip.Addr) string {
			if a == netip.MustParseAddr("127.0.0.1") {
				return ""
			}
			return RefusedAddress(a)
		}}
	}, "http://"+authority)

	dns.set("api.third.example", "127.0.0.1")
	if got, want := do(t, p, newRequest(t, "GET", "/", nil)), (result{Status: 200, Body: "ok"}); got != want {
		t.Fatalf("public: got %+v, want %+v", got, want)
	}
	for address, why := range map[string]string{
		"127.0.0.2": "a loopback address", "169.254.169.254": "a cloud's metadata service", "10.0.0.1": "a private address (RFC 1918)",
	} {
		dns.set("api.third.example", address)
		_, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
		var refused *AddressError
		if !errors.As(err, &refused) {
			t.Fatalf("%s: got %v, want an *AddressError", address, err)
		}
		want := AddressError{Name: authority, Addr: netip.MustParseAddr(address), Why: why}
		if diff := cmp.Diff(want, *refused, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", address, diff)
		}
		e := asError(t, err)
		if e.HTTPStatus() != http.StatusBadGateway || e.Token() != "upstream-refused-address" {
			t.Errorf("%s: got %d %s", address, e.HTTPStatus(), e.Token())
		}
		if text := authority + " resolves to " + address + ", " + why; !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
	// Of several addresses the good one is taken.
	dns.set("api.third.example", "127.0.0.2", "127.0.0.1")
	if got, want := do(t, p, newRequest(t, "GET", "/", nil)), (result{Status: 200, Body: "ok"}); got != want {
		t.Errorf("both: got %+v, want %+v", got, want)
	}
	inside.Close()
	<-done
	if len(reached) > 0 {
		t.Error("the refused address was connected to")
	}
	if !dns.wasAsked() {
		t.Error("the test asked another name server")
	}
}

// By default an external upstream does not reach this machine, with the switch
// it does. No proxy of the environment stands between: it would do the
// resolving, and nobody could look at the address.
func TestPrivateAddresses(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		name     string
		external External
		want     result
	}{
		{"refused", External{}, result{Kind: "upstream-refused-address"}},
		{"let in", External{PrivateAddresses: true}, result{Status: 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(t, func(cfg *Config) { cfg.External = &c.external }, server)
			if p.transport.Proxy != nil {
				t.Error("a proxy may be used")
			}
			if got := do(t, p, newRequest(t, "GET", "/", nil)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A public address of this machine is not the Internet, in whatever form.
func TestOwnAddresses(t *testing.T) {
	for _, c := range []struct{ own, asked, want string }{
		{"8.8.4.4/24", "8.8.4.4", "an address of this machine"},
		{"8.8.4.4/24", "::ffff:8.8.4.4", "an address of this machine"},
		{"8.8.4.4/24", "64:ff9b::808:404", "an address of this machine"},
		{"8.8.4.4/24", "8.8.4.5", ""}, // a neighbour
		{"2600::1/64", "2600::1", "an address of this machine"},
		{"2600::1/64", "2600::2", ""},
		{"", "8.8.4.4", ""},
		{"", "127.0.0.1", "a loopback address"},
	} {
		interfaces := func() ([]net.Addr, error) {
			if c.own == "" {
				return nil, errors.New("no interfaces")
			}
			ip, n, err := net.ParseCIDR(c.own)
			if err != nil {
				t.Fatal(err)
			}
			n.IP = ip
			return []net.Addr{&net.UnixAddr{Name: "odd"}, n}, nil
		}
		guard := newGuard(Config{External: &External{interfaces: interfaces}})
		if got := guard.refuse(netip.MustParseAddr(c.asked)); got != c.want {
			t.Errorf("%s at %s: got %q, want %q", c.asked, c.own, got, c.want)
		}
	}
}
