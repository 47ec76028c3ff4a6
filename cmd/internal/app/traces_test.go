package app

import (
	"cmp"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry"
	"veneer/cmd/internal/telemetry/collectortest"
)

// traced is an App that sends its traces to a collector.
type traced struct {
	*running
	collector *collectortest.Collector
}

func runTraced(t *testing.T, upstream string, sample float64, edit func(*config.Config)) *traced {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
	} {
		t.Setenv(name, "")
	}
	c := collectortest.New(t)
	r := &traced{run(t, testConfig(t, upstream, func(cfg *config.Config) {
		cfg.Telemetry.Traces = &config.Traces{Endpoint: c.URL, Sample: sample}
		if edit != nil {
			edit(cfg)
		}
	})), c}
	// On a kept connection a client that has the whole answer does not leave
	// before the handler has returned; and it is the lane's.
	kept := &http.Transport{DisableCompression: true}
	t.Cleanup(kept.CloseIdleConnections)
	r.client.Transport = kept
	return r
}

// spans ends the App, which sends everything, and returns the spans.
func (r *traced) spans() []collectortest.Span {
	r.t.Helper()
	if err := r.Drain(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.collector.Spans()
}

// tree writes spans as lines, those of a trace together and below their parent,
// in the order in which they began.
func tree(spans []collectortest.Span) string {
	slices.SortStableFunc(spans, func(a, b collectortest.Span) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	var below func(parent, indent string)
	below = func(parent, indent string) {
		for _, s := range spans {
			if s.Parent == parent {
				b.WriteString(indent + s.Kind + " " + s.Name + marks(s) + "\n")
				below(s.ID, indent+"  ")
			}
		}
	}
	below("", "")
	return b.String()
}

// marks are what a test of trees looks at.
func marks(s collectortest.Span) string {
	var b strings.Builder
	if v := s.Attributes["http.response.status_code"]; v != "" {
		b.WriteString(" " + v)
	}
	for _, n := range []string{"result", "forward", "found", "stored", "collapsed", "reason", "ttl"} {
		if v := s.Attributes["cache."+n]; v != "" {
			b.WriteString(" " + n + "=" + v)
		}
	}
	if v := s.Attributes["http.request.resend_count"]; v != "" {
		b.WriteString(" resent=" + v)
	}
	for _, e := range s.Events {
		b.WriteString(" {" + e + "}")
	}
	if s.Error {
		b.WriteString(" ERROR(" + s.Attributes["error.type"] + s.Status + ")")
	}
	return b.String()
}

// Every kind of answer, whole, with a lane and without one.
func TestTrees(t *testing.T) {
	const down = "http://127.0.0.1:1" // a port that no system gives to who asks for any
	revalidated := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", `"a"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, "hello") // a client knows of an empty answer before it is stored
	}
	failing := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "fail" || r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(500)
			return
		}
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=60")
		w.Header().Set("ETag", `"a"`)
		io.WriteString(w, "hello")
	}
	ask := func(requests ...string) func(*traced) {
		return func(r *traced) {
			for _, q := range requests {
				f := strings.Fields(q)
				fields := []string(nil)
				for _, field := range f[2:] {
					fields = append(fields, strings.Replace(field, ":", ": ", 1))
				}
				r.ask(f[0], "http://"+r.Addrs()[0].String()+f[1], fields...)
			}
		}
	}
	for _, c := range []struct {
		name     string
		upstream http.HandlerFunc // nil: there is none
		edit     func(*config.Config)
		ask      func(*traced)
		want     string
	}{
		{"a miss and its hit", page("Cache-Control: max-age=60"), nil, ask("GET /a", "GET /a"), `
server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=60
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET */ 200 result=hit stored=false collapsed=false ttl=60
  internal cache.lookup found=true
`},
		{"not stored", page("Cache-Control: no-store"), nil, ask("GET /a"), `
server GET */ 200 result=miss forward=uri-miss stored=false collapsed=false reason=no-store
  internal cache.lookup found=false
  client upstream.fetch 200
`},
		{"varies on the trace", page("Cache-Control: max-age=60", "Vary: traceparent"), nil, ask("GET /a"), `
server GET */ 200 result=miss forward=uri-miss stored=false collapsed=false reason=vary-star
  internal cache.lookup found=false
  client upstream.fetch 200
`},
		{"validated", revalidated, nil, ask("GET /a", "GET /a"), `
server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=0
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET */ 200 result=revalidated forward=stale stored=true collapsed=false reason=no-cache ttl=0
  internal cache.lookup found=true
  client upstream.fetch 304
  internal cache.store stored=true
`},
		{"stale for an error", failing, nil, ask("GET /a", "GET /a"), `
server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=0
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET */ 200 result=stale forward=stale stored=false collapsed=false reason=stale-served ttl=0
  internal cache.lookup found=true
  client upstream.fetch 500 ERROR(500)
`},
		{"an error of the upstream's", failing, nil, ask("GET /a?fail"), `
server GET */ 500 result=miss forward=uri-miss stored=false collapsed=false reason=no-freshness ERROR(500)
  internal cache.lookup found=false
  client upstream.fetch 500 ERROR(500)
`},
		{"no upstream", nil, nil, ask("GET /a"), `
server GET */ 502 result=error forward=uri-miss stored=false collapsed=false reason=upstream-unreachable ERROR(upstream-unreachable)
  internal cache.lookup found=false
  client upstream.fetch resent=1 ERROR(upstream-unreachable)
`},
		{"a POST", page(), nil, ask("POST /a"), `
server POST */ 200 result=bypass forward=method stored=false collapsed=false reason=method
  client upstream.fetch 200
`},
		{"a HEAD", page(), nil, ask("HEAD /a"), `
server HEAD */ 200 result=miss forward=uri-miss stored=false collapsed=false reason=method
  internal cache.lookup found=false
  client upstream.fetch 200
`},
		{"no route", page(), func(c *config.Config) { c.Routes[0].Path = "/x/" }, ask("GET /a"), `
server GET 404 result=error stored=false collapsed=false reason=no-route
`},
		{"an unknown method", page(), nil, ask("BREW /a"), `
server HTTP */ 200 result=bypass forward=method stored=false collapsed=false reason=method
  client upstream.fetch 200
`},
		{"only-if-cached", page(), nil, ask("GET /a Cache-Control:only-if-cached"), `
server GET */ 504 result=error stored=false collapsed=false reason=only-if-cached ERROR(only-if-cached)
  internal cache.lookup found=false
`},
		{"allowed and refused", page("Cache-Control: max-age=60"), nil, ask("GET /a Origin:"+originApp, "GET /a Origin:"+originOther, "GET /a Origin:null", "GET /a Origin:x"), `
server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=60 {cors.decision cors.decision=allowed}
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET */ 200 result=miss forward=uri-miss stored=true collapsed=false ttl=60 {cors.decision cors.decision=refused}
  internal cache.lookup found=false
  client upstream.fetch 200
  internal cache.store stored=true
server GET */ 200 result=hit stored=false collapsed=false ttl=60 {cors.decision cors.decision=null}
  internal cache.lookup found=true
server GET */ 200 result=hit stored=false collapsed=false ttl=60 {cors.decision cors.decision=bad}
  internal cache.lookup found=true
`},
		{"preflights", page(), nil, ask("OPTIONS /a Access-Control-Request-Method:PUT Origin:"+originApp, "OPTIONS /a Access-Control-Request-Method:PUT Origin:"+originOther), `
server OPTIONS */ 204 result=preflight stored=false collapsed=false {cors.decision cors.decision=preflight_ok}
server OPTIONS */ 403 result=preflight stored=false collapsed=false {cors.decision cors.decision=preflight_refused_origin}
`},
		{"a preflight, with debug", page(), func(c *config.Config) { c.CORS[0].Config.Debug = true }, ask("OPTIONS /a Access-Control-Request-Method:BREW Origin:" + originApp), `
server OPTIONS */ 204 result=preflight stored=false collapsed=false {cors.decision cors.decision=preflight_refused_method cors.reason=the policy does not allow the method "BREW" cors.origin=` + originApp + `}
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := down
			if c.upstream != nil {
				at = upstreamOf(t, c.upstream)
			}
			for _, lane := range []bool{true, false} {
				r := runTraced(t, at, 1, func(cfg *config.Config) {
					if cfg.Server.Lane = lane; c.edit != nil {
						c.edit(cfg)
					}
				})
				c.ask(r)
				if diff := gocmp.Diff(strings.TrimPrefix(c.want, "\n"), tree(r.spans())); diff != "" {
					t.Errorf("lane %v (-want +got):\n%s", lane, diff)
				}
			}
		})
	}
}

// Each word of telemetry.traces.parents means what it says.
func TestParents(t *testing.T) {
	for word, want := range map[string]telemetry.Parents{
		"bounded": telemetry.ParentsBounded, "all": telemetry.ParentsAll, "trusted": telemetry.ParentsTrusted, "none": telemetry.ParentsNone,
	} {
		c, problems := config.Parse("x", []byte("telemetry: { traces: { parents: "+word+" } }\nupstreams: { up: { servers: \"http://127.0.0.1:1\" } }\nroutes: [{ upstream: up }]\n"), nil)
		if c == nil {
			t.Fatal(problems)
		}
		if got := new(App).tracesConfig(c).Parents; got != want {
			t.Errorf("%s is %d, want %d", word, got, want)
		}
	}
}

// A parent from a peer that is not trusted makes no trace where only those of
// trusted ones do, in the lane (the hit) as behind it.
func TestParentsOfTrustedPeers(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 0, func(c *config.Config) {
			c.Server.Lane = true
			c.Telemetry.Traces.Parents = config.ParentsTrusted
			if trusted {
				c.Server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		for range 2 {
			r.get("/a", "Traceparent: "+sampledParent)
		}
		n := 0
		for _, s := range r.spans() {
			if s.Kind == "server" && s.Parent == sampledParent[36:52] {
				n++
			}
		}
		if want := map[bool]int{true: 2}[trusted]; n != want {
			t.Errorf("trusted %t: %d requests are traced, want %d", trusted, n, want)
		}
	}
}

// seen is an observer that hands on the spans of Decisions.
type seen chan trace.Span

func (s seen) Record(_ *cache.Request, d *cache.Decision) { s <- d.Span }

// The Decision of a request that is traced has its span, behind the lane (the
// miss) as in it, and no other has one.
func TestDecisionHasItsSpan(t *testing.T) {
	r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), 0, func(c *config.Config) { c.Server.Lane = true })
	spans := make(seen, 3)
	r.recorder.attach(spans)
	for _, parent := range []string{sampledParent, sampledParent, unsampledParent} {
		r.get("/a", "Traceparent: "+parent)
		s := <-spans
		if got := s != nil && s.SpanContext().TraceID().String() == traceID; got != (parent == sampledParent) {
			t.Errorf("%s: span %v", parent, s)
		}
	}
}

// Where the environment switches traces on that the configuration leaves off, the
// share is that of a section that says nothing.
func TestSampleByEnvironment(t *testing.T) {
	cfg, problems := config.Parse("x", []byte("telemetry: { traces: {} }\nupstreams: { app: { servers: 'http://127.0.0.1:1' } }\nroutes: [{ upstream: app }]\n"), func(string) (string, bool) { return "", false })
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := cfg.Telemetry.Traces.Sample; got != telemetry.DefaultSample {
		t.Errorf("%v is the share of the configuration, and %v that of the environment", got, telemetry.DefaultSample)
	}
}
