package cache_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/rfc9111"
)

func TestHead(t *testing.T) {
	var version atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=10")
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, version.Load()))
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("Content-Length", "4")
		if r.Method == "GET" {
			io.WriteString(w, "body")
		}
	}, func(x *tier) {
		a := x.do("HEAD", "/", nil)
		if a.StatusCode != 200 || a.ContentLength != 4 || a.body != "" {
			t.Errorf("HEAD without anything stored: %d, length %d", a.StatusCode, a.ContentLength)
		}
		wantBody(t, x.get("/"), "body")
		synctest.Wait()
		a = x.do("HEAD", "/", nil)
		if a.status() != "veneer; hit; ttl=10" || a.ContentLength != 4 || a.Header.Get("X-Method") != "GET" {
			t.Errorf("HEAD of a stored GET: %v", a.Header)
		}
		after(15 * time.Second)
		x.do("HEAD", "/", nil) // same validators: freshens
		a = x.get("/")
		if a.status() != "veneer; hit; ttl=10" || a.Header.Get("X-Method") != "HEAD" {
			t.Errorf("not freshened by HEAD: %v", a.Header)
		}
		after(15 * time.Second)
		version.Store(2)
		x.do("HEAD", "/", nil) // another representation: removes
		if n := x.store.Stats().Objects; n != 0 {
			t.Errorf("%d still stored", n)
		}
	})
}

// A response to POST that is the target's own representation serves later GETs.
func TestPostedRepresentation(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.URL.Path == "/here" {
			w.Header().Set("Content-Location", "/here")
		}
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, b)
	}, func(x *tier) {
		wantBody(t, x.do("POST", "/here", strings.NewReader("data")), "POST data")
		wantBody(t, x.get("/here"), "POST data")
		wantBody(t, x.do("POST", "/there", strings.NewReader("data")), "POST data")
		wantBody(t, x.get("/there"), "GET ")
	})
}

func TestRequestDirectives(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "x")
	}, func(x *tier) {
		a := x.get("/", "Cache-Control: only-if-cached")
		if a.StatusCode != http.StatusGatewayTimeout || x.requests() != 0 {
			t.Errorf("only-if-cached on an empty cache: %d, %d upstream requests", a.StatusCode, x.requests())
		}
		wantStatus(t, a, "veneer; detail=only-if-cached")
		x.get("/")
		synctest.Wait()
		for i, c := range []struct {
			field    string
			requests int
		}{
			{"Cache-Control: only-if-cached", 1},
			{"Cache-Control: max-age=60", 1},
			{"Cache-Control: no-cache", 2},
			{"Pragma: no-cache", 3},
			{"Cache-Control: max-age=0", 4},
			{"Cache-Control: no-store", 5},
			{"Cache-Control: min-fresh=61", 6},
		} {
			if a := x.get("/", c.field); a.StatusCode != 200 || x.requests() != c.requests {
				t.Errorf("%d %s: %d and %d upstream requests, want %d", i, c.field, a.StatusCode, x.requests(), c.requests)
			}
			synctest.Wait()
		}
	})
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		x.get("/", "Cache-Control: no-cache")
		if x.requests() != 1 {
			t.Errorf("a route that ignores directives asked %d times", x.requests())
		}
	}, func(r *cache.Route) { r.IgnoreDirectives = true })
}

func TestUpgrade(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		io.Copy(conn, rw)
	}, func(x *tier) {
		conn, err := x.front.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		br := bufio.NewReader(conn)
		res := readHead(t, br, "GET")
		if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "echo" {
			t.Fatalf("%d %v", res.StatusCode, res.Header)
		}
		for _, word := range []string{"hello", "again"} {
			go io.WriteString(conn, word)
			b := make([]byte, len(word))
			if _, err := io.ReadFull(br, b); err != nil || string(b) != word {
				t.Errorf("echo of %q: %q, %v", word, b, err)
			}
		}
		x.engine.EndUpgrades()
		if _, err := br.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the tunnel outlives the engine: %v", err)
		}
	})
}

func TestProblems(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok")
	}, func(x *tier) {
		for _, c := range []struct {
			name, method, path string
			body               io.Reader
			fields             []string
			status             int
			kind               string
		}{
			{"TRACE", "TRACE", "/", nil, nil, 405, "method"},
			{"bad escape", "GET", "/%zz", nil, nil, 400, "bad-request"},
			{"large, announced", "POST", "/", strings.NewReader(strings.Repeat("x", 2<<20)), nil, 413, "body-too-large"},
			{"large, chunked", "POST", "/", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1))), nil, 413, "body-too-large"},
		} {
			var a answer
			if c.name == "bad escape" {
				a = raw(x, "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if a.StatusCode != 400 {
					t.Errorf("%s: %d", c.name, a.StatusCode)
				}
				continue // net/http refuses it before any handler
			}
			a = x.do(c.method, c.path, c.body, c.fields...)
			var p struct{ Type, Title, Detail string }
			if err := json.Unmarshal([]byte(a.body), &p); a.StatusCode != c.status || err != nil ||
				p.Type != "urn:veneer:problem:"+c.kind || p.Title == "" || p.Detail == "" ||
				a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %d %q %v (%v)", c.name, a.StatusCode, a.body, a.Header, a.err)
			}
		}
		x.upstream.Close()
		if a := x.get("/"); a.StatusCode != 502 || !strings.Contains(a.body, "upstream-unreachable") {
			t.Errorf("dead upstream: %d %q", a.StatusCode, a.body)
		}
	})
}

func raw(x *tier, head string) answer {
	conn, err := x.front.dial(context.Background(), "", "")
	if err != nil {
		x.t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, head)
	res := readHead(x.t, bufio.NewReader(conn), "GET")
	b, err := io.ReadAll(res.Body)
	return answer{Response: res, body: string(b), err: err}
}

// Variants live side by side, waiters of one flight get their own, and a
// request without the field differs from one with it.
func TestVariants(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		after(50 * time.Millisecond)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "X-Lang")
		fmt.Fprintf(w, "%q", r.Header["X-Lang"])
	}, func(x *tier) {
		done := make(chan struct{})
		langs := [][]string{{"X-Lang: de"}, {"X-Lang: fr"}, {}, {"X-Lang: "}}
		for _, f := range langs {
			go func() {
				defer func() { done <- struct{}{} }()
				var want []string
				for _, l := range f {
					want = append(want, strings.TrimPrefix(l, "X-Lang: "))
				}
				wantBody(t, x.get("/", f...), fmt.Sprintf("%q", want))
			}()
		}
		for range langs {
			<-done
		}
		synctest.Wait()
		before := x.requests()
		for _, f := range langs {
			if a := x.get("/", f...); !strings.HasPrefix(a.status(), "veneer; hit") {
				t.Errorf("%v: %s", f, a.status())
			}
		}
		if x.requests() != before || before != 4 {
			t.Errorf("%d and %d upstream requests, want 4", before, x.requests())
		}
	})
}

// At most so many variants and origins are kept; more are served, not stored,
// and evict nobody.
func TestCaps(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "X-Lang")
		io.WriteString(w, r.Header.Get("X-Lang"))
	}, func(x *tier) {
		for i := range 10 {
			l := fmt.Sprint(i)
			wantBody(t, x.get("/", "X-Lang: "+l), l)
			synctest.Wait()
		}
		if n := x.store.Stats().Objects; n != 4 {
			t.Errorf("%d stored, want 4", n)
		}
		wantStatus(t, x.get("/", "X-Lang: 0"), "veneer; hit; ttl=60")
	}, func(r *cache.Route) { r.Variants = 4 })
}

// What is larger than max_object is passed on and not stored.
func TestTooLarge(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	for _, announced := range []bool{true, false} {
		run(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			if announced {
				w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			}
			io.WriteString(w, big)
		}, func(x *tier) {
			for range 3 {
				wantBody(t, x.get("/"), big)
				synctest.Wait()
			}
			if n := x.store.Stats().Objects; n != 0 || x.requests() != 3 {
				t.Errorf("announced %v: %d stored, %d upstream requests", announced, n, x.requests())
			}
		}, func(r *cache.Route) { r.MaxObject = 10_000 })
	}
}

func TestTrailers(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "content")
		w.Header().Set("X-Sum", "42")
	}, func(x *tier) {
		for range 2 {
			res, err := x.client.Do(request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			if string(b) != "content" || res.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%q with trailers %v", b, res.Trailer)
			}
		}
	})
}

// A response that is not freshly explicit is not stored for a client with a
// cookie; the policy for Set-Cookie is the route's.
func TestCookies(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Set-Cookie", "id=1")
		io.WriteString(w, "x")
	}
	for policy, want := range map[rfc9111.SetCookiePolicy]struct {
		requests int
		cookies  int
	}{
		rfc9111.SetCookieBypass: {2, 1},
		rfc9111.SetCookieStrip:  {1, 0},
		rfc9111.SetCookieStore:  {1, 1},
	} {
		run(t, answer, func(x *tier) {
			x.get("/")
			synctest.Wait()
			a := x.get("/")
			if got := len(a.Header["Set-Cookie"]); x.requests() != want.requests || got != want.cookies {
				t.Errorf("policy %d: %d requests and %d cookies, want %+v", policy, x.requests(), got, want)
			}
		}, func(r *cache.Route) { r.Policy.SetCookie = policy })
	}
}

// The tags of a response are those of the stored one.
func TestTags(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Surrogate-Key", "product-1 news")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		for _, tag := range []string{"product-1", "news"} {
			if n := len(x.store.ByTag(tag)); n != 1 {
				t.Errorf("%s: %d stored responses, want 1", tag, n)
			}
		}
	})
}
