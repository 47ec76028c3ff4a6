package accesslog

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cache/rfc9111"
)

// stored is a response that is 10 s old and was good for a minute.
func stored() *cache.Object {
	return cache.NewObject(cache.ObjectSpec{Meta: rfc9111.Meta{ResponseTime: at.Add(-10 * time.Second), Lifetime: time.Minute}})
}

func hit() *cache.Decision {
	return &cache.Decision{
		Route: &cache.Route{Name: "api.example.com/"}, Result: cache.ResultHit, Status: 200, Start: at, Took: 1234567 * time.Nanosecond,
		Delivery: cache.Delivery{Sent: 512, Served: stored()},
	}
}

func TestLines(t *testing.T) {
	combined := func(more ...Field) func(*Config) {
		return func(c *Config) { c.Format, c.Fields = Combined, more }
	}
	fields := func(f ...Field) func(*Config) { return func(c *Config) { c.Fields = f } }
	bare := &cache.Request{Method: "GET", Protocol: "HTTP/2.0", Path: "/", Peer: "@", Fields: http.Header{}}
	miss := &cache.Decision{
		Route: &cache.Route{Name: "*/"}, Result: cache.ResultMiss, Status: 200, Start: at, Upstream: 200,
		Forward: cachestatus.VaryMiss, Reason: cachestatus.VaryMismatch, NotStored: cachestatus.NoStore, Took: 61 * time.Second,
	}
	local := time.Local
	time.Local = time.FixedZone("", -(3*3600 + 1800))
	t.Cleanup(func() { time.Local = local })
	for _, c := range []struct {
		name string
		edit func(*Config)
		q    *cache.Request
		d    *cache.Decision
		want string
	}{
		{"a hit", nil, request(), hit(), `{"time":"2026-03-04T05:06:07.008009Z","client":"192.0.2.1","method":"GET","scheme":"https",` +
			`"host":"api.example.com","path":"/users/7","protocol":"HTTP/1.1","status":200,"bytes":512,"duration":0.001234,` +
			`"route":"api.example.com/","cache":"hit","ttl":50,"age":10,"origin":"https://app.example.com","referer":"https://app.example.com/?token=REDACTED",` +
			`"user_agent":"Mozilla/5.0 (X11)","request_id":"r-1","trace_id":"0af7651916cd43dd8448eb211c80319c"}`},
		{"a miss without anything", nil, bare, miss, `{"time":"2026-03-04T05:06:07.008009Z","method":"GET","scheme":"http","host":"","path":"/",` +
			`"protocol":"HTTP/2.0","status":200,"bytes":0,"duration":61.000000,"route":"*/","cache":"miss","reason":"vary-mismatch","not_stored":"no-store",` +
			`"forward":"vary-miss","upstream_status":200}`},
		{"fields in their order", fields(Status, Query, Cache), request(), hit(), `{"status":200,"query":"page=2&access_token=REDACTED","cache":"hit"}`},
		{"no field", fields(), request(), hit(), `{}`},
		{"a client that left", fields(Status, Bytes, Aborted, Route), request(), &cache.Decision{Delivery: cache.Delivery{Left: true}}, `{"status":499,"bytes":0,"aborted":"client"}`},
		{"an upstream that ended early", fields(Status, Aborted), request(), &cache.Decision{Status: 200, Delivery: cache.Delivery{Cut: true}}, `{"status":200,"aborted":"upstream"}`},
		{"collapsed, and stored by another", fields(Cache, Stored, Collapsed), request(), &cache.Decision{Result: cache.ResultCollapsed, Stored: true, Collapsed: true}, `{"cache":"collapsed","collapsed":true}`},
		{"stored", fields(Stored, Collapsed), request(), &cache.Decision{Stored: true}, `{"stored":true}`},
		{"stale by half a second", fields(TTL, Age), request(), &cache.Decision{Start: at.Add(50500 * time.Millisecond), Delivery: cache.Delivery{Served: stored()}}, `{"ttl":-1,"age":60}`},
		{"combined", combined(), request(), hit(), `192.0.2.1 - - [04/Mar/2026:01:36:07 -0330] "GET /users/7?page=2&access_token=REDACTED HTTP/1.1" 200 512 "https://app.example.com/?token=REDACTED" "Mozilla/5.0 (X11)"`},
		{"combined of nothing", combined(), bare, &cache.Decision{Start: at}, `- - - [04/Mar/2026:01:36:07 -0330] "GET / HTTP/2.0" 499 0 "-" "-"`},
		{"combined with more", combined(Cache, Reason, Duration, Stored, TraceID, Client), request(), miss, `192.0.2.1 - - [04/Mar/2026:01:36:07 -0330] "GET /users/7?page=2&access_token=REDACTED HTTP/1.1" 200 0 "https://app.example.com/?token=REDACTED" "Mozilla/5.0 (X11)" "miss" "vary-mismatch" "61.000000" "-" "0af7651916cd43dd8448eb211c80319c" "192.0.2.1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, line(t, c.edit, c.q, c.d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every Result has its word, and every field a name that leads back to it.
func TestNames(t *testing.T) {
	for _, f := range AllFields() {
		got, ok := ParseField(f.String())
		if !ok || got != f {
			t.Errorf("%q leads to %v, %v", f.String(), got, ok)
		}
	}
	if _, ok := ParseField("cookie"); ok || Field(200).String() != "unknown" {
		t.Error("there are fields that there are not")
	}
}

func TestTraceID(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	for parent, want := range map[string]string{
		"": "", "00-" + id + "-b7ad6b7169203331-01": id, "cc-" + id + "-b7ad6b7169203331-01-more": id,
		"00-" + strings.ToUpper(id) + "-b7ad6b7169203331-01": "", "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01": "", "00-" + id: "",
	} {
		if got := traceID(parent); got != want {
			t.Errorf("%q: got %q, want %q", parent, got, want)
		}
	}
}

// splitCombined takes a line of the combined format apart, as a reader does.
func splitCombined(s string) (parts []string) {
	for s != "" {
		end := strings.IndexByte(s, ' ')
		switch s[0] {
		case '"':
			end = strings.IndexByte(s[1:], '"') + 2
		case '[':
			end = strings.IndexByte(s, ']') + 1
		}
		if end <= 0 {
			end = len(s)
		}
		parts = append(parts, s[:end])
		s = strings.TrimPrefix(s[end:], " ")
	}
	return parts
}

// FuzzLine: whatever a client sends, a line is one line and comes apart as it was
// put together.
func FuzzLine(f *testing.F) {
	f.Add("GET", "/a", "b=c", "site.example", "agent", "https://a.example/?b=c", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("G\"T", "/a b\r\n{\"x\":1}", "\x00\x1b[31m=\u2028\u0085", "\xff\xfe\xed\xa0\x80", "\" \\\" 200 5 \"", "\n127.0.0.1 - - [", "\u202e\U000e0001\x7f\x9b")
	f.Fuzz(func(t *testing.T, method, path, query, host, agent, referer, other string) {
		q := &cache.Request{
			Method: method, Protocol: "HTTP/1.1", Host: host, Path: path, Query: query, Peer: other,
			Fields: http.Header{"User-Agent": {agent}, "Referer": {referer}, "Origin": {other}, "X-Request-Id": {other}, "Traceparent": {other}},
		}
		e := entry{q: q, d: hit(), scratch: new(scratch)}
		e.json(AllFields())
		got := string(e.line)
		var parsed map[string]any
		if err := json.Unmarshal(e.line, &parsed); err != nil || !utf8.ValidString(got) {
			t.Errorf("%v: %q", err, got)
		}
		if strings.Count(got, "\n") != 1 || slices.ContainsFunc([]rune(strings.TrimSuffix(got, "\n")), func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("not one line that can be printed: %q", got)
		}
		if n := len(path); n <= maxText && parsed["path"] != strings.ToValidUTF8(path, "") && utf8.ValidString(path) {
			t.Errorf("path %q became %q", path, parsed["path"])
		}
		e.line = nil
		e.combined([]Field{Cache, Origin, Query, RequestID})
		got = string(e.line)
		if parts := splitCombined(strings.TrimSuffix(got, "\n")); len(parts) != 13 || strings.Count(got, "\n") != 1 {
			t.Errorf("%d parts: %q", len(parts), got)
		} else if words := strings.Split(parts[4], " "); len(words) != 3 {
			t.Errorf("the request line has %d words: %q", len(words), got)
		}
		for i := range len(got) - 1 {
			if c := got[i]; c < ' ' || c > '~' {
				t.Errorf("byte %#x in %q", c, got)
			}
		}
	})
}

// No line grows without bounds.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("\x01", 1<<16)
	q := &cache.Request{Method: long, Host: long, Path: long, Query: long, Protocol: "HTTP/1.1", Fields: http.Header{
		"User-Agent": {long}, "Referer": {long}, "Origin": {long}, "X-Request-Id": {long},
	}}
	e := entry{q: q, d: hit(), scratch: new(scratch)}
	if e.json(AllFields()); len(e.line) > 8*6*maxText+1024 {
		t.Errorf("%d bytes", len(e.line))
	}
}
