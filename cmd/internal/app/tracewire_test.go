package app

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/store/memory"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/cmd/internal/telemetry/collectortest"
)

const (
	traceID         = "0af7651916cd43dd8448eb211c80319c"
	sampledParent   = "00-" + traceID + "-b7ad6b7169203331-01"
	unsampledParent = "00-" + traceID + "-b7ad6b7169203331-00"
)

// heard is an upstream that keeps what it is sent.
type heard struct {
	mu  sync.Mutex
	all []http.Header
}

func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.all = append(h.all, r.Header.Clone())
	h.mu.Unlock()
	w.Header().Set("Cache-Control", "max-age=60")
	fmt.Fprint(w, "hello")
}

func (h *heard) last() http.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[len(h.all)-1]
}

// What the upstream is told of the trace.
func TestTracePropagation(t *testing.T) {
	removed := func(c *config.Config) { c.Routes[0].Headers.Request.Remove = []string{"Traceparent", "Tracestate"} }
	third := func(c *config.Config) {
		c.Upstreams[0].External = &config.External{PrivateAddresses: true}
		c.Routes[0].Cache.Key.Origin = 0
	}
	for _, c := range []struct {
		name   string
		sample float64
		edit   func(*config.Config)
		method string
		fields []string
		parent string   // of the server span; "none": there are no spans
		told   string   // traceparent, with … for the ids of the fetch
		state  []string // tracestate
	}{
		{"its parent goes on", 0, nil, "GET", []string{"Traceparent: " + sampledParent, "Tracestate: a=1, b=2"}, "b7ad6b7169203331", "00-" + traceID + "-…-01", []string{"a=1,b=2"}},
		{"the same for one client alone", 0, nil, "POST", []string{"Traceparent: " + sampledParent}, "b7ad6b7169203331", "00-" + traceID + "-…-01", nil},
		{"a parent without a trace passes", 1, nil, "GET", []string{"Traceparent: " + unsampledParent, "Tracestate: a=1,  b=2"}, "none", unsampledParent, []string{"a=1,  b=2"}},
		{"a root", 1, nil, "GET", nil, "", "00-…-…-01", nil},
		{"a malformed parent is none", 1, nil, "GET", []string{"Traceparent: 00-1-1-01", "Tracestate: a=1"}, "", "00-…-…-01", nil},
		{"two parents are none", 1, nil, "GET", []string{"Traceparent: " + sampledParent, "Traceparent: " + unsampledParent}, "", "00-…-…-01", nil},
		{"nothing", 0, nil, "GET", nil, "none", "", nil},
		{"a route may remove it", 1, removed, "GET", []string{"Traceparent: " + sampledParent, "Tracestate: a=1"}, "b7ad6b7169203331", "", nil},
		{"a third party learns nothing", 1, third, "GET", []string{"Traceparent: " + sampledParent, "Tracestate: a=1"}, "b7ad6b7169203331", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := new(heard)
			r := runTraced(t, upstreamOf(t, up.ServeHTTP), c.sample, c.edit)
			res, _ := r.ask(c.method, "http://"+r.Addrs()[0].String()+"/a", c.fields...)
			if res.StatusCode != 200 {
				t.Fatalf("status %d", res.StatusCode)
			}
			spans := r.spans()
			want := c.told
			if c.parent == "none" {
				if len(spans) > 0 {
					t.Errorf("spans: %v", spans)
				}
			} else {
				server, fetch := r.only("GET */", "POST */"), r.only("upstream.fetch")
				if server.Parent != c.parent || fetch.Parent != server.ID || fetch.Trace != server.Trace {
					t.Errorf("server span %+v\nfetch %+v", server, fetch)
				}
				want = strings.Replace(strings.Replace(want, "00-…", "00-"+fetch.Trace, 1), "…", fetch.ID, 1)
			}
			got := up.last()
			if diff := cmp.Diff([]string{want}, append(got["Traceparent"], "")[:1]) + cmp.Diff(c.state, got["Tracestate"]); diff != "" {
				t.Errorf("the upstream is told (-want +got):\n%s", diff)
			}
		})
	}
}

// What the upstream chose by the trace that it was told of is nobody else's,
// also where it came with the answer to a POST.
func TestPostedByTraceIsNotStored(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "max-age=60")
		h.Set("Content-Location", "/a")
		h.Set("Vary", "Traceparent")
		fmt.Fprint(w, r.Method)
	})
	r := runTraced(t, up, 1, nil)
	at := "http://" + r.Addrs()[0].String() + "/a"
	r.ask("POST", at)
	if res, body := r.ask("GET", at); body != "GET" {
		t.Errorf("got %q, %s", body, res.Header.Get("Cache-Status"))
	}
}

// only returns the one span with one of the names.
func (r *traced) only(names ...string) collectortest.Span {
	r.t.Helper()
	var found []collectortest.Span
	for _, s := range r.collector.Spans() {
		if slices.Contains(names, s.Name) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("there are %d spans %q", len(found), names)
	}
	return found[0]
}

// The attributes of the conventions, bounded and valid, and none of what is
// confidential.
func TestTraceAttributes(t *testing.T) {
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60", "Set-Cookie: sesame=1; Domain=sesame")), 1, nil)
	host := r.Addrs()[0].String()
	r.get("/"+strings.Repeat("a", 9000)+"?token=sesame&sesame#sesame", "Cookie: sesame=sesame", "Authorization: Bearer sesame",
		"Referer: http://sesame/", "X-Api-Key: sesame", "Origin: "+originApp, "User-Agent: \xff"+strings.Repeat("u", 400))
	spans := r.spans()
	if text := fmt.Sprint(spans); strings.Contains(text, "sesame") {
		t.Errorf("something confidential is in the spans:\n%s", text)
	}
	addr, port, _ := strings.Cut(host, ":")
	want := map[string]string{
		"http.request.method": "GET", "http.route": "*/", "http.response.status_code": "200",
		"url.path": "/" + strings.Repeat("a", 511), "url.scheme": "http", "server.address": addr, "server.port": port,
		"network.protocol.version": "1.1", "user_agent.original": "\uFFFD" + strings.Repeat("u", 255),
		"cache.result": "miss", "cache.forward": "uri-miss", "cache.reason": "authorization", "cache.stored": "false", "cache.collapsed": "false",
	}
	if diff := cmp.Diff(want, r.only("GET */").Attributes); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	up, _ := url.Parse(r.plan.cfg.Upstreams[0].Servers[0].String())
	want = map[string]string{
		"http.request.method": "GET", "http.response.status_code": "200", "server.address": up.Hostname(), "server.port": up.Port(),
	}
	if diff := cmp.Diff(want, r.only("upstream.fetch").Attributes); diff != "" {
		t.Errorf("fetch (-want +got):\n%s", diff)
	}
}

// The lane answers hits that are traced, too, and their spans are those of the
// handler.
func TestTraceAndLane(t *testing.T) {
	const fetched = `server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=60 {cors.decision cors.decision=allowed}
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
`
	const hit = `server GET */ 200 result=hit stored=false collapsed=false ttl=60 {cors.decision cors.decision=allowed}
  internal cache.lookup found=true
`
	const head = `server HEAD */ 200 result=hit stored=false collapsed=false ttl=60 {cors.decision cors.decision=allowed}
  internal cache.lookup found=true
`
	var seen [2][]collectortest.Span
	for i, lane := range []bool{true, false} {
		r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 0, func(c *config.Config) { c.Server.Lane = lane })
		var handled atomic.Int64
		r.server.Swap(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			handled.Add(1)
			r.engine.ServeHTTP(w, q)
		}))
		at := "http://" + r.Addrs()[0].String() + "/a?b"
		for n, c := range []struct {
			method string
			fields []string
		}{
			{"GET", []string{"Traceparent: " + sampledParent}}, // the miss
			{"GET", nil},
			{"GET", []string{"Traceparent: " + unsampledParent}},
			{"GET", []string{"Traceparent: nonsense"}},
			{"GET", []string{"Traceparent: " + sampledParent, "Tracestate: a=1, b=2"}},
			{"HEAD", []string{"Traceparent: " + sampledParent}},
		} {
			handled.Store(0)
			res, _ := r.ask(c.method, at, append(c.fields, "User-Agent: test", "Origin: "+originApp)...)
			want := int64(1)
			if lane && n > 0 {
				want = 0
			}
			if got := handled.Load(); got != want || res.StatusCode != 200 {
				t.Errorf("%s %q: the handler had %d, want %d; status %d", c.method, c.fields, got, want, res.StatusCode)
			}
		}
		seen[i] = r.spans()
		if diff := cmp.Diff(fetched+hit+head, tree(rooted(seen[i]))); diff != "" {
			t.Errorf("lane %v (-want +got):\n%s", lane, diff)
		}
	}
	if diff := cmp.Diff(seen[1], seen[0], cmp.Transformer("withoutChance", withoutChance)); diff != "" {
		t.Errorf("the lane's spans are others (-handler +lane):\n%s", diff)
	}
}

// rooted makes the spans below the sampled parent roots, as tree begins.
func rooted(spans []collectortest.Span) []collectortest.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		spans[i].Parent = strings.TrimPrefix(spans[i].Parent, "b7ad6b7169203331")
	}
	return spans
}

// withoutChance is a span but for its ids, times and ports, with its duration
// only as far as it makes sense.
func withoutChance(s collectortest.Span) map[string]any {
	attributes := maps.Clone(s.Attributes)
	delete(attributes, "server.port")
	return map[string]any{
		"name": s.Name, "kind": s.Kind, "trace": s.Trace, "root": s.Parent == "b7ad6b7169203331", "state": s.State, "attributes": attributes,
		"events": s.Events, "error": s.Error, "status": s.Status, "links": len(s.Links), "backwards": s.End < s.Start,
	}
}

// A collector that never answers: requests go on, and the end is bounded.
func TestTracesToASilentCollector(t *testing.T) {
	base, came := collectortest.Silent(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 1, func(c *config.Config) { c.Telemetry.Traces.Endpoint = base })
	r.get("/a")
	<-came
	begin := time.Now()
	for range 200 { // of which the first ten fill the queue
		if res, _ := r.get("/a"); res.StatusCode != 200 {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	if took := time.Since(begin); took > 10*time.Second { // a wait for the collector would be as long as that, once
		t.Errorf("200 hits took %v", took)
	}
	begin = time.Now()
	if err := r.Drain(t.Context()); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if took := time.Since(begin); took > lastGrace+3*time.Second {
		t.Errorf("Drain took %v", took)
	}
	if log := r.log.String(); !strings.Contains(log, "traces cannot be exported") {
		t.Errorf("nothing is said of it:\n%s", log)
	}
}

// A collapsed waiter's wait is linked to the request whose fetch it waits for,
// and nothing of the fetch is the waiter's. In a bubble, where it is known who
// came first.
func TestTraceCollapsed(t *testing.T) {
	for _, c := range []struct {
		name, reply string // Cache-Control
		leader      string // traceparent
		want        string
	}{
		{"shared", "max-age=60", sampledParent, `server GET all 200 result=miss forward=uri-miss stored=true collapsed=false ttl=59
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET all 200 result=collapsed forward=uri-miss stored=false collapsed=true ttl=59
  internal cache.lookup found=false
  internal cache.wait →leader
`},
		{"not shared", "no-store", sampledParent, `server GET all 200 result=miss forward=uri-miss stored=false collapsed=false reason=no-store
  internal cache.lookup found=false
  client upstream.fetch 200
server GET all 200 result=miss forward=uri-miss stored=false collapsed=false reason=no-store
  internal cache.lookup found=false
  internal cache.wait →leader
  client upstream.fetch 200
`},
		{"the leader has no trace", "max-age=60", unsampledParent, `server GET all 200 result=collapsed forward=uri-miss stored=false collapsed=true ttl=59
  internal cache.lookup found=false
  internal cache.wait
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			collector := collectortest.New(t)
			synctest.Test(t, func(t *testing.T) { collapse(t, collector, c.reply, c.leader) })
			spans := collector.Spans()
			leader := ""
			for i := range spans {
				if s := &spans[i]; s.Kind == "server" && s.Trace == traceID {
					leader, s.Parent = s.ID, ""
				}
			}
			for i := range spans {
				for _, l := range spans[i].Links {
					if l == leader {
						spans[i].Name += " →leader"
					}
				}
			}
			if diff := cmp.Diff(c.want, tree(spans)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A handler that panics ends its span, with no word of the panic in it.
func TestTraceOfAPanic(t *testing.T) {
	r := runTraced(t, upstreamOf(t, page()), 1, nil)
	broken := *r.plan.engine
	broken.Router = anyRoute{&cache.Route{Name: "broken", CORS: panicking{}}}
	r.engine.Swap(&broken)
	if res, _ := r.get("/a"); res.StatusCode != 500 {
		t.Fatalf("status %d", res.StatusCode)
	}
	if diff := cmp.Diff("server HTTP ERROR(panic)\n", tree(r.spans())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type panicking struct{ nobodys }

func (panicking) Judge(string, []string) cache.Origin { panic("sesame") }

// collapse sends a request whose fetch takes a second, then another one.
func collapse(t *testing.T, collector *collectortest.Collector, reply, leader string) {
	tel, err := telemetry.New(telemetry.Config{Traces: &telemetry.TracesConfig{Endpoint: collector.URL, Sample: 1}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	up := roundTripper(func(*http.Request) *http.Response {
		<-time.After(time.Second)
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", reply)
		fmt.Fprint(w, "hello")
		return w.Result()
	})
	engine := cache.New(cache.Config{
		Trace: engineTracer(tel.Traces()),
		Plan: &cache.Plan{Router: anyRoute{&cache.Route{
			Name: "all", CORS: nobodys{}, Upstream: up, Store: store, MaxObject: 1 << 20, Variants: 1,
		}}},
	})
	var both sync.WaitGroup
	for _, parent := range []string{leader, ""} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://a.example/a", nil)
		if parent != "" {
			r.Header.Set("Traceparent", parent)
		}
		both.Go(func() { engine.ServeHTTP(httptest.NewRecorder(), r) })
		synctest.Wait()
		<-time.After(time.Millisecond) // of the bubble: who came first began first
	}
	both.Wait()
	if err := engine.Close(context.Background()); err != nil {
		t.Error(err)
	}
	store.Close()
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

type anyRoute struct{ route *cache.Route }

func (o anyRoute) Lookup(string, string) (*cache.Route, bool) { return o.route, true }

// nobodys is no CORS policy.
type nobodys struct{}

func (nobodys) Judge(string, []string) cache.Origin                             { return cache.Origin{} }
func (nobodys) Count(string, []string, cache.Origin)                            {}
func (nobodys) Preflight(http.ResponseWriter, *http.Request, cache.Origin) bool { return false }
func (nobodys) Strip(http.Header, bool)                                         {}
func (nobodys) Observe(http.Header, cache.Origin) cachestatus.Reason            { return cachestatus.None }
func (nobodys) Apply(_, _ http.Header, _ cache.Origin)                          {}
func (nobodys) Version() uint64                                                 { return 0 }
