package explain

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/store/memory"
)

var update = flag.Bool("update", false, "write what is got into the golden files")

// noCORS lets the upstream see Origin and keys it.
type noCORS struct{}

func (noCORS) Judge(_ string, lines []string) cache.Origin {
	if len(lines) == 0 {
		return cache.Origin{}
	}
	return cache.Origin{Bucket: lines[0], Forward: true}
}
func (noCORS) Count(string, []string, cache.Origin)                            {}
func (noCORS) Version() uint64                                                 { return 0 }
func (noCORS) Preflight(http.ResponseWriter, *http.Request, cache.Origin) bool { return false }
func (noCORS) Strip(http.Header, bool)                                         {}
func (noCORS) Observe(http.Header, cache.Origin) cachestatus.Reason            { return cachestatus.None }
func (noCORS) Apply(h, _ http.Header, o cache.Origin) {
	h["Vary"] = append(h["Vary"], "Origin")
}

// tier is an Engine at a clock of its own, before an upstream that answers as
// the last question assumes.
type tier struct {
	engine *cache.Engine
	route  *cache.Route
	store  *memory.Store

	mu   sync.Mutex // guards what follows
	now  time.Time
	says cache.Assumption
}

func (x *tier) Lookup(host, _ string) (*cache.Route, bool) { return x.route, host == "api.example" }

func (x *tier) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *tier) RoundTrip(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := x.says.Header.Clone()
	if h["Date"] == nil {
		h.Set("Date", x.now.Format(http.TimeFormat))
	}
	status := max(x.says.Status, 200)
	if status == 599 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: http.NoBody, ContentLength: -1, Request: r}, nil
}

func newTier(t *testing.T) *tier {
	x := &tier{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	var err error
	if x.store, err = memory.New(memory.Config{Size: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	x.route = &cache.Route{
		Name: "api.example/", CORS: noCORS{}, Upstream: x, Store: x.store, MaxObject: 1 << 10, Variants: 8, Origins: 8,
		Key:    key.Spec{Query: key.Query{Sort: true, Ignore: []string{"utm_*"}}, Headers: []string{"X-Tenant", "X-Api-Key"}, Cookies: []string{"sid"}},
		Policy: rfc9111.Policy{Targets: []string{"Cdn-Cache-Control"}, Grace: time.Hour},
	}
	x.engine = cache.New(cache.Config{Plan: &cache.Plan{Router: x}, Now: x.clock})
	t.Cleanup(func() {
		if err := x.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		x.store.Close()
	})
	return x
}

// explain asks as the command line would.
func (x *tier) explain(t *testing.T, line ...string) *Answer {
	t.Helper()
	r := question(t, line...)
	asked := r.HTTP()
	ex := x.engine.Explain(asked, r.Assumption())
	facts := Facts{Live: true}
	if ex.Route != nil {
		facts.Route = &Route{Name: ex.Route.Name, Host: "api.example", Path: "/", Upstream: "app", Also: []string{"*/"}}
		facts.CORS = &CORS{Mode: "pass", Class: "none", Bucket: "none", Allowed: true, Why: "the application decides"}
	}
	return Make(r, ex, facts)
}

// serve does what explain foretells.
func (x *tier) serve(t *testing.T, line ...string) {
	t.Helper()
	r := question(t, line...)
	x.mu.Lock()
	x.says = r.Assumption()
	x.mu.Unlock()
	before := x.store.Stats().Objects
	x.engine.ServeHTTP(httptest.NewRecorder(), r.HTTP())
	if after := x.store.Stats().Objects; after != before+1 {
		t.Fatalf("%d objects are stored, then %d", before, after)
	}
}

// question reads METHOD URL and fields; those after "<" are the response's.
func question(t *testing.T, line ...string) *Request {
	t.Helper()
	var fields [2][]string
	status, side := 0, 0
	for _, f := range line[2:] {
		switch {
		case f == "<":
			side = 1
		case side == 1 && !strings.Contains(f, ":"):
			if _, err := fmt.Sscan(f, &status); err != nil {
				t.Fatal(err)
			}
		default:
			fields[side] = append(fields[side], f)
		}
	}
	r, err := New(line[0], line[1], fields[0], status, fields[1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The whole answer, as text and as JSON, for the cases that differ.
func TestAnswers(t *testing.T) {
	x := newTier(t)
	for i, c := range []struct {
		name   string
		before func()
		line   []string
	}{
		{"miss", nil, []string{"GET", "http://api.example/./p?b=2&utm_x=1&a=1", "Origin: https://a.example", "X-Api-Key: hunter2", "Cookie: sid=hunter2", "<", "Cdn-Cache-Control: max-age=60", "Cache-Control: no-store", "Age: 7", `ETag: "a"`, "Last-Modified: Wed, 04 Mar 2026 01:00:00 GMT"}},
		{"not-stored", nil, []string{"GET", "http://api.example/p", "<", "Set-Cookie: sid=hunter2", "Cache-Control: max-age=60"}},
		{"hit", func() {
			fields := []string{"<", "Cache-Control: public, max-age=60, immutable", "Vary: Accept-Language, X-Session", `ETag: "a"`, "Surrogate-Key: red blue"}
			x.serve(t, append([]string{"GET", "http://api.example/v", "Accept-Language: de", "X-Session: hunter2"}, fields...)...)
			x.serve(t, append([]string{"GET", "http://api.example/v", "Accept-Language: en"}, fields...)...)
			x.now = x.now.Add(7 * time.Second)
		}, []string{"GET", "http://api.example/v", "Accept-Language: de", "X-Session: hunter2"}},
		{"vary-miss", nil, []string{"GET", "http://api.example/v", "Accept-Language: fr", "<", "Vary: *"}},
		{"stale", func() { x.now = x.now.Add(time.Minute) }, []string{"GET", "http://api.example/v", "Accept-Language: de", "X-Session: hunter2"}},
		{"reload", nil, []string{"GET", "http://api.example/v", "Accept-Language: de", "X-Session: hunter2", "Cache-Control: no-cache", "<", "503"}},
		{"post", nil, []string{"POST", "http://api.example/v", "Content-Length: 3"}},
		{"no-route", nil, []string{"GET", "http://other.example/v"}},
		{"bad-target", nil, []string{"GET", "http://a..b/v", "Host: a b"}},
	} {
		if c.before != nil {
			c.before()
		}
		a := x.explain(t, c.line...)
		var b strings.Builder
		if err := a.Text(&b, func(s string) string { return s }); err != nil {
			t.Fatal(err)
		}
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "\t")
		b.WriteString("\n")
		if err := enc.Encode(a); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: a credential is in the answer:\n%s", c.name, got)
		}
		file := filepath.Join("testdata", fmt.Sprintf("%d-%s.txt", i+1, c.name))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
		checkJSON(t, a)
	}
}

// checkJSON reads an answer as the command line reads an instance's.
func checkJSON(t *testing.T, a *Answer) {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Answer)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	var texts [2]strings.Builder
	for i, one := range []*Answer{a, again} {
		if err := one.Text(&texts[i], strings.ToUpper); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(texts[0].String(), texts[1].String()); d != "" {
		t.Errorf("the text after a way through JSON (-before +after):\n%s", d)
	}
}

// An answer that a stranger's bytes are in cannot drive a terminal.
func TestPrintable(t *testing.T) {
	a := &Answer{Verdict: "a\x1b[31mb", Request: request{Method: "GET", URL: "http://a/\u009bx"}, Outcome: outcome{Fields: []string{"X: \x07\xff\n"}}}
	var b strings.Builder
	if err := a.Text(&b, func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(strings.ReplaceAll(b.String(), "\n", ""), "\x1b\x07\u009b") || !utf8.ValidString(b.String()) || !strings.Contains(b.String(), "a?[31mb") {
		t.Errorf("got %q", b.String())
	}
}

func TestSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true, "X-Api-Key": true, "X-CSRF-Token": true,
		"X-Amz-Signature": true, "Session-Id": true, "Accept": false, "Origin": false, "Surrogate-Key": false,
		"Access-Control-Allow-Credentials": false, "Etag": false,
	} {
		if got := key.Secret(name); got != want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
