package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/store/memory"
	"veneer/corslayer"
	"veneer/corslayer/origin"
)

// What a lane is compared on: a server whose engine has routes of all modes,
// with stored responses of many kinds, and the same one without a lane.

const (
	listed   = "https://app.example.com"
	partner  = "https://shop.partner.example.com"
	stranger = "https://evil.example"
)

// joined is a cache.CORS over a policy, as the app makes them.
type joined struct {
	*corslayer.Policy
	shared bool
}

func (j joined) decision(o cache.Origin) corslayer.Decision {
	return corslayer.Decision{Class: origin.Class(o.Class &^ (1 << 7)), Bucket: o.Bucket, Allowed: o.Class>>7 == 1, BypassStore: o.NoStore}
}

func (j joined) Judge(method string, lines []string) cache.Origin {
	d := j.Policy.Judge(method, lines)
	o := cache.Origin{
		Bucket: d.Bucket, Class: uint8(d.Class), Forward: d.ForwardOrigin && !j.shared, ForwardRequest: j.Mode() == corslayer.ModePass,
		Full: d.FullOnConditional, FullWithCookie: d.FullWithCookie, NoStore: d.BypassStore, Refuse: d.Refuse,
	}
	if d.Allowed {
		o.Class |= 1 << 7
	}
	return o
}

func (j joined) Count(method string, _ []string, o cache.Origin) {
	if method != http.MethodOptions {
		j.Policy.Count(j.decision(o))
	}
}

func (j joined) Preflight(w http.ResponseWriter, r *http.Request, o cache.Origin) bool {
	return j.Policy.Preflight(w, r, j.decision(o))
}

func (j joined) Strip(h http.Header, safe bool) {
	if j.Policy.Strip(h); safe {
		j.StripVary(h, j.shared)
	}
}

func (j joined) Observe(h http.Header, o cache.Origin) cachestatus.Reason {
	if j.ObservePass(h, j.decision(o)).Foreign {
		return cachestatus.ForeignACAO
	}
	return cachestatus.None
}

func (j joined) Apply(h, request http.Header, o cache.Origin) {
	j.Policy.Apply(h, request, j.decision(o))
}

// policies are the routes, by the first segment of the path.
var policies = map[string]corslayer.Config{
	"own":    {Origins: []string{listed, "https://*.partner.example.com"}, Credentials: true, Expose: []string{"auto"}},
	"star":   {Origins: []string{"*"}, Expose: []string{"*"}},
	"static": {Origins: []string{listed}, ResourcePolicy: "cross-origin"},
	"shared": {Origins: []string{listed, "https://*.partner.example.com"}, TimingAllowOrigin: true, AllowNull: true},
	"strict": {Origins: []string{listed}, Enforce: true, PublicOrigins: []string{"https://site.example"}},
	"pass":   {Mode: corslayer.ModePass},
	"off":    {Mode: corslayer.ModeOff},
	"keyed":  {Mode: corslayer.ModeOff},
	"slow":   {Mode: corslayer.ModeOff},
}

// table routes by the first segment of the path.
type table map[string]*cache.Route

func (t table) Lookup(_, path string) (*cache.Route, bool) {
	name, _, _ := strings.Cut(path[1:], "/")
	r, ok := t[name]
	return r, ok
}

// documents are what the upstream has below every route.
var documents = map[string]struct {
	status int
	fields string
	size   int
}{
	"page":      {200, "Cache-Control: max-age=600|Etag: \"a\"|Vary: Accept-Encoding|Content-Type: text/html", 300},
	"large":     {200, "Cache-Control: max-age=600|Last-Modified: Fri, 31 Dec 1999 00:00:00 GMT", 20_000},
	"huge":      {200, "Cache-Control: max-age=600", 900_000},
	"lang":      {200, "Cache-Control: max-age=600|Vary: Accept-Language, X-Tenant|Etag: W/\"l\"", 10},
	"aged":      {200, "Cache-Control: max-age=600|Age: 100|Cache-Status: inner; hit|Via: 1.0 inner", 10},
	"stale":     {200, "Cache-Control: max-age=1|Etag: \"s\"", 10},
	"forever":   {200, "Cache-Control: max-age=600, immutable|Etag: \"f\"", 10},
	"secret":    {200, "Cache-Control: no-store", 10},
	"public":    {200, "Cache-Control: public, max-age=600", 10},
	"validated": {200, "Cache-Control: max-age=600, no-cache|Etag: \"v\"", 10},
	"empty":     {200, "Cache-Control: max-age=600", 0},
	"gone":      {404, "Cache-Control: max-age=600|Content-Type: text/plain", 10},
	"moved":     {301, "Cache-Control: max-age=600|Location: /own/page", 0},
	"nothing":   {204, "Cache-Control: max-age=600", 0},
	"odd":       {299, "Cache-Control: max-age=600|X-Two: a|X-Two: b|Access-Control-Allow-Origin: https://old.example|Timing-Allow-Origin: " + listed, 10},
	"open":      {200, "Cache-Control: max-age=600|Access-Control-Allow-Origin: *", 10},
}

// documentServer answers from documents; what it says of Origin and fields is in
// the content.
type documentServer struct{ slow bool }

func (s documentServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.slow {
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	_, name, _ := strings.Cut(r.URL.Path[1:], "/")
	d, ok := documents[name]
	if !ok {
		d.status, d.fields = 404, "Cache-Control: max-age=30"
	}
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for line := range strings.SplitSeq(d.fields, "|") {
		n, v, _ := strings.Cut(line, ": ")
		h.Add(n, v)
	}
	content := ""
	if d.size > 0 {
		content = fmt.Sprintf("[%s %s %s]", r.URL.RequestURI(), r.Header.Get("Origin"), r.Header.Get("Accept-Encoding"))
		content += strings.Repeat("x", max(0, d.size-len(content)))
	}
	res := &http.Response{StatusCode: d.status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: r, Body: http.NoBody, ContentLength: int64(len(content))}
	if r.Method != http.MethodHead {
		res.Body = io.NopCloser(strings.NewReader(content))
	}
	return res, nil
}

// journal is what an engine has recorded.
type journal struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (j *journal) Record(q *cache.Request, d *cache.Decision) {
	j.add("%s %s %v %d %v", q.Method, q.Path, d.Result, d.Status, d.Reason)
}

func (j *journal) NotStored(_ *cache.Route, reason cachestatus.Reason) {
	j.add("not stored: %v", reason)
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// site is an engine with routes of all modes and a full store.
type site struct {
	engine  *cache.Engine
	store   *memory.Store
	routes  table
	journal journal
	ahead   atomic.Int64 // of the clock, in nanoseconds
	counted sync.Mutex   // guards handled
	handled int          // requests that came to the handler
}

// newSite makes a site. Of the documents those are stored that the conversation
// names, ten seconds ago.
func newSite(t testing.TB, conversation string) *site {
	store, err := memory.New(memory.Config{Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{store: store, routes: make(table)}
	for name, c := range policies {
		p, problems := corslayer.Compile(c)
		if p == nil {
			t.Fatal(name, problems)
		}
		r := &cache.Route{
			Name: name, CORS: joined{p, name == "shared"}, Upstream: documentServer{name == "slow"}, Store: store, MaxObject: 1 << 20, Variants: 8,
		}
		switch name {
		case "shared":
			r.Key.Origin = key.OriginShared
		case "pass":
			r.Key.Origin = key.OriginExact
		case "keyed":
			r.Key = key.Spec{Headers: []string{"X-Tenant"}, Cookies: []string{"sid"}, Query: key.Query{Sort: true, Ignore: []string{"utm_*"}}}
			r.Response = cache.Edits{Set: map[string][]string{"X-Frame-Options": {"DENY"}, "Vary": {"Accept", "Cookie"}}, Remove: []string{"Etag"}}
			r.IgnoreDirectives = true
		}
		s.routes[name] = r
	}
	s.engine = cache.New(cache.Config{Plan: &cache.Plan{Router: s.routes}, Recorder: &s.journal, Now: s.now})
	s.warm(conversation)
	return s
}

// now is the time that the engine goes by.
func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// warm fills the store, and lets ten seconds pass for the engine.
func (s *site) warm(conversation string) {
	for _, route := range sortedKeys(policies) {
		for _, name := range sortedKeys(documents) {
			if !strings.Contains(conversation, "/"+route+"/"+name) {
				continue
			}
			for _, o := range []string{"", listed, partner} {
				r := httptest.NewRequest("GET", "http://site.example/"+route+"/"+name, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				if o != "" {
					r.Header.Set("Origin", o)
				}
				s.engine.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
	s.journal.mu.Lock()
	s.journal.lines = nil
	s.journal.mu.Unlock()
	s.ahead.Store(int64(10 * time.Second))
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// ServeHTTP counts and hands on.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.counted.Lock()
	s.handled++
	s.counted.Unlock()
	s.engine.ServeHTTP(w, r)
}

func (s *site) count() int {
	s.counted.Lock()
	defer s.counted.Unlock()
	return s.handled
}

// newLastingSite is a site that ends with the test.
func newLastingSite(t *testing.T, conversation string) *site {
	s := newSite(t, conversation)
	t.Cleanup(s.close)
	return s
}

func (s *site) close() {
	_ = s.engine.Close(context.Background())
	s.store.Close()
}

// exchanged is all that can be seen of one connection.
type exchanged struct {
	Answers []string
	Journal []string
	Counts  map[string]corslayer.Counts
	Hits    uint64
}

// converse sends what a client writes, in pieces, on one connection to a new
// server, and returns what comes back, and how many requests the handler had.
func converse(t *testing.T, pieces [][]byte, lane bool) (got exchanged, handled int) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, string(bytes.Join(pieces, nil)))
		cfg := Config{Handler: s}
		if lane {
			cfg.Lane = s.engine
		}
		_, l, stop := startInMemory(t, cfg)
		hits := s.store.Stats().Hits
		c := l.dial()
		var stream bytes.Buffer
		read := make(chan struct{})
		go func() { defer close(read); _, _ = io.Copy(&stream, c) }()
		for _, p := range pieces {
			if _, err := c.Write(p); err != nil {
				break
			}
			synctest.Wait()
		}
		<-read // the server closes an idle connection
		_ = c.Close()
		stop()
		got = exchanged{Answers: answers(stream.Bytes()), Journal: s.journal.lines, Counts: make(map[string]corslayer.Counts), Hits: s.store.Stats().Hits - hits}
		for name, r := range s.routes {
			got.Counts[name] = r.CORS.(joined).Counts()
		}
		handled = s.handled
		s.close()
	})
	return got, handled
}

// answers takes a stream of responses apart, each with its fields sorted.
func answers(stream []byte) (all []string) {
	for len(stream) > 0 {
		head, rest, ok := bytes.Cut(stream, []byte("\r\n\r\n"))
		if !ok {
			return append(all, "no head: "+string(stream))
		}
		lines := strings.Split(string(head), "\r\n")
		sort.Strings(lines[1:])
		length := 0
		for _, line := range lines[1:] {
			if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(v)
			}
		}
		// Without content: to HEAD, or with a 304.
		if bytes.HasPrefix(rest, []byte("HTTP/1.1 ")) || len(rest) < length {
			length = 0
		}
		all = append(all, strings.Join(lines, "\n")+"\n\n"+string(rest[:length]))
		stream = rest[length:]
	}
	return all
}
