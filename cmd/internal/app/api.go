package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"veneer/cache"
	"veneer/cmd/internal/accesslog"
	"veneer/cmd/internal/live"
)

// registerAPI puts the operator's JSON API onto the admin listener.
func (a *App) registerAPI() {
	a.admin.Handle("GET /api/explain", newExplainer(a))
	a.admin.Handle("POST /api/reload", http.HandlerFunc(a.serveReload))
	a.admin.Handle("POST /api/purge", http.HandlerFunc(a.servePurge))
	a.admin.Handle("GET /api/stats", http.HandlerFunc(a.serveStats))
	a.admin.Handle("GET /api/routes", http.HandlerFunc(a.serveRoutes))
	a.admin.Handle("GET /api/requests", http.HandlerFunc(a.serveRequests))
	a.admin.Handle("GET /api/objects", http.HandlerFunc(a.serveObjects))
	a.admin.Handle("POST /api/cors-try", newTrier(a))
}

// beginLive makes the counters and lists that the API shows, and lets them see
// every request.
func (a *App) beginLive() {
	a.live = live.New(live.Options{Scheme: a.schemeOf, Query: accesslog.AppendQuery})
	a.recorder.attach(a.live)
}

// schemeOf returns the scheme that a request's client used.
func (a *App) schemeOf(q *cache.Request) string {
	if f := a.scheme.Load(); f != nil && *f != nil {
		return (*f)(q)
	}
	if q.Secure {
		return "https"
	}
	return "http"
}

// current is the plan that new requests get.
func (a *App) current() *plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Errorf("BUG: an answer is no JSON: %w", err)) // the admin listener answers 500
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(b.String())) // the client may be gone
}
