package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

// A shadow is counted and told of once a route, acts on nothing, and outlives a
// reload that changes neither policy.
func TestShadow(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60"))
	shadowed := func(c *config.Config) {
		next := partners
		next.Name, next.Config.Origins, next.Config.Methods = "next", []string{originApp, originOther}, []string{"GET"}
		c.CORS[0].Shadow = "next"
		c.CORS = append(c.CORS, next)
	}
	r := run(t, testConfig(t, up, shadowed))
	target := "http://" + r.Addrs()[0].String() + "/"
	asks := func() {
		for origin, acao := range map[string]string{originApp: originApp, originPartner: originPartner, originOther: ""} {
			res, _ := r.get("/", "Origin: "+origin)
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != acao {
				t.Errorf("to %s: %q: the shadow acts", origin, got)
			}
		}
		res, _ := r.ask(http.MethodOptions, target, "Origin: "+originApp, "Access-Control-Request-Method: PUT")
		if res.StatusCode != 204 {
			t.Errorf("preflight: %d: the shadow acts", res.StatusCode)
		}
		r.ask(http.MethodOptions, target, "Origin: "+originOther) // no preflight
	}
	asks()
	if err := r.Reload(testConfig(t, up, func(c *config.Config) { shadowed(c); c.Routes[0].Cache.DefaultTTL = time.Hour })); err != nil {
		t.Fatal(err)
	}
	asks()
	const want = `veneer_cors_shadow_total{difference="fields",route="*/"} 0
veneer_cors_shadow_total{difference="origin_allowed",route="*/"} 4
veneer_cors_shadow_total{difference="origin_refused",route="*/"} 2
veneer_cors_shadow_total{difference="preflight_allowed",route="*/"} 0
veneer_cors_shadow_total{difference="preflight_refused",route="*/"} 2
veneer_cors_shadow_total{difference="request_allowed",route="*/"} 0
veneer_cors_shadow_total{difference="request_refused",route="*/"} 0
`
	if diff := cmp.Diff(want, r.metrics("veneer_cors_shadow_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if log := r.log.String(); strings.Count(log, "the shadow CORS policy would have answered") != 1 || strings.Contains(log, "example") {
		t.Errorf("the log should tell of it once, without an Origin:\n%s", log)
	}
	// The policy's own counters count each request once.
	const decisions = `veneer_cors_decisions_total{decision="allowed",route="*/"} 4`
	if got := r.metrics("veneer_cors_decisions_total"); !strings.Contains(got, decisions) {
		t.Errorf("%s is not in\n%s", decisions, got)
	}
	// Without the shadow its counters stay in the sum, and nothing adds to them.
	if err := r.Reload(testConfig(t, up, nil)); err != nil {
		t.Fatal(err)
	}
	r.get("/", "Origin: "+originOther)
	if diff := cmp.Diff(want, r.metrics("veneer_cors_shadow_total")); diff != "" {
		t.Errorf("after the shadow was taken away (-want +got):\n%s", diff)
	}
}

// A change of the shadow makes a new layer, a change of another policy does not.
func TestReloadKeepsTheShadow(t *testing.T) {
	cfg := func(edit func(*config.Config)) *config.Config {
		return testConfig(t, "http://127.0.0.1:1", func(c *config.Config) {
			other := partners
			other.Name = "other"
			next := partners
			next.Name = "next"
			c.CORS[0].Shadow = "next"
			c.CORS = append(c.CORS, next, other)
			edit(c)
		})
	}
	spec := func(edit func(*config.Config)) layerSpec {
		c := cfg(edit)
		return layerSpecOf(c, &c.Routes[0])
	}
	now := spec(func(*config.Config) {})
	for _, c := range []struct {
		name string
		edit func(*config.Config)
		same bool
	}{
		{"nothing", func(*config.Config) {}, true},
		{"another policy", func(c *config.Config) { c.CORS[2].Config.Credentials = false }, true},
		{"the shadow's rules", func(c *config.Config) { c.CORS[1].Config.Credentials = false }, false},
		{"another shadow of the same rules", func(c *config.Config) { c.CORS[0].Shadow = "other" }, true},
		{"no shadow", func(c *config.Config) { c.CORS[0].Shadow = "" }, false},
	} {
		if got := now.equal(spec(c.edit)); got != c.same {
			t.Errorf("%s: equal %v, want %v", c.name, got, c.same)
		}
	}
}

// span remembers its events.
type span struct {
	noop.Span
	recording bool
	events    []string
}

func (s *span) IsRecording() bool { return s.recording }
func (s *span) AddEvent(name string, options ...trace.EventOption) {
	c := trace.NewEventConfig(options...)
	for _, a := range c.Attributes() {
		name += " " + string(a.Key) + "=" + a.Value.AsString()
	}
	s.events = append(s.events, name)
}

// debugLayer is the layer of a route whose policy says why.
func debugLayer(t *testing.T, debug bool) (*layer, *bytes.Buffer) {
	t.Helper()
	c := partners.Config
	c.Debug = debug
	p, problems := corslayer.Compile(c)
	if p == nil {
		t.Fatal(problems)
	}
	log := new(bytes.Buffer)
	return newLayer(layerSpec{route: "*/", policy: c, origin: key.OriginBucket}, p, new(upstreamMarks), slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))), log
}

// P2, debug: the reason is in the log and in the span.
func TestP2DebugSaysWhy(t *testing.T) {
	long := "https://" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example"
	for _, c := range []struct {
		name, origin, method, headers string
		reason, decision, attribute   string
	}{
		{"origin", originOther, "PUT", "", `the policy does not let the origin in`, "preflight_refused_origin", " cors.origin=" + originOther},
		{"origin, long", long, "PUT", "", `the policy does not let the origin in`, "preflight_refused_origin", " cors.origin=" + long[:100]},
		{"bad origin", "x\x1b[2J", "PUT", "", `the policy does not let the origin in`, "preflight_refused_origin", ""},
		{"null", "null", "PUT", "", `the policy does not let the origin in`, "preflight_refused_origin", ""},
		{"method", originApp, "PATCH", "", `the policy does not allow the method "PATCH"`, "preflight_refused_method", " cors.origin=" + originApp},
		{"header", originApp, "PUT", "X-A", `the policy does not allow the request field "X-A"`, "preflight_refused_header", " cors.origin=" + originApp},
		{"too large", originApp, "PUT", strings.Repeat("x", 9000), `the preflight asks for more than 64 request fields, or in more than 8 KiB`, "preflight_refused_header", " cors.origin=" + originApp},
		{"granted", originApp, "PUT", "content-type", "", "", ""},
		{"no preflight", originApp, "", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &span{recording: true}
			r := preflight(s, c.origin, c.method, c.headers)
			l, log := debugLayer(t, true)
			l.Preflight(httptest.NewRecorder(), r, l.Judge(r.Method, r.Header["Origin"]))
			var event []string
			said := ""
			if c.reason != "" {
				said = "level=INFO msg=\"preflight refused\" route=*/ reason=" + quoteIfNeeded(c.reason) + " unsaid=0\n"
				event = []string{"cors.decision cors.decision=" + c.decision + " cors.reason=" + c.reason + c.attribute}
			}
			if diff := cmp.Diff(said, log.String()) + cmp.Diff(event, s.events); diff != "" {
				t.Errorf("log and span (-want +got):\n%s", diff)
			}
			// A span that nobody records, and a policy that does not debug, get
			// nothing.
			idle := &span{}
			r = preflight(idle, c.origin, c.method, c.headers)
			l.Preflight(httptest.NewRecorder(), r, l.Judge(r.Method, r.Header["Origin"]))
			quiet, log := debugLayer(t, false)
			r = preflight(s, c.origin, c.method, c.headers)
			before := len(s.events)
			quiet.Preflight(httptest.NewRecorder(), r, quiet.Judge(r.Method, r.Header["Origin"]))
			if len(idle.events) > 0 || len(s.events) != before || log.Len() > 0 {
				t.Errorf("%q, %q, %q", idle.events, s.events, log)
			}
		})
	}
}

func quoteIfNeeded(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func preflight(s trace.Span, origin, method, headers string) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, "/", nil)
	r = r.WithContext(trace.ContextWithSpan(context.Background(), s))
	for name, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
		if v != "" {
			r.Header[name] = []string{v}
		}
	}
	return r
}

// Strangers cannot fill the log: a route says it once a second, and how often
// it did not.
func TestDebugIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := debugLayer(t, true)
		for range 3 {
			for range 50 {
				r := preflight(&span{}, originOther, "PUT", "")
				l.Preflight(httptest.NewRecorder(), r, l.Judge(r.Method, r.Header["Origin"]))
			}
			<-time.After(1100 * time.Millisecond)
		}
		var unsaid []string
		for line := range strings.Lines(log.String()) {
			_, n, _ := strings.Cut(strings.TrimSpace(line), "unsaid=")
			unsaid = append(unsaid, n)
		}
		if !slices.Equal(unsaid, []string{"0", "49", "49"}) {
			t.Errorf("unsaid: %q\n%s", unsaid, log)
		}
		var s sometimes
		now := time.Now()
		s.now(now)
		if _, ok := s.now(now.Add(-time.Hour)); !ok {
			t.Error("a clock that was set back silences it")
		}
	})
}
