//go:build !race

package rfc9111

import (
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a hit does allocates nothing.
func TestAllocations(t *testing.T) {
	m := meta(func(m *Meta) { m.Lifetime, m.ETag, m.LastModified = time.Minute, `"a"`, epoch })
	now := epoch.Add(time.Second)
	bare := header("Accept", "x")
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"ParseRequest, absent", 0, func() { ParseRequest(bare) }},
		{"Decide", 0, func() { Decide(&m, NoRequestDirectives, now) }},
		{"StaleOnError", 0, func() { StaleOnError(&m, NoRequestDirectives, now) }},
		{"WantsRefresh", 0, func() { m.WantsRefresh(now) }},
		{"Evaluate, absent", 0, func() { Evaluate(http.MethodGet, bare, &m, 200) }},
		{"IfRange, absent", 0, func() { IfRange(bare, &m) }},
		{"ParseRange, absent", 0, func() { _, _ = ParseRange(bare["Range"], 10) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		name string
		want float64
		h    http.Header
		run  func(h http.Header)
	}{
		{"no-cache", 0, header("Cache-Control", "no-cache"), func(h http.Header) { ParseRequest(h) }},
		{"max-age=0", 0, header("Cache-Control", "max-age=0"), func(h http.Header) { ParseRequest(h) }},
		{"an extension", 0, header("Cache-Control", "nothing-to-see-here", "Pragma", "foo"), func(h http.Header) { ParseRequest(h) }},
		{"Pragma", 0, header("Pragma", "no-cache"), func(h http.Header) { ParseRequest(h) }},
		{"one entity-tag", 0, header("If-None-Match", `W/"a"`), func(h http.Header) { Evaluate(http.MethodGet, h, &m, 200) }},
		{"a list of them", 0, header("If-None-Match", `"b", "c", "a"`), func(h http.Header) { Evaluate(http.MethodGet, h, &m, 200) }},
		{"a date", 0, header("If-Modified-Since", at(0)), func(h http.Header) { Evaluate(http.MethodGet, h, &m, 200) }},
		{"If-Range", 0, header("If-Range", `"a"`), func(h http.Header) { IfRange(h, &m) }},
		{"Range", 1, header("Range", "bytes=0-1,3-4"), func(h http.Header) { _, _ = ParseRange(h["Range"], 10) }},
		{"Range refused", 1, header("Range", "bytes=0-,0-"), func(h http.Header) { _, _ = ParseRange(h["Range"], 10) }},
	} {
		if got := testing.AllocsPerRun(100, func() { c.run(c.h) }); got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}

// A hostile field of a megabyte is not read, and the longest that is read costs
// no more memory than a multiple of itself: what is behind the parser is
// quadratic in quoted strings.
func TestHostileFieldsAreCheap(t *testing.T) {
	quoted := strings.Repeat(`a="",`, 1<<18)
	for _, c := range []struct {
		name  string
		bytes uint64 // at most
		run   func()
	}{
		{"request, 1 MB", 64, func() { ParseRequest(http.Header{"Cache-Control": {quoted}}) }},
		{"response, 1 MB", 64, func() { ParseResponse(http.Header{"Cache-Control": {quoted}}, nil) }},
		{"targeted, 1 MB", 64, func() { ParseResponse(http.Header{"Cdn-Cache-Control": {quoted}}, bothTargets) }},
		{"response, quoted strings", 1 << 10, func() { ParseResponse(http.Header{"Cache-Control": {quoted[:maxResponseField/5*5]}}, nil) }},
		{"response, field names", 64 * maxResponseField, func() {
			ParseResponse(http.Header{"Cache-Control": {`private="` + strings.Repeat("ab,", maxResponseField/3-10) + `"`}}, nil)
		}},
		{"response, fields again and again", 64 * maxResponseField, func() {
			ParseResponse(http.Header{"Cache-Control": {strings.Repeat(`no-cache="a",`, maxResponseField/13)}}, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The counters are the process's: what the runtime allocates
			// beside the calls is noise, so the least of several counts.
			const rounds, runs = 5, 10
			got := uint64(math.MaxUint64)
			for range rounds {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range runs {
					c.run()
				}
				runtime.ReadMemStats(&after)
				got = min(got, (after.TotalAlloc-before.TotalAlloc)/runs)
			}
			// The literal map of the case itself is some 400 bytes.
			if got > c.bytes+512 {
				t.Errorf("%d bytes a call, want at most %d", got, c.bytes)
			}
		})
	}
}
