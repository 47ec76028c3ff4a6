package scenario

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"veneer/loadtest/internal/process"
)

// toy is a small caching proxy that keeps every promise, and breaks one when it
// is told to. It is what shows that a checker can fail.
type toy struct {
	server    *httptest.Server
	transport *http.Transport
	flaw      string
	upstream  string
	count     atomic.Int64 // requests
	reloading atomic.Bool
	started   time.Time

	mu       sync.Mutex // guards what follows
	settings process.Settings
	state    process.State
	entries  map[string]*entry
	patterns map[string]int // entries of origins that a pattern lets in, by target
	previous *entry
	order    []string
}

// entry is a response, stored or on its way.
type entry struct {
	ready   chan struct{} // closed when the rest may be read
	status  int
	header  http.Header
	trailer bool
	body    []byte
	err     error
	until   time.Time // fresh
	swr     time.Time
	fresh   bool // storable
	busy    atomic.Bool
}

// toyFiles is what the toy says it has open.
const toyFiles = 12

func startToy(t *testing.T, flaw string) Starter {
	return func(_ context.Context, s process.Settings) (Proxy, error) {
		y := &toy{flaw: flaw, upstream: s.Upstream, settings: s, state: process.State{Ready: http.StatusOK, Successful: 1, Generation: 1}, entries: map[string]*entry{}, patterns: map[string]int{}, started: time.Now()}
		y.transport = &http.Transport{MaxIdleConnsPerHost: 500, DisableCompression: true, ResponseHeaderTimeout: s.ResponseTimeout}
		y.server = httptest.NewUnstartedServer(y)
		y.server.Start()
		t.Cleanup(func() { _ = y.Stop() })
		return y, nil
	}
}

func (y *toy) Address(bool) string   { return y.server.Listener.Addr().String() }
func (y *toy) Roots() *x509.CertPool { return nil }

func (y *toy) Usage() (process.Usage, error) {
	u := process.Usage{At: time.Now(), RSS: 20 << 20, Files: toyFiles}
	if y.flaw == "grows" {
		u.RSS += int64(time.Since(y.started).Seconds() * (1 << 30))
	}
	if n := y.count.Load(); y.flaw == "keeps files" {
		u.Files += int(n)
	}
	return u, nil
}

// Purge forgets, hard or not. What is on its way has no tags yet, so each purge
// by tag is about it.
func (y *toy) Purge(_ context.Context, kind, what string, _ bool) (touched int, err error) {
	switch y.flaw {
	case "refuses purges":
		return 0, errors.New("a bad day")
	case "ignores purges":
		return 1, nil
	}
	what = strings.TrimPrefix(what, "http://"+process.Host)
	y.mu.Lock()
	defer y.mu.Unlock()
	for key, e := range y.entries {
		stored := false
		select {
		case <-e.ready:
			stored = true
		default:
		}
		target, _, _ := strings.Cut(key, "\n")
		switch {
		case !stored && y.flaw == "purges what is stored alone",
			kind == "url" && target != what, kind == "prefix" && !strings.HasPrefix(target, what),
			kind == "tag" && stored && e.header.Get("Surrogate-Key") != what:
			continue
		}
		delete(y.entries, key)
		touched++
	}
	return touched, nil
}

func (y *toy) Alarm() string {
	if y.flaw == "panics" {
		return "panic: at the disco"
	}
	return ""
}

func (y *toy) Stop() error {
	y.server.CloseClientConnections()
	y.server.Close()
	y.transport.CloseIdleConnections()
	if y.flaw == "ends badly" {
		return errors.New("exit status 2")
	}
	return nil
}

func (y *toy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := y.count.Add(1)
	switch {
	case y.flaw == "errors" && n%40 == 0, y.flaw == "fails in reload" && y.reloading.Load():
		problem(w, http.StatusBadGateway)
		return
	case y.flaw == "drops" && n%40 == 0:
		panic(http.ErrAbortHandler)
	case y.flaw == "slow":
		<-time.After(400 * time.Millisecond)
	}
	if y.flaw == "closes in reload" && y.reloading.Load() {
		w.Header().Set("Connection", "close")
	}
	m := mode(r.URL.Path)
	allowed, pattern := y.lets(r.Header["Origin"])
	if y.flaw == "reflects" && len(r.Header["Origin"]) > 0 {
		allowed = true
	}
	if m == own || m == shared {
		w.Header().Add("Vary", "Origin")
		if allowed {
			w.Header()["Access-Control-Allow-Origin"] = r.Header["Origin"]
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Expose-Headers", "ETag, Load-Serial")
		}
		if r.Method == http.MethodOptions {
			status := http.StatusForbidden
			if allowed {
				status = http.StatusNoContent
			}
			w.WriteHeader(status)
			return
		}
	}
	saw, bucket := y.bucket(m, r.Header["Origin"], allowed)
	e := y.find(r, saw, r.RequestURI+"\n"+bucket, pattern && m == own, bucket == "unstored")
	if y.flaw == "swaps" && n%25 == 0 {
		y.mu.Lock()
		e, y.previous = y.previous, e
		y.mu.Unlock()
	}
	if e == nil || e.err != nil {
		problem(w, http.StatusBadGateway)
		return
	}
	y.deliver(w, r, e, m, allowed)
}

// lets says whether the policy lets an Origin in, and whether by a pattern.
func (y *toy) lets(lines []string) (allowed, pattern bool) {
	if len(lines) != 1 {
		return false, false
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if slices.Contains(y.settings.Listed, lines[0]) && !strings.Contains(lines[0], "*") {
		return true, false
	}
	number, ok := strings.CutPrefix(strings.TrimSuffix(lines[0], ".tenant.test"), "https://t")
	_, err := strconv.Atoi(number)
	pattern = ok && err == nil && strings.HasSuffix(lines[0], ".tenant.test")
	return pattern, pattern
}

// bucket returns the Origin that the upstream is to see, and what of it is in
// the key.
func (y *toy) bucket(m string, lines []string, allowed bool) (saw []string, bucket string) {
	switch {
	case m == pass && len(lines) == 1 && !wellFormed(lines[0]):
		return lines, "unstored"
	case m == pass && len(lines) > 1:
		return lines, "unstored"
	case m == pass:
		saw, bucket = lines, strings.Join(lines, "|")
	case m == own && allowed:
		saw, bucket = lines, lines[0]
	case m == own && lines != nil:
		bucket = "other"
		if y.flaw == "strangers multiply" {
			bucket = strings.Join(lines, "|")
		}
	}
	if y.flaw == "one key" {
		bucket = ""
	}
	return saw, bucket
}

// find returns the response: stored, joined, or fetched.
func (y *toy) find(r *http.Request, saw []string, key string, pattern, never bool) *entry {
	if never || y.flaw == "stores nothing" {
		return y.fetch(r.RequestURI, saw)
	}
	y.mu.Lock()
	e := y.entries[key]
	if e == nil && pattern {
		if y.patterns[r.RequestURI] >= y.settings.Origins && y.flaw != "no cap" {
			y.mu.Unlock()
			return y.fetch(r.RequestURI, saw)
		}
		y.patterns[r.RequestURI]++
	}
	lead := e == nil
	if lead {
		e = &entry{ready: make(chan struct{})}
		y.entries[key] = e
		y.order = append(y.order, key)
	}
	y.mu.Unlock()
	if lead {
		y.fill(e, r.RequestURI, saw)
	} else if y.flaw == "collapses nothing" {
		select {
		case <-e.ready:
		default:
			return y.fetch(r.RequestURI, saw)
		}
	}
	<-e.ready
	if !e.fresh {
		y.drop(key, e)
		if lead || y.flaw == "shares all" {
			return e
		}
		return y.fetch(r.RequestURI, saw)
	}
	y.evict()
	return y.reuse(e, r.RequestURI, saw, key)
}

// reuse serves a stored response that is fresh, refreshes it, or serves it
// stale.
func (y *toy) reuse(e *entry, target string, saw []string, key string) *entry {
	now := time.Now()
	if now.Before(e.until) || y.flaw == "never refreshes" {
		return e
	}
	refresh := func() *entry {
		next := y.fetch(target, saw)
		if next.err == nil && next.fresh {
			close(next.ready)
			y.mu.Lock()
			y.entries[key] = next
			y.mu.Unlock()
		}
		return next
	}
	if !e.busy.CompareAndSwap(false, true) && y.flaw != "waits for refresh" {
		return e // somebody is at it; stale by a moment at most
	}
	if now.Before(e.swr) && y.flaw != "waits for refresh" {
		go refresh()
		return e
	}
	next := refresh()
	if (next.err != nil || next.status >= 500) && y.flaw != "no stale" {
		e.busy.Store(false)
		return e
	}
	return next
}

func (y *toy) drop(key string, e *entry) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.entries[key] == e {
		delete(y.entries, key)
	}
}

// evict keeps few entries when that is the flaw.
func (y *toy) evict() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for y.flaw == "forgets" && len(y.order) > 15 {
		delete(y.entries, y.order[0])
		y.order = y.order[1:]
	}
}

func (y *toy) fill(e *entry, target string, saw []string) {
	got := y.fetch(target, saw)
	e.status, e.header, e.trailer, e.body, e.err = got.status, got.header, got.trailer, got.body, got.err
	e.until, e.swr, e.fresh = got.until, got.swr, got.fresh
	close(e.ready)
}

// fetch asks the upstream.
func (y *toy) fetch(target string, saw []string) *entry {
	e := &entry{ready: make(chan struct{})}
	r, err := http.NewRequest(http.MethodGet, "http://"+y.upstream+target, http.NoBody)
	if err != nil {
		e.err = err
		return e
	}
	if saw != nil {
		r.Header["Origin"] = saw
	}
	began := time.Now()
	res, err := y.transport.RoundTrip(r)
	if err != nil {
		e.err = err
		return e
	}
	defer res.Body.Close()
	e.status, e.header, e.trailer = res.StatusCode, res.Header, res.Trailer != nil
	e.body, e.err = io.ReadAll(res.Body)
	if e.err != nil && y.flaw == "stores halves" {
		e.err = nil
	}
	var age, swr int
	if _, err := fmt.Sscanf(res.Header.Get("Cache-Control"), "max-age=%d, stale-while-revalidate=%d", &age, &swr); age > 0 {
		_ = err // the second is not there most of the time
		e.until = began.Add(time.Duration(age) * time.Second)
		e.swr = e.until.Add(time.Duration(swr) * time.Second)
		e.fresh = e.err == nil && !e.trailer
	}
	return e
}

func (y *toy) deliver(w http.ResponseWriter, r *http.Request, e *entry, m string, allowed bool) {
	h := w.Header()
	for name, lines := range e.header {
		if m != pass && (strings.HasPrefix(name, "Access-Control-") && y.flaw != "strips nothing") || name == "Vary" || name == "Trailer" || name == "Content-Length" {
			continue
		}
		h[name] = lines
	}
	h.Set("Cache-Status", "veneer; hit")
	refused := (m == own || m == shared) && !allowed && r.Header["Origin"] != nil
	if tag := r.Header.Get("If-None-Match"); tag != "" && tag == e.header.Get("Etag") && (!refused || y.flaw == "304 to all") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := e.body
	if y.flaw == "cuts" && len(body) > 1000 {
		body = body[:len(body)-100]
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Header.Get("Range") != "" && e.status == http.StatusOK {
		h.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(body)-1, len(body)))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.WriteHeader(e.status)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func problem(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprint(w, `{"type": "urn:veneer:problem:upstream-unreachable"}`)
}
