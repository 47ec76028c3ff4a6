package peer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"veneer/bench/peers/internal/bare"
)

// toy is a server with an upstream that only counts.
type toy struct {
	asked atomic.Int64
	store bool
	flaw  func(h http.Header, w http.ResponseWriter) (content []byte)
	seen  map[string]bool
}

const toySize = 100

func (s *toy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == bare.CountPath {
		_, _ = fmt.Fprint(w, s.asked.Load())
		return
	}
	origin := r.Header.Get("Origin")
	if !s.store || !s.seen[origin] {
		s.asked.Add(1)
		s.seen[origin] = true
	}
	h := w.Header()
	h.Set("Vary", "Accept-Encoding, origin")
	if origin == Origins[0] || origin == Origins[1] {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	content := bare.Content(toySize)
	if s.flaw != nil {
		content = s.flaw(h, w)
	}
	_, _ = w.Write(content)
}

func start(t *testing.T, s *toy, w Work) (*Process, Checker) {
	t.Helper()
	s.seen = make(map[string]bool)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	return &Process{Server: &Server{Name: "toy"}, Place: Place{HTTP: address}}, Checker{Work: w, Upstream: address}
}

// Each flaw is found, and a server without any passes.
func TestCheck(t *testing.T) {
	type header = http.Header
	good := func() []byte { return bare.Content(toySize) }
	for _, c := range []struct {
		name  string
		miss  bool
		store bool
		flaw  func(h header, w http.ResponseWriter) []byte
		want  string // in the error; "" is none
	}{
		{name: "good hits", store: true},
		{name: "good misses", miss: true},
		{name: "never a hit", want: "no answer is a hit"},
		{name: "stores what it may not", miss: true, store: true, want: "asked 0 times"},
		{name: "status", store: true, want: "status is 503", flaw: func(_ header, w http.ResponseWriter) []byte { w.WriteHeader(503); return good() }},
		{name: "length", store: true, want: "content has 99 bytes", flaw: func(header, http.ResponseWriter) []byte { return good()[1:] }},
		{name: "content", store: true, want: "content is another", flaw: func(header, http.ResponseWriter) []byte { return make([]byte, toySize) }},
		{name: "coding", store: true, want: "coded", flaw: func(h header, _ http.ResponseWriter) []byte { h.Set("Content-Encoding", "gzip"); return good() }},
		{name: "no Vary", store: true, want: "without Origin", flaw: func(h header, _ http.ResponseWriter) []byte { h.Del("Vary"); return good() }},
		{name: "other Vary", store: true, want: "without Origin", flaw: func(h header, _ http.ResponseWriter) []byte { h.Set("Vary", "X-Origin"); return good() }},
		{name: "star", store: true, want: `is "*" and not "https://app.`, flaw: func(h header, _ http.ResponseWriter) []byte {
			h.Set("Access-Control-Allow-Origin", "*")
			return good()
		}},
		{name: "one origin for all", store: true, want: `with Origin https://shop.example.com: field Access-Control-Allow-Origin is "https://app.`, flaw: func(h header, _ http.ResponseWriter) []byte {
			h.Set("Access-Control-Allow-Origin", Origins[0])
			return good()
		}},
		{name: "doubled", store: true, want: "https://app.example.com, https://app.example.com", flaw: func(h header, _ http.ResponseWriter) []byte {
			h.Add("Access-Control-Allow-Origin", Origins[0])
			return good()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Work{Size: toySize, Miss: c.miss}
			p, checker := start(t, &toy{store: c.store, flaw: c.flaw}, w)
			err := checker.Check(context.Background(), p)
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("found %v, want %q", err, c.want)
			}
		})
	}
}

// A server that answers everybody as the first origin is asked for that only.
func TestCheckOfTheBlind(t *testing.T) {
	p, checker := start(t, &toy{flaw: func(h http.Header, _ http.ResponseWriter) []byte {
		h.Set("Access-Control-Allow-Origin", Origins[0])
		return bare.Content(toySize)
	}}, Work{Size: toySize})
	p.Server = &Server{Memory: true, Blind: true}
	if err := checker.Check(context.Background(), p); err != nil {
		t.Error(err)
	}
}

func TestProtocolIsTheOneThatIsMeasured(t *testing.T) {
	s := &toy{store: true, seen: make(map[string]bool)}
	server := httptest.NewUnstartedServer(s)
	server.StartTLS() // with HTTP/1.1 only
	defer server.Close()
	counter, _ := start(t, s, Work{})
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p := &Process{Server: &Server{}, Place: Place{HTTPS: server.Listener.Addr().String()}}
	checker := Checker{Work: Work{Protocol: TLS, Size: toySize}, Upstream: counter.Place.HTTP, Roots: roots}
	if err := checker.Check(context.Background(), p); err != nil {
		t.Error(err)
	}
	checker.Work.Protocol = HTTP2
	if err := checker.Check(context.Background(), p); err == nil {
		t.Error("HTTP/2 is found where there is none")
	}
}

func TestCountErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "many") }))
	defer server.Close()
	for _, upstream := range []string{server.Listener.Addr().String(), "127.0.0.1:0", "not an address"} {
		if n, err := Count(context.Background(), upstream); err == nil {
			t.Errorf("%s counts %d", upstream, n)
		}
	}
}

func TestURL(t *testing.T) {
	p := Place{HTTP: "h:1", HTTPS: "s:2"}
	for protocol, want := range map[Protocol]string{HTTP1: "http://h:1/page", TLS: "https://s:2/page", HTTP2: "https://s:2/page"} {
		if got := (Work{Protocol: protocol}).URL(p); got != want {
			t.Errorf("%d is at %s, want %s", protocol, got, want)
		}
	}
}

// free finds a port that was free a moment ago.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
