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
	"veneer/cache/cachestatus"
	"veneer/cache/key"
)

// passCORS is pass mode as the engine meets it: the application's fields stay,
// a forgotten Vary is added, another origin's answer is not stored.
type passCORS struct{ noCORS }

func (passCORS) Observe(h http.Header, o cache.Origin) cachestatus.Reason {
	acao := h.Get("Access-Control-Allow-Origin")
	if acao == "" || acao == "*" {
		return cachestatus.None
	}
	if vary := strings.Join(h["Vary"], ", "); !strings.Contains(vary, "Origin") {
		h["Vary"] = []string{strings.TrimPrefix(vary+", Origin", ", ")}
	}
	if acao != o.Bucket {
		return cachestatus.ForeignACAO
	}
	return cachestatus.None
}

// keepsCORS: what is stored has the application's CORS fields.
func (passCORS) keepsCORS() {}

func pass(r *cache.Route) { r.CORS, r.Key.Origin = passCORS{}, key.OriginExact }

func TestValidationOfAnEchoingApplication(t *testing.T) {
	var fulls atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1")
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		if r.Header.Get("If-None-Match") == `"a"` {
			w.WriteHeader(304)
			return
		}
		fulls.Add(1)
		w.Header().Set("Vary", "Accept-Encoding")
		io.WriteString(w, "content")
	}, func(x *tier) {
		for range 4 {
			x.get("/", "Origin: https://a.example")
			synctest.Wait()
			after(3 * time.Second)
		}
		if n := fulls.Load(); n != 1 || x.requests() != 4 {
			t.Errorf("%d whole responses in %d upstream requests, want 1 in 4", n, x.requests())
		}
	}, pass)
}

func TestForeignHeadFreshensNothing(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1")
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Vary", "Origin")
		if r.Method == "HEAD" {
			w.Header().Set("Cache-Control", "max-age=100")
			w.Header().Set("Access-Control-Allow-Origin", "https://b.example")
			return
		}
		io.WriteString(w, "content")
	}, func(x *tier) {
		x.get("/", "Origin: https://a.example")
		synctest.Wait()
		after(3 * time.Second)
		x.do("HEAD", "/", nil, "Origin: https://a.example")
		a := x.get("/", "Origin: https://a.example")
		if a.Header.Get("Access-Control-Allow-Origin") != "https://a.example" {
			t.Errorf("%s %v", a.status(), a.Header)
		}
	}, pass)
}

func TestOneClientsErrorRemovesNothing(t *testing.T) {
	var down atomic.Bool
	run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Bad") != "" {
			w.WriteHeader(429)
			return
		}
		if down.Load() {
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60, stale-if-error=600")
		io.WriteString(w, "content")
	}, func(x *tier) {
		x.get("/")
		synctest.Wait()
		x.get("/", "X-Bad: 1", "Cache-Control: no-cache")
		down.Store(true)
		if a := x.get("/"); a.StatusCode != 200 {
			t.Errorf("one client's 429 removed what is fresh for all: %d %s", a.StatusCode, a.status())
		}
	})
}
