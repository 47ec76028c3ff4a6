package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/key"
)

// Each test here stands for a fault that the engine once had.

// fullCORS refuses every Origin.
type fullCORS struct{ noCORS }

func (fullCORS) Judge(_ string, origin []string) cache.Origin {
	if len(origin) == 0 {
		return cache.Origin{}
	}
	return cache.Origin{Bucket: "other", Full: true, Forward: true}
}

func TestRefusedOriginKeepsItsPrecondition(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == "*" {
			w.WriteHeader(412)
			return
		}
		w.WriteHeader(204)
	}, func(x *tier) {
		a := x.do("PUT", "/doc", strings.NewReader("new"), "Origin: https://own.example", "If-None-Match: *")
		if a.StatusCode != 412 {
			t.Errorf("PUT If-None-Match: * overwrote: %d", a.StatusCode)
		}
	}, func(r *cache.Route) { r.CORS = fullCORS{} })
}

func TestBodyLimitDuringEarlyAnswer(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		for i := range 200 {
			w.Header().Set(fmt.Sprintf("X-H%d", i), "v")
		}
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		io.Copy(io.Discard, r.Body)
	}, func(x *tier) {
		for range 20 {
			x.do("POST", "/", io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20))))
		}
	})
}

func TestVariantChosenByContentIsNotValidated(t *testing.T) {
	var v atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Encoding")
		enc := "gzip"
		if v.Load() > 0 && strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
			enc = "br"
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d-%s"`, v.Load(), enc))
		w.Header().Set("Content-Encoding", enc)
		io.WriteString(w, enc)
	}, func(x *tier) {
		x.get("/", "Accept-Encoding: gzip, br")
		synctest.Wait()
		v.Store(1)
		a := x.get("/", "Accept-Encoding: gzip", "Cache-Control: no-cache")
		synctest.Wait()
		b := x.get("/", "Accept-Encoding: gzip")
		if a.Header.Get("Content-Encoding") != "gzip" || b.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("a client that takes gzip only got %q, the next from store %q (%s)", a.body, b.body, b.status())
		}
	})
}

func TestPrivateFieldReachesWhoAsked(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", `max-age=60, private="Set-Cookie"`)
		w.Header().Set("Set-Cookie", "session=1")
		io.WriteString(w, "x")
	}, func(x *tier) {
		a := x.get("/")
		if a.Header.Get("Set-Cookie") == "" {
			t.Errorf("the client that asked does not get its cookie: %v", a.Header)
		}
	})
}

func TestValidationKeepsTheRoutesOwnFields(t *testing.T) {
	var auth []string
	run(t, func(w http.ResponseWriter, r *http.Request) {
		auth = append(auth, r.Header.Get("Authorization"))
		w.Header().Set("Cache-Control", "max-age=1")
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Vary", "Authorization")
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(401)
			return
		}
		io.WriteString(w, "x")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(3 * time.Second)
		a := x.get("/")
		if a.StatusCode != 200 {
			t.Errorf("validation without the route's own Authorization: %d %v", a.StatusCode, a.Header)
		}
	}, func(r *cache.Route) {
		r.Request.Set = map[string][]string{"Authorization": {"Bearer TOKEN"}}
	})
}

func TestFollowerMayForbidStale(t *testing.T) {
	var down atomic.Bool
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			after(100 * time.Millisecond)
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Cache-Control", "max-age=1, stale-if-error=60")
		io.WriteString(w, "old")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(2 * time.Second)
		down.Store(true)
		alone := x.get("/", "Cache-Control: no-cache")
		go x.get("/")
		after(10 * time.Millisecond)
		a := x.get("/", "Cache-Control: no-cache")
		if alone.StatusCode != a.StatusCode {
			t.Errorf("no-cache: alone %d, as follower %d %s", alone.StatusCode, a.StatusCode, a.status())
		}
	})
}

func TestHeadDoesNotReviveWhatWasInvalidated(t *testing.T) {
	var v atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			v.Add(1)
			return
		}
		w.Header().Set("Cache-Control", "max-age=2")
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, v.Load()))
		w.Header().Set("Content-Length", "1")
		body := fmt.Sprint(v.Load())
		if r.Method == "HEAD" {
			w.WriteHeader(200)
			after(100 * time.Millisecond)
			return
		}
		io.WriteString(w, body)
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(3 * time.Second)
		go x.do("HEAD", "/", nil)
		after(50 * time.Millisecond)
		x.do("PUT", "/", nil)
		after(200 * time.Millisecond)
		if a := x.get("/"); a.body != "1" {
			t.Errorf("after PUT: %q %s", a.body, a.status())
		}
	})
}

func TestHeadWithAnotherVary(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=2")
		if r.Method == "HEAD" {
			w.Header().Set("Vary", "X-Lang")
			return
		}
		io.WriteString(w, "en")
	}, func(x *tier) {
		x.get("/", "X-Lang: en")
		synctest.Wait()
		after(3 * time.Second)
		x.do("HEAD", "/", nil, "X-Lang: en")
		if a := x.get("/", "X-Lang: de"); strings.Contains(a.status(), "hit") {
			t.Errorf("reused across Vary: %s vary=%q", a.status(), a.Header["Vary"])
		}
	})
}

func TestHeadOfOneClientRemovesNothing(t *testing.T) {
	mod := time.Now().Add(-100 * time.Second)
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", mod.UTC().Format(http.TimeFormat))
		if r.Method == "GET" {
			io.WriteString(w, "en")
		}
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(24 * 3600 * time.Second)
		n := x.store.Stats().Objects
		x.do("HEAD", "/", nil, "Cookie: a=b")
		if m := x.store.Stats().Objects; m != n || n != 1 {
			t.Errorf("%d then %d", n, m)
		}
	})
}

func TestPostedNotStored(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Location", r.URL.Path)
		io.WriteString(w, r.Method+r.Header.Get("Origin"))
	}
	run(t, h, func(x *tier) {
		x.do("POST", "/a", strings.NewReader("d"), "Cache-Control: no-store")
		if n := x.store.Stats().Objects; n != 0 {
			t.Errorf("request no-store: %d stored", n)
		}
	})
	run(t, h, func(x *tier) {
		x.do("POST", "/b", strings.NewReader("d"), "Origin: https://evil.example")
		a := x.get("/b", "Origin: https://good.example")
		if strings.Contains(a.body, "evil") {
			t.Error("shared mode: what an upstream made of an unkeyed Origin is served to another origin")
		}
	}, func(r *cache.Route) { r.CORS = sharedCORS{}; r.Key.Origin = key.OriginShared })
	run(t, h, func(x *tier) {
		for i := range 100 {
			x.do("POST", "/c", strings.NewReader("d"), fmt.Sprintf("Origin: https://%d.example", i))
		}
		if n := x.store.Stats().Objects; n > 4 {
			t.Errorf("origin cap 4: %d stored", n)
		}
	}, func(r *cache.Route) { r.CORS = cappedCORS{}; r.Origins = 4 })
}

type sharedCORS struct{ noCORS }

func (sharedCORS) Judge(m string, origin []string) cache.Origin {
	if len(origin) == 0 {
		return cache.Origin{}
	}
	return cache.Origin{Bucket: origin[0], Forward: m != "GET" && m != "HEAD"}
}

type cappedCORS struct{ noCORS }

func (cappedCORS) Judge(m string, origin []string) cache.Origin {
	if len(origin) == 0 {
		return cache.Origin{}
	}
	// as POST invalidates the URI first
	return cache.Origin{Bucket: origin[0], Forward: true, Capped: true}
}

func TestRefreshOnceWithoutCollapsing(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		after(time.Second)
		w.Header().Set("Cache-Control", "max-age=5, stale-while-revalidate=60")
		io.WriteString(w, "x")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(6 * time.Second)
		x.wave(20, "/")
		after(3 * time.Second)
		if x.requests() != 2 {
			t.Errorf("%d upstream requests, want 2", x.requests())
		}
	}, func(r *cache.Route) { r.NoCollapse = true })
}

func TestInterimFields(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Keep-Alive", "timeout=1")
		w.Header().Set("Connection", "x-hop")
		w.Header().Set("X-Hop", "secret")
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Del("Connection")
		w.Header().Del("Keep-Alive")
		w.Header().Del("X-Hop")
		w.Header().Del("Link")
		io.WriteString(w, "final")
	}, func(x *tier) {
		for _, proto := range []string{"1.0", "1.1"} {
			conn, _ := x.front.dial(context.Background(), "", "")
			go io.WriteString(conn, "GET /"+proto+" HTTP/"+proto+"\r\nHost: a\r\nConnection: close\r\n\r\n")
			b, _ := io.ReadAll(conn)
			text := string(b)
			if strings.Contains(text, "103 Early Hints") != (proto == "1.1") || strings.Contains(text, "secret") || strings.Contains(text, "timeout=1") {
				t.Errorf("%s: %q", proto, text)
			}
			conn.Close()
			synctest.Wait()
		}
	})
}

func TestInterimNotRead(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "final")
	}, func(x *tier) {
		conn, _ := x.front.dial(context.Background(), "", "")
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
		synctest.Wait()
		done := make(chan answer, 1)
		ctx, c := context.WithTimeout(context.Background(), 30*time.Second)
		defer c()
		go func() {
			res, err := x.client.Do(request(t, "GET", "/", nil).WithContext(ctx))
			if err == nil {
				res.Body.Close()
			}
			done <- answer{err: err}
		}()
		if a := <-done; a.err != nil {
			t.Errorf("a follower waits for the leader's client that does not read its 103: %v", a.err)
		}
		conn.Close()
	})
}

func TestEndUpgradesLeavesFetchesAlone(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		after(time.Second)
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "final")
	}, func(x *tier) {
		done := make(chan answer)
		go func() { done <- x.get("/") }()
		after(100 * time.Millisecond)
		x.engine.EndUpgrades()
		if a := <-done; a.StatusCode != 200 {
			t.Errorf("EndUpgrades cut an ordinary request: %d %s", a.StatusCode, a.body)
		}
	})
}

func TestMarkClearsBehindVaryMismatch(t *testing.T) {
	var bad atomic.Bool
	bad.Store(true)
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Vary", "X-Lang")
		if r.Header.Get("X-Lang") == "b" && bad.Load() {
			w.Header().Set("Cache-Control", "no-store")
		}
		io.WriteString(w, r.Header.Get("X-Lang"))
	}, func(x *tier) {
		x.get("/", "X-Lang: a")
		synctest.Wait()
		x.get("/", "X-Lang: b")
		bad.Store(false)
		wantStatus(t, x.get("/", "X-Lang: b"), "veneer; fwd=vary-miss; fwd-status=200; detail=vary-mismatch") // the mark holds once
		x.get("/", "X-Lang: b")
		synctest.Wait()
		wantStatus(t, x.get("/", "X-Lang: b"), "veneer; hit; ttl=600")
	})
}

func TestMarkOfTooLargeStays(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, strings.Repeat("x", 100))
	}, func(x *tier) {
		wantStatus(t, x.get("/"), "veneer; fwd=uri-miss; fwd-status=200; detail=too-large")
		for range 4 {
			wantStatus(t, x.get("/"), "veneer; fwd=uri-miss; fwd-status=200; detail=hit-for-miss")
		}
	}, func(r *cache.Route) { r.MaxObject = 10 })
}

func TestRangeOfAPost(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "done") }, func(x *tier) {
		a := x.do("POST", "/", strings.NewReader("d"), "Range: bytes=0-1,0-1")
		if a.StatusCode != 200 || x.requests() != 1 {
			t.Errorf("%d, %d upstream", a.StatusCode, x.requests())
		}
	})
}

func TestAgeOfALateJoiner(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		drip(w, 40*time.Second, "a", "b", "c")
	}, func(x *tier) {
		var all sync.WaitGroup
		all.Go(func() { x.get("/") })
		after(60 * time.Second)
		a := x.get("/")
		if got := a.Header.Get("Age"); got != "60" {
			t.Errorf("Age: got %q, want 60", got)
		}
		all.Wait()
	})
}

func TestRefusedByTheStore(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Vary", "X-Lang")
	}, func(x *tier) {
		for i := range 6 {
			want := "veneer; fwd=vary-miss; fwd-status=200; detail=too-many-variants"
			switch i {
			case 0:
				want = "veneer; fwd=uri-miss; fwd-status=200; ttl=600; stored"
			case 1:
				want = "veneer; fwd=vary-miss; fwd-status=200; ttl=600; stored; detail=vary-mismatch"
			}
			wantStatus(t, x.get("/", fmt.Sprintf("X-Lang: %d", i)), want)
			synctest.Wait()
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.unstored) != 0 {
			t.Errorf("told twice: %v", x.unstored)
		}
	}, func(r *cache.Route) { r.Variants = 2 })
}

// A browser that has parts of a representation validates them with If-Range,
// and a 206 lets it go on using them as a 304 would: a refused Origin gets the
// whole, from the store and from the upstream.
func TestRefusedOriginGetsNoPartsToPutTogether(t *testing.T) {
	const whole = "0123456789"
	for _, storable := range []string{"max-age=60", "no-store"} {
		run(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", storable)
			w.Header().Set("ETag", `"r"`)
			http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader(whole))
		}, func(x *tier) {
			for _, c := range []struct {
				fields []string
				status int
				body   string
			}{
				{[]string{"Origin: https://refused.example"}, 200, whole},
				{[]string{"Origin: https://refused.example", "Range: bytes=2-3", `If-Range: "r"`}, 200, whole},
				{[]string{"Origin: https://refused.example", "Range: bytes=2-3"}, 206, "23"},
				{[]string{"Range: bytes=2-3", `If-Range: "r"`}, 206, "23"},
			} {
				if a := x.get("/parts", c.fields...); a.StatusCode != c.status || a.body != c.body {
					t.Errorf("%s, %v: got %d %q, want %d %q", storable, c.fields, a.StatusCode, a.body, c.status, c.body)
				}
			}
		}, func(r *cache.Route) { r.CORS = fullCORS{} })
	}
}

// plainCORS lets every Origin in, without credentials.
type plainCORS struct{ noCORS }

func (plainCORS) Judge(string, []string) cache.Origin {
	return cache.Origin{Bucket: "https://app.example", FullWithCookie: true}
}

// A 304 cannot take Access-Control-Allow-Credentials back either: a request
// with cookies gets the whole where the policy has no credentials.
func TestCookiesGetTheWhole(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("ETag", `"1"`)
		io.WriteString(w, "whole")
	}, func(x *tier) {
		x.get("/doc", "Origin: https://app.example")
		if a := x.get("/doc", "Origin: https://app.example", `If-None-Match: "1"`); a.StatusCode != 304 {
			t.Errorf("without a cookie: %d", a.StatusCode)
		}
		if a := x.get("/doc", "Origin: https://app.example", `If-None-Match: "1"`, "Cookie: a=b"); a.StatusCode != 200 || a.body != "whole" {
			t.Errorf("with a cookie: %d %q", a.StatusCode, a.body)
		}
	}, func(r *cache.Route) { r.CORS = plainCORS{} })
}
