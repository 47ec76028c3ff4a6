package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	originApp     = "https://app.example.com"
	originPartner = "https://shop.partner.example.com"
	originOther   = "https://evil.example.net"
)

// partners is a policy with an exact rule and a pattern.
var partners = config.CORSPolicy{Name: "partners", Config: corslayer.Config{
	Origins: []string{originApp, "https://*.partner.example.com"},
	Methods: []string{"GET", "PUT"}, Headers: []string{"Content-Type"},
	Credentials: true,
}}

// testConfig is a checked configuration with one upstream and the routes that
// edit makes of one for "/".
func testConfig(t *testing.T, upstream string, edit func(*config.Config)) *config.Config {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Server.HTTP = []string{"127.0.0.1:0"}
	c.Admin.Address = "127.0.0.1:0"
	c.Store.MemorySize = 8 << 20
	up := config.NewUpstream("up")
	up.Servers = []*url.URL{u}
	c.Upstreams = []config.Upstream{up}
	c.CORS = []config.CORSPolicy{partners}
	c.Routes = []config.Route{config.NewRoute("", "/", "up")}
	c.Routes[0].CORS = config.RouteCORS{Mode: corslayer.ModeOwn, Policy: "partners"}
	if edit != nil {
		edit(c)
	}
	if errs := c.Check().Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}

// upstreamOf runs h until the test ends.
func upstreamOf(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// page answers with fields and the number of the request.
func page(fields ...string) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		n++
		me := n
		mu.Unlock()
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			w.Header().Add(name, value)
		}
		fmt.Fprintf(w, "answer %d", me)
	}
}

// running is an App that serves until the test ends.
type running struct {
	*App
	t      *testing.T
	client *http.Client
	log    *syncBuffer
	ran    chan error
}

func run(t *testing.T, c *config.Config) *running {
	t.Helper()
	log := new(syncBuffer)
	a, err := Build(c, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	r := &running{App: a, t: t, client: &http.Client{Transport: transport}, log: log, ran: make(chan error, 1)}
	go func() { r.ran <- a.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := a.Drain(t.Context()); err != nil && t.Context().Err() == nil {
			t.Errorf("Drain: %v", err)
		}
		<-r.ran
	})
	return r
}

// get asks the proxy and returns the response with its content read.
func (r *running) get(path string, fields ...string) (*http.Response, string) {
	r.t.Helper()
	return r.ask(http.MethodGet, "http://"+r.Addrs()[0].String()+path, fields...)
}

func (r *running) ask(method, target string, fields ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, target, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(b)
}

// metrics returns the lines of /metrics that begin with name.
func (r *running) metrics(name string) string {
	r.t.Helper()
	_, text := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/metrics")
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
