package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cmd/internal/config"
	"veneer/upstream"
)

const externalConfig = `
server: { http: "127.0.0.1:0" }
cors:
  site: { origins: ["https://app.example.com", "https://shop.example.com"], methods: [GET, PUT], headers: [X-Api-Key] }
upstreams:
  plain: { servers: "THIRD", external: true, dangerously_private_addresses: true }
  keyed: { servers: "THIRD", external: true, dangerously_private_addresses: true, forward: [authorization, X-Api-Key, Cookie] }
  lent:  { servers: "THIRD", external: true, dangerously_private_addresses: true }
routes:
  - { match: { path: /plain/ }, upstream: plain, cors: site }
  - { match: { path: /keyed/ }, upstream: keyed, cors: site }
  - { match: { path: /lent/ }, upstream: lent, cors: site, headers: { request: { set: { Authorization: Bearer operator } } } }
  - { match: { path: /unlent/ }, upstream: lent, cors: site }
`

// third is a third party that remembers what it was sent.
type third struct {
	*httptest.Server
	answer http.HandlerFunc // nil: 200

	mu   sync.Mutex // guards seen
	seen []http.Request
}

func newThird(t *testing.T, answer http.HandlerFunc) *third {
	t.Helper()
	s := &third{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *third) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, http.Request{Method: r.Method, RequestURI: r.RequestURI, Host: r.Host, Header: r.Header.Clone()})
	s.mu.Unlock()
	if s.answer != nil {
		s.answer(w, r)
	}
}

// taken returns what was seen, and forgets it.
func (s *third) taken() []http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// runExternal runs externalConfig before a third party whose URL ends in base.
func runExternal(t *testing.T, s *third, base string) *running {
	t.Helper()
	c, problems := config.Parse("external.yaml", []byte(strings.ReplaceAll(externalConfig, "THIRD", s.URL+base)), nil)
	if c == nil {
		t.Fatal(problems)
	}
	return run(t, c)
}

// raw sends bytes and returns the head of the answer, "" when there is none.
func (r *running) raw(t interface{ Fatal(...any) }, request string) string {
	c, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for br := bufio.NewReader(c); ; {
		line, err := br.ReadString('\n')
		if err != nil || line == "\r\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

// What a client and those before us may send of who asks. The third party sees
// none of it, in whatever spelling, on whatever route.
var private = []string{
	"Proxy-Authorization", "Cookie2", "Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
	"X_Forwarded_For", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Ipcountry", "Cf-Access-Jwt-Assertion", "Client-Ip", "X-Client-Ip",
	"X-Auth-Request-User", "X-Amzn-Oidc-Data", "Remote-User", "Client-Cert", "Traceparent", "Baggage", "Referer", "Sec-Fetch-Site", "X-Session",
	"X-Http-Method-Override", "X-Original-Url", "Connection", "Upgrade", "Keep-Alive", "Authorization_", "X-Api_key",
}

// TestThirdPartySees: of any request, a third party sees what its upstream
// lists, what the route sets, what any server needs, and nothing else.
func TestThirdPartySees(t *testing.T) {
	s := newThird(t, nil)
	r := runExternal(t, s, "/base")
	own := http.Header{"Via": {"1.1 veneer"}, "Cdn-Loop": {"veneer"}}
	needed := []string{"Accept", "Accept-Language", "User-Agent", "Idempotency-Key"}
	routes := map[string][]string{
		"plain": nil, "keyed": {"Authorization", "X-Api-Key", "Cookie"}, "lent": nil, "unlent": nil,
	}
	var n atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		route := rapid.SampledFrom(slices.Sorted(maps.Keys(routes))).Draw(t, "route")
		method := rapid.SampledFrom([]string{"GET", "HEAD", "DELETE", "OPTIONS"}).Draw(t, "method")
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Concat(private, needed, routes["keyed"])), 0, 12, rapid.ID).Draw(t, "names")
		want := own.Clone()
		if route == "lent" {
			want["Authorization"] = []string{"Bearer operator"}
		}
		path := fmt.Sprintf("/%s/%d", route, n.Add(1))
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: cors-proxy.example.com\r\nOrigin: https://app.example.com\r\n", method, path)
		for _, name := range names {
			value := "v-" + name
			spelling := name
			if rapid.Bool().Draw(t, "lower") {
				spelling = strings.ToLower(name)
			}
			if name == "Connection" {
				// What a client lists of the others is gone by its own doing.
				value = strings.Join(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return slices.Contains(needed, s) }), ", ")
			}
			fmt.Fprintf(&b, "%s: %s\r\n", spelling, value)
			if slices.Contains(needed, name) || slices.Contains(routes[route], name) {
				want[name] = []string{value}
			}
		}
		r.raw(t, b.String()+"\r\n")
		seen := s.taken()
		if len(seen) != 1 {
			t.Fatalf("%d requests arrived for\n%s", len(seen), b.String())
		}
		got := seen[0]
		if got.Host != strings.TrimPrefix(s.URL, "http://") || got.RequestURI != "/base"+path {
			t.Fatalf("got %s %s", got.Host, got.RequestURI)
		}
		delete(got.Header, "Origin") // goes by cache.key.origin, on every route alike
		if diff := cmp.Diff(want, got.Header); diff != "" {
			t.Fatalf("(-want +got)\n%s\n%s", diff, b.String())
		}
	})
}

// TestFixedAuthority: nothing that a client can say chooses another server.
func TestFixedAuthority(t *testing.T) {
	s := newThird(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Cache-Control"] = []string{"no-store"} })
	var reached atomic.Int64
	evil := httptest.NewUnstartedServer(http.NotFoundHandler())
	evil.Config.ConnState = func(net.Conn, http.ConnState) { reached.Add(1) }
	evil.Start()
	t.Cleanup(evil.Close)
	r := runExternal(t, s, "/base")
	own, other := strings.TrimPrefix(s.URL, "http://"), strings.TrimPrefix(evil.URL, "http://")
	arrived := 0
	for _, line := range []string{
		"GET http://EVIL/plain/a HTTP/1.1\r\nHost: EVIL", "GET http://EVIL/plain/a HTTP/1.1\r\nHost: x", "GET http://x@EVIL/plain/a HTTP/1.1\r\nHost: x",
		"GET http://EVIL\\@x/plain/a HTTP/1.1\r\nHost: x", "GET https://EVIL/plain/a HTTP/1.1\r\nHost: x", "GET //EVIL/plain/a HTTP/1.1\r\nHost: x",
		"GET /plain/a HTTP/1.1\r\nHost: EVIL", "GET /plain/a HTTP/1.1\r\nHost: x@EVIL", "GET /plain/a HTTP/1.1\r\nHost: EVIL#", "GET /plain/a HTTP/1.0\r\nX: y",
		"GET /plain//EVIL HTTP/1.1\r\nHost: x", "GET /plain/@EVIL HTTP/1.1\r\nHost: x", "GET /plain/:80@EVIL/ HTTP/1.1\r\nHost: x", "GET @EVIL/plain/ HTTP/1.1\r\nHost: x",
		"GET \\\\EVIL/plain/ HTTP/1.1\r\nHost: x", "GET /plain/\\\\EVIL HTTP/1.1\r\nHost: x", "GET /plain/%2f%2fEVIL HTTP/1.1\r\nHost: x", "GET /plain/%5c%5cEVIL HTTP/1.1\r\nHost: x",
		"GET /plain/..//EVIL HTTP/1.1\r\nHost: x", "GET /plain/%2e%2e/%2e%2e/EVIL HTTP/1.1\r\nHost: x", "GET /plain/http://EVIL/ HTTP/1.1\r\nHost: x", "GET /plain/?url=http://EVIL/ HTTP/1.1\r\nHost: x",
		"GET /plain/%0d%0aHost:%20EVIL HTTP/1.1\r\nHost: x", "GET /plain/${EVIL} HTTP/1.1\r\nHost: x", "GET /plain/#@EVIL HTTP/1.1\r\nHost: x", "GET /plain/a%00EVIL HTTP/1.1\r\nHost: x",
		"CONNECT EVIL HTTP/1.1\r\nHost: EVIL", "CONNECT EVIL:443 HTTP/1.1\r\nHost: EVIL:443", "CONNECT /plain/ HTTP/1.1\r\nHost: EVIL", "OPTIONS * HTTP/1.1\r\nHost: EVIL", "PRI * HTTP/2.0\r\nHost: EVIL",
		"GET /plain/a HTTP/1.1\r\nHost: x\r\nHost: EVIL", "GET /plain/a HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: EVIL", "GET /plain/a HTTP/1.1\r\nHost: x\r\nForwarded: host=EVIL;proto=https",
		"GET /plain/a HTTP/1.1\r\nHost: x\r\nX-Host: EVIL\r\nX-Original-URL: http://EVIL/\r\nX-Rewrite-URL: //EVIL/\r\nProxy: http://EVIL/\r\nDestination: http://EVIL/",
		"GET /plain/a HTTP/1.1\r\nHost: x\r\nConnection: Host, Upgrade\r\nUpgrade: websocket",
	} {
		r.raw(t, strings.ReplaceAll(line, "EVIL", other)+"\r\n\r\n")
		for _, got := range s.taken() {
			arrived++
			if got.Host != own || !strings.HasPrefix(got.RequestURI, "/base/") || strings.Contains(fmt.Sprint(got.Header), other) {
				t.Errorf("%s: got %s %s %v", line, got.Host, got.RequestURI, got.Header)
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("the other server was connected to %d times", n)
	}
	if arrived < 10 {
		t.Errorf("%d requests arrived: the test proves little", arrived)
	}
}

// A third party's response is read by pages of the allowed origin, is stored,
// and leaves our host alone.
func TestThirdPartyAnswers(t *testing.T) {
	var s *third
	s = newThird(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Date"] = nil
		if strings.HasSuffix(r.URL.Path, "/old") {
			h.Set("Location", s.URL+"/base/plain/new")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "max-age=60")
		h.Set("X-Accel-Redirect", "/internal/secret.txt")
		h.Set("Strict-Transport-Security", "max-age=1; includeSubDomains")
		h.Set("Clear-Site-Data", `"*"`)
		h.Set("Service-Worker-Allowed", "/")
		h.Set("Alt-Svc", `h3="third.example:443"`)
		h.Set("Access-Control-Allow-Origin", "*")
		fmt.Fprint(w, `{"path":"`, r.URL.Path, `"}`)
	})
	r := runExternal(t, s, "/base")
	for _, c := range []struct {
		name, status string
	}{
		{"first", "veneer; fwd=uri-miss; fwd-status=200; ttl=60; stored"},
		{"again", "veneer; hit; ttl=60"},
	} {
		res, body := r.get("/plain/old", "Origin: https://app.example.com")
		delete(res.Header, "Date")
		if ttl := res.Header.Get("Cache-Status"); strings.HasPrefix(ttl, "veneer; hit; ttl=5") {
			res.Header.Set("Cache-Status", "veneer; hit; ttl=60") // a slow machine
		}
		delete(res.Header, "Age")
		want := http.Header{
			"Content-Type": {"application/json"}, "Cache-Control": {"max-age=60"}, "Content-Length": {"26"}, "Content-Security-Policy": {"sandbox"},
			"Access-Control-Allow-Origin": {"https://app.example.com"}, "Vary": {"Origin"}, "Via": {"1.1 veneer"}, "Cache-Status": {c.status},
		}
		if diff := cmp.Diff(want, res.Header); diff != "" || res.StatusCode != http.StatusOK || body != `{"path":"/base/plain/new"}` {
			t.Errorf("%s: %d %s (-want +got)\n%s", c.name, res.StatusCode, body, diff)
		}
	}
	if n := len(s.taken()); n != 2 {
		t.Errorf("the third party was asked %d times, want for the redirect and what it leads to", n)
	}
}

// What is listed in forward is in the key, or RFC 9111 §3.5 keeps it apart: no
// client gets what was said to another's credentials.
func TestForwardedIsKept(t *testing.T) {
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization"), r.Header.Get("Cookie"))
	})
	r := runExternal(t, s, "")
	for _, field := range []string{
		"X-Api-Key: ann", "X-Api-Key: bob", "X-Api-Key: ann", "Authorization: Bearer ann", "Authorization: Bearer bob",
		"Cookie: u=ann", "Cookie: u=bob", "Cookie: u=ann", "X-None: ",
	} {
		_, value, _ := strings.Cut(field, ": ")
		if _, body := r.get("/keyed/x", field); body != value {
			t.Errorf("%s: got %q", field, body)
		}
	}
	if n := len(s.taken()); n != 7 {
		t.Errorf("the third party was asked %d times, want 7: ann is a hit the second time", n)
	}
}

// TestRedirectedIsKept: what a redirect of the third party led to is stored for
// the first URL only where that is true for everybody, and is never taken for
// what is at the first URL now.
func TestRedirectedIsKept(t *testing.T) {
	var moved atomic.Bool
	moved.Store(true)
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch name := strings.TrimPrefix(r.URL.Path, "/keyed/"); {
		case name == "me":
			h.Set("Location", "/keyed/users/"+r.Header.Get("Authorization")+r.Header.Get("Cookie"))
			w.WriteHeader(http.StatusPermanentRedirect)
		case name == "latest":
			h.Set("Location", "/keyed/versions/must-understand")
			w.WriteHeader(http.StatusFound)
		case name == "doc" && moved.Load():
			h.Set("Location", "/keyed/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
		case strings.HasPrefix(name, "versions/"):
			h.Set("Cache-Control", "max-age=60, must-understand")
		case strings.HasPrefix(name, "users/"):
			h.Set("Cache-Control", "public, max-age=60")
			fmt.Fprint(w, strings.TrimPrefix(name, "users/"))
		default:
			// One clock for all files, and validators that tell them badly apart.
			h.Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(name))
		}
	})
	r := runExternal(t, s, "")
	for _, field := range []string{"Authorization: ann", "Authorization: bob", "Cookie: cat", "Cookie: dan", "X-None: "} {
		_, value, _ := strings.Cut(field, ": ")
		if _, body := r.get("/keyed/me", field); body != value {
			t.Errorf("%s: got %q", field, body)
		}
	}
	for range 2 {
		res, _ := r.get("/keyed/latest")
		if status := res.Header.Get("Cache-Status"); strings.Contains(status, "hit;") || strings.HasSuffix(status, "stored") {
			t.Errorf("behind a temporary redirect: %s", status)
		}
	}
	if _, body := r.get("/keyed/doc"); body != "elsewhere" {
		t.Errorf("moved: got %q", body)
	}
	moved.Store(false)
	if _, body := r.get("/keyed/doc"); body != "doc" {
		t.Errorf("back again: got %q", body)
	}
}

// A response that sets a cookie may be of the session that it begins, whether
// the cookie goes to the client or not: cache.set_cookie decides.
func TestDroppedCookieCounts(t *testing.T) {
	s := newThird(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Set-Cookie", "session=1; Domain=example.com")
		w.Header().Set("Set-Cookie2", "session=1")
	})
	text := strings.ReplaceAll(externalConfig, "THIRD", s.URL) +
		"  - { match: { path: /strip/ }, upstream: plain, cors: site, cache: { set_cookie: strip } }\n" +
		"  - { match: { path: /store/ }, upstream: plain, cors: site, cache: { set_cookie: store } }\n" +
		"  - { match: { path: /own/ }, upstream: plain, cors: site, headers: { response: { set: { Set-Cookie: lang=de } } } }\n"
	c, problems := config.Parse("external.yaml", []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	r := run(t, c)
	type is struct {
		Asked   int
		Cookies []string
	}
	want := map[string]is{
		"/plain/": {2, nil}, "/keyed/": {2, []string{"session=1"}}, "/strip/": {1, nil}, "/store/": {1, nil}, "/own/": {2, []string{"lang=de"}},
	}
	got := make(map[string]is)
	for path := range want {
		for range 2 {
			res, _ := r.get(path)
			got[path] = is{Cookies: res.Header["Set-Cookie"]}
			if res.Header["Set-Cookie2"] != nil && path != "/keyed/" {
				t.Errorf("%s: Set-Cookie2 has passed", path)
			}
		}
		got[path] = is{len(s.taken()), got[path].Cookies}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A refused address is a 502 that a page may read and that tells it nothing.
func TestRefusedAddressAnswer(t *testing.T) {
	s := newThird(t, nil)
	c, problems := config.Parse("external.yaml", []byte(strings.ReplaceAll(externalConfig, "THIRD", s.URL)), nil)
	if c == nil {
		t.Fatal(problems)
	}
	c.Upstreams[0].External.PrivateAddresses = false // after the check: as a name that resolves to it would
	r := run(t, c)
	res, body := r.get("/plain/", "Origin: https://app.example.com")
	if res.StatusCode != http.StatusBadGateway || res.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" ||
		!strings.Contains(body, "urn:veneer:problem:upstream-refused-address") || strings.Contains(body, "127.0.0.1") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if n := len(s.taken()); n != 0 {
		t.Errorf("the address was asked %d times", n)
	}
	if log := r.log.String(); strings.Count(log, "is refused, nothing was sent to it") != 1 || !strings.Contains(log, "name="+strings.TrimPrefix(s.URL, "http://")+" address=127.0.0.1") {
		t.Errorf("the operator is told %s", log)
	}
}

// The operator is told which name led to which address, once in a while,
// however the name service alternates.
func TestRefusedAddressLog(t *testing.T) {
	log := new(syncBuffer)
	now := time.Unix(1e9, 0)
	p := &pool{now: func() time.Time { return now }}
	p.from.upstream.Name = "weather"
	p.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	for i := range 100 {
		now = now.Add(time.Second)
		address := netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})
		p.tell(t.Context(), &upstream.Error{Kind: upstream.Refused, Err: &upstream.AddressError{Name: "api.weather.example:443", Addr: address, Why: "a loopback address"}})
		p.tell(t.Context(), &upstream.Error{Kind: upstream.Timeout})
	}
	const line = `level=ERROR msg="the address of an external upstream is refused, nothing was sent to it; dangerously_private_addresses would let it in" ` +
		`upstream=weather name=api.weather.example:443 address=127.0.0.%d why="a loopback address"` + "\n"
	if diff := cmp.Diff(fmt.Sprintf(line+line, 0, 60), log.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
