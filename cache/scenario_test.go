package cache_test

import (
	"bufio"
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
)

// wantStatus checks Cache-Status as a whole.
func wantStatus(t *testing.T, a answer, want string) {
	t.Helper()
	if got := a.status(); got != want {
		t.Errorf("Cache-Status: got %q, want %q", got, want)
	}
}

func wantBody(t *testing.T, a answer, want string) {
	t.Helper()
	if a.err != nil || a.body != want {
		t.Errorf("content: got %.80q (%v), want %.80q", a.body, a.err, want)
	}
}

func TestMissThenHit(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("X-Seen", r.Header.Get("X-Client"))
		w.Header()["Content-Type"] = nil // nobody guesses one on the way
		io.WriteString(w, "content of "+r.URL.Path)
	}, func(x *tier) {
		first := x.get("/a", "X-Client: one")
		wantBody(t, first, "content of /a")
		wantStatus(t, first, "veneer; fwd=uri-miss; fwd-status=200; ttl=60; stored")
		synctest.Wait()
		after(7 * time.Second)
		second := x.get("/a", "X-Client: two")
		wantBody(t, second, "content of /a")
		wantStatus(t, second, "veneer; hit; ttl=53")
		for name, want := range map[string]string{"Age": "7", "Content-Length": "13", "X-Seen": "one", "Via": "1.1 veneer", "Content-Type": ""} {
			if got := second.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if x.requests() != 1 {
			t.Errorf("%d upstream requests, want 1", x.requests())
		}
	})
}

// 40 clients ask for a 200 ms page that may not be stored: everybody gets an
// answer of their own, the first wave waits once, and the next does not wait
// at all.
func TestUnstorableWave(t *testing.T) {
	var serial atomic.Int64
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		n := serial.Add(1)
		after(200 * time.Millisecond)
		w.Header().Set("Cache-Control", "private, no-store")
		fmt.Fprintf(w, "page %d", n)
	}, func(x *tier) {
		const clients = 40
		for i, bound := range []time.Duration{400 * time.Millisecond, 220 * time.Millisecond} {
			answers, took := x.wave(clients, "/private")
			seen := map[string]bool{}
			for _, a := range answers {
				if a.err != nil || seen[a.body] {
					t.Errorf("wave %d: %q came twice or not at all (%v)", i+1, a.body, a.err)
				}
				seen[a.body] = true
			}
			if want := clients * (i + 1); x.requests() != want {
				t.Errorf("wave %d: %d upstream requests, want %d", i+1, x.requests(), want)
			}
			if took > bound {
				t.Errorf("wave %d took %v, want at most %v", i+1, took, bound)
			}
		}
	})
}

func TestStorableWave(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		after(200 * time.Millisecond)
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "shared")
	}, func(x *tier) {
		answers, took := x.wave(40, "/shared")
		collapsed := 0
		for _, a := range answers {
			wantBody(t, a, "shared")
			if strings.Contains(a.status(), "collapsed") {
				collapsed++
			}
		}
		if x.requests() != 1 || collapsed != 39 || took > 220*time.Millisecond {
			t.Errorf("%d upstream requests, %d collapsed, %v; want 1, 39, at most 220ms", x.requests(), collapsed, took)
		}
	})
}

// A response that drips for 2 s, joined after half a second: the second client
// reads at once what is there.
func TestDripJoined(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		drip(w, 400*time.Millisecond, "one ", "two ", "three ", "four ", "five ", "six")
	}, func(x *tier) {
		var both sync.WaitGroup
		both.Go(func() { wantBody(t, x.get("/drip"), "one two three four five six") })
		after(500 * time.Millisecond)
		begin := time.Now()
		res, err := x.client.Do(request(t, "GET", "/drip", nil))
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(res.Body)
		first, _ := br.ReadByte()
		if took := time.Since(begin); first != 'o' || took >= 10*time.Millisecond {
			t.Errorf("first byte %q after %v", first, took)
		}
		rest, err := io.ReadAll(br)
		if err != nil || string(rest) != "ne two three four five six" {
			t.Errorf("the rest is %q, %v", rest, err)
		}
		both.Wait()
		if x.requests() != 1 {
			t.Errorf("%d upstream requests, want 1", x.requests())
		}
	})
}

// The client whose request began the fetch leaves in the middle: the follower
// gets the whole content, and it is stored.
func TestLeaderLeaves(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		drip(w, 100*time.Millisecond, "a", "b", "c", "d")
	}, func(x *tier) {
		ctx, leave := context.WithCancel(context.Background())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			res, err := x.client.Do(request(t, "GET", "/x", nil).WithContext(ctx))
			if err == nil {
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
		after(150 * time.Millisecond)
		follower := make(chan answer)
		go func() { follower <- x.get("/x") }()
		after(10 * time.Millisecond)
		leave()
		<-gone
		wantBody(t, <-follower, "abcd")
		synctest.Wait()
		wantStatus(t, x.get("/x"), "veneer; hit; ttl=60")
		if x.requests() != 1 {
			t.Errorf("%d upstream requests, want 1", x.requests())
		}
	})
}

func TestNotShared(t *testing.T) {
	for _, c := range []struct {
		name   string
		field  string // of the response
		client []string
		reason string
	}{
		{"Set-Cookie", "Set-Cookie: session=1", nil, "set-cookie"},
		{"Authorization", "X-A: b", []string{"Authorization: Bearer a"}, "authorization"},
		{"private", "Cache-Control: private, max-age=60", nil, "private"},
		{"Vary: *", "Vary: *", nil, "vary-star"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				name, value, _ := strings.Cut(c.field, ": ")
				w.Header().Set(name, value)
				after(50 * time.Millisecond)
				io.WriteString(w, r.Header.Get("X-Client"))
			}, func(x *tier) {
				var all sync.WaitGroup
				for i := range 8 {
					all.Go(func() {
						me := fmt.Sprint(i)
						wantBody(t, x.get("/", append(c.client, "X-Client: "+me)...), me)
					})
				}
				all.Wait()
				last := x.get("/", append(c.client, "X-Client: last")...)
				wantBody(t, last, "last")
				if x.requests() != 9 || x.store.Stats().Objects != 0 {
					t.Errorf("%d upstream requests and %d stored; want 9 and 0", x.requests(), x.store.Stats().Objects)
				}
				x.mu.Lock()
				defer x.mu.Unlock()
				if got := x.log[0].Reason.String(); got != c.reason && got != "hit-for-miss" {
					t.Errorf("reason %q, want %q", got, c.reason)
				}
			})
		})
	}
}

// An answer to a request with Authorization is for nobody else, collapsed or
// stored, unless it says so.
func TestAuthorizationIsKeptApart(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.URL.Path == "/public" {
			w.Header().Set("Cache-Control", "public, max-age=60")
		}
		after(50 * time.Millisecond)
		io.WriteString(w, "for "+r.Header.Get("Authorization"))
	}, func(x *tier) {
		var all sync.WaitGroup
		for _, who := range []string{"a", "b", ""} {
			all.Go(func() {
				var f []string
				if who != "" {
					f = []string{"Authorization: " + who}
				}
				wantBody(t, x.get("/own", f...), "for "+who)
			})
		}
		all.Wait()
		synctest.Wait()
		wantBody(t, x.get("/own"), "for ")
		wantBody(t, x.get("/own", "Authorization: c"), "for c")
		wantBody(t, x.get("/public", "Authorization: a"), "for a")
		synctest.Wait()
		wantBody(t, x.get("/public", "Authorization: b"), "for a")
	})
}

func TestStaleIfError(t *testing.T) {
	var down atomic.Int32
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		switch down.Load() {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "out of order")
			return
		case 2:
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Cache-Control", "max-age=1, stale-if-error=60")
		io.WriteString(w, "good")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		for mode, want := range map[int32]string{
			1: "veneer; fwd=stale; fwd-status=503; detail=stale-served",
			2: "veneer; fwd=stale; detail=stale-served",
		} {
			after(2 * time.Second)
			down.Store(mode)
			a := x.get("/")
			wantBody(t, a, "good")
			wantStatus(t, a, want)
		}
		after(2 * time.Minute)
		down.Store(1)
		a := x.get("/")
		wantBody(t, a, "out of order")
		down.Store(2)
		a = x.get("/")
		if a.StatusCode != http.StatusBadGateway || strings.Contains(a.body, "good") {
			t.Errorf("past its window: %d %q", a.StatusCode, a.body)
		}
	})
}

func TestDeadUpstreamServesStale(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1, stale-if-error=60")
		w.Header().Set("Connection", "close")
		io.WriteString(w, "good")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(2 * time.Second)
		x.upstream.Close()
		a := x.get("/")
		wantBody(t, a, "good")
		wantStatus(t, a, "veneer; fwd=stale; detail=stale-served")
	})
}

// Stale-while-revalidate answers at once, and refreshes once for all.
func TestStaleWhileRevalidate(t *testing.T) {
	var version atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		n := version.Add(1)
		if n > 1 {
			after(time.Second)
		}
		w.Header().Set("Cache-Control", "max-age=5, stale-while-revalidate=60")
		w.Header().Set("Vary", "X-Lang")
		fmt.Fprintf(w, "version %d for %s", n, r.Header.Get("X-Lang"))
	}, func(x *tier) {
		x.get("/", "X-Lang: de")
		synctest.Wait()
		after(6 * time.Second)
		answers, took := x.wave(10, "/", "X-Lang: de")
		for _, a := range answers {
			wantBody(t, a, "version 1 for de")
			wantStatus(t, a, "veneer; hit; ttl=-1; detail=stale")
		}
		if took >= 2*time.Millisecond {
			t.Errorf("answered after %v, want less than 2ms", took)
		}
		after(1500 * time.Millisecond)
		wantBody(t, x.get("/", "X-Lang: de"), "version 2 for de")
		if x.requests() != 2 {
			t.Errorf("%d upstream requests, want 2", x.requests())
		}
	})
}

func TestValidation(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1")
		w.Header().Set("ETag", `"a"`)
		if r.Header.Get("If-None-Match") == `"a"` {
			w.Header().Set("X-New", "yes")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, "content")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		after(3 * time.Second)
		a := x.get("/")
		wantBody(t, a, "content")
		wantStatus(t, a, "veneer; fwd=stale; fwd-status=304; ttl=1; stored; detail=stale")
		if a.Header.Get("X-New") != "yes" || a.Header.Get("Age") != "0" {
			t.Errorf("not freshened: %v", a.Header)
		}
		wantStatus(t, x.get("/"), "veneer; hit; ttl=1")
		if c := x.get("/", `If-None-Match: "b", W/"a"`); c.StatusCode != http.StatusNotModified || c.body != "" {
			t.Errorf("conditional request: %d %q", c.StatusCode, c.body)
		}
	})
}

func TestInvalidation(t *testing.T) {
	var version atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "POST":
			version.Add(1)
			if r.Header.Get("X-Fail") != "" {
				w.WriteHeader(http.StatusConflict)
			}
			w.Header().Set("Location", "/other")
		default:
			w.Header().Set("Cache-Control", "max-age=60")
			fmt.Fprintf(w, "%d", version.Load())
		}
	}, func(x *tier) {
		for _, p := range []string{"/a", "/other", "/third"} {
			wantBody(t, x.get(p), "0")
			wantBody(t, x.get(p, "Origin: https://a.example"), "0")
		}
		synctest.Wait()
		x.do("POST", "/a", nil, "X-Fail: yes")
		wantBody(t, x.get("/a"), "0")
		x.do("POST", "/a", strings.NewReader("data"))
		for p, want := range map[string]string{"/a": "2", "/other": "2", "/third": "0"} {
			wantBody(t, x.get(p), want)
			wantBody(t, x.get(p, "Origin: https://a.example"), want)
		}
	})
}

// A fetch that began before an invalidation is neither stored nor joined.
func TestInvalidationDuringFill(t *testing.T) {
	var version atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			version.Add(1)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		body := fmt.Sprint(version.Load())
		after(time.Second)
		io.WriteString(w, body)
	}, func(x *tier) {
		old := make(chan answer)
		go func() { old <- x.get("/a") }()
		after(100 * time.Millisecond)
		x.do("PUT", "/a", nil)
		wantBody(t, x.get("/a"), "1")
		wantBody(t, <-old, "0")
		synctest.Wait()
		wantBody(t, x.get("/a"), "1")
	})
}

// Content that ends early is passed on as broken and never stored.
func TestShortBody(t *testing.T) {
	for _, length := range []string{"100", ""} {
		run(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, func(x *tier) {
			// Reset after what had arrived, or 502 when it broke before the
			// client was sent anything.
			a := x.get("/")
			if a.err == nil && (a.StatusCode != http.StatusBadGateway || strings.Contains(a.body, "part")) {
				t.Errorf("length %q: the client took %q for the whole", length, a.body)
			}
			synctest.Wait()
			if n := x.store.Stats().Objects; n != 0 {
				t.Errorf("length %q: %d stored", length, n)
			}
		})
	}
}

func TestInterimResponses(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "final")
	}, func(x *tier) {
		for i, want := range []int{103, 200} {
			conn, err := x.front.dial(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
			br := bufio.NewReader(conn)
			res := readHead(t, br, "GET")
			if res.StatusCode != want {
				t.Errorf("answer %d begins with %d, want %d", i+1, res.StatusCode, want)
			}
			if res.StatusCode == 103 {
				if res.Header.Get("Link") == "" {
					t.Error("103 without its Link")
				}
				res = readHead(t, br, "GET")
			}
			if body, _ := io.ReadAll(res.Body); string(body) != "final" || res.Header.Get("Link") != "" {
				t.Errorf("final: %q %v", body, res.Header)
			}
			conn.Close()
			synctest.Wait()
		}
	})
}
