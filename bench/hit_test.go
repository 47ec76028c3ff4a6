package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/store/memory"
	"veneer/corslayer"
	"veneer/corslayer/origin"
	"veneer/upstream/route"
)

const web = "https://app.example.com"

// policy is an own-mode CORS policy as a route has it.
type policy struct{ *corslayer.Policy }

func (p policy) Judge(method string, lines []string) cache.Origin {
	d := p.Policy.Judge(method, lines)
	o := cache.Origin{Bucket: d.Bucket, Class: uint8(d.Class), Forward: d.ForwardOrigin}
	if d.Allowed {
		o.Class |= 1 << 7
	}
	return o
}

func (p policy) Count(_ string, _ []string, o cache.Origin) { p.Policy.Count(decision(o)) }

func decision(o cache.Origin) corslayer.Decision {
	return corslayer.Decision{Class: origin.Class(o.Class &^ (1 << 7)), Bucket: o.Bucket, Allowed: o.Class>>7 == 1}
}

func (p policy) Preflight(w http.ResponseWriter, r *http.Request, o cache.Origin) bool {
	return p.Policy.Preflight(w, r, decision(o))
}
func (p policy) Strip(h http.Header, _ bool)                        { p.Policy.Strip(h) }
func (policy) Observe(http.Header, cache.Origin) cachestatus.Reason { return cachestatus.None }
func (p policy) Apply(h, request http.Header, o cache.Origin) {
	p.Policy.Apply(h, request, decision(o))
}

// page is an upstream of one page.
type page struct{}

func (page) RoundTrip(*http.Request) (*http.Response, error) {
	body := strings.Repeat("x", 1024)
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"text/plain"}, "Etag": {`"a"`}, "Vary": {"Accept-Encoding"}},
	}, nil
}

// sink takes an answer at no cost.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

func newPolicy(b testing.TB) policy {
	p, problems := corslayer.Compile(corslayer.Config{Origins: []string{web, "https://*.partner.example"}, Credentials: true})
	if p == nil {
		b.Fatal(problems)
	}
	return policy{p}
}

func newRequest() *http.Request {
	r := httptest.NewRequest("GET", "http://site.example/path/of/some/length?q=1", nil)
	r.Header["Origin"] = []string{web}
	r.Header["Accept-Encoding"] = []string{"gzip, deflate, br"}
	return r
}

func BenchmarkHit(b *testing.B) {
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	rt := &cache.Route{Name: "bench", CORS: newPolicy(b), Store: store, Upstream: page{}, MaxObject: 1 << 20, Variants: 32}
	table, _ := route.New([]route.Entry[*cache.Route]{{Path: "/", Value: rt}})
	engine := cache.New(cache.Config{Plan: &cache.Plan{Router: table}})
	b.Cleanup(func() { engine.Close(context.Background()); store.Close() })
	r, w := newRequest(), &sink{http.Header{}}
	engine.ServeHTTP(w, r)
	for store.Stats().Objects == 0 {
		clear(w.header)
		engine.ServeHTTP(w, r)
	}
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			engine.ServeHTTP(w, r)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			r, w := newRequest(), &sink{http.Header{}}
			for pb.Next() {
				clear(w.header)
				engine.ServeHTTP(w, r)
			}
		})
	})
	if got := w.header.Get("Cache-Status"); !strings.HasPrefix(got, "veneer; hit") {
		b.Fatalf("not a hit: %q", got)
	}
}

func BenchmarkSteps(b *testing.B) {
	r, p := newRequest(), newPolicy(b)
	q, spec := key.Query{}, key.Spec{}
	target, err := q.Canonical("http", r.Host, key.EscapedPath(r.URL), r.URL.RawQuery)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 512)
	selecting := key.Select([]string{"Accept-Encoding"}, r.Header)
	meta := rfc9111.Meta{ResponseTime: time.Now(), Lifetime: time.Hour}
	now := time.Now()
	h := http.Header{"Vary": {"Accept-Encoding"}}
	o := p.Judge("GET", r.Header["Origin"])
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"origin", func() { p.Judge("GET", r.Header["Origin"]) }},
		{"target", func() { q.Canonical("http", r.Host, key.EscapedPath(r.URL), r.URL.RawQuery) }},
		{"key", func() { spec.Append(buf, "GET", target, o.Bucket, r.Header) }},
		{"vary", func() { selecting.Matches(r.Header) }},
		{"reuse", func() { rfc9111.Decide(&meta, rfc9111.ParseRequest(r.Header), now) }},
		{"cors", func() {
			h["Vary"] = varyLine
			p.Apply(h, r.Header, o)
		}},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step.do()
			}
		})
	}
}

var varyLine = []string{"Accept-Encoding"}
