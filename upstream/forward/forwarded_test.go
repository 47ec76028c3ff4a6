package forward

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var trusted = NewTrust(
	netip.MustParsePrefix("10.1.2.3/8"), // NewTrust masks it
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("::ffff:192.0.2.0/120"),
)

func TestTrust(t *testing.T) {
	for remote, want := range map[string]bool{
		"10.0.0.1:80": true, "10.0.0.1": true, "11.0.0.1:80": false, "[2001:db8::1]:80": true, "[2001:db8::1%eth0]:80": true, "2001:db8::1": true,
		"[::ffff:10.0.0.1]:80": true, "192.0.2.9:1": true, "[::ffff:192.0.2.9]:1": true, "192.0.3.9:1": false,
		"": false, "@": false, "unix": false, "10.0.0.1:x": false, "[10.0.0.1": false, "10.0.0": false, "010.0.0.1": false,
	} {
		if got := trusted.Contains(remote); got != want {
			t.Errorf("%q: got %v", remote, got)
		}
		if (Trust{}).Contains(remote) {
			t.Errorf("the zero value trusts %q", remote)
		}
	}
	if got := NewTrust(netip.Prefix{}); len(got.prefixes) != 0 {
		t.Error("an invalid prefix was taken")
	}
}

func TestEffective(t *testing.T) {
	const edge = "10.0.0.1:443"
	for _, c := range []struct {
		name, remote string
		tls          bool
		header       http.Header
		scheme       string
		client       string
	}{
		{"direct", "198.51.100.1:1", false, nil, "http", "198.51.100.1"},
		{"direct TLS", "[2001:db9::1]:1", true, nil, "https", "2001:db9::1"},
		{"no address", "@", true, header("X-Forwarded-Proto: http"), "https", "invalid IP"},
		{"forged", "198.51.100.1:1", false, header("X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "Forwarded: for=1.1.1.1;proto=https"), "http", "198.51.100.1"},
		{"trusted", edge, false, header("X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: HTTPS"), "https", "198.51.100.1"},
		{"plain behind TLS", edge, true, header("X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: http"), "http", "198.51.100.1"},
		{"forged before the trusted", edge, false, header("X-Forwarded-For: 1.1.1.1, 198.51.100.1"), "http", "198.51.100.1"},
		{"two trusted, two lines", edge, false, header("X-Forwarded-For: 1.1.1.1, 198.51.100.1", "X-Forwarded-For: 10.9.9.9"), "http", "198.51.100.1"},
		{"all trusted", edge, false, header("X-Forwarded-For: 10.0.0.3, 10.0.0.2"), "http", "10.0.0.3"},
		{"port and brackets", edge, false, header("X-Forwarded-For: [2001:db9::1]:99"), "http", "2001:db9::1"},
		{"quoted in X-Forwarded-For", edge, false, header(`X-Forwarded-For: "198.51.100.1"`), "http", "10.0.0.1"},
		{"not an address", edge, false, header("X-Forwarded-For: 1.1.1.1, unknown"), "http", "10.0.0.1"},
		{"one proto a hop", edge, false, header("X-Forwarded-For: 198.51.100.1, 10.0.0.2", "X-Forwarded-Proto: https, http"), "https", "198.51.100.1"},
		{"forged proto", edge, false, header("X-Forwarded-For: 1.1.1.1, 198.51.100.1", "X-Forwarded-Proto: https, http"), "http", "198.51.100.1"},
		{"odd proto", edge, true, header("X-Forwarded-Proto: gopher"), "https", "10.0.0.1"},
		{"wss", edge, false, header("X-Forwarded-Proto: wss"), "https", "10.0.0.1"},
		{"Forwarded", edge, false, header(`Forwarded: for=1.1.1.1;proto=http, For="[2001:db9::1]:9";Proto=https;by=_x`), "https", "2001:db9::1"},
		{"X-Forwarded-For before Forwarded", edge, false, header("Forwarded: for=1.1.1.1;proto=https", "X-Forwarded-For: 198.51.100.1"), "http", "198.51.100.1"},
		{"malformed Forwarded", edge, false, header(`Forwarded: for=198.51.100.1;proto="https`), "http", "10.0.0.1"},
		{"hidden node", edge, false, header("Forwarded: for=_hidden;proto=https"), "https", "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.remote, Header: c.header}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			scheme, client := Effective(r.RemoteAddr, r.TLS != nil, r.Header, trusted)
			if scheme != c.scheme || client.String() != c.client {
				t.Errorf("got %s %s, want %s %s", scheme, client, c.scheme, c.client)
			}
		})
	}
}

func TestExtend(t *testing.T) {
	const own = ";host=www.example.com;proto=https"
	for _, c := range []struct {
		name     string
		hop      Hop
		in, want http.Header
	}{
		{
			"anybody", Hop{"198.51.100.1:1", "https", "www.example.com"},
			header("X-Forwarded-For: 1.1.1.1", "X-Forwarded-Host: evil", "X-Forwarded-Proto: http", "Forwarded: for=1.1.1.1"),
			header("X-Forwarded-For: 198.51.100.1", "X-Forwarded-Host: www.example.com", "X-Forwarded-Proto: https", "Forwarded: for=198.51.100.1"+own),
		},
		{
			"trusted", Hop{"10.0.0.1:1", "https", "www.example.com"},
			header("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2", "X-Forwarded-Host: evil", `Forwarded: for=1.1.1.1;host=evil;proto=http, for="[2001:db8::1]:4";by=x, host=evil`),
			header("X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1", "X-Forwarded-Host: www.example.com", "X-Forwarded-Proto: https",
				`Forwarded: for=1.1.1.1, for=2.2.2.2, for=10.0.0.1`+own),
		},
		{
			"malformed from the trusted", Hop{"10.0.0.1:1", "https", "www.example.com"},
			header(`Forwarded: for=1.1.1.1, for="`),
			header("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: www.example.com", "X-Forwarded-Proto: https", "Forwarded: for=10.0.0.1"+own),
		},
		{
			"IPv6 and port", Hop{"[2001:db9::1]:1", "http", "[2001:db8::9]:8080"}, header(),
			header("X-Forwarded-For: 2001:db9::1", "X-Forwarded-Host: [2001:db8::9]:8080", "X-Forwarded-Proto: http", `Forwarded: for="[2001:db9::1]";host="[2001:db8::9]:8080";proto=http`),
		},
		{
			"nobody", Hop{}, header("X-Forwarded-For: 1.1.1.1", "X-Forwarded-Host: evil", "X-Forwarded-Proto: http", "Forwarded: for=1.1.1.1"),
			header("Forwarded: for=unknown"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			Extend(c.in, c.hop, trusted)
			if diff := cmp.Diff(c.want, c.in); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if _, ok := parseForwarded(c.in["Forwarded"]); !ok {
				t.Errorf("our own field is malformed: %q", c.in["Forwarded"])
			}
		})
	}
}

// A chain does not grow without end.
func TestExtendIsBounded(t *testing.T) {
	h := http.Header{}
	for i := range 100 {
		Extend(h, Hop{RemoteAddr: fmt.Sprintf("10.0.0.%d:1", i), Scheme: "https", Host: "a"}, trusted)
	}
	for _, name := range []string{"X-Forwarded-For", "Forwarded"} {
		hops := strings.Split(h.Get(name), ", ")
		if len(hops) != maxChain || !strings.Contains(hops[maxChain-1], "10.0.0.99") || !strings.Contains(hops[0], "10.0.0.68") {
			t.Errorf("%s: %d hops: %s", name, len(hops), h.Get(name))
		}
	}
}

func TestParseForwarded(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []element
	}{
		{"", nil},
		{" , ,", nil},
		{"for=a", []element{{node: "a"}}},
		{`For="a\"b,;c" ; proto=http;;by=x;HOST=y;ext=1, for=_z`, []element{{node: `a"b,;c`, proto: "http", by: "x", host: "y"}, {node: "_z"}}},
		{`for="[::1]:80"`, []element{{node: "[::1]:80"}}},
	} {
		got, ok := parseForwarded([]string{c.in})
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(element{})); diff != "" || !ok {
			t.Errorf("%q: ok %v (-want +got)\n%s", c.in, ok, diff)
		}
	}
	for _, bad := range []string{
		"for", "for=", "=a", "for=a b", `for="a`, `for="a"b`, `for=a"b"`, "for=[::1]", "for=a:80", "for=a;for=b", "for =a", "for= a",
		`for="a\`, "for=\"a\x01\"", `for=a, by="`, "f(r=a",
	} {
		if got, ok := parseForwarded([]string{"for=good", bad}); ok || got != nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"for=a", `For="[::1]:80";proto=https, for=_x`, `for="a\",b";by=c`, `for="`, "for=a,,;;", "=;=,\"\\"} {
		f.Add(s, "10.0.0.1:1")
	}
	f.Fuzz(func(t *testing.T, line, remote string) {
		elements, ok := parseForwarded([]string{line})
		if !ok && elements != nil {
			t.Fatal("half a result")
		}
		// What was read and is written again reads the same.
		for _, e := range elements {
			if e.node == "" {
				continue
			}
			again, ok := parseForwarded([]string{"for=" + quote(e.node)})
			if !ok || len(again) != 1 || again[0].node != e.node {
				t.Fatalf("%q became %v", e.node, again)
			}
		}
		h := http.Header{"Forwarded": {line}, "X-Forwarded-For": {line}, "X-Forwarded-Proto": {line}}
		scheme, _ := Effective(remote, false, h, trusted)
		if scheme != "http" && scheme != "https" {
			t.Fatalf("scheme %q", scheme)
		}
		Extend(h, Hop{RemoteAddr: remote, Scheme: "https", Host: "www.example.com"}, trusted)
		out, ok := parseForwarded(h["Forwarded"])
		if !ok || len(out) == 0 || len(out) > maxChain {
			t.Fatalf("wrote %q", h["Forwarded"])
		}
		for i, e := range out {
			if lastOne := i == len(out)-1; (e.host == "www.example.com" && e.proto == "https") != lastOne || e.host != "" != lastOne {
				t.Fatalf("wrote %q", h["Forwarded"])
			}
		}
	})
}
