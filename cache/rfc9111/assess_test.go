package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache/cachestatus"
)

// at is a date so many seconds from epoch, as a field has it.
func at(seconds int) string { return formatDate(epoch.Add(time.Duration(seconds) * time.Second)) }

// header makes a field map of name and value in turn.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// response is a 200 to GET that arrived at epoch without delay.
func response(pairs ...string) *Response {
	return &Response{
		Method: http.MethodGet, Request: http.Header{}, Status: http.StatusOK,
		Header: header(pairs...), RequestTime: epoch, ResponseTime: epoch,
	}
}

// meta is what response has when it says nothing, changed by change.
func meta(change func(m *Meta)) Meta {
	m := Meta{RequestTime: epoch, ResponseTime: epoch, Date: epoch}
	change(&m)
	return m
}

func TestAssessFreshness(t *testing.T) {
	const day = 24 * 3600
	for _, c := range []struct {
		name   string
		r      *Response
		policy Policy
		want   Meta
	}{
		{"max-age", response("Cache-Control", "max-age=3600"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Hour, Explicit
		})},
		{"s-maxage over max-age, and what it implies", response("Cache-Control", "max-age=0, s-maxage=3600", "Expires", at(-10)), Policy{Grace: time.Hour, StaleWhileRevalidate: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Hour, Explicit|MustRevalidate|SharesAuthorized
		})},
		{"max-age over Expires", response("Cache-Control", "max-age=60", "Expires", "0"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Minute, Explicit
		})},
		{"Expires less Date", response("Date", at(-10), "Expires", at(20)), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.InitialAge, m.Flags, m.Date = 30*time.Second, 10*time.Second, Explicit, epoch.Add(-10*time.Second)
		})},
		{"Expires with a Date that is none", response("Date", "foo", "Expires", at(10)), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = 10*time.Second, Explicit
		})},
		{"Expires past every clock", response("Expires", "Fri, 31 Dec 9999 23:59:59 GMT"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = maxDelta*time.Second, Explicit
		})},
		{"a Date of the future makes nothing older", response("Date", at(100), "Cache-Control", "max-age=60"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags, m.Date = time.Minute, Explicit, epoch.Add(100*time.Second)
		})},
		{"Age counts", response("Cache-Control", "max-age=600", "Age", "30"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.InitialAge, m.Flags = 10*time.Minute, 30*time.Second, Explicit
		})},
		{"the larger of Age and Date counts", response("Cache-Control", "max-age=600", "Age", "30", "Date", at(-40)), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.InitialAge, m.Flags, m.Date = 10*time.Minute, 40*time.Second, Explicit, epoch.Add(-40*time.Second)
		})},
		{"a tenth of the time since Last-Modified", response("Last-Modified", at(-3600)), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.LastModified = 6*time.Minute, epoch.Add(-time.Hour)
		})},
		{"the heuristic is bounded", response("Last-Modified", at(-400*day)), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.LastModified = 24*time.Hour, epoch.Add(-400*24*time.Hour)
		})},
		{"the route's bound", response("Last-Modified", at(-day)), Policy{HeuristicLimit: time.Minute}, meta(func(m *Meta) {
			m.Lifetime, m.LastModified = time.Minute, epoch.Add(-24*time.Hour)
		})},
		{"modified in the future", response("Last-Modified", at(50)), Policy{}, meta(func(m *Meta) {
			m.LastModified = epoch.Add(50 * time.Second)
		})},
		{"default_ttl", response("X", "y"), Policy{DefaultTTL: time.Minute, Grace: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.StaleError = time.Minute, time.Hour
		})},
		{"default_ttl in place of the heuristic", response("Last-Modified", at(-3600)), Policy{DefaultTTL: time.Minute}, meta(func(m *Meta) {
			m.Lifetime, m.LastModified = time.Minute, epoch.Add(-time.Hour)
		})},
		{"no default_ttl against an invalid Expires", response("Expires", "0", "Last-Modified", at(-3600)), Policy{DefaultTTL: time.Minute}, meta(func(m *Meta) {
			m.Flags, m.LastModified = Explicit, epoch.Add(-time.Hour)
		})},
		{"two lines of Expires are none", response("Expires", at(60), "Expires", at(60), "Etag", `"a"`), Policy{}, meta(func(m *Meta) {
			m.Flags, m.ETag = Explicit, `"a"`
		})},
		{"stale directives of the response", response("Cache-Control", "max-age=1, stale-while-revalidate=2, stale-if-error=3"), Policy{Grace: time.Hour, StaleWhileRevalidate: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.StaleRevalidate, m.StaleError, m.Flags = time.Second, 2*time.Second, 3*time.Second, Explicit
		})},
		{"stale directives of zero stand against the route", response("Cache-Control", "max-age=1, stale-while-revalidate=0, stale-if-error=0"), Policy{Grace: time.Hour, StaleWhileRevalidate: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Second, Explicit
		})},
		{"grace of the route", response("Cache-Control", "max-age=1"), Policy{Grace: time.Hour, StaleWhileRevalidate: time.Minute}, meta(func(m *Meta) {
			m.Lifetime, m.StaleRevalidate, m.StaleError, m.Flags = time.Second, time.Minute, time.Hour, Explicit
		})},
		{"no grace under must-revalidate", response("Cache-Control", "max-age=1, must-revalidate, stale-if-error=60"), Policy{Grace: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Second, Explicit|MustRevalidate|SharesAuthorized
		})},
		{"no grace under proxy-revalidate", response("Cache-Control", "max-age=1, proxy-revalidate"), Policy{Grace: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Second, Explicit|MustRevalidate
		})},
		{"no grace under no-cache", response("Cache-Control", "max-age=1, no-cache", "Etag", `W/"a"`), Policy{Grace: time.Hour}, meta(func(m *Meta) {
			m.Lifetime, m.Flags, m.ETag = time.Second, Explicit|NoCache, `W/"a"`
		})},
		{"no-cache with fields is validated too", response("Cache-Control", `max-age=60, no-cache="x"`, "Etag", `"a"`), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags, m.ETag = time.Minute, Explicit|NoCache, `"a"`
		})},
		{"immutable", response("Cache-Control", "max-age=60, immutable, public"), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Minute, Explicit|Immutable|SharesAuthorized
		})},
		{"an entity-tag without quotes is none", response("Cache-Control", "max-age=60", "Etag", `abc`), Policy{}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Minute, Explicit
		})},
		{"a targeted field replaces Expires too", response("Cdn-Cache-Control", "max-age=60", "Expires", at(-5), "Cache-Control", "no-store"), Policy{Targets: bothTargets}, meta(func(m *Meta) {
			m.Lifetime, m.Flags = time.Minute, Explicit
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reason := Assess(c.r, &c.policy)
			if reason != cachestatus.None {
				t.Fatalf("not stored: %s", reason)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The delay of the request is age (§4.2.3); a clock that runs backwards, and a
// Date's missing fraction of a second, are not.
func TestInitialAge(t *testing.T) {
	for _, c := range []struct {
		name          string
		sent, arrived time.Duration // from epoch
		fields        http.Header
		want          time.Duration
	}{
		{"delay", 0, 1500 * time.Millisecond, header("Age", "10"), 11500 * time.Millisecond},
		{"fraction of a second", 900 * time.Millisecond, 900 * time.Millisecond, header("Date", at(0)), 0},
		{"more than a second", 1900 * time.Millisecond, 1900 * time.Millisecond, header("Date", at(0)), time.Second},
		{"backwards", time.Minute, 0, header("Date", at(0)), 0},
		{"clamped", 0, 0, header("Age", "99999999999"), maxDelta * time.Second},
		{"two Dates, the first counts", 0, 0, header("Date", at(-60), "Date", at(0)), time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := response()
			r.RequestTime, r.ResponseTime, r.Header = epoch.Add(c.sent), epoch.Add(c.arrived), c.fields
			if got := newMeta(r, &Directives{}, &Policy{}).InitialAge; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	r := response()
	r.RequestTime = time.Time{}
	if m := newMeta(r, &Directives{}, &Policy{}); m.InitialAge != 0 || m.RequestTime != epoch {
		t.Errorf("without a RequestTime: %+v", m)
	}
}

// with changes a response.
func with(r *Response, change func(r *Response)) *Response {
	change(r)
	return r
}

func TestAssessReasons(t *testing.T) {
	fresh := []string{"Cache-Control", "max-age=60"}
	authorized := func(r *Response) { r.Request = header("Authorization", "x") }
	cookie := func(r *Response) { r.Request = header("Cookie", "a=b") }
	post := func(r *Response) { r.Method = http.MethodPost }
	for _, c := range []struct {
		name   string
		r      *Response
		policy Policy
		want   cachestatus.Reason
	}{
		{"nothing said", response(), Policy{}, cachestatus.NoFreshness},
		{"nothing said, and grace", response(), Policy{Grace: time.Hour}, cachestatus.NoFreshness},
		{"HEAD", with(response(fresh...), func(r *Response) { r.Method = http.MethodHead }), Policy{}, cachestatus.Method},
		{"PUT", with(response(fresh...), func(r *Response) { r.Method = http.MethodPut }), Policy{}, cachestatus.Method},
		{"POST with freshness", with(response(fresh...), post), Policy{}, cachestatus.None},
		{"POST with Expires", with(response("Expires", at(60)), post), Policy{}, cachestatus.None},
		{"POST without freshness", with(response("Last-Modified", at(-9000)), post), Policy{DefaultTTL: time.Hour}, cachestatus.Method},
		{"POST that is stale", with(response("Cache-Control", "max-age=0", "Etag", `"a"`), post), Policy{}, cachestatus.Method},
		{"request no-store", with(response(fresh...), func(r *Response) { r.RequestNoStore = true }), Policy{}, cachestatus.RequestNoStore},
		{"request of nobody", with(response(fresh...), func(r *Response) { r.Request = nil }), Policy{}, cachestatus.None},
		{"no-store", response("Cache-Control", "max-age=60, no-store"), Policy{}, cachestatus.NoStore},
		{"private", response("Cache-Control", "max-age=60, private"), Policy{}, cachestatus.Private},
		{"private with fields", response("Cache-Control", `max-age=60, private="x"`), Policy{}, cachestatus.None},
		{"targeted no-store", response("Cdn-Cache-Control", "no-store", "Cache-Control", "max-age=60"), Policy{Targets: bothTargets}, cachestatus.NoStore},
		{"targeted private", response("Cdn-Cache-Control", "private", "Cache-Control", "max-age=60"), Policy{Targets: bothTargets}, cachestatus.Private},
		{"targeted, other directives", response("Cdn-Cache-Control", "foo", "Cache-Control", "max-age=60", "Expires", at(60)), Policy{Targets: bothTargets}, cachestatus.NoFreshness},
		{"targeted, and no such target", response("Cdn-Cache-Control", "no-store", "Cache-Control", "max-age=60"), Policy{}, cachestatus.None},
		{"Vary: *", response(append(fresh, "Vary", "*")...), Policy{}, cachestatus.VaryStar},
		{"Vary: * among others", response(append(fresh, "Vary", "foo, *")...), Policy{}, cachestatus.VaryStar},
		{"Vary: * on the second line", response(append(fresh, "Vary", "", "Vary", "* , foo")...), Policy{}, cachestatus.VaryStar},
		{"Vary", response(append(fresh, "Vary", "foo")...), Policy{}, cachestatus.None},
		{"Authorization", with(response("Expires", at(60)), authorized), Policy{}, cachestatus.Authorization},
		{"Authorization and public", with(response("Cache-Control", "public, max-age=60"), authorized), Policy{}, cachestatus.None},
		{"Authorization and s-maxage", with(response("Cache-Control", "s-maxage=60"), authorized), Policy{}, cachestatus.None},
		{"Authorization and must-revalidate", with(response("Cache-Control", "must-revalidate, max-age=60"), authorized), Policy{}, cachestatus.None},
		{"Authorization and proxy-revalidate", with(response("Cache-Control", "proxy-revalidate, max-age=60"), authorized), Policy{}, cachestatus.Authorization},
		{"Authorization and a targeted field", with(response("Cdn-Cache-Control", "max-age=60"), authorized), Policy{Targets: bothTargets}, cachestatus.Authorization},
		{"Authorization and public in a targeted field", with(response("Cdn-Cache-Control", "max-age=60, public"), authorized), Policy{Targets: bothTargets}, cachestatus.None},
		{"Authorization and public in what was replaced", with(response("Cdn-Cache-Control", "max-age=60", "Cache-Control", "public"), authorized), Policy{Targets: bothTargets}, cachestatus.Authorization},
		{"Cookie and explicit freshness", with(response(fresh...), cookie), Policy{}, cachestatus.None},
		{"Cookie and a guess", with(response("Last-Modified", at(-9000)), cookie), Policy{}, cachestatus.Cookie},
		{"Cookie and default_ttl", with(response(), cookie), Policy{DefaultTTL: time.Hour}, cachestatus.Cookie},
		{"Set-Cookie", response(append(fresh, "Set-Cookie", "a=b")...), Policy{}, cachestatus.SetCookie},
		{"Set-Cookie and public", response("Cache-Control", "public, max-age=60", "Set-Cookie", "a=b"), Policy{}, cachestatus.None},
		{"Set-Cookie and s-maxage", response("Cache-Control", "s-maxage=60", "Set-Cookie", "a=b"), Policy{}, cachestatus.None},
		{"Set-Cookie and a targeted field", response("Cdn-Cache-Control", "max-age=60", "Set-Cookie", "a=b"), Policy{Targets: bothTargets}, cachestatus.None},
		{"Set-Cookie that is private", response("Cache-Control", `max-age=60, private="Set-Cookie"`, "Set-Cookie", "a=b"), Policy{}, cachestatus.None},
		{"Set-Cookie stripped", response(append(fresh, "Set-Cookie", "a=b")...), Policy{SetCookie: SetCookieStrip}, cachestatus.None},
		{"Set-Cookie stored", response(append(fresh, "Set-Cookie", "a=b")...), Policy{SetCookie: SetCookieStore}, cachestatus.None},
		{"stale on arrival", response("Expires", at(-60)), Policy{}, cachestatus.Expired},
		{"stale on arrival, invalid Expires", response("Expires", "0"), Policy{}, cachestatus.Expired},
		{"stale on arrival by Age", response(append(fresh, "Age", "60")...), Policy{}, cachestatus.Expired},
		{"stale on arrival by an endless Age", response("Cache-Control", "max-age=2147483648", "Age", "2147483648"), Policy{}, cachestatus.Expired},
		{"stale on arrival with a validator", response("Expires", at(-60), "Etag", `"a"`), Policy{}, cachestatus.None},
		{"max-age=0 and grace", response("Cache-Control", "max-age=0"), Policy{Grace: time.Hour}, cachestatus.Expired},
		{"max-age=0 and stale-if-error", response("Cache-Control", "max-age=0, stale-if-error=60"), Policy{}, cachestatus.None},
		{"max-age=0 and stale-while-revalidate", response("Cache-Control", "max-age=0, stale-while-revalidate=60"), Policy{}, cachestatus.None},
		{"past stale-if-error", response("Cache-Control", "max-age=60, stale-if-error=60", "Age", "120"), Policy{}, cachestatus.Expired},
		{"stale on arrival within grace", response("Cache-Control", "max-age=60", "Age", "70"), Policy{Grace: time.Hour}, cachestatus.None},
		{"a validator alone", response("Etag", `"a"`), Policy{}, cachestatus.None},
		{"no-cache alone", response("Cache-Control", "no-cache"), Policy{}, cachestatus.NoCache},
		{"no-cache with freshness", response("Cache-Control", "no-cache, max-age=60"), Policy{}, cachestatus.NoCache},
		{"no-cache with a validator", response("Cache-Control", "no-cache", "Etag", `"a"`), Policy{}, cachestatus.None},
		{"must-understand overrides no-store", response("Cache-Control", "max-age=60, no-store, must-understand"), Policy{}, cachestatus.None},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, reason := Assess(c.r, &c.policy)
			if reason != c.want {
				t.Errorf("got %s, want %s", reason, c.want)
			}
			if reason != cachestatus.None && m != (Meta{}) {
				t.Errorf("not stored, and yet %+v", m)
			}
		})
	}
}

func TestAssessStatus(t *testing.T) {
	for _, c := range []struct {
		fields http.Header
		want   cachestatus.Reason
		status []int
	}{
		{header("Cache-Control", "max-age=60"), cachestatus.None, []int{200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 412, 499, 500, 502, 503, 504, 599}},
		{header("Cache-Control", "max-age=60"), cachestatus.NotFinal, []int{0, 99, 100, 102, 103, 304, 428, 429, 431, 511, 600, 999}},
		{header("Cache-Control", "max-age=60"), cachestatus.Partial, []int{206}},
		{header("Last-Modified", at(-86400)), cachestatus.None, []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}},
		{header("Last-Modified", at(-86400)), cachestatus.NoFreshness, []int{201, 202, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504, 599}},
		{header("Last-Modified", at(-86400), "Cache-Control", "public"), cachestatus.None, []int{200, 201, 302, 403, 502, 599}},
		{header("Cache-Control", "max-age=60, must-understand"), cachestatus.None, []int{200, 204, 302, 308, 404, 451, 503}},
		{header("Cache-Control", "max-age=60, must-understand"), cachestatus.MustUnderstand, []int{207, 299, 306, 418, 499, 506, 599}},
		{header("Cache-Control", "max-age=60, must-understand, no-store"), cachestatus.MustUnderstand, []int{599}},
	} {
		for _, status := range c.status {
			r := response()
			r.Header, r.Status = c.fields, status
			if _, reason := Assess(r, &Policy{}); reason != c.want {
				t.Errorf("%d with %v: got %s, want %s", status, c.fields, reason, c.want)
			}
		}
	}
}

// cachecontrol knows less, and so it must not forbid what our rules let pass.
func TestVetoAgrees(t *testing.T) {
	fields := []string{"max-age=60", "s-maxage=60", "public", "private", `private="x"`, "no-store", "must-understand", "must-revalidate", "no-cache"}
	rapid.Check(t, func(t *rapid.T) {
		r := response("Etag", `"a"`)
		r.Status = rapid.SampledFrom([]int{200, 204, 301, 302, 308, 404, 501, 503, 599}).Draw(t, "status")
		r.Method = rapid.SampledFrom([]string{http.MethodGet, http.MethodPost}).Draw(t, "method")
		r.Header["Cache-Control"] = rapid.SliceOf(rapid.SampledFrom(fields)).Draw(t, "cache-control")
		if rapid.Bool().Draw(t, "expires") {
			r.Header.Set("Expires", at(60))
		}
		if rapid.Bool().Draw(t, "authorization") {
			r.Request = header("Authorization", "x")
		}
		p := &Policy{DefaultTTL: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "default")}
		d := ParseResponse(r.Header, nil)
		ours := prohibited(r, &d, p)
		if m := newMeta(r, &d, p); ours == cachestatus.None {
			ours = useless(r, &d, &m)
		}
		if theirs := veto(r, &d); (ours == cachestatus.None) && theirs != cachestatus.None {
			t.Fatalf("vetoed: %s", theirs)
		}
	})
}

// It says why, should our rules let something slip.
func TestVetoReasons(t *testing.T) {
	for _, c := range []struct {
		name   string
		d      Directives
		change func(r *Response)
		want   cachestatus.Reason
	}{
		{"no-store", Directives{NoStore: true}, func(*Response) {}, cachestatus.NoStore},
		{"private", Directives{Private: true}, func(*Response) {}, cachestatus.Private},
		{"authorization", Directives{}, func(r *Response) { r.Request = header("Authorization", "x") }, cachestatus.Authorization},
		{"post", Directives{}, func(r *Response) { r.Method = http.MethodPost }, cachestatus.Method},
		{"status", Directives{}, func(r *Response) { r.Status = 599 }, cachestatus.NoFreshness},
		{"nothing", Directives{}, func(*Response) {}, cachestatus.None},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := veto(with(response(), c.change), &c.d); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Adding a prohibition to a response never makes it fresher or storable.
func TestMoreDirectivesNeverFresher(t *testing.T) {
	base := []string{"max-age=60", "s-maxage=30", "public", "stale-if-error=90", "x", `private="a"`}
	stricter := []string{"no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate", "max-age=zz", "@#(", `x="`, "no-store=1", `no-cache="a"`}
	rapid.Check(t, func(t *rapid.T) {
		before := response("Etag", `"a"`, "Last-Modified", at(-1000))
		before.Header["Cache-Control"] = rapid.SliceOf(rapid.SampledFrom(base)).Draw(t, "before")
		after := response("Etag", `"a"`, "Last-Modified", at(-1000))
		after.Header["Cache-Control"] = append(before.Header["Cache-Control"], rapid.SampledFrom(stricter).Draw(t, "more"))
		p := &Policy{Grace: time.Hour, StaleWhileRevalidate: time.Minute}
		m, reason := Assess(before, p)
		n, reasonAfter := Assess(after, p)
		if reason != cachestatus.None && reasonAfter == cachestatus.None {
			t.Fatalf("stored only with more: %s", reason)
		}
		now := epoch.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "seconds")) * time.Second)
		was, _ := Decide(&m, NoRequestDirectives, now)
		is, _ := Decide(&n, NoRequestDirectives, now)
		if reasonAfter == cachestatus.None && is < was {
			t.Fatalf("%v became %v", was, is)
		}
		if reasonAfter == cachestatus.None && StaleOnError(&n, NoRequestDirectives, now) && !StaleOnError(&m, NoRequestDirectives, now) {
			t.Fatal("served on an error only with more")
		}
	})
}
