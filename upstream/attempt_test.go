package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// How often a request reaches which server. Server 0 is picked first.
func TestAttempts(t *testing.T) {
	body := func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 }
	again := func(r *http.Request) {
		body(r)
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	}
	reset, good, gone := "reset", "good", "gone"
	for _, c := range []struct {
		name, method string
		edit         func(*http.Request)
		servers      []string
		want         result
		requests     []int // to each server
	}{
		{"good", "GET", nil, []string{good, good}, result{Status: 200, Body: "ok"}, []int{1, 0}},
		{"reset then good", "GET", nil, []string{reset, good}, result{Status: 200, Body: "ok"}, []int{1, 1}},
		{"gone then good", "GET", nil, []string{gone, good}, result{Status: 200, Body: "ok"}, []int{0, 1}},
		{"HEAD", "HEAD", nil, []string{reset, good}, result{Status: 200}, []int{1, 1}},
		{"PUT without content", "PUT", nil, []string{reset, good}, result{Status: 200, Body: "ok"}, []int{1, 1}},
		{"DELETE", "DELETE", nil, []string{gone, good}, result{Status: 200, Body: "ok"}, []int{0, 1}},
		{"two attempts and no more", "GET", nil, []string{reset, reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 1, 0}},
		{"a fresh connection of one server", "GET", nil, []string{reset}, result{Kind: "upstream-unreachable"}, []int{1}},
		{"all gone", "GET", nil, []string{gone, gone}, result{Kind: "upstream-unreachable"}, []int{0, 0}},
		{"POST", "POST", nil, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
		{"POST to nobody", "POST", nil, []string{gone, good}, result{Kind: "upstream-unreachable"}, []int{0, 0}},
		{"POST with content", "POST", again, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
		{"PATCH", "PATCH", nil, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
		{"unknown method", "FROB", nil, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
		{"PUT with content", "PUT", body, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
		{"PUT with content to be had again", "PUT", again, []string{reset, good}, result{Status: 200, Body: "ok"}, []int{1, 1}},
		{"a response that begins", "GET", nil, []string{"HTTP/1.1 20", good}, result{Kind: "upstream-protocol"}, []int{1, 0}},
		{"an interim response", "GET", nil, []string{"HTTP/1.1 103 Early Hints\r\n\r\n", good}, result{Kind: "upstream-protocol"}, []int{1, 0}},
		{"an error response", "GET", nil, []string{"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", good}, result{Status: 503}, []int{1, 0}},
		{"upgrade", "GET", func(r *http.Request) {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
		}, []string{reset, good}, result{Kind: "upstream-unreachable"}, []int{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var urls []string
			raws := map[int]*raw{}
			for i, kind := range c.servers {
				switch kind {
				case gone:
					urls = append(urls, refused(t))
					continue
				case reset:
					raws[i] = serveRaw(t, resetting)
				case good:
					response := okResponse
					if c.method == "HEAD" {
						response = strings.TrimSuffix(response, "ok")
					}
					raws[i] = serveRaw(t, answering(response))
				default:
					raws[i] = serveRaw(t, answeringOnce(kind))
				}
				urls = append(urls, raws[i].url)
			}
			p := newPool(t, nil, urls...)
			r := newRequest(t, c.method, "/", nil)
			if c.edit != nil {
				c.edit(r)
			}
			if diff := cmp.Diff(c.want, do(t, p, r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			got := make([]int, len(c.servers))
			for i, raw := range raws {
				heads, _ := raw.seen()
				got[i] = len(heads)
			}
			if diff := cmp.Diff(c.requests, got); diff != "" {
				t.Errorf("requests (-want +got)\n%s", diff)
			}
			for _, s := range p.Servers() {
				if s.InFlight != 0 {
					t.Errorf("got %+v", s)
				}
			}
		})
	}
}

// A kept connection that the server resets with the second request on it: a
// lone server is asked again for PUT (direct itself does it for GET), never
// for POST.
func TestKeptConnectionBreaks(t *testing.T) {
	for method, want := range map[string]struct {
		result   result
		requests int
	}{
		"GET":  {result{Status: 200, Body: "ok"}, 3},
		"PUT":  {result{Status: 200, Body: "ok"}, 3},
		"POST": {result{Kind: "upstream-unreachable"}, 2},
	} {
		t.Run(method, func(t *testing.T) {
			raw := serveRaw(t, func(r *raw, n int, c net.Conn, br *bufio.Reader) {
				if r.head(br) {
					io.WriteString(c, okResponse)
				}
				if n == 0 {
					resetting(r, n, c, br)
					return
				}
				r.head(br)
			})
			p := newPool(t, nil, raw.url)
			// Each way to a server keeps connections of its own.
			if got := do(t, p, newRequest(t, method, "/", nil)); got.Body != "ok" {
				t.Fatalf("got %+v", got)
			}
			if diff := cmp.Diff(want.result, do(t, p, newRequest(t, method, "/", nil))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if heads, _ := raw.seen(); len(heads) != want.requests {
				t.Errorf("%d requests, want %d", len(heads), want.requests)
			}
		})
	}
}

// A server that fails is set aside, tried once after its time, and back after
// a success.
func TestPassiveHealth(t *testing.T) {
	clock := newClock()
	var down atomic.Bool
	first := serveRaw(t, func(r *raw, _ int, c net.Conn, br *bufio.Reader) {
		for r.head(br) {
			if down.Load() {
				c.(*net.TCPConn).SetLinger(0)
				return
			}
			io.WriteString(c, okResponse)
		}
	})
	second := serveRaw(t, answering(okResponse))
	p := newPool(t, func(c *Config) { c.MaxFails, c.Now = 2, clock.Now }, first.url, second.url)
	type state struct {
		Healthy bool
		Fails   int
		First   int // requests that the first server has seen
	}
	down.Store(true)
	for i, step := range []struct {
		advance time.Duration
		up      bool
		want    state
	}{
		{0, false, state{true, 1, 1}},
		{11 * time.Second, false, state{true, 1, 2}}, // the failure before is too old
		{9 * time.Second, false, state{false, 2, 3}},
		{0, false, state{false, 2, 3}},
		{9 * time.Second, false, state{false, 2, 3}},
		{1 * time.Second, false, state{false, 3, 4}}, // one trial
		{0, false, state{false, 3, 4}},
		{10 * time.Second, true, state{true, 0, 5}},
		{0, true, state{true, 0, 5}}, // the second server's turn
		{0, true, state{true, 0, 6}},
	} {
		clock.advance(step.advance)
		down.Store(!step.up)
		if got := do(t, p, newRequest(t, "GET", "/", nil)); got.Body != "ok" {
			t.Fatalf("step %d: got %+v", i, got)
		}
		s := p.Servers()[0]
		heads, _ := first.seen()
		if diff := cmp.Diff(step.want, state{s.Healthy, s.Fails, len(heads)}); diff != "" {
			t.Errorf("step %d (-want +got)\n%s", i, diff)
		}
	}
}

// A lone server that is down is tried with every request, and counts as
// healthy as soon as it answers. It may be down when the Pool is made.
func TestLoneServerComesBack(t *testing.T) {
	clock := newClock()
	address := refused(t)
	p := newPool(t, func(c *Config) { c.MaxFails, c.Now = 1, clock.Now }, address)
	for range 3 {
		if got := do(t, p, newRequest(t, "POST", "/", nil)); got.Kind != "upstream-unreachable" {
			t.Fatalf("got %+v", got)
		}
	}
	if diff := cmp.Diff([]ServerState{{URL: address, Fails: 3}}, p.Servers()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Skip("the port was taken in between")
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	if got := do(t, p, newRequest(t, "POST", "/", nil)); got.Status != 200 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]ServerState{{URL: address, Healthy: true}}, p.Servers()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Requests under way are counted until their content ends or is closed.
func TestInFlight(t *testing.T) {
	p := newPool(t, nil, serve(t, echo))
	inFlight := func() int { return p.Servers()[0].InFlight }
	res, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil || inFlight() != 1 {
		t.Fatalf("%v, %d in flight", err, inFlight())
	}
	other, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil || inFlight() != 2 {
		t.Fatalf("%v, %d in flight", err, inFlight())
	}
	io.Copy(io.Discard, res.Body)
	if inFlight() != 1 {
		t.Errorf("%d in flight after the end", inFlight())
	}
	res.Body.Close()
	other.Body.Close()
	other.Body.Close()
	if inFlight() != 0 {
		t.Errorf("%d in flight after Close", inFlight())
	}
}

type noServer struct{}

func (noServer) Pick([]Candidate) int { return -1 }

func TestBalancerDeclines(t *testing.T) {
	p := newPool(t, func(c *Config) { c.Balancer = noServer{} }, "http://127.0.0.1:1")
	if got := do(t, p, newRequest(t, "GET", "/", nil)); got.Kind != "no-healthy-server" {
		t.Errorf("got %+v", got)
	}
}

func TestRoundRobin(t *testing.T) {
	var b RoundRobin
	all := []Candidate{{Server: 0}, {Server: 1}, {Server: 2}}
	var got []int
	for _, c := range [][]Candidate{all, all, all, all, {all[0], all[2]}, {all[0], all[2]}, all} {
		got = append(got, c[b.Pick(c)].Server)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 0, 2, 0, 1}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// WebSocket: the switch is asked for, and then bytes pass both ways.
func TestUpgrade(t *testing.T) {
	for _, c := range []struct{ name, ask, answer, want string }{
		{"websocket", "websocket", "WebSocket", ""},
		{"another than asked for", "websocket", "chat", "upstream-protocol"},
		{"h2c is not asked for", "h2c", "h2c", "upstream-protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, func(r *raw, _ int, conn net.Conn, br *bufio.Reader) {
				r.head(br)
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "+c.answer+"\r\nSec-Websocket-Accept: x\r\n\r\nhello ")
				io.Copy(conn, br)
			})
			p := newPool(t, nil, raw.url)
			res, err := p.RoundTrip(newRequest(t, "GET", "/", http.Header{
				"Connection": {"keep-alive, Upgrade"}, "Upgrade": {c.ask}, "Sec-Websocket-Key": {"k"},
			}))
			if c.want != "" {
				if e := asError(t, err); e.Token() != c.want {
					t.Errorf("got %v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {c.answer}, "Sec-Websocket-Accept": {"x"}}
			if diff := cmp.Diff(want, res.Header); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			heads, _ := raw.seen()
			if !strings.Contains(heads[0], "\r\nConnection: Upgrade\r\n") || !strings.Contains(heads[0], "\r\nUpgrade: websocket\r\n") {
				t.Errorf("sent %q", heads[0])
			}
			rw, ok := res.Body.(io.ReadWriteCloser)
			if !ok {
				t.Fatalf("the body is a %T", res.Body)
			}
			io.WriteString(rw, "world")
			if err := rw.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Error(err)
			}
			if b, err := io.ReadAll(rw); string(b) != "hello world" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			if s := p.Servers()[0]; s.InFlight != 1 {
				t.Errorf("got %+v", s)
			}
			rw.Close()
			if s := p.Servers()[0]; s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// On TLS servers ALPN picks HTTP/2, and a WebSocket still gets HTTP/1.1.
func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, r.Proto)
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	p := newPool(t, func(c *Config) { c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig }, s.URL)
	defer p.Close()
	for _, upgrade := range []string{"", "chat"} {
		header := http.Header{}
		if upgrade != "" {
			header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {upgrade}}
		}
		res, err := p.RoundTrip(newRequest(t, "GET", "/", header))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if string(b) != "HTTP/2.0" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		if diff := cmp.Diff(http.Header{"X-Sum": {"1"}}, res.Trailer); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	res, err := p.RoundTrip(newRequest(t, "GET", "/", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 101 || res.ProtoMajor != 1 {
		t.Errorf("got %s %d", res.Proto, res.StatusCode)
	}
}

// A request with content does not change protocol: the transport might still be
// sending the content on the connection that is the tunnel.
func TestUpgradeWithContent(t *testing.T) {
	p := newPool(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Upgrade")+r.Header.Get("Connection"))
	}))
	r := newRequest(t, "POST", "/", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}})
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("data")), 4
	res, err := p.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "" {
		t.Errorf("the upstream saw %q", b)
	}
}
