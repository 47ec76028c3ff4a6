package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache/cachestatus"
)

func TestDecide(t *testing.T) {
	minute := meta(func(m *Meta) { m.Lifetime, m.ETag = time.Minute, `"a"` })
	plain := meta(func(m *Meta) { m.Lifetime = time.Minute })
	window := meta(func(m *Meta) { m.Lifetime, m.StaleRevalidate, m.ETag = time.Minute, 10*time.Second, `"a"` })
	strict := meta(func(m *Meta) { m.Lifetime, m.Flags, m.ETag = time.Minute, MustRevalidate, `"a"` })
	noCache := meta(func(m *Meta) { m.Lifetime, m.Flags, m.LastModified = time.Minute, NoCache, epoch })
	immutable := meta(func(m *Meta) { m.Lifetime, m.Flags, m.ETag = time.Minute, Immutable, `"a"` })
	type outcome struct {
		Reuse   Reuse
		Reason  cachestatus.Reason
		Refresh bool
	}
	for _, c := range []struct {
		name string
		m    Meta
		q    RequestDirectives
		age  time.Duration
		want outcome
	}{
		{"fresh", minute, NoRequestDirectives, 59 * time.Second, outcome{Reuse: UseFresh}},
		{"the lifetime must exceed the age", minute, NoRequestDirectives, time.Minute, outcome{Reuse: MustValidate, Reason: cachestatus.Stale}},
		{"stale without a validator", plain, NoRequestDirectives, time.Hour, outcome{Reuse: MustForward, Reason: cachestatus.Stale}},
		{"a clock that ran backwards", minute, NoRequestDirectives, -time.Hour, outcome{Reuse: UseFresh}},
		{"within the window", window, NoRequestDirectives, 69 * time.Second, outcome{Reuse: UseStale, Reason: cachestatus.Stale, Refresh: true}},
		{"past the window", window, NoRequestDirectives, 70 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.Stale}},
		{"never received", Meta{InitialAge: maxDelta * time.Second, Lifetime: maxDelta * time.Second}, NoRequestDirectives, 0, outcome{Reuse: MustForward, Reason: cachestatus.Stale}},
		{"must-revalidate", strict, NoRequestDirectives, time.Minute, outcome{Reuse: MustValidate, Reason: cachestatus.MustRevalidate}},
		{"must-revalidate, fresh", strict, NoRequestDirectives, time.Second, outcome{Reuse: UseFresh}},
		{"must-revalidate and max-stale", strict, RequestDirectives{MaxStale: Seconds(maxDelta)}, time.Hour, outcome{Reuse: MustValidate, Reason: cachestatus.MustRevalidate}},
		{"no-cache", noCache, NoRequestDirectives, 0, outcome{Reuse: MustValidate, Reason: cachestatus.NoCache}},
		{"no-cache and max-stale", noCache, RequestDirectives{MaxStale: Seconds(5)}, 0, outcome{Reuse: MustValidate, Reason: cachestatus.NoCache}},
		{"request no-cache", minute, RequestDirectives{NoCache: true}, 0, outcome{Reuse: MustValidate, Reason: cachestatus.RequestNoCache}},
		{"request no-cache, no validator", plain, RequestDirectives{NoCache: true}, 0, outcome{Reuse: MustForward, Reason: cachestatus.RequestNoCache}},
		{"request no-store", minute, RequestDirectives{NoStore: true}, 0, outcome{Reuse: UseFresh}},
		{"reload", minute, RequestDirectives{MaxAge: Seconds(0)}, 0, outcome{Reuse: MustValidate, Reason: cachestatus.RequestMaxAge}},
		{"reload of the immutable", immutable, RequestDirectives{MaxAge: Seconds(0)}, time.Second, outcome{Reuse: UseFresh}},
		{"forced reload of the immutable", immutable, RequestDirectives{NoCache: true}, time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.RequestNoCache}},
		{"reload of the immutable, stale", immutable, RequestDirectives{MaxAge: Seconds(0)}, time.Minute, outcome{Reuse: MustValidate, Reason: cachestatus.RequestMaxAge}},
		{"request max-age kept", minute, RequestDirectives{MaxAge: Seconds(30)}, 30 * time.Second, outcome{Reuse: UseFresh}},
		{"request max-age exceeded", minute, RequestDirectives{MaxAge: Seconds(30)}, 31 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.RequestMaxAge}},
		{"request max-age accepts nothing stale", window, RequestDirectives{MaxAge: Seconds(600)}, 61 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.Stale}},
		{"request max-age with max-stale", plain, RequestDirectives{MaxAge: Seconds(600), MaxStale: Seconds(60)}, 61 * time.Second, outcome{Reuse: UseStale, Reason: cachestatus.Stale}},
		{"min-fresh kept", minute, RequestDirectives{MinFresh: Seconds(30)}, 30 * time.Second, outcome{Reuse: UseFresh}},
		{"min-fresh not kept", minute, RequestDirectives{MinFresh: Seconds(30)}, 31 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.RequestMinFresh}},
		{"min-fresh in the window", window, RequestDirectives{MinFresh: Seconds(0)}, 61 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.RequestMinFresh}},
		{"max-stale kept", plain, RequestDirectives{MaxStale: Seconds(60)}, 2 * time.Minute, outcome{Reuse: UseStale, Reason: cachestatus.Stale}},
		{"max-stale not kept", plain, RequestDirectives{MaxStale: Seconds(60)}, 2*time.Minute + 1, outcome{Reuse: MustForward, Reason: cachestatus.Stale}},
		{"max-stale is narrower than the window", window, RequestDirectives{MaxStale: Seconds(1)}, 65 * time.Second, outcome{Reuse: MustValidate, Reason: cachestatus.Stale}},
		{"max-stale in the window", window, RequestDirectives{MaxStale: Seconds(60)}, 65 * time.Second, outcome{Reuse: UseStale, Reason: cachestatus.Stale, Refresh: true}},
		{"only-if-cached, fresh", minute, RequestDirectives{OnlyIfCached: true}, 0, outcome{Reuse: UseFresh}},
		{"only-if-cached, stale", minute, RequestDirectives{OnlyIfCached: true}, time.Hour, outcome{Reuse: OnlyIfCachedFails, Reason: cachestatus.OnlyIfCached}},
		{"only-if-cached, in the window", window, RequestDirectives{OnlyIfCached: true}, 65 * time.Second, outcome{Reuse: UseStale, Reason: cachestatus.Stale, Refresh: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := epoch.Add(c.age)
			var got outcome
			got.Reuse, got.Reason = Decide(&c.m, c.q, now)
			got.Refresh = got.Reuse == UseStale && c.m.WantsRefresh(now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// drawQuery draws request directives.
func drawQuery(t *rapid.T) RequestDirectives {
	delta := rapid.Custom(func(t *rapid.T) Delta {
		if rapid.Bool().Draw(t, "absent") {
			return 0
		}
		return Seconds(rapid.Int64Range(0, 200).Draw(t, "seconds"))
	})
	return RequestDirectives{
		NoCache: rapid.Bool().Draw(t, "no-cache"), OnlyIfCached: rapid.Bool().Draw(t, "only-if-cached"),
		MaxAge: delta.Draw(t, "max-age"), MinFresh: delta.Draw(t, "min-fresh"), MaxStale: delta.Draw(t, "max-stale"),
	}
}

// What holds of every decision, said without the code's own order of cases.
func TestDecideInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := meta(func(m *Meta) {
			m.InitialAge = time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Second
			m.Lifetime = time.Duration(rapid.IntRange(0, 100).Draw(t, "lifetime")) * time.Second
			m.StaleRevalidate = time.Duration(rapid.IntRange(0, 100).Draw(t, "swr")) * time.Second
			m.Flags = Flags(rapid.IntRange(0, 31).Draw(t, "flags"))
			m.ETag = rapid.SampledFrom([]string{"", `"a"`}).Draw(t, "etag")
		})
		q := drawQuery(t)
		now := epoch.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "resident")) * time.Second)
		reuse, reason := Decide(&m, q, now)
		used := reuse == UseFresh || reuse == UseStale
		switch {
		case (reuse == UseFresh) != (reason == cachestatus.None):
			t.Fatalf("%v with the reason %s", reuse, reason)
		case reuse == UseFresh && !m.Fresh(now), reuse == UseStale && m.Fresh(now):
			t.Fatalf("%v with %v left", reuse, m.TTL(now))
		case used && (q.NoCache || m.Flags.Has(NoCache)):
			t.Fatal("used in spite of no-cache")
		case reuse == UseStale && m.Flags.Has(MustRevalidate):
			t.Fatal("stale in spite of must-revalidate")
		case !used && q.OnlyIfCached && reuse != OnlyIfCachedFails:
			t.Fatalf("%v in spite of only-if-cached", reuse)
		case reuse == MustValidate && m.ETag == "", reuse == MustForward && m.ETag != "":
			t.Fatalf("%v with the validator %q", reuse, m.ETag)
		case used && m.TTL(now) < 0 && !q.MaxStale.Present() && -m.TTL(now) >= m.StaleRevalidate:
			t.Fatalf("stale for %v, nobody allowed it", -m.TTL(now))
		}
	})
}

func TestStaleOnError(t *testing.T) {
	grace := meta(func(m *Meta) { m.Lifetime, m.StaleError = time.Minute, time.Minute })
	for _, c := range []struct {
		name string
		m    Meta
		q    RequestDirectives
		age  time.Duration
		want bool
	}{
		{"within grace", grace, NoRequestDirectives, 119 * time.Second, true},
		{"past grace", grace, NoRequestDirectives, 120 * time.Second, false},
		{"no grace", meta(func(m *Meta) { m.Lifetime = time.Minute }), NoRequestDirectives, time.Minute, false},
		{"in the window of stale-while-revalidate", meta(func(m *Meta) { m.StaleRevalidate = time.Minute }), NoRequestDirectives, time.Second, true},
		{"fresh, and the client wanted younger", meta(func(m *Meta) { m.Lifetime, m.Flags = time.Minute, MustRevalidate }), RequestDirectives{MaxAge: Seconds(0)}, time.Second, true},
		{"request max-age is no objection", grace, RequestDirectives{MaxAge: Seconds(0)}, time.Minute, true},
		{"request no-cache is", grace, RequestDirectives{NoCache: true}, time.Second, false},
		{"request stale-if-error", meta(func(m *Meta) { m.Lifetime = time.Minute }), RequestDirectives{StaleIfError: Seconds(60)}, 90 * time.Second, true},
		{"request stale-if-error, past it", meta(func(m *Meta) { m.Lifetime = time.Minute }), RequestDirectives{StaleIfError: Seconds(60)}, 120 * time.Second, false},
		{"request stale-if-error under must-revalidate", meta(func(m *Meta) { m.Flags = MustRevalidate }), RequestDirectives{StaleIfError: Seconds(60)}, time.Second, false},
		{"no-cache", meta(func(m *Meta) { m.Lifetime, m.StaleError, m.Flags = time.Minute, time.Minute, NoCache }), NoRequestDirectives, 0, false},
		{"must-revalidate", meta(func(m *Meta) { m.StaleError, m.Flags = time.Minute, MustRevalidate }), NoRequestDirectives, time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := StaleOnError(&c.m, c.q, epoch.Add(c.age)); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestErrorStatus(t *testing.T) {
	var got []int
	for status := 100; status < 600; status++ {
		if ErrorStatus(status) {
			got = append(got, status)
		}
	}
	if diff := cmp.Diff([]int{500, 502, 503, 504}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSetValidators(t *testing.T) {
	client := []string{"If-None-Match", `"c"`, "If-Modified-Since", at(-1), "If-Match", "*", "If-Range", `"c"`, "If-Unmodified-Since", at(0), "Accept", "x"}
	for _, c := range []struct {
		name string
		m    Meta
		ok   bool
		want http.Header
	}{
		{"both", Meta{ETag: `W/"a"`, LastModified: epoch}, true, header("If-None-Match", `W/"a"`, "If-Modified-Since", at(0), "Accept", "x")},
		{"entity-tag", Meta{ETag: `"a"`}, true, header("If-None-Match", `"a"`, "Accept", "x")},
		{"date", Meta{LastModified: epoch}, true, header("If-Modified-Since", at(0), "Accept", "x")},
		{"none", Meta{}, false, header(client...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := header(client...)
			if ok := SetValidators(h, &c.m); ok != c.ok {
				t.Errorf("got %t", ok)
			}
			if diff := cmp.Diff(c.want, h); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReuseNames(t *testing.T) {
	seen := map[string]bool{}
	for r := UseFresh; r <= OnlyIfCachedFails+1; r++ {
		if seen[r.String()] {
			t.Errorf("%d has the name %q of another", r, r)
		}
		seen[r.String()] = true
	}
}
