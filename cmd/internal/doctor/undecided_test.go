package doctor

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDead: a proxy that owns CORS, in front of nothing. What it makes itself
// can be seen, and whether the pages work cannot.
func TestDead(t *testing.T) {
	proxy := goodApp()
	rep := examineHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			proxy.headers = "x-id, content-type"
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.cors(w.Header(), r.Header.Get("Origin"))
		w.WriteHeader(http.StatusBadGateway)
	}), nil)
	if rep.Known || rep.Good {
		t.Errorf("known %v, good %v\n%s", rep.Known, rep.Good, text(t, rep))
	}
	if diff := cmp.Diff([]string{"warning answers"}, findings(rep)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range rep.Checks {
		ofPreflights := strings.HasPrefix(c.ID, "preflight-") && c.ID != "preflight-cached"
		if c.Result == "ok" && !ofPreflights {
			t.Errorf("%s is decided: %s", c.ID, c.Result)
		}
	}
	if got := text(t, rep); !strings.Contains(got, "\nverdict: not known, ") ||
		!strings.Contains(got, "\n-        foreign-acao ") || strings.Contains(got, notDynamic) {
		t.Error(got)
	}
}

// limiter answers a burst, and then 429.
type limiter struct {
	http.Handler
	burst      int
	retryAfter string
	left       int
	refused    int
	until      time.Time
	every      time.Duration // when there is a burst again; 0 is never
}

func (l *limiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.until.IsZero() || l.every > 0 && !time.Now().Before(l.until) {
		l.left, l.until = l.burst, time.Now().Add(l.every)
	}
	if l.left == 0 {
		l.refused++
		w.Header().Set("Retry-After", l.retryAfter)
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	l.left--
	l.Handler.ServeHTTP(w, r)
}

// TestLimited: a short Retry-After is waited for, and the verdict is that of a
// server without a limit. Otherwise it is not known.
func TestLimited(t *testing.T) {
	for _, c := range []struct {
		name       string
		burst      int
		retryAfter string
		every      time.Duration
		known      bool
		least      time.Duration // of waiting
		most       time.Duration
	}{
		{"three in 2 s", 3, "2", 2 * time.Second, true, 10 * time.Second, 20 * time.Second},
		{"ten in 5 s", 10, "5", 5 * time.Second, true, 10 * time.Second, 10 * time.Second},
		{"a minute", 10, "60", time.Minute, false, 0, 0},
		{"not said", 10, "", time.Second, false, 0, 0},
		{"nothing, ever", 0, "3", 0, false, maxPauses, maxPauses},
		{"at once, ever", 3, "0", 0, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := goodApp()
				app.headers = "x-id, content-type"
				l := &limiter{Handler: app, burst: c.burst, retryAfter: c.retryAfter, every: c.every}
				began := time.Now()
				rep := examineHandler(t, l, nil)
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("took %v, want %v to %v", took, c.least, c.most)
				}
				if rep.Known != c.known || rep.Good != c.known {
					t.Errorf("known %v, good %v\n%s", rep.Known, rep.Good, text(t, rep))
				}
				if c.known && findings(rep) != nil {
					t.Errorf("found %q", findings(rep))
				}
				if got := text(t, rep); strings.Contains(got, notDynamic) {
					t.Error(got)
				}
				if most := len(rep.Exchanges) * (maxRetries + 1); l.refused > most {
					t.Errorf("refused %d times", l.refused)
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"5", 5 * time.Second, true},
		{"0", 0, true},
		{"Thu, 01 Jan 2026 00:00:03 GMT", 3 * time.Second, true},
		{"Thu, 01 Jan 2015 00:00:00 GMT", 0, true},
		{"-1", 0, false},
		{"99999999999999999999", 0, false},
		{"soon", 0, false},
		{"", 0, false},
	} {
		got, ok := retryAfter(c.text, now)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: got %v, %v", c.text, got, ok)
		}
	}
}

func TestForwardedBy(t *testing.T) {
	for lines, want := range map[string]string{
		"":                                "",
		"veneer; fwd=uri-miss; stored":    "veneer",
		"veneer;fwd=bypass":               "veneer",
		`"my cache"; fwd=miss`:            "my cache",
		"veneer; hit; ttl=5":              "",
		"veneer; fwd=uri-miss; collapsed": "",
		"veneer; fwd=stale; fwd-status=304; detail=foreign-acao": "",
		"veneer; fwd=stale; fwd-status=200":                      "veneer",
		"origin; hit, veneer; fwd=uri-miss":                      "veneer",
		"origin; fwd=miss, veneer; hit":                          "",
		"veneer":                                                 "",
	} {
		x := received()
		if lines != "" {
			x = received("Cache-Status: " + lines)
		}
		if got := x.forwardedBy(); got != want {
			t.Errorf("%s: got %q, want %q", lines, got, want)
		}
	}
}

// TestBlame: who has to mend a cache that hands out somebody else's answer.
func TestBlame(t *testing.T) {
	const (
		behind = "in the cache behind it: put Origin into the key, or let the application send Vary: Origin on every answer if that cache honours it; then purge both"
		nginx  = "in http: " + nginxMap + " in the location: proxy_cache_key $scheme$proxy_host$request_uri$cors_origin;"
		spoilt = "then-b GET B 200\nAccess-Control-Allow-Origin: A\nVary: Origin\n"
		cold   = "\n\ncold-b GET B 200\nAccess-Control-Allow-Origin: B\nVary: Origin"
	)
	for _, c := range []struct{ name, id, edit, server, fix string }{
		{"veneer, which had it", "foreign-acao", spoilt + "Cache-Status: veneer; hit; ttl=5" + cold, "veneer", cures[cureKey][kindVeneer]},
		{"who is behind veneer", "foreign-acao", spoilt + "Cache-Status: veneer; fwd=uri-miss; detail=foreign-acao" + cold, "unknown", behind},
		{"nginx behind veneer", "foreign-acao", spoilt + "Server: nginx\nCache-Status: veneer; fwd=uri-miss" + cold, "nginx", nginx},
		{"who is behind a cache that nobody knows", "foreign-acao", spoilt + "Cache-Status: edge; fwd=uri-miss" + cold, "unknown", behind},
		{"what veneer has stored", "live-answer", "plain GET A 200\nVary: Origin\nCache-Status: veneer; hit", "veneer", cures[curePurge][kindVeneer]},
		{"what is stored behind veneer", "live-answer", "plain GET A 200\nVary: Origin\nCache-Status: veneer; fwd=bypass", "unknown", behind},
		{"the 304 of who is behind veneer", "not-modified-foreign-acao",
			"revalidate GET B 304\nAccess-Control-Allow-Origin: A\nVary: Origin\nCache-Status: veneer; fwd=vary-miss; fwd-status=304", "unknown", behind},
	} {
		rep := testRun(t, Options{}, c.edit).report()
		i := slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.ID == c.id })
		if i < 0 {
			t.Errorf("%s: found %q", c.name, findings(rep))
			continue
		}
		f := rep.Findings[i]
		if f.Server != c.server || f.Fix != c.fix {
			t.Errorf("%s: %s is to do: %s", c.name, f.Server, f.Fix)
		}
		if told := strings.Contains(f.Why, "forwarded the request"); told == strings.Contains(c.edit, "; hit") {
			t.Errorf("%s: %s", c.name, f.Why)
		}
	}
}

// TestLeadsAway: a redirect with every CORS field, to a site that lets A in.
func TestLeadsAway(t *testing.T) {
	for nullToo, want := range map[bool][]string{true: nil, false: {"fault redirect-target"}} {
		var origins []string
		rep := examineHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "www.example.net" {
				if r.URL.RawQuery != "token=secret" {
					t.Errorf("asked for %s", r.URL)
				}
				origins = append(origins, r.Header.Get("Origin"))
				w.Header().Set("Server", "cloudflare")
				if nullToo {
					w.Header().Set("Access-Control-Allow-Origin", "*")
				}
				return
			}
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.Header().Set("Access-Control-Allow-Methods", "PUT")
			w.Header().Set("Access-Control-Allow-Headers", "content-type, x-id")
			if r.Method != http.MethodOptions {
				w.Header().Set("Location", "https://www.example.net/x?token=secret")
				w.WriteHeader(http.StatusFound)
			}
		}), nil)
		if diff := cmp.Diff(want, findings(rep)); diff != "" {
			t.Errorf("null %v (-want +got):\n%s", nullToo, diff)
		}
		if !slices.Equal(origins, []string{"null"}) || !slices.Equal(rep.Servers, []string{"unknown"}) {
			t.Errorf("origins %q, servers %q", origins, rep.Servers)
		}
		got := text(t, rep)
		if fix := "fix: call the final URL from the page, and let " + originA + " " + originB + " in there"; strings.Contains(got, fix) == nullToo || strings.Contains(got, "secret") {
			t.Error(got)
		}
	}
}
