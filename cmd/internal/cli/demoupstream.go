package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// demoPace is how long things take and last in the demonstration: long enough
// to be seen by a person, or short enough to be checked by a program.
type demoPace struct {
	slow  time.Duration // until /slow answers
	drip  time.Duration // between two pieces of /drip
	stale int           // seconds until /swr and /broken are stale
}

var (
	pacePeople  = demoPace{slow: time.Second, drip: 300 * time.Millisecond, stale: 2}
	paceProgram = demoPace{slow: 50 * time.Millisecond, drip: 5 * time.Millisecond, stale: 0}
)

// dripPieces is in how many pieces /drip sends its content.
const dripPieces = 5

// demoUpstream is the application of the demonstration. It is safe for
// concurrent use; close ends it.
type demoUpstream struct {
	url    *url.URL
	server http.Server
	done   chan struct{} // closed when Serve has returned

	mu   sync.Mutex // guards asked
	asks map[string]*atomic.Int64
}

// startDemoUpstream listens on a free loopback port.
func startDemoUpstream(ctx context.Context, pace demoPace) (*demoUpstream, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the demonstration's upstream: %w", err)
	}
	u := &demoUpstream{
		url:  &url.URL{Scheme: "http", Host: l.Addr().String()},
		done: make(chan struct{}), asks: make(map[string]*atomic.Int64),
	}
	u.server = http.Server{Handler: u.handler(pace), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(u.done)
		if err := u.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = u.server.Close() // what it can no longer accept it need not hold
		}
	}()
	return u, nil
}

// close ends the upstream at once and waits for its goroutine.
func (u *demoUpstream) close() {
	_ = u.server.Close() // only the error of a listener that is closed already
	<-u.done
}

// asked counts one request for path and returns how many there were.
func (u *demoUpstream) asked(path string) int64 { return u.counter(path).Add(1) }

func (u *demoUpstream) counter(path string) *atomic.Int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.asks[path]
	if c == nil {
		c = new(atomic.Int64)
		u.asks[path] = c
	}
	return c
}

// demoPage answers one path; n counts the requests that it got, from 1.
type demoPage func(w http.ResponseWriter, r *http.Request, n int64)

func (u *demoUpstream) handler(pace demoPace) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, page demoPage) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
			page(w, r, u.asked(path))
		})
	}
	handle("/hello", demoText("public, max-age=30", "hello"))
	handle("/shared/hello", demoText("public, max-age=30", "one answer for every origin"))
	handle("/private", demoText("private, no-store", "for you alone"))
	handle("/swr", demoText(fmt.Sprintf("public, max-age=%d, stale-while-revalidate=60", pace.stale), "refreshed behind your back"))
	handle("/slow", func(w http.ResponseWriter, r *http.Request, n int64) {
		if wait(r.Context(), pace.slow) {
			demoText("public, max-age=30", "slow to make")(w, r, n)
		}
	})
	handle("/vary", func(w http.ResponseWriter, r *http.Request, n int64) {
		w.Header()["Vary"] = []string{"Accept-Language"}
		language, text := "en", "good morning"
		if r.Header.Get("Accept-Language") == "de" {
			language, text = "de", "guten Morgen"
		}
		w.Header()["Content-Language"] = []string{language}
		demoText("public, max-age=30", text)(w, r, n)
	})
	handle("/cookie", func(w http.ResponseWriter, r *http.Request, n int64) {
		w.Header()["Set-Cookie"] = []string{"visitor=" + fmt.Sprint(n) + "; HttpOnly"}
		demoText("max-age=30", "with a cookie of your own")(w, r, n)
	})
	handle("/broken", func(w http.ResponseWriter, r *http.Request, n int64) {
		if n%2 == 0 {
			http.Error(w, "the application is broken", http.StatusServiceUnavailable)
			return
		}
		demoText(fmt.Sprintf("public, max-age=%d, stale-if-error=60", pace.stale), "well for once")(w, r, n)
	})
	handle("/double", func(w http.ResponseWriter, r *http.Request, n int64) {
		// What an application and a gateway write when neither knows of the
		// other. No browser accepts it.
		w.Header()["Access-Control-Allow-Origin"] = []string{"*", "https://old.example.com"}
		w.Header()["Access-Control-Allow-Credentials"] = []string{"yes"}
		demoText("public, max-age=30", "two CORS layers")(w, r, n)
	})
	handle("/drip", func(w http.ResponseWriter, r *http.Request, _ int64) {
		w.Header()["Cache-Control"] = []string{"public, max-age=30"}
		for i := range dripPieces {
			if i > 0 && !wait(r.Context(), pace.drip) {
				return
			}
			fmt.Fprintf(w, "piece %d of %d\n", i+1, dripPieces)
			_ = http.NewResponseController(w).Flush() // a client that has gone is seen at the next write
		}
	})
	return mux
}

// demoText is a page that says which request made it, so that everybody sees
// what came from the store.
func demoText(cacheControl, text string) demoPage {
	return func(w http.ResponseWriter, _ *http.Request, n int64) {
		w.Header()["Cache-Control"] = []string{cacheControl}
		_, _ = io.WriteString(w, fmt.Sprintf("%s (answer %d of the upstream)\n", text, n)) // the client may be gone
	}
}

// wait returns true after d, or false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
