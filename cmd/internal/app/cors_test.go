package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
	"veneer/corslayer/origin"
)

// testLayer makes the layer of a route in a mode.
func testLayer(t testing.TB, mode corslayer.Mode, keyed key.OriginMode) *layer {
	t.Helper()
	p := corslayer.Off()
	switch mode {
	case corslayer.ModeOwn:
		if p, _ = corslayer.Compile(partners.Config); p == nil {
			t.Fatal("the policy does not compile")
		}
	case corslayer.ModePass:
		p = corslayer.Pass(corslayer.Config{})
	}
	return newLayer(layerSpec{route: "*/", upstream: "up", origin: keyed}, p, new(upstreamMarks), slog.New(slog.DiscardHandler))
}

func TestJudge(t *testing.T) {
	const allowed = uint8(origin.Valid) | allowedBit
	own, pass, off := corslayer.ModeOwn, corslayer.ModePass, corslayer.ModeOff
	for _, c := range []struct {
		name   string
		mode   corslayer.Mode
		keyed  key.OriginMode
		method string
		lines  []string
		want   cache.Origin
	}{
		{"own, none", own, key.OriginBucket, "GET", nil, cache.Origin{}},
		{"own, by exact rule", own, key.OriginBucket, "GET", []string{originApp},
			cache.Origin{Bucket: originApp, Class: allowed, Forward: true}},
		{"own, by pattern", own, key.OriginBucket, "GET", []string{originPartner},
			cache.Origin{Bucket: originPartner, Class: allowed, Capped: true, Forward: true}},
		{"own, refused", own, key.OriginBucket, "GET", []string{originOther},
			cache.Origin{Bucket: "other", Class: uint8(origin.Valid), Full: true}},
		{"own, refused, unsafe: CSRF checks see it", own, key.OriginBucket, "POST", []string{originOther},
			cache.Origin{Bucket: "other", Class: uint8(origin.Valid), Full: true, Forward: true}},
		{"own, bad", own, key.OriginBucket, "GET", []string{originApp, originApp},
			cache.Origin{Bucket: "other", Class: uint8(origin.Bad), Full: true}},
		{"shared, GET hides it", own, key.OriginShared, "GET", []string{originApp},
			cache.Origin{Bucket: originApp, Class: allowed}},
		{"shared, HEAD, by pattern: nothing to bound", own, key.OriginShared, "HEAD", []string{originPartner},
			cache.Origin{Bucket: originPartner, Class: allowed}},
		{"shared, PUT shows it", own, key.OriginShared, "PUT", []string{originApp},
			cache.Origin{Bucket: originApp, Class: allowed, Forward: true}},
		{"pass", pass, key.OriginExact, "GET", []string{originOther},
			cache.Origin{Bucket: originOther, Class: allowed, Capped: true, Forward: true, ForwardRequest: true}},
		{"pass, bad is neither looked up nor stored", pass, key.OriginExact, "GET", []string{"x"},
			cache.Origin{Bucket: "other", Class: uint8(origin.Bad), Forward: true, ForwardRequest: true, NoStore: true}},
		{"off", off, key.OriginShared, "GET", []string{originApp}, cache.Origin{Class: uint8(origin.Valid), Full: true}},
		{"off, unsafe", off, key.OriginShared, "POST", []string{originApp}, cache.Origin{Class: uint8(origin.Valid), Full: true, Forward: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := testLayer(t, c.mode, c.keyed).Judge(c.method, c.lines)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("Judge (-want +got):\n%s", d)
			}
		})
	}
}

// TestDecisionSurvives: whatever the Origin is, the response gets the same
// fields from the decision that went through the engine as from the policy's
// own.
func TestDecisionSurvives(t *testing.T) {
	lines := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{originApp, originPartner, originOther, "null", "", "http://localhost:3000"}),
		rapid.StringMatching(`https?://[a-z.]{1,20}(:[0-9]{1,5})?`), rapid.String(),
	), 0, 2)
	layers := []*layer{
		testLayer(t, corslayer.ModeOwn, key.OriginBucket), testLayer(t, corslayer.ModeOwn, key.OriginShared),
		testLayer(t, corslayer.ModePass, key.OriginExact), testLayer(t, corslayer.ModeOff, key.OriginShared),
	}
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom(layers).Draw(t, "layer")
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "OPTIONS"}).Draw(t, "method")
		request := http.Header{"Access-Control-Request-Method": {"PUT"}}
		if o := lines.Draw(t, "origin"); len(o) > 0 {
			request["Origin"] = o
		}
		direct, through := http.Header{"Vary": {"Accept"}}, http.Header{"Vary": {"Accept"}}
		d := l.policy.Decide(method, request["Origin"])
		o := l.Judge(method, request["Origin"])
		l.policy.Apply(direct, request, d)
		l.Apply(through, request, o)
		if diff := cmp.Diff(direct, through); diff != "" {
			t.Fatalf("Apply (-policy +layer):\n%s", diff)
		}
		r := &http.Request{Method: method, Header: request}
		a, b := httptest.NewRecorder(), httptest.NewRecorder()
		if x, y := l.policy.Preflight(a, r, d), l.Preflight(b, r, o); x != y {
			t.Fatalf("Preflight: policy %t, layer %t", x, y)
		}
		if diff := cmp.Diff(a.Result(), b.Result(), cmp.FilterPath(func(p cmp.Path) bool {
			s := p.String()
			return s != "" && s != "Header" && s != "StatusCode" && !strings.HasPrefix(s, "Header")
		}, cmp.Ignore())); diff != "" {
			t.Fatalf("Preflight (-policy +layer):\n%s", diff)
		}
	})
}

func TestStrip(t *testing.T) {
	in := http.Header{
		"Access-Control-Allow-Origin": {"*", originOther}, "Access-Control-Max-Age": {"5"},
		"Vary": {"Origin, Accept, Access-Control-Request-Method"}, "X": {"y"},
	}
	own, pass, off := corslayer.ModeOwn, corslayer.ModePass, corslayer.ModeOff
	for _, c := range []struct {
		name  string
		mode  corslayer.Mode
		keyed key.OriginMode
		safe  bool
		want  http.Header
	}{
		{"own, GET", own, key.OriginBucket, true, http.Header{"Vary": {"Origin, Accept"}, "X": {"y"}}},
		{"own, POST", own, key.OriginBucket, false, http.Header{"Vary": in["Vary"], "X": {"y"}}},
		{"shared, GET", own, key.OriginShared, true, http.Header{"Vary": {"Accept"}, "X": {"y"}}},
		{"off, GET", off, key.OriginShared, true, http.Header{"Vary": {"Accept"}, "X": {"y"}}},
		{"pass", pass, key.OriginExact, true, in},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := in.Clone()
			testLayer(t, c.mode, c.keyed).Strip(got, c.safe)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("Strip (-want +got):\n%s", d)
			}
		})
	}
}

func TestObserve(t *testing.T) {
	const acao = "Access-Control-Allow-Origin"
	for _, c := range []struct {
		name   string
		mode   corslayer.Mode
		asks   []string
		in     http.Header
		reason cachestatus.Reason
		want   http.Header
	}{
		{"its own", corslayer.ModePass, []string{originApp}, http.Header{acao: {originApp}, "Vary": {"Origin"}},
			cachestatus.None, http.Header{acao: {originApp}, "Vary": {"Origin"}}},
		{"echoed without Vary", corslayer.ModePass, []string{originApp}, http.Header{acao: {originApp}},
			cachestatus.None, http.Header{acao: {originApp}, "Vary": {"Origin"}}},
		{"another's", corslayer.ModePass, []string{originApp}, http.Header{acao: {originOther}, "Vary": {"Origin"}},
			cachestatus.ForeignACAO, http.Header{acao: {originOther}, "Vary": {"Origin"}}},
		{"equal twice", corslayer.ModePass, []string{originApp}, http.Header{acao: {"*", "*"}},
			cachestatus.None, http.Header{acao: {"*"}}},
		{"bad", corslayer.ModePass, []string{"a,b"}, http.Header{acao: {"*"}},
			cachestatus.BadOrigin, http.Header{acao: {"*"}}},
		{"own mode looks at nothing", corslayer.ModeOwn, []string{originApp}, http.Header{acao: {originOther}},
			cachestatus.None, http.Header{acao: {originOther}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := testLayer(t, c.mode, key.OriginExact)
			got := c.in.Clone()
			reason := l.Observe(got, l.Judge("GET", c.asks))
			if d := cmp.Diff(c.want, got); d != "" || reason != c.reason {
				t.Errorf("got %v, want %v; fields (-want +got):\n%s", reason, c.reason, d)
			}
		})
	}
}

// TestSaidOnce: what an operator should know is logged once, and not again
// after a reload.
func TestSaidOnce(t *testing.T) {
	up := upstreamOf(t, page("Access-Control-Allow-Origin: *", "Cache-Control: no-store"))
	r := run(t, testConfig(t, up, nil))
	for range 3 {
		r.get("/", "Origin: "+originApp)
	}
	changed := testConfig(t, up, func(c *config.Config) { c.CORS[0].Config.Credentials = false })
	if err := r.Reload(changed); err != nil {
		t.Fatal(err)
	}
	r.get("/", "Origin: "+originApp)
	if n := strings.Count(r.log.String(), "two CORS layers"); n != 1 {
		t.Errorf("said %d times:\n%s", n, r.log)
	}
	const want = "veneer_cors_stripped_total{upstream=\"up\"} 4\n"
	if got := r.metrics("veneer_cors_stripped_total"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A request that has come to the end of its hops is answered here.
func TestLastRecipient(t *testing.T) {
	r := httptest.NewRequest("OPTIONS", "http://site.example/", nil)
	r.Header.Set("Max-Forwards", "0")
	res, err := new(trip).RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusNoContent || res.Header.Get("Allow") == "" {
		t.Errorf("%v, %v", res, err)
	}
}
