package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// guard decides who may ask. It is immutable but for the token.
type guard struct {
	token  atomic.Pointer[digest] // nil: there is none
	listen string                 // the host of the listen address as it was configured
	page   bool                   // there is a page, which everybody may load
	cross  http.CrossOriginProtection
}

// digest is of a token: equal lengths to compare.
type digest [sha256.Size]byte

// configure takes the host of the listen address and the token of cfg. It is
// called before anybody asks.
func (g *guard) configure(cfg Config, bound net.Addr) {
	host, _, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		host, _, _ = net.SplitHostPort(bound.String())
	}
	g.listen = strings.ToLower(host)
	g.page = cfg.Page != nil
	g.want(cfg.Token)
}

// want makes token the one that is asked for from now on; "" is none.
func (g *guard) want(token string) {
	if token == "" {
		g.token.Store(nil)
		return
	}
	d := digest(sha256.Sum256([]byte(token)))
	g.token.Store(&d)
}

// usable says why token cannot guard the listener that address was bound to, or
// nil. What counts is what was bound: a name may stand for any address.
func usable(token, address string, bound net.Addr) error {
	if token == "" && !loopback(bound) {
		return fmt.Errorf("cannot listen on %s (admin.address) without a token: others can reach it; set admin.token_file, or listen on %s", address, DefaultAddress)
	}
	return checkToken(token)
}

// checkToken refuses a token that no client could send (RFC 6750 §2.1 allows
// less still, but tokens made by hand are common).
func checkToken(token string) error {
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return errors.New("cannot use the admin token: it has a space, a control character or a byte beyond ASCII; make one with letters and digits")
		}
	}
	return nil
}

var (
	wrongHost   = &problem{"misdirected", http.StatusMisdirectedRequest, "the Host field names neither loopback nor the listen address; use one of them, or configure admin.token_file"}
	noToken     = &problem{"token-required", http.StatusUnauthorized, "send Authorization: Bearer with the admin token"}
	otherOrigin = &problem{"cross-origin", http.StatusForbidden, "another web origin may not change anything here"}
)

// refuse returns the problem of a request that may not be served, or nil.
func (g *guard) refuse(r *http.Request) *problem {
	token := g.token.Load()
	if token == nil && !g.knowsHost(r.Host) {
		return wrongHost
	}
	if err := g.cross.Check(r); err != nil {
		return otherOrigin
	}
	if token != nil && !g.public(r) && !token.authorizes(r.Header["Authorization"]) {
		return noToken
	}
	return nil
}

// public tells what orchestrators probe, and the page and its files: whoever
// loads them types the token there.
func (g *guard) public(r *http.Request) bool {
	switch path := r.URL.Path; {
	case path == "/healthz", path == "/readyz":
		return true
	case !g.page:
		return false
	default:
		return strings.HasPrefix(path, "/ui/") || path == "/" && wantsPage(r)
	}
}

// wantsPage tells a browser, which gets the page at /, from what reads the list
// of endpoints there.
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), "text/html")
}

// authorizes looks for the token in constant time. The scheme's name has no
// case (RFC 9110 §11.1).
func (d *digest) authorizes(lines []string) bool {
	if len(lines) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sent := sha256.Sum256([]byte(strings.Trim(token, " ")))
	return subtle.ConstantTimeCompare(sent[:], d[:]) == 1
}

// knowsHost tells whether a Host field names loopback or the listen address.
// A name that an attacker controls can point to 127.0.0.1, an address cannot.
func (g *guard) knowsHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	host = strings.ToLower(host)
	if host == "" {
		return false
	}
	if host == "localhost" || host == g.listen {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// loopback tells whether only this machine can connect to a bound address.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
