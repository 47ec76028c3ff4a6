package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves cfg and ends it with the test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// answer is a whole response; Fields are those beside the ones that every
// response has.
type answer struct {
	Status int
	Fields map[string]string
	Text   string
}

// secured are the fields of every response.
var secured = map[string]string{
	"Cache-Control":                "no-store",
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

// ask sends "METHOD PATH" with fields given as "Name: value".
func ask(t *testing.T, s *Server, request string, fields ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequest(method, "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{Status: res.StatusCode, Fields: map[string]string{}, Text: string(text)}
	for name := range res.Header {
		got.Fields[name] = res.Header.Get(name)
	}
	for name, value := range secured {
		if got.Fields[name] != value {
			t.Errorf("%s: %s is %q, want %q", request, name, got.Fields[name], value)
		}
		delete(got.Fields, name)
	}
	for _, name := range []string{"Date", "Content-Length", "Connection"} {
		delete(got.Fields, name)
	}
	return got
}

func problemAnswer(status int, token, detail string, fields ...string) answer {
	a := answer{status, map[string]string{"Content-Type": "application/problem+json"},
		fmt.Sprintf(`{"type":"urn:veneer:problem:%s","title":%q,"status":%d,"detail":%q}`, token, http.StatusText(status), status, detail)}
	for i := 0; i < len(fields); i += 2 {
		a.Fields[fields[i]] = fields[i+1]
	}
	return a
}

var (
	plain       = map[string]string{"Content-Type": "text/plain; charset=utf-8"}
	healthyText = answer{200, plain, "ok\n"}
	readyText   = answer{200, map[string]string{"Content-Type": "application/json"}, "{\"ready\":true}\n"}
	metricsText = answer{200, plain, "numbers\n"}
	askToken    = problemAnswer(401, "token-required", "send Authorization: Bearer with the admin token", "Www-Authenticate", `Bearer realm="veneer"`)
	notThisHost = problemAnswer(421, "misdirected", wrongHost.detail)
	crossOrigin = problemAnswer(403, "cross-origin", otherOrigin.detail)
	purged      = answer{200, plain, "purged\n"}
)

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

func TestOpenOnLoopback(t *testing.T) {
	s := start(t, Config{Metrics: text("numbers\n")})
	s.Handle("POST /api/purge", text("purged\n"))
	port := s.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		request string
		fields  []string
		want    answer
	}{
		{"GET /healthz", nil, healthyText},
		{"GET /readyz", nil, readyText},
		{"GET /metrics", nil, metricsText},
		{"GET /", nil, answer{200, plain, "Veneer admin\n\nPOST /api/purge\nGET /healthz\nGET /metrics\nGET /readyz\n"}},
		{"POST /api/purge", nil, purged},

		{"HEAD /healthz", nil, answer{200, plain, ""}},
		{"POST /healthz", nil, problemAnswer(405, "method-not-allowed", "this path takes GET, HEAD", "Allow", "GET, HEAD")},
		{"POST /", nil, problemAnswer(405, "method-not-allowed", "this path takes GET, HEAD", "Allow", "GET, HEAD")},
		{"GET /api/purge", nil, problemAnswer(405, "method-not-allowed", "this path takes POST", "Allow", "POST")},
		{"GET /none", nil, problemAnswer(404, "not-found", "nothing is served at this path; GET / names what is")},
		{"GET /healthz/", nil, problemAnswer(404, "not-found", "nothing is served at this path; GET / names what is")},

		{"GET /metrics", []string{fmt.Sprintf("Host: localhost:%d", port)}, metricsText},
		{"GET /metrics", []string{"Host: LOCALHOST"}, metricsText},
		{"GET /metrics", []string{"Host: [::1]:9"}, metricsText},
		{"GET /metrics", []string{"Host: [::1]"}, metricsText},
		{"GET /metrics", []string{"Host: 127.8.8.8"}, metricsText},
		{"GET /metrics", []string{"Host: evil.example"}, notThisHost},
		{"GET /healthz", []string{fmt.Sprintf("Host: evil.example:%d", port)}, notThisHost},
		{"GET /metrics", []string{"Host: 192.0.2.1"}, notThisHost},
		{"GET /metrics", []string{"Host: localhost.evil.example"}, notThisHost},
		{"GET /metrics", []string{"Host: 127.0.0.1.evil.example"}, notThisHost},

		{"POST /api/purge", []string{"Sec-Fetch-Site: cross-site"}, crossOrigin},
		{"POST /api/purge", []string{"Origin: https://evil.example"}, crossOrigin},
		{"POST /api/purge", []string{"Sec-Fetch-Site: same-origin"}, purged},
		{"GET /metrics", []string{"Sec-Fetch-Site: cross-site"}, metricsText},
	} {
		t.Run(c.request+" "+strings.Join(c.fields, " "), func(t *testing.T) {
			if diff := cmp.Diff(c.want, ask(t, s, c.request, c.fields...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithToken(t *testing.T) {
	s := start(t, Config{Token: "sesame", Metrics: text("numbers\n")})
	for _, c := range []struct {
		request string
		fields  []string
		want    answer
	}{
		{"GET /healthz", nil, healthyText},
		{"GET /readyz", nil, readyText},
		{"GET /metrics", nil, askToken},
		{"GET /", nil, askToken},
		{"GET /none", nil, askToken},
		{"GET //healthz", nil, askToken},
		{"GET /metrics", []string{"Authorization: Bearer sesame"}, metricsText},
		{"GET /metrics", []string{"Authorization: bearer  sesame"}, metricsText},
		{"GET /metrics", []string{"Authorization: Bearer sesame", "Host: veneer.internal"}, metricsText},
		{"GET /metrics", []string{"Authorization: Bearer sesam"}, askToken},
		{"GET /metrics", []string{"Authorization: Bearer"}, askToken},
		{"GET /metrics", []string{"Authorization: Bearer "}, askToken},
		{"GET /metrics", []string{"Authorization: Basic sesame"}, askToken},
		{"GET /metrics", []string{"Authorization: sesame"}, askToken},
		{"GET /metrics", []string{"Authorization: Bearer wrong", "Authorization: Bearer sesame"}, askToken},
		{"GET /metrics?token=sesame", nil, askToken},
	} {
		t.Run(c.request+" "+strings.Join(c.fields, " "), func(t *testing.T) {
			if diff := cmp.Diff(c.want, ask(t, s, c.request, c.fields...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"not loopback, no token", Config{Address: "0.0.0.0:0"},
			"cannot listen on 0.0.0.0:0 (admin.address) without a token: others can reach it; set admin.token_file, or listen on 127.0.0.1:9090"},
		{"all addresses, no token", Config{Address: ":0"},
			"cannot listen on :0 (admin.address) without a token: others can reach it; set admin.token_file, or listen on 127.0.0.1:9090"},
		{"port taken", Config{Address: busy},
			"cannot listen on " + busy + " (admin.address): listen tcp " + busy + ": bind: address already in use; choose a free address of this machine"},
		{"token with a newline", Config{Address: "127.0.0.1:0", Token: "sesame\n"},
			"cannot use the admin token: it has a space, a control character or a byte beyond ASCII; make one with letters and digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.cfg); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	// With a token every address will do.
	if got := ask(t, start(t, Config{Address: "0.0.0.0:0", Token: "sesame"}), "GET /"); got.Status != 401 {
		t.Errorf("status %d", got.Status)
	}
}

func TestReadiness(t *testing.T) {
	var ready atomic.Bool
	s := start(t, Config{Ready: func() Readiness {
		return Readiness{Ready: ready.Load(), Checks: []Check{
			{Name: "configuration", OK: true},
			{Name: "upstream users", OK: ready.Load(), Detail: "0 of 2 servers take requests"},
		}}
	}})
	want := answer{503, readyText.Fields, `{"ready":false,"checks":[{"name":"configuration","ok":true},{"name":"upstream users","ok":false,"detail":"0 of 2 servers take requests"}]}` + "\n"}
	if diff := cmp.Diff(want, ask(t, s, "GET /readyz")); diff != "" {
		t.Error(diff)
	}
	ready.Store(true)
	if got := ask(t, s, "GET /readyz"); got.Status != 200 {
		t.Errorf("status %d", got.Status)
	}
}

// Registered handlers: path values, a bounded body, problems of their own, a
// page at the root.
func TestHandle(t *testing.T) {
	s := start(t, Config{})
	s.Handle("GET /api/objects/{key}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.PathValue("key"))
	}))
	s.Handle("POST /api/reload", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			WriteProblem(w, r, http.StatusRequestEntityTooLarge, "body-too-large", fmt.Sprint(tooLarge.Limit))
		}
	}))
	s.Handle("GET /{$}", text("page"))
	if got := ask(t, s, "GET /api/objects/a%2Fb"); got.Text != "a/b" {
		t.Errorf("path value: %+v", got)
	}
	if got := ask(t, s, "GET /"); got.Text != "page" {
		t.Errorf("page: %+v", got)
	}
	res, err := http.Post("http://"+s.Addr().String()+"/api/reload", "text/plain", bytes.NewReader(make([]byte, bodyBytes+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	content, _ := io.ReadAll(res.Body)
	if want := problemAnswer(413, "body-too-large", "1048576"); res.StatusCode != http.StatusRequestEntityTooLarge || string(content) != want.Text {
		t.Errorf("%d %s", res.StatusCode, content)
	}
}

// lockedBuffer is a log that a test may read while others write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A panic is answered while nothing was sent, and cuts the response otherwise.
func TestPanic(t *testing.T) {
	var log lockedBuffer
	s := start(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.Handle("GET /before", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		panic("secret")
	}))
	s.Handle("GET /after", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("secret")
	}))
	s.Handle("GET /abort", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if diff := cmp.Diff(problemAnswer(500, "internal", "the request could not be handled"), ask(t, s, "GET /before")); diff != "" {
		t.Error(diff)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	for _, path := range []string{"/after", "/abort"} {
		r := httptest.NewRequest(http.MethodGet, "http://"+s.Addr().String()+path, nil)
		res, err := tr.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the response looks complete", path)
		}
	}
	if n := strings.Count(log.String(), "panic in an admin handler"); n != 2 {
		t.Errorf("%d panics in the log, want 2: %s", n, log.String())
	}
}

func TestShutdownFinishesRequests(t *testing.T) {
	s := start(t, Config{})
	began, goOn := make(chan struct{}), make(chan struct{})
	s.Handle("GET /wait", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-goOn
		_, _ = io.WriteString(w, "done")
	}))
	got := make(chan answer, 1)
	go func() { got <- ask(t, s, "GET /wait") }()
	<-began
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	close(goOn)
	if a := <-got; a.Text != "done" {
		t.Errorf("got %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// The end of Serve's context cuts the requests, and their contexts end.
func TestServeEndsWithItsContext(t *testing.T) {
	s, err := New(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan struct{}), make(chan struct{})
	s.Handle("GET /wait", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}))
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-began
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestShutdownWithoutServe(t *testing.T) {
	s, err := New(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := s.Serve(context.Background()); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// Whatever the Host field has, no name passes but localhost and the listener's:
// the rest is made of what addresses are made of.
func FuzzKnowsHost(f *testing.F) {
	for _, h := range []string{"localhost", "localhost:1", "[::1]:1", "127.0.0.1", "evil.example", "[::ffff:127.0.0.1]", "", ":", "[", "fe80::1%lo", "::1%x", "me.example:80"} {
		f.Add(h)
	}
	g := guard{listen: "me.example"}
	f.Fuzz(func(t *testing.T, host string) {
		name := host
		if n, _, err := net.SplitHostPort(host); err == nil {
			name = n
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		if !g.knowsHost(host) || name == "localhost" || name == "me.example" {
			return
		}
		if ip := net.ParseIP(name); ip == nil || !ip.IsLoopback() {
			t.Errorf("%q passed", host)
		}
	})
}

// Another token is held to what New asks of one.
func TestPlanToken(t *testing.T) {
	open, err := New(Config{Address: "0.0.0.0:0", Token: "first"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Shutdown(context.Background()) })
	for token, want := range map[string]string{
		"":      "cannot listen on 0.0.0.0:0 (admin.address) without a token",
		"a b":   "cannot use the admin token",
		"other": "",
	} {
		commit, err := open.PlanToken(token)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || (commit == nil) != (err != nil) {
			t.Errorf("%q: got %v, want %q in it", token, err, want)
		}
	}
	if g := open.guard.token.Load(); g == nil || !g.authorizes([]string{"Bearer first"}) || g.authorizes([]string{"Bearer other"}) {
		t.Error("a plan alone has changed the token")
	}
}
