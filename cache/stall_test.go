package cache_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
)

// An upstream that falls silent in the middle of content that is to be stored
// holds the URL up for a minute, not for as long as a fetch may take.
func TestStalledFetch(t *testing.T) {
	var stalled atomic.Bool
	stalled.Store(true)
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if stalled.Load() {
			drip(w, 0, "abc")
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "abcdef")
	}, func(x *tier) {
		if a := x.get("/"); a.err == nil || a.took != time.Minute {
			t.Errorf("%q after %v: %v", a.body, a.took, a.err)
		}
		stalled.Store(false)
		synctest.Wait()
		wantBody(t, x.get("/"), "abcdef")
	})
}

// The head of a stream that is silent at first is sent at once.
func TestSilentStream(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		drip(w, 5*time.Second, "", "data: x\n\n")
	}, func(x *tier) {
		begin := time.Now()
		res, err := x.client.Do(request(t, "GET", "/events", nil))
		if err != nil || time.Since(begin) != 0 {
			t.Fatalf("the head came after %v: %v", time.Since(begin), err)
		}
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != "data: x\n\n" {
			t.Errorf("%q, %v", b, err)
		}
		res.Body.Close()
	})
}

// A path whose dot segments lead to another route does not get this route's
// treatment; any other is passed on as it came.
func TestDotSegments(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RequestURI)
	}, func(x *tier) {
		for path, want := range map[string]int{
			"/public/a/../b":        200,
			"/public/../public/b":   200,
			"/public/../admin":      400,
			"/public/%2e%2E/admin":  400,
			"/public/..%2fadmin":    400,
			"/public/../../public/": 400,
			"/public/%2F%00":        200,
		} {
			a := raw(x, "GET "+path+" HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
			if a.StatusCode != want {
				t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
			}
			if want == 200 && !strings.EqualFold(a.body, path) {
				t.Errorf("%s was sent on as %s", path, a.body)
			}
		}
	}, func(r *cache.Route) { r.Name = "public" })
}

// An older answer to a POST does not take the place of what has been changed
// since.
func TestPostedBehindAChange(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Location", "/doc")
		if r.Method == "POST" {
			after(time.Second)
		}
		io.WriteString(w, r.Method)
	}, func(x *tier) {
		done := make(chan answer)
		go func() { done <- x.do("POST", "/doc", strings.NewReader("d")) }()
		after(100 * time.Millisecond)
		x.do("PUT", "/doc", nil)
		wantBody(t, <-done, "POST")
		wantBody(t, x.get("/doc"), "GET")
	})
}
