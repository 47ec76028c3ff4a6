package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache/cachestatus"
)

// Every source of a lifetime, in the order in which they count (§4.2.1).
func TestSources(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	targets := []string{"Cdn-Cache-Control"}
	for _, c := range []struct {
		name   string
		status int
		fields http.Header
		policy Policy
		want   Source
		life   time.Duration
	}{
		{"s-maxage", 200, http.Header{"Cache-Control": {"max-age=1, s-maxage=2"}, "Expires": {at(time.Hour)}}, Policy{DefaultTTL: time.Hour}, SMaxAge, 2 * time.Second},
		{"max-age", 200, http.Header{"Cache-Control": {"max-age=1"}, "Expires": {at(time.Hour)}}, Policy{DefaultTTL: time.Hour}, MaxAge, time.Second},
		{"targeted", 200, http.Header{"Cdn-Cache-Control": {"max-age=5"}, "Cache-Control": {"max-age=1"}}, Policy{Targets: targets}, MaxAge, 5 * time.Second},
		{"Expires", 500, http.Header{"Date": {at(-time.Minute)}, "Expires": {at(time.Hour)}}, Policy{DefaultTTL: time.Hour}, Expires, time.Hour + time.Minute},
		{"Expires under a targeted field", 200, http.Header{"Cdn-Cache-Control": {"public"}, "Expires": {at(time.Hour)}}, Policy{Targets: targets, DefaultTTL: time.Second}, RouteDefault, time.Second},
		{"invalid Expires", 200, http.Header{"Expires": {"0"}}, Policy{DefaultTTL: time.Hour}, InvalidExpires, 0},
		{"default", 200, http.Header{"Last-Modified": {at(-time.Hour)}}, Policy{DefaultTTL: time.Hour}, RouteDefault, time.Hour},
		{"heuristic", 200, http.Header{"Date": {at(0)}, "Last-Modified": {at(-time.Hour)}}, Policy{}, LastModified, 6 * time.Minute},
		{"not by default", 500, http.Header{"Last-Modified": {at(-time.Hour)}}, Policy{DefaultTTL: time.Hour}, NoLifetime, 0},
		{"public widens", 500, http.Header{"Cache-Control": {"public"}}, Policy{DefaultTTL: time.Hour}, RouteDefault, time.Hour},
		{"nothing", 200, http.Header{}, Policy{}, NoLifetime, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Response{Method: "GET", Status: c.status, Header: c.fields, RequestTime: now, ResponseTime: now}
			a := NewAccount(r, &c.policy)
			if a.Source != c.want || a.Meta.Lifetime != c.life || a.Source.Explicit() != a.Meta.Flags.Has(Explicit) {
				t.Errorf("got %v, %v (flags %b), want %v, %v", a.Source, a.Meta.Lifetime, a.Meta.Flags, c.want, c.life)
			}
		})
	}
}

// The account of a response is what Assess stores it with, and its parts add up.
func TestAccountIsWhatIsStored(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		line := func(name string, values ...string) []string {
			if v := rapid.SampledFrom(append(values, "")).Draw(t, name); v != "" {
				return []string{v}
			}
			return nil
		}
		h := http.Header{
			"Cache-Control": line("cc", "max-age=10", "s-maxage=20, max-age=1", "public", "no-cache", "no-store", "max-age=5, stale-if-error=9"),
			"Age":           line("age", "7", "-1", "99999999999", "3, 4"),
			"Date":          line("date", now.Add(-9*time.Second).Format(http.TimeFormat), now.Add(time.Hour).Format(http.TimeFormat), "x"),
			"Expires":       line("expires", now.Add(time.Minute).Format(http.TimeFormat), "0"),
			"Last-Modified": line("modified", now.Add(-time.Hour).Format(http.TimeFormat)),
			"Etag":          line("etag", `"a"`),
		}
		p := &Policy{DefaultTTL: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "ttl"), Grace: time.Hour}
		r := &Response{
			Method: "GET", Status: rapid.SampledFrom([]int{200, 302, 404, 500}).Draw(t, "status"), Header: h,
			RequestTime: now.Add(-rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(t, "delay")), ResponseTime: now,
		}
		a := NewAccount(r, p)
		if m, reason := Assess(r, p); reason == cachestatus.None {
			if d := cmp.Diff(m, a.Meta); d != "" {
				t.Fatalf("stored and accounted (-stored +accounted):\n%s", d)
			}
		}
		if sum := min(max(a.Apparent, a.AgeValue+a.Delay, 0), maxDelta*time.Second); sum != a.Meta.InitialAge {
			t.Fatalf("apparent %v, value %v and delay %v make %v, not %v", a.Apparent, a.AgeValue, a.Delay, sum, a.Meta.InitialAge)
		}
	})
}
