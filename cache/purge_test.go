package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/key"
)

// purgesOf are a purge of each kind that concerns path, whose response has the
// tag "in", and, but for the last, no other path.
func purgesOf(t *testing.T, path string) []cache.Purge {
	t.Helper()
	p, err := key.NewPrefix("http", "site.example", path, "", false)
	if err != nil {
		t.Fatal(err)
	}
	uri := key.URIKey(nil, key.Target{Scheme: "http", Host: "site.example", Path: path})
	return []cache.Purge{
		{Kind: cache.PurgeURL, URI: string(uri)}, {Kind: cache.PurgePrefix, Prefix: p}, {Kind: cache.PurgeTag, Tag: "in"}, {Kind: cache.PurgeAll},
	}
}

// purge carries p out and compares the count.
func (x *tier) purge(p cache.Purge, want int) {
	x.t.Helper()
	p.At = time.Now()
	if n, err := x.store.Purge(context.Background(), &p); n != want || err != nil {
		x.t.Errorf("purge by %s: got %d, %v; want %d", p.Kind, n, err, want)
	}
}

// versions is an upstream whose responses have a version, which is their
// entity tag too, and confirm it; below zero it fails.
func versions(version *atomic.Int64, cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := version.Load()
		h := w.Header()
		h.Set("Cache-Control", cacheControl)
		h.Set("Surrogate-Key", "all "+strings.TrimPrefix(r.URL.Path, "/"))
		if v < 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.Set("Etag", fmt.Sprintf(`"%d"`, v))
		if r.Header.Get("If-None-Match") == h.Get("Etag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprintf(w, "version %d", v)
	}
}

// What is purged softly is validated before it is used again: a 304 makes it
// fresh, and a new response takes its place. Other responses notice nothing.
func TestSoftPurge(t *testing.T) {
	var version atomic.Int64
	for i := range cache.PurgeKinds {
		version.Store(1)
		run(t, versions(&version, "max-age=60, stale-while-revalidate=600"), func(x *tier) {
			const validated = "veneer; fwd=stale; fwd-status=304; ttl=60; stored; detail=purged"
			p, other, touched := purgesOf(t, "/in")[i], "veneer; hit; ttl=60", 1
			if p.Kind == cache.PurgeAll {
				other, touched = validated, 2
			}
			x.get("/in")
			x.get("/out")
			synctest.Wait()
			wantStatus(t, x.get("/in"), "veneer; hit; ttl=60")
			for _, fields := range [][]string{nil, {"Cache-Control: max-stale"}} {
				x.purge(p, touched)
				a := x.get("/in", fields...)
				wantBody(t, a, "version 1")
				wantStatus(t, a, validated)
				synctest.Wait()
				wantStatus(t, x.get("/in"), "veneer; hit; ttl=60")
				wantStatus(t, x.get("/out"), other)
				synctest.Wait()
			}
			version.Store(2)
			x.purge(p, touched)
			if a := x.get("/in", "Cache-Control: only-if-cached"); a.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("only-if-cached: got %d", a.StatusCode)
			}
			a := x.get("/in")
			wantBody(t, a, "version 2")
			wantStatus(t, a, "veneer; fwd=stale; fwd-status=200; ttl=60; stored; detail=purged")
			synctest.Wait()
			wantStatus(t, x.get("/in"), "veneer; hit; ttl=60")
			p.Hard = true
			x.purge(p, touched)
			wantStatus(t, x.get("/in"), "veneer; fwd=uri-miss; fwd-status=200; ttl=60; stored")
		})
	}
}

// glanced is a CORS whose route has the store itself, which a lane may ask.
type glanced struct{ noCORS }

func (glanced) keepsCORS() {}

// The lane, which answers by itself, sees a purge at once.
func TestLaneSeesPurges(t *testing.T) {
	var version atomic.Int64
	encoding := &cache.Encoding{Encode: func(int, http.Header) []byte { return nil }}
	run(t, versions(&version, "max-age=60"), func(x *tier) {
		found := func() bool {
			var h cache.Hit
			return x.engine.Find(&h, &cache.Request{Method: "GET", Host: "site.example", Path: "/in", Fields: http.Header{}}, encoding)
		}
		for _, p := range purgesOf(t, "/in") {
			for _, p.Hard = range []bool{false, true} {
				x.get("/in")
				synctest.Wait()
				if !found() {
					t.Errorf("%s: not found before", p.Kind)
				}
				x.purge(p, 1)
				if found() {
					t.Errorf("%s, hard %t: found after it", p.Kind, p.Hard)
				}
			}
		}
	}, func(r *cache.Route) { r.CORS = glanced{} })
}

// While the upstream fails, what was purged may stand in for as long as it says
// of itself, from the purge on, unless it says that it never may.
func TestPurgedStandsIn(t *testing.T) {
	for _, c := range []struct {
		cacheControl string
		hard         bool
		wait         time.Duration // before the purge
		fails        time.Duration // after it
		ttl          time.Duration // of what stands in; 0: an error
	}{
		{"max-age=60, stale-if-error=30", false, 0, 29 * time.Second, -29 * time.Second},
		{"max-age=60, stale-if-error=30", false, 0, 31 * time.Second, 0},
		{"max-age=60, stale-if-error=30", false, 80 * time.Second, 5 * time.Second, -25 * time.Second},
		{"max-age=60, stale-if-error=30", false, 80 * time.Second, 11 * time.Second, 0},
		{"max-age=60, stale-if-error=30", true, 0, time.Second, 0},
		{"max-age=60, stale-while-revalidate=30", false, 0, time.Second, 0},
		{"max-age=60, stale-if-error=30, must-revalidate", false, 0, time.Second, 0},
		{"max-age=60, stale-if-error=30, no-cache", false, 0, time.Second, 0},
		{"max-age=60", false, 0, time.Second, 0},
	} {
		var version atomic.Int64
		run(t, versions(&version, c.cacheControl), func(x *tier) {
			x.get("/in")
			synctest.Wait()
			after(c.wait)
			x.purge(cache.Purge{Kind: cache.PurgeTag, Tag: "in", Hard: c.hard}, 1)
			version.Store(-1)
			after(c.fails)
			a := x.get("/in")
			if c.ttl == 0 {
				if a.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("%+v: got %d, %q", c, a.StatusCode, a.status())
				}
				return
			}
			wantBody(t, a, "version 0")
			wantStatus(t, a, "veneer; fwd=stale; fwd-status=503; detail=stale-served")
			synctest.Wait()
			x.mu.Lock()
			defer x.mu.Unlock()
			if _, ttl, ok := x.log[len(x.log)-1].Freshness(); !ok || ttl != c.ttl {
				t.Errorf("%+v: recorded with a ttl of %s, %t", c, ttl, ok)
			}
		})
	}
}

// A HEAD that agrees with what is stored does not take a purge back: it need
// not have a validator.
func TestHeadDoesNotUndoPurge(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Length", "1")
		io.WriteString(w, "x")
	}, func(x *tier) {
		x.get("/in")
		synctest.Wait()
		x.purge(cache.Purge{Kind: cache.PurgeAll}, 1)
		x.do("HEAD", "/in", nil)
		wantStatus(t, x.get("/in"), "veneer; fwd=stale; fwd-status=200; ttl=60; stored; detail=purged")
	})
}

// A fetch that began before a purge that concerns it is not stored, and who
// asks after the purge does not get it; one that the purge does not concern is
// stored, and shared with who comes later.
func TestPurgeDuringFill(t *testing.T) {
	for i := range cache.PurgeKinds {
		for _, path := range []string{"/in", "/out"} {
			var version atomic.Int64
			run(t, func(w http.ResponseWriter, r *http.Request) {
				v := version.Load()
				after(time.Second)
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Cache-Tag", strings.TrimPrefix(r.URL.Path, "/"))
				fmt.Fprintf(w, "version %d", v)
			}, func(x *tier) {
				p := purgesOf(t, "/in")[i]
				first := make(chan answer)
				go func() { first <- x.get(path) }()
				after(500 * time.Millisecond)
				version.Store(1)
				x.purge(p, 0)
				later, _ := x.wave(3, path)
				wantBody(t, <-first, "version 0")
				want, requests := "version 0", 1
				if path == "/in" || p.Kind == cache.PurgeAll {
					want, requests = "version 1", 2
				}
				for _, a := range later {
					wantBody(t, a, want)
				}
				synctest.Wait()
				a := x.get(path)
				wantBody(t, a, want)
				if !strings.HasPrefix(a.status(), "veneer; hit") || x.requests() != requests {
					t.Errorf("%s, %s: %q after %d requests, want a hit after %d", p.Kind, path, a.status(), x.requests(), requests)
				}
			})
		}
	}
}

// A refresh in the background that began before a purge does not make the
// response fresh.
func TestPurgeDuringValidation(t *testing.T) {
	for _, p := range purgesOf(t, "/in") {
		var slow atomic.Bool
		var version atomic.Int64
		answers := versions(&version, "max-age=10, stale-while-revalidate=60")
		run(t, func(w http.ResponseWriter, r *http.Request) {
			if slow.Load() {
				after(time.Second)
			}
			answers(w, r)
		}, func(x *tier) {
			x.get("/in")
			synctest.Wait()
			after(20 * time.Second)
			slow.Store(true) // which adds to the age (RFC 9111 §4.2.3)
			if a := x.get("/in"); !strings.Contains(a.status(), "detail=stale") {
				t.Errorf("got %q, want it stale, and refreshed", a.status())
			}
			after(500 * time.Millisecond)
			x.purge(p, 1)
			after(time.Second)
			synctest.Wait()
			wantStatus(t, x.get("/in"), "veneer; fwd=stale; fwd-status=304; ttl=9; stored; detail=purged")
			synctest.Wait()
			wantStatus(t, x.get("/in"), "veneer; hit; ttl=9")
		})
	}
}

// What answers a POST for later GETs is asked for the purges since it was sent.
func TestPurgeDuringPost(t *testing.T) {
	for _, p := range purgesOf(t, "/in") {
		run(t, func(w http.ResponseWriter, r *http.Request) {
			after(time.Second)
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Location", r.URL.Path)
			w.Header().Set("Cache-Tag", "in")
			io.WriteString(w, "posted")
		}, func(x *tier) {
			done := make(chan answer)
			go func() { done <- x.do("POST", "/in", strings.NewReader("x")) }()
			after(500 * time.Millisecond)
			x.purge(p, 0)
			<-done
			if a := x.get("/in"); strings.Contains(a.status(), "hit") {
				t.Errorf("%s: got %q", p.Kind, a.status())
			}
		})
	}
}

func TestPurgeKinds(t *testing.T) {
	var words []string
	for k := range cache.PurgeKinds + 1 {
		words = append(words, cache.PurgeKind(k).String())
	}
	if got := strings.Join(words, " "); got != "url prefix tag all unknown" {
		t.Errorf("got %q", got)
	}
}
