package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/app"
)

func TestStatsText(t *testing.T) {
	counts := app.Counts{Requests: 200, Results: map[string]int64{"hit": 90, "stale": 10, "miss": 60, "preflight": 30, "error": 10}, Sent: 3 << 30, Saved: 1 << 30}
	all := &instanceStats{
		Stats: app.Stats{
			Version: "v1", State: "serving", StartedAt: "2026-01-02T03:04:05.000Z", Now: "2026-01-02T04:05:06.400Z",
			Config: app.ConfigState{Generation: 3, File: "a.yaml", LoadedAt: "2026-01-02T03:04:05.000Z", Error: "no\x1b[2Jsuch"},
			Totals: counts,
			History: &app.History{Step: 2, Points: []app.Point{
				{Counts: app.Counts{Requests: 1000, Results: map[string]int64{"miss": 1000}}},
				{Counts: app.Counts{Requests: 1, Results: map[string]int64{"hit": 1}}}, {}, {}, {},
				{Counts: app.Counts{Requests: 2, Results: map[string]int64{"hit": 1, "miss": 1}}},
			}},
			Store:     app.StoreStats{Objects: 4, Bytes: 1536, Size: 1 << 20, Evictions: 5, Rejections: 6},
			Upstreams: []app.UpstreamStats{{Name: "up", Servers: []app.ServerStats{{URL: "http://a", Healthy: true, InFlight: 7}, {URL: "http://b"}}}},
		},
		Routes: []app.RouteStats{
			{Name: "a/", Upstream: "up", CORS: "pass", Counts: counts, Origins: make([]app.OriginStats, 3), More: true},
			{Name: "unmatched"},
		},
	}
	want := `Veneer v1, serving for 1h1m1s
configuration 3, a.yaml, of 2026-01-02T03:04:05.000Z
THE LAST RELOAD FAILED, the old one runs on: no?[2Jsuch

requests   200                 0.3 a second now
hit ratio  62.5 %              66.7 % now
sent       3.0 GiB             33.3 % of it without an upstream
stored     1.5 KiB of 1.0 MiB  0.1 %, 4 responses, 5 made room, 6 not admitted
results    90 hit, 10 stale, 60 miss, 30 preflight, 10 error

ROUTE      REQUESTS  HIT RATIO  SENT     SAVED   ORIGINS       UPSTREAM  CORS
a/         200       62.5 %     3.0 GiB  33.3 %  2 and others  up        pass
unmatched  0         -          0 B      -       0             -         -

UPSTREAM  SERVER    STATE  IN FLIGHT
up        http://a  up     7
up        http://b  DOWN   0
`
	trim := func(s string) string { // tabwriter pads lines that end early
		lines := strings.Split(s, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.Join(lines, "\n")
	}
	if d := cmp.Diff(want, trim(statsText(all))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A watcher asks until it is told to end, and that is a good end.
func TestStatsWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/routes" {
			if asked++; asked == 3 {
				defer cancel()
			}
			_, _ = w.Write([]byte(`{"routes":[{"name":"a/"}]}`))
			return
		}
		_, _ = w.Write([]byte(`{"version":"v1"}`))
	}))
	defer s.Close()
	var stdout, stderr bytes.Buffer
	code := Main(ctx, []string{"stats", "--watch", "--json", "--interval", "100ms", "--admin", s.URL}, &stdout, &stderr)
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if code != exitGood || stderr.Len() != 0 || len(lines) < 2 {
		t.Fatalf("got %d, %q, %q", code, stdout.String(), stderr.String())
	}
	for _, line := range lines {
		var all instanceStats
		if err := json.Unmarshal([]byte(line), &all); err != nil || all.Stats.Version != "v1" || len(all.Routes) != 1 {
			t.Errorf("%s: %v", line, err)
		}
	}
}
