package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/store/memory"
	"veneer/cache/store/storetest"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
	"veneer/upstream/route"
)

const originsConfig = `
cors:
  list:
    origins: ["https://a.example", "https://b.example", "https://*.partner.example"]
    credentials: true
    expose: [ETag]
  any: { origins: ["*"] }
  static: { origins: ["https://a.example"] }
upstreams: { app: { servers: ["http://127.0.0.1:1"] } }
routes:
  - { match: { path: /list/ }, upstream: app, cors: list }
  - { match: { path: /shared/ }, upstream: app, cors: list, cache: { key: { origin: shared } } }
  - { match: { path: /any/ }, upstream: app, cors: any }
  - { match: { path: /static/ }, upstream: app, cors: static }
  - { match: { path: /off/ }, upstream: app, cors: "off" }
  - { match: { path: /pass/ }, upstream: app, cors: pass }
`

// originTier is an Engine over the routes of originsConfig and an upstream in
// the process.
func originTier(t failer, upstream http.RoundTripper, now func() time.Time) (engine *cache.Engine, closeAll func()) {
	cfg, problems := config.Parse("origins.yaml", []byte(originsConfig), func(string) (string, bool) { return "", false })
	if cfg == nil {
		t.Fatalf("%v", problems)
	}
	store, err := memory.New(memory.Config{Size: 16 << 20})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var entries []route.Entry[*cache.Route]
	for i := range cfg.Routes {
		rt := &cfg.Routes[i]
		l := newLayer(layerSpecOf(cfg, rt), cfg.NewPolicy(rt), new(upstreamMarks), slog.New(slog.DiscardHandler))
		var s cache.Store = store
		if rt.CORS.Mode != corslayer.ModePass {
			s = storetest.Bare(t, store)
		}
		entries = append(entries, route.Entry[*cache.Route]{Path: rt.Path, Value: compileRoute(rt, l, upstream, s, 1<<20)})
	}
	table, conflicts := route.New(entries)
	if conflicts != nil {
		t.Fatalf("%v", conflicts)
	}
	engine = cache.New(cache.Config{Plan: &cache.Plan{Router: table}, Now: now})
	return engine, func() {
		ctx, cancel := contextForClose()
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		store.Close()
	}
}

// faultyApp is an application that gets CORS wrong in every way that the seed
// document knows; the query says how.
type faultyApp struct{ requests atomic.Int64 }

func (f *faultyApp) RoundTrip(r *http.Request) (*http.Response, error) {
	f.requests.Add(1)
	w := httptest.NewRecorder()
	h := w.Header()
	q := r.URL.Query()
	h.Set("Cache-Control", q.Get("cc"))
	h.Set("ETag", `"`+q.Get("v")+`"`)
	origin := r.Header.Get("Origin")
	switch q.Get("acao") {
	case "echo": // forgets Vary
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	case "vary":
		h.Set("Vary", "Accept-Encoding, Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	case "double":
		h["Access-Control-Allow-Origin"] = []string{"*", "*"}
	case "any":
		h.Set("Access-Control-Allow-Origin", "*")
	}
	status := http.StatusOK
	switch {
	case q.Get("status") == "500":
		status = http.StatusInternalServerError
	case r.Header.Get("If-None-Match") == h.Get("ETag"):
		status = http.StatusNotModified
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		io.WriteString(w, "content")
	}
	res := w.Result()
	res.ContentLength = int64(w.Body.Len())
	return res, nil
}

var (
	allOrigins = []string{
		"", "https://a.example", "https://b.example", "https://x.partner.example", "https://y.partner.example",
		"https://evil.example", "null", "https://a.example/", "HTTPS://A.EXAMPLE", "https://a.example, https://b.example", "x",
	}
	listed = []string{"https://a.example", "https://b.example", "https://x.partner.example", "https://y.partner.example"}
)

// Over random sequences of requests, origins, policies and upstream answers no
// response carries another origin's Access-Control-Allow-Origin, and none
// carries two.
func TestNobodyGetsAnothersOrigin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clock atomic.Int64
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		app := &faultyApp{}
		engine, closeAll := originTier(t, app, func() time.Time { return start.Add(time.Duration(clock.Load())) })
		defer closeAll()
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			clock.Add(int64(rapid.SampledFrom([]time.Duration{0, time.Second, 6 * time.Second}).Draw(t, "pause")))
			mode := rapid.SampledFrom([]string{"list", "shared", "any", "static", "off", "pass"}).Draw(t, "route")
			target := fmt.Sprintf("http://site.example/%s/x?acao=%s&cc=%s&status=%s&v=1", mode,
				rapid.SampledFrom([]string{"echo", "vary", "double", "any", "none"}).Draw(t, "acao"),
				rapid.SampledFrom([]string{"max-age=5", "max-age=5,stale-while-revalidate=5", "no-store", "no-cache"}).Draw(t, "cc"),
				rapid.SampledFrom([]string{"200", "500"}).Draw(t, "status"))
			method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "POST", "OPTIONS"}).Draw(t, "method")
			origin := rapid.SampledFrom(allOrigins).Draw(t, "origin")
			r := httptest.NewRequest(method, target, nil)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			if method == "OPTIONS" {
				r.Header.Set("Access-Control-Request-Method", "GET")
			}
			if rapid.Bool().Draw(t, "conditional") {
				r.Header.Set("If-None-Match", `"1"`)
			}
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, r)
			checkOrigin(t, mode, origin, method == "GET" || method == "HEAD", w)
		}
	})
}

// checkOrigin checks one response against the Emit table of the contract.
func checkOrigin(t *rapid.T, mode, origin string, safe bool, w *httptest.ResponseRecorder) {
	lines := w.Header()["Access-Control-Allow-Origin"]
	acao := strings.Join(lines, " | ")
	want := ""
	switch mode {
	case "list", "shared":
		if slices.Contains(listed, origin) {
			want = origin
		}
	case "any":
		want = "*"
	case "static":
		want = "https://a.example"
	case "pass":
		if acao != "" && acao != "*" && acao != origin {
			t.Fatalf("%s to %q: Access-Control-Allow-Origin: %s", mode, origin, acao)
		}
		return
	}
	if acao != want && w.Code != http.StatusForbidden { // a refused preflight has none
		t.Fatalf("%s to %q, %d: Access-Control-Allow-Origin: %q, want %q", mode, origin, w.Code, acao, want)
	}
	varies := slices.ContainsFunc(w.Header()["Vary"], func(v string) bool { return strings.Contains(v, "Origin") })
	if (mode == "list" || mode == "shared") && !varies {
		t.Fatalf("%s to %q: Vary is %q", mode, origin, w.Header()["Vary"])
	}
	if mode == "off" && len(w.Header()["Access-Control-Allow-Credentials"]) > 0 {
		t.Fatalf("off to %q: %v", origin, w.Header())
	}
	if w.Code == http.StatusNotModified && safe && mode != "any" && mode != "static" && mode != "off" && origin != "" && want == "" {
		t.Fatalf("%s answered 304 to %q, which it refuses", mode, origin)
	}
}

// slowApp answers after a while.
type slowApp struct {
	requests atomic.Int64
	seen     sync.Map // Origin → true
}

func (s *slowApp) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests.Add(1)
	s.seen.Store(r.Header.Get("Origin"), true)
	<-time.After(50 * time.Millisecond)
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: 7, Body: io.NopCloser(strings.NewReader("content")),
		Header: http.Header{
			"Cache-Control": {"max-age=60"}, "Vary": {"Origin, Accept-Encoding"},
			"Access-Control-Allow-Origin": {"https://app.of.the.upstream"}, "Access-Control-Allow-Credentials": {"true"},
		},
	}, nil
}

// Two origins and a client without Origin in one collapsed miss: each gets its
// own CORS fields, from one upstream request.
func TestCollapsedMissOfSeveralOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &slowApp{}
		engine, closeAll := originTier(t, app, nil)
		clients := map[string]*httptest.ResponseRecorder{"": nil, "https://a.example": nil, "https://b.example": nil, "https://evil.example": nil}
		var all sync.WaitGroup
		for origin := range clients {
			w := httptest.NewRecorder()
			clients[origin] = w
			all.Go(func() {
				r := httptest.NewRequest("GET", "http://site.example/shared/x", nil)
				if origin != "" {
					r.Header.Set("Origin", origin)
				}
				engine.ServeHTTP(w, r)
			})
		}
		all.Wait()
		for origin, w := range clients {
			want := origin
			if origin == "https://evil.example" {
				want = ""
			}
			got := strings.Join(w.Header()["Access-Control-Allow-Origin"], " | ")
			credentials := w.Header().Get("Access-Control-Allow-Credentials")
			if got != want || (credentials == "true") != (want != "") || w.Body.String() != "content" {
				t.Errorf("to %q: Access-Control-Allow-Origin %q, credentials %q, %q", origin, got, credentials, w.Body)
			}
			if vary := w.Header()["Vary"]; len(vary) != 1 || !strings.Contains(vary[0], "Origin") || !strings.Contains(vary[0], "Accept-Encoding") {
				t.Errorf("to %q: Vary %q", origin, vary)
			}
		}
		if n := app.requests.Load(); n != 1 {
			t.Errorf("%d upstream requests, want 1", n)
		}
		if _, saw := app.seen.Load(""); !saw {
			t.Error("the upstream saw an Origin that is not in the key")
		}
		closeAll()
	})
}

func contextForClose() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

// failer is what *testing.T and *rapid.T have in common here.
type failer interface {
	storetest.TB
	Fatalf(format string, args ...any)
}
