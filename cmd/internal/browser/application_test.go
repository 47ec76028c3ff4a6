package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// application is the upstream of every scene. What it answers is in the query,
// so that a case shows all of it:
//
//	status=404    the status code
//	then=500      the status code of all but the first
//	cc=no-cache   Cache-Control
//	etag=v1       ETag, and 304 to a request that has it
//	set=Name:VALUE, again and again
//	to=URL        Location
//	cors=KIND     CORS fields of its own: see corsKinds
//	bare304       those are not on a 304
//	body=TEXT     the content, in place of "COUNT ORIGIN"
//	page          the page of scene.go
//	do=NAME       one of scene.go's special resources
//
// The default content says the how-manieth request of this path it answers,
// and the Origin that came: where a page got its answer from can be read there.
// It is safe for concurrent use.
type application struct {
	letters *strings.Replacer // origins to the names that cases use
	special map[string]http.HandlerFunc
	page    string

	mu    sync.Mutex // guards what follows
	count map[string]int
	calls []string
}

// corsKinds are ways to own CORS in an application; origin is the request's.
// The first three are the faulty ones that pass mode makes right.
var corsKinds = map[string]func(h http.Header, origin string){
	// It names the Origin and forgets Vary.
	"forgets": func(h http.Header, origin string) {
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	},
	// It sends Vary: Origin when an Origin came.
	"when-sent": func(h http.Header, origin string) {
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Vary", "Origin")
		}
	},
	// It sends Vary: Origin to the origins that it allows, which are those of
	// pages that say so: see allowedByApplication.
	"when-allowed": func(h http.Header, origin string) {
		if allowedByApplication(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Vary", "Origin")
		}
	},
	"right": func(h http.Header, origin string) {
		h.Set("Vary", "Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	},
	"any":   func(h http.Header, _ string) { h.Set("Access-Control-Allow-Origin", "*") },
	"twice": func(h http.Header, origin string) { h["Access-Control-Allow-Origin"] = []string{origin, origin} },
	"two":   func(h http.Header, origin string) { h["Access-Control-Allow-Origin"] = []string{"*", origin} },
	"wrong": func(h http.Header, _ string) {
		h.Set("Access-Control-Allow-Origin", "https://other.example")
		h.Set("Access-Control-Expose-Headers", "X-Wrong")
		h.Set("Access-Control-Max-Age", "600")
	},
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Has("page") {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, a.page)
		return
	}
	if r.URL.Path == "/favicon.ico" {
		http.NotFound(w, r) // a navigation may want one, or may not
		return
	}
	n := a.note(r)
	h := w.Header()
	h["Date"] = nil // no clock in what is compared
	if cors := corsKinds[q.Get("cors")]; cors != nil {
		cors(h, r.Header.Get("Origin"))
	}
	if special := a.special[q.Get("do")]; special != nil {
		special(w, r)
		return
	}
	describe(h, q)
	if tag := h.Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		if q.Has("bare304") {
			h.Del("Access-Control-Allow-Origin")
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	status := http.StatusOK
	if s, err := strconv.Atoi(q.Get("status")); err == nil {
		status = s
	}
	if s, err := strconv.Atoi(q.Get("then")); err == nil && n > 1 {
		status = s
	}
	w.WriteHeader(status)
	if q.Has("body") {
		fmt.Fprint(w, q.Get("body"))
		return
	}
	fmt.Fprintf(w, "%d %s", n, a.seen(r))
}

// describe sets the fields that a query asks for.
func describe(h http.Header, q url.Values) {
	h.Set("Content-Type", "text/plain")
	for key, name := range map[string]string{"cc": "Cache-Control", "to": "Location"} {
		if q.Has(key) {
			h.Set(name, q.Get(key))
		}
	}
	if q.Has("etag") {
		h.Set("ETag", strconv.Quote(q.Get("etag")))
	}
	for _, line := range q["set"] {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, value)
	}
}

// seen says what of a request matters for CORS.
func (a *application) seen(r *http.Request) string {
	origin := "-"
	if lines, ok := r.Header["Origin"]; ok {
		origin = a.letters.Replace(strings.Join(lines, " and "))
	}
	for _, name := range []string{"Cookie", "Authorization", "X-Custom", "If-None-Match"} {
		if v := r.Header.Get(name); v != "" {
			origin += " " + strings.ToLower(name) + "=" + v
		}
	}
	return origin
}

// note records a request and returns how many there have been of its path.
func (a *application) note(r *http.Request) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, r.Method+" "+r.URL.Path+" "+a.seen(r))
	if r.Method != http.MethodOptions {
		a.count[r.URL.Path]++
	}
	return a.count[r.URL.Path]
}

// taken returns what was recorded since the last time.
func (a *application) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

// allowedByApplication is the list of the third faulty application: any page
// of this machine.
func allowedByApplication(origin string) bool { return strings.HasPrefix(origin, "http://127.0.0.1:") }
