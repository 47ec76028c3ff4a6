package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/store/memory"
)

// listCORS is a list policy as the engine meets it. Its asked counts what a
// rehearsal must not.
type listCORS struct {
	noCORS
	asked *int
}

func (c listCORS) Rehearse() cache.CORS { return listCORS{asked: new(int)} }

func (c listCORS) Judge(_ string, lines []string) cache.Origin {
	*c.asked++
	switch strings.Join(lines, "|") {
	case "":
		return cache.Origin{}
	case "https://a.example", "https://b.example":
		return cache.Origin{Bucket: lines[0], Forward: true, ForwardRequest: true, Capped: lines[0] == "https://b.example"}
	case "https://evil.example":
		return cache.Origin{Bucket: "other", Refuse: true}
	case "bad":
		return cache.Origin{Bucket: "other", NoStore: true}
	}
	return cache.Origin{Bucket: "other", Full: true}
}

func (c listCORS) Preflight(w http.ResponseWriter, r *http.Request, o cache.Origin) bool {
	if r.Header["Access-Control-Request-Method"] == nil {
		return false
	}
	if o.Bucket == "other" {
		w.WriteHeader(http.StatusForbidden)
	} else {
		w.Header()["Access-Control-Allow-Origin"] = []string{o.Bucket}
		w.WriteHeader(http.StatusNoContent)
	}
	return true
}

func (listCORS) Strip(h http.Header, _ bool) { delete(h, "Access-Control-Allow-Origin") }

func (listCORS) Apply(h, _ http.Header, o cache.Origin) {
	if o.Bucket != "" && o.Bucket != "other" {
		h["Access-Control-Allow-Origin"] = []string{o.Bucket}
	}
}

// troupe is an Engine, at a standing clock, before an upstream that answers as
// it is told.
type troupe struct {
	engine *cache.Engine
	store  *memory.Store
	cors   int // how often the policy was asked

	mu       sync.Mutex // guards what follows
	clock    time.Time
	says     cache.Assumption
	fails    bool
	ranged   bool // the client asks for a range
	asked    []*http.Request
	decision cache.Decision
}

func newTroupe(t failing, routes map[string]*cache.Route) *troupe {
	x := &troupe{clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	var err error
	if x.store, err = memory.New(memory.Config{Size: 16 << 20}); err != nil {
		t.Fatalf("%v", err)
	}
	for _, r := range routes {
		r.Upstream = x
		if r.CORS == nil {
			r.CORS = listCORS{asked: &x.cors}
		}
		if r.Name != "/off/" {
			r.Store = x.store
		}
	}
	x.engine = cache.New(cache.Config{
		Now:  x.now,
		Plan: &cache.Plan{Router: byPrefix(routes), BodyLimit: 1000}, Recorder: x,
		Log: func(_ context.Context, msg string, err any) { t.Fatalf("%s: %v", msg, err) },
	})
	return x
}

func (x *troupe) now() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.clock
}

func (x *troupe) pass(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.clock = x.clock.Add(d)
}

// failing is what testing and rapid share.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

// byPrefix finds a route by the first segment of the path.
type byPrefix map[string]*cache.Route

func (b byPrefix) Lookup(_, path string) (*cache.Route, bool) {
	for prefix, r := range b {
		if strings.HasPrefix(path, prefix) {
			return r, true
		}
	}
	return nil, false
}

func (x *troupe) close(t failing) {
	if err := x.engine.Close(context.Background()); err != nil {
		t.Fatalf("close: %v", err)
	}
	x.store.Close()
}

// Record implements cache.Recorder.
func (x *troupe) Record(_ *cache.Request, d *cache.Decision) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.decision = *d
	x.decision.Start, x.decision.Took, x.decision.Delivery = time.Time{}, 0, cache.Delivery{}
}

// NotStored implements cache.Recorder.
func (x *troupe) NotStored(*cache.Route, cachestatus.Reason) {}

// RoundTrip answers as an upstream behind a transport does. Without a status it
// confirms whatever it is asked about.
func (x *troupe) RoundTrip(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, r)
	if x.fails {
		return nil, errors.New("connection refused")
	}
	h := x.says.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	if h["Date"] == nil {
		h.Set("Date", x.clock.Format(http.TimeFormat))
	}
	res := &http.Response{StatusCode: x.says.Status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: http.NoBody, ContentLength: -1, Request: r}
	if res.StatusCode == 0 {
		res.StatusCode = 200
		if r.Header["If-None-Match"] != nil || r.Header["If-Modified-Since"] != nil {
			res.StatusCode = 304
		}
	}
	if x.ranged && res.StatusCode == 206 && r.Header["Range"] == nil {
		res.StatusCode = 200
		_, whole, _ := strings.Cut(h.Get("Content-Range"), "/")
		h.Set("Content-Length", whole)
		delete(h, "Content-Range")
	}
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil {
		res.ContentLength = int64(n)
		if r.Method != "HEAD" && res.StatusCode != 204 && res.StatusCode != 304 {
			res.Body = io.NopCloser(bytes.NewReader(make([]byte, n)))
		}
	}
	if h["Trailer"] != nil {
		res.Trailer = http.Header{h.Get("Trailer"): nil}
	}
	delete(h, "Content-Length")
	delete(h, "Trailer")
	return res, nil
}

// outcome is what is compared of a rehearsal and of the performance.
type outcome struct {
	Decision cache.Decision
	Header   http.Header
	Asked    []string
}

func requests(rs []*http.Request) []string {
	var out []string
	for _, r := range rs {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
		_ = r.Header.Write(&b)
		out = append(out, b.String())
	}
	return out
}

// perform serves a request and waits until nothing goes on.
func (x *troupe) perform(r *http.Request, fails bool) outcome {
	x.mu.Lock()
	x.asked, x.fails, x.decision = nil, fails, cache.Decision{}
	x.ranged = r.Header["Range"] != nil
	x.mu.Unlock()
	w := httptest.NewRecorder()
	r = r.Clone(r.Context())
	if r.ContentLength > 0 {
		r.Body = io.NopCloser(bytes.NewReader(make([]byte, r.ContentLength)))
	}
	x.engine.ServeHTTP(w, r)
	x.engine.Quiet()
	x.mu.Lock()
	defer x.mu.Unlock()
	return outcome{x.decision, w.Result().Header, requests(x.asked)}
}

// What an operator is shown of the store and of a fetch under way.
func TestExplainShows(t *testing.T) {
	x := newTroupe(t, map[string]*cache.Route{"/": {Name: "/", MaxObject: 1 << 10, Variants: 4, CORS: noCORS{}}})
	defer x.close(t)
	x.says = cache.Assumption{Header: http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"Accept-Language"}, "Etag": {`"a"`}, "Surrogate-Key": {"red blue"}}}
	ask := func(lang string) *http.Request {
		r := httptest.NewRequest("GET", "http://site.example/./p?q=1", nil)
		r.Header.Set("Accept-Language", lang)
		return r
	}
	x.perform(ask("de"), false)
	x.perform(ask("en"), false)
	x.pass(7 * time.Second)
	ex := x.engine.Explain(ask("de"), x.says)
	if len(ex.Variants) != 2 || ex.Selected == nil || ex.Selected.Selecting.Values[0] != "de" || !slices.Equal(ex.Selected.Tags, []string{"red", "blue"}) {
		t.Fatalf("variants %v, selected %+v", ex.Variants, ex.Selected)
	}
	if ttl := ex.Selected.Meta.TTL(ex.At); ttl != 53*time.Second || ex.Reuse != rfc9111.UseFresh || ex.Why != cachestatus.None {
		t.Errorf("ttl %v, %v because of %v", ttl, ex.Reuse, ex.Why)
	}
	if ex.Resolved != "/p" || key.Describe(ex.Key) != "GET http://site.example/./p?q=1 origin=none" || ex.InFlight || ex.Marked || ex.Failing != nil || ex.Assessed != nil {
		t.Errorf("got %+v", ex)
	}
	ex = x.engine.Explain(ask("fr"), x.says)
	if ex.Selected != nil || ex.Why != cachestatus.None || ex.Outcome.Decision.Reason != cachestatus.VaryMismatch {
		t.Errorf("another language: %+v", ex)
	}
	x.pass(100 * time.Second)
	ex = x.engine.Explain(ask("de"), cache.Assumption{})
	if ex.Reuse != rfc9111.MustValidate || len(ex.Asked) != 1 || ex.Asked[0].Header.Get("If-None-Match") != `"a"` ||
		ex.Assessed.Status != 200 || ex.Stored == nil || ex.Outcome.Decision.Result != cache.ResultRevalidated {
		t.Errorf("stale: %+v", ex)
	}
}

// A fetch that is under way, and a key whose last answer could not be shared,
// are named.
func TestExplainSeesFlightsAndMarks(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			after(5 * time.Second)
			w.Header().Set("Cache-Control", "max-age=60")
		default:
			w.Header().Set("Cache-Control", "no-store")
		}
	}, func(x *tier) {
		explain := func(path string) *cache.Explanation {
			return x.engine.Explain(httptest.NewRequest("GET", "http://site.example"+path, nil), cache.Assumption{})
		}
		x.get("/private")
		if ex := explain("/private"); !ex.Marked || ex.MarkedFor != cachestatus.NoStore || ex.InFlight || ex.Outcome.Decision.Reason != cachestatus.HitForMiss {
			t.Errorf("marked: %+v", ex)
		}
		done := make(chan answer)
		go func() { done <- x.get("/slow") }()
		synctest.Wait()
		if ex := explain("/slow"); !ex.InFlight || ex.Marked {
			t.Errorf("in flight: %+v", ex)
		}
		<-done
		synctest.Wait()
		if ex := explain("/slow"); ex.InFlight || ex.Outcome.Decision.Result != cache.ResultHit {
			t.Errorf("afterwards: %+v", ex)
		}
		if x.requests() != 2 {
			t.Errorf("%d requests went to the upstream, want 2", x.requests())
		}
	})
}

// Why a response is not stored is told apart from how the look-up went.
func TestNotStoredSaysWhy(t *testing.T) {
	x := newTroupe(t, map[string]*cache.Route{"/": {Name: "/", MaxObject: 1 << 10, Variants: 1, CORS: noCORS{}}})
	defer x.close(t)
	ask := func(method, lang string, fields ...string) *http.Request {
		r := httptest.NewRequest(method, "http://site.example/p", nil)
		r.Header.Set("Accept-Language", lang)
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		return r
	}
	fresh := http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"Accept-Language"}}
	x.says = cache.Assumption{Status: 200, Header: fresh}
	x.perform(ask("GET", "de"), false)
	for _, c := range []struct {
		name       string
		request    *http.Request
		fields     http.Header
		why, store cachestatus.Reason
	}{
		{"stored", ask("GET", "de", "Cache-Control", "no-cache"), fresh, cachestatus.RequestNoCache, cachestatus.None},
		{"no-store", ask("GET", "fr"), http.Header{"Cache-Control": {"no-store"}}, cachestatus.VaryMismatch, cachestatus.NoStore},
		{"again", ask("GET", "fr"), http.Header{"Cache-Control": {"no-store"}}, cachestatus.VaryMismatch, cachestatus.NoStore},
		{"storable now", ask("GET", "fr"), http.Header{"Cache-Control": {"max-age=60"}, "Content-Length": {"1"}}, cachestatus.VaryMismatch, cachestatus.HitForMiss},
		{"variants", ask("GET", "en"), fresh, cachestatus.TooManyVariants, cachestatus.TooManyVariants},
		{"head", ask("HEAD", "it"), fresh, cachestatus.VaryMismatch, cachestatus.Method},
		{"range", ask("GET", "es", "Range", "bytes=0-1"), fresh, cachestatus.VaryMismatch, cachestatus.RequestRange},
		{"post", ask("POST", "de"), fresh, cachestatus.Method, cachestatus.Method},
	} {
		x.says = cache.Assumption{Status: 200, Header: c.fields}
		foretold := x.engine.Explain(c.request, x.says).Outcome.Decision
		got := x.perform(c.request, false).Decision
		if got.Reason != c.why || got.NotStored != c.store || foretold != got {
			t.Errorf("%s: got %v and %v, want %v and %v (foretold %v and %v)", c.name, got.Reason, got.NotStored, c.why, c.store, foretold.Reason, foretold.NotStored)
		}
	}
}

// An error of Veneer's own says its reason, whatever was noted before; an
// upstream's problem document does not pass for one.
func TestExplainErrors(t *testing.T) {
	x := newTroupe(t, map[string]*cache.Route{"/a/": {Name: "/a/", MaxObject: 1 << 10, Variants: 1}})
	defer x.close(t)
	for _, c := range []struct {
		method, path, origin string
		status               int
		want                 cachestatus.Reason
	}{
		{"GET", "/b", "", 404, cachestatus.NoRoute},
		{"GET", "/a/../b", "", 400, cachestatus.BadRequest},
		{"GET", "/a/x", "https://evil.example", 403, cachestatus.OriginRefused},
		{"TRACE", "/a/x", "", 405, cachestatus.Method},
		{"GET", "/a/x", "", 200, cachestatus.None},
	} {
		r := httptest.NewRequest(c.method, "http://site.example"+c.path, nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		ex := x.engine.Explain(r, cache.Assumption{Header: http.Header{"Content-Type": {"application/problem+json"}, "Content-Length": {"9"}}})
		if ex.Outcome.Decision.Status != c.status || ex.Error != c.want || (ex.Problem == "") != (c.want == cachestatus.None) {
			t.Errorf("%s %s: got %d, %v, %q", c.method, c.path, ex.Outcome.Decision.Status, ex.Error, ex.Problem)
		}
		if ex.Failing != nil && (ex.Failing.Error != cachestatus.UpstreamUnreachable || ex.Failing.Decision.Status != 502) {
			t.Errorf("%s %s, failing: got %+v", c.method, c.path, ex.Failing)
		}
	}
}
