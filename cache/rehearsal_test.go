package cache_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/store/memory"
	"veneer/cache/store/storetest"
)

// The store of a stage is a store like any other, and leaves the one under it
// as it is.
func TestPlayedStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) cache.Store {
		under, err := memory.New(memory.Config{Size: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		before := under.Stats()
		t.Cleanup(func() {
			if after := under.Stats(); after != before {
				t.Errorf("the store under it: %+v, then %+v", before, after)
			}
			under.Close()
		})
		return cache.NewPlayedStore(under)
	})
}

// What is stored already counts on a stage as it does in the store.
func TestPlayedStoreSeesThrough(t *testing.T) {
	under, err := memory.New(memory.Config{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer under.Close()
	at := func(origin, lang string) *cache.Object {
		return storetest.Object(storetest.Key("http://a/", origin), key.Selecting{Names: []string{"X-Lang"}, Values: []string{lang}}, origin+lang)
	}
	put := func(s cache.Store, o *cache.Object) error {
		return s.Put(t.Context(), o, cache.PutOptions{Variants: 2, Origins: 3, Epoch: s.Epoch([]byte(o.URI()))})
	}
	for _, o := range []*cache.Object{at("1", "de"), at("2", "de")} {
		if err := put(under, o); err != nil {
			t.Fatal(err)
		}
	}
	s := cache.NewPlayedStore(under)
	for _, c := range []struct {
		o    *cache.Object
		want error
	}{
		{at("1", "de"), nil}, {at("1", "en"), nil}, {at("1", "fr"), cache.ErrTooManyVariants},
		{at("3", "de"), nil}, {at("4", "de"), cache.ErrTooManyOrigins}, {at("2", "en"), nil},
	} {
		if err := put(s, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.o.Body(), err, c.want)
		}
	}
	if _, err := s.Invalidate(t.Context(), []byte(at("1", "de").URI())); err != nil {
		t.Fatal(err)
	}
	if o, err := s.Get(t.Context(), storetest.Key("http://a/", "2"), storetest.Select(at("2", "de").Selecting)); o != nil || err != nil {
		t.Errorf("after an invalidation: %v, %v", o, err)
	}
	if n := under.Stats().Objects; n != 2 {
		t.Errorf("%d objects are left in the store under it, want 2", n)
	}
}

// filtered is an upstream that lets some fields through.
type filtered struct{ *troupe }

func (filtered) Outgoing(r *http.Request) { delete(r.Header, "Authorization") }
func (filtered) Incoming(h http.Header)   { delete(h, "Set-Cookie") }

// A rehearsal takes nobody's share of a rate limit, and what an upstream leaves
// out of messages counts.
func TestExplainKnowsTheWay(t *testing.T) {
	limited := 0
	route := &cache.Route{Name: "/", MaxObject: 1 << 10, Variants: 1, CORS: noCORS{}}
	x := newTroupe(t, map[string]*cache.Route{"/": route})
	defer x.close(t)
	route.Limit = func(*cache.Request) (time.Duration, bool) { limited++; return time.Second, false }
	r := httptest.NewRequest("GET", "http://site.example/", nil)
	r.Header.Set("Authorization", "Bearer x")
	a := cache.Assumption{Header: http.Header{"Set-Cookie": {"a=1"}, "Cache-Control": {"max-age=9"}}}
	for _, c := range []struct {
		upstream http.RoundTripper
		shown    int
		why      cachestatus.Reason
	}{{x, 1, cachestatus.Authorization}, {filtered{x}, 0, cachestatus.Authorization}} {
		route.Upstream = c.upstream
		ex := x.engine.Explain(r, a)
		if ex.Outcome.Decision.Status != 200 || limited != 0 || len(ex.Asked) != 1 || len(ex.Asked[0].Header["Authorization"]) != c.shown || ex.Outcome.Decision.NotStored != c.why {
			t.Errorf("%T: got %+v with %d asked for a share", c.upstream, ex.Outcome.Decision, limited)
		}
	}
	r.Header.Del("Authorization")
	if ex := x.engine.Explain(r, a); !ex.Outcome.Decision.Stored || len(ex.Outcome.Header["Set-Cookie"]) > 0 {
		t.Errorf("a field that the upstream leaves out counts: %+v", ex.Outcome)
	}
}

// A range of something small is followed by a fetch of the whole, whether the
// upstream knows ranges or not; what is large, or may not be stored, is not.
func TestRangesAreFetchedWhole(t *testing.T) {
	part := func(total string) http.Header {
		return http.Header{"Content-Range": {"bytes 0-1/" + total}, "Content-Length": {"2"}, "Cache-Control": {"max-age=9"}}
	}
	for _, c := range []struct {
		name  string
		says  cache.Assumption
		asked int
		next  cache.Result
	}{
		{"part", cache.Assumption{Status: 206, Header: part("7")}, 2, cache.ResultHit},
		{"part of something large", cache.Assumption{Status: 206, Header: part("2000000")}, 1, cache.ResultMiss},
		{"part of something unknown", cache.Assumption{Status: 206, Header: part("*")}, 1, cache.ResultMiss},
		{"whole", cache.Assumption{Header: http.Header{"Content-Length": {"7"}, "Cache-Control": {"max-age=9"}}}, 2, cache.ResultHit},
		{"large whole", cache.Assumption{Header: http.Header{"Content-Length": {"2000000"}, "Cache-Control": {"max-age=9"}}}, 1, cache.ResultMiss},
		{"whole of unknown length", cache.Assumption{Header: http.Header{"Cache-Control": {"max-age=9"}}}, 1, cache.ResultMiss},
		{"whole that may not be stored", cache.Assumption{Header: http.Header{"Content-Length": {"7"}, "Cache-Control": {"no-store"}}}, 1, cache.ResultMiss},
		{"whole that varies on everything", cache.Assumption{Header: http.Header{"Content-Length": {"7"}, "Cache-Control": {"max-age=9"}, "Vary": {"*"}}}, 1, cache.ResultMiss},
		{"error", cache.Assumption{Status: 404, Header: http.Header{"Content-Length": {"7"}, "Cache-Control": {"max-age=9"}}}, 1, cache.ResultMiss},
	} {
		x := newTroupe(t, map[string]*cache.Route{"/": {Name: "/", MaxObject: 8 << 20, Variants: 4, CORS: noCORS{}}})
		x.says = c.says
		if x.says.Status == 0 {
			x.says.Status = 200
		}
		r := httptest.NewRequest("GET", "http://site.example/p", nil)
		r.Header.Set("Range", "bytes=0-1")
		ex := x.engine.Explain(r, x.says)
		first, second := x.perform(r, false), x.perform(r, false)
		if ex.Outcome.Decision != first.Decision || len(ex.Asked) != c.asked || len(first.Asked) != c.asked || first.Decision.Result != cache.ResultMiss {
			t.Errorf("%s: foretold %+v and %d requests, got %+v and %d, want %d", c.name, ex.Outcome.Decision, len(ex.Asked), first.Decision, len(first.Asked), c.asked)
		}
		if ex.Next.Decision != second.Decision || second.Decision.Result != c.next || (ex.Stored != nil) != (c.next == cache.ResultHit) {
			t.Errorf("%s, again: foretold %+v, got %+v, want %v", c.name, ex.Next.Decision, second.Decision, c.next)
		}
		x.close(t)
	}
}

// A targeted field of our own name counts, and what Connection names does not
// (RFC 9213 §2.2, RFC 9110 §7.6.1).
func TestExplainHearsTheUpstream(t *testing.T) {
	route := &cache.Route{Name: "/", MaxObject: 1 << 10, Variants: 1, CORS: noCORS{}}
	route.Policy.Targets = []string{"Veneer-Cache-Control", "Cdn-Cache-Control"}
	x := newTroupe(t, map[string]*cache.Route{"/": route})
	defer x.close(t)
	ex := x.engine.Explain(httptest.NewRequest("GET", "http://site.example/", nil), cache.Assumption{Header: http.Header{
		"Veneer-Cache-Control": {"max-age=30"}, "Cache-Control": {"no-store"}, "Connection": {"X-Hop"}, "Keep-Alive": {"timeout=5"},
	}})
	if ex.Stored == nil || ex.Stored.Meta.Lifetime != 30*time.Second || ex.Outcome.Header["Connection"] != nil || ex.Outcome.Header["Keep-Alive"] != nil {
		t.Errorf("got %+v, stored %+v", ex.Outcome, ex.Stored)
	}
}

// However much content is assumed, a bounded part of it is made up.
func TestExplainMakesLittleContent(t *testing.T) {
	x := newTroupe(t, map[string]*cache.Route{"/": {Name: "/", MaxObject: 64 << 20, Variants: 4, CORS: noCORS{}}})
	defer x.close(t)
	for _, c := range []struct {
		length string
		reason cachestatus.Reason
		stored int
	}{
		{"7", cachestatus.None, 7},
		{strconv.Itoa(64 << 20), cachestatus.None, 1<<20 + 1},
		{strconv.Itoa(64<<20 + 1), cachestatus.TooLarge, -1},
		{"9223372036854775807", cachestatus.TooLarge, -1},
	} {
		ex := x.engine.Explain(httptest.NewRequest("GET", "http://a/", nil), cache.Assumption{
			Header: http.Header{"Content-Length": {c.length}, "Cache-Control": {"max-age=9"}},
		})
		stored := -1
		if ex.Stored != nil {
			stored = len(ex.Stored.Body())
		}
		if got := ex.Outcome.Decision.Reason; got != c.reason || stored != c.stored {
			t.Errorf("%s bytes: %v, %d stored; want %v, %d", c.length, got, stored, c.reason, c.stored)
		}
	}
}
