package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/store/memory"
	"veneer/cache/store/storetest"
)

// Scenarios run on real net/http clients and servers, on both sides of the
// Engine, over connections in memory, in a synctest bubble: the counts and the
// order are exact, and time is virtual.

// pipes is a listener and a dialer of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, fmt.Errorf("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tier is an Engine between a client and an upstream.
type tier struct {
	t        *testing.T
	engine   *cache.Engine
	store    *memory.Store
	upstream *pipes
	front    *pipes
	client   *http.Client
	stop     func()

	mu       sync.Mutex // guards what follows
	seen     []*http.Request
	log      []cache.Decision
	unstored []cachestatus.Reason
}

// toUpstream sends requests to the upstream's listener, whatever their host.
type toUpstream struct{ *http.Transport }

func (u toUpstream) RoundTrip(r *http.Request) (*http.Response, error) {
	url := *r.URL
	url.Scheme, url.Host = "http", "upstream.test"
	out := r.Clone(r.Context())
	out.URL = &url
	return u.Transport.RoundTrip(out)
}

// everyRoute takes every path, or those below /public/ if it is named so.
type everyRoute struct{ route *cache.Route }

func (e everyRoute) Lookup(_, path string) (*cache.Route, bool) {
	if e.route.Name == "public" && !strings.HasPrefix(path, "/public/") {
		return nil, false
	}
	return e.route, true
}

type recorder struct{ tier *tier }

func (r recorder) NotStored(_ *cache.Route, reason cachestatus.Reason) {
	r.tier.mu.Lock()
	r.tier.unstored = append(r.tier.unstored, reason)
	r.tier.mu.Unlock()
}

func (r recorder) Record(_ *cache.Request, d *cache.Decision) {
	r.tier.mu.Lock()
	r.tier.log = append(r.tier.log, *d)
	r.tier.mu.Unlock()
}

// run makes a tier in a bubble, with its upstream's handler, and runs f.
func run(t *testing.T, upstream http.HandlerFunc, f func(*tier), edit ...func(*cache.Route)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := newTier(t, upstream, edit...)
		f(x)
		x.close()
	})
}

func newTier(t *testing.T, upstream http.HandlerFunc, edit ...func(*cache.Route)) *tier {
	x := &tier{t: t, upstream: newPipes(), front: newPipes()}
	store, err := memory.New(memory.Config{Size: 64 << 20, MaxObject: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	x.store = store
	transport := &http.Transport{DialContext: x.upstream.dial, DisableCompression: true}
	route := &cache.Route{
		Name: "test", CORS: noCORS{}, Upstream: toUpstream{transport}, Store: storetest.Bare(t, store),
		MaxObject: 16 << 20, Variants: 32, Origins: 64,
	}
	for _, e := range edit {
		e(route)
	}
	if _, keeps := route.CORS.(interface{ keepsCORS() }); keeps {
		route.Store = store
	}
	x.engine = cache.New(cache.Config{
		Plan:     &cache.Plan{Router: everyRoute{route}, BodyLimit: 1 << 20},
		Recorder: recorder{x},
		Log:      func(_ context.Context, msg string, err any) { t.Errorf("%s: %v", msg, err) },
	})
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.seen = append(x.seen, r)
		x.mu.Unlock()
		upstream(w, r)
	})
	back, front := &http.Server{Handler: counted}, &http.Server{Handler: x.engine}
	go back.Serve(x.upstream)
	go front.Serve(x.front)
	clients := &http.Transport{DialContext: x.front.dial, DisableCompression: true}
	x.client = &http.Client{Transport: clients, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	x.stop = func() {
		clients.CloseIdleConnections()
		front.Close()
		transport.CloseIdleConnections()
		back.Close()
		after(time.Second) // net/http lingers on connections that it closes
	}
	return x
}

func (x *tier) close() {
	x.stop()
	if err := x.engine.Close(context.Background()); err != nil {
		x.t.Errorf("close: %v", err)
	}
	x.store.Close()
}

// requests is how many requests the upstream has had.
func (x *tier) requests() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.seen)
}

// answer is a whole response.
type answer struct {
	*http.Response
	body string
	err  error         // of reading the content
	took time.Duration // virtual
}

func (a answer) status() string { return a.Header.Get("Cache-Status") }

// get sends a request; fields are "Name: value" lines.
func (x *tier) get(path string, fields ...string) answer { return x.do("GET", path, nil, fields...) }

func (x *tier) do(method, path string, body io.Reader, fields ...string) answer {
	x.t.Helper()
	begin := time.Now()
	r := request(x.t, method, path, body, fields...)
	res, err := x.client.Do(r)
	if err != nil {
		return answer{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err, time.Since(begin)}
}

func request(t *testing.T, method, path string, body io.Reader, fields ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://site.example"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// wave sends n requests at once and returns the answers and how long all took.
func (x *tier) wave(n int, path string, fields ...string) ([]answer, time.Duration) {
	begin := time.Now()
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = x.get(path, fields...) })
	}
	all.Wait()
	return answers, time.Since(begin)
}

// after lets virtual time pass.
func after(d time.Duration) { <-time.After(d) }

// drip writes pieces, flushed, with a pause before each but the first.
func drip(w http.ResponseWriter, pause time.Duration, pieces ...string) {
	for i, p := range pieces {
		if i > 0 {
			after(pause)
		}
		io.WriteString(w, p)
		http.NewResponseController(w).Flush()
	}
}

// noCORS is the policy of a route that has none, whose upstream sees Origin.
type noCORS struct{}

func (noCORS) Judge(_ string, origin []string) cache.Origin {
	if len(origin) == 0 {
		return cache.Origin{}
	}
	return cache.Origin{Bucket: origin[0], Forward: true, ForwardRequest: true}
}
func (noCORS) Count(string, []string, cache.Origin)                            {}
func (noCORS) Version() uint64                                                 { return 0 }
func (noCORS) Preflight(http.ResponseWriter, *http.Request, cache.Origin) bool { return false }
func (noCORS) Strip(http.Header, bool)                                         {}
func (noCORS) Observe(http.Header, cache.Origin) cachestatus.Reason            { return cachestatus.None }
func (noCORS) Apply(_, _ http.Header, _ cache.Origin)                          {}

// readHead reads a response head from a raw connection.
func readHead(t *testing.T, br *bufio.Reader, method string) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return res
}
