package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"veneer/cache/cachestatus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fresh returns a Telemetry that the environment does not change.
func fresh(t testing.TB, cfg Config) *Telemetry {
	t.Helper()
	if s, ok := t.(interface{ Setenv(string, string) }); ok {
		s.Setenv("OTEL_SERVICE_NAME", "")
		s.Setenv("OTEL_RESOURCE_ATTRIBUTES", "")
	}
	tel, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

// scrape returns the exposition without the metrics of the Go runtime and the
// process.
func scrape(t testing.TB, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var ours strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

// lines returns the samples that begin with prefix.
func lines(exposition, prefix string) []string {
	var found []string
	for line := range strings.Lines(exposition) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}

// The whole exposition: names, suffixes, labels and help are what dashboards
// rely on.
func TestExposition(t *testing.T) {
	tel := fresh(t, Config{Version: "1.2.3", Prometheus: true})
	api := tel.Route("api")
	for r, n := range []int{1, 5, 4, 3, 2, 1, 0, 1} {
		for range n {
			api.Add(Result(r))
		}
	}
	api.Add(resultCount) // no result: counts nothing
	api.AddNotStored(cachestatus.NoStore)
	api.AddNotStored(cachestatus.NoStore)
	api.AddNotStored(cachestatus.Reason(250))
	for _, code := range []int{101, 200, 204, 304, 404, 502, 0, 999} {
		api.AddStatus(code)
	}
	api.Observe(200 * time.Microsecond)
	api.Observe(time.Millisecond)
	api.Observe(time.Minute)
	api.Observe(-time.Second)
	samples := map[Metric][]Sample{
		CacheBytes:      {{Labels: [2]string{"memory"}, Value: 1 << 20}},
		CacheObjects:    {{Labels: [2]string{"memory"}, Value: 7}},
		CacheEvictions:  {{Labels: [2]string{"memory"}, Value: 2}},
		CORSDecisions:   {{Labels: [2]string{"api", "allowed"}, Value: 9}, {Labels: [2]string{"api", "refused"}, Value: 0}},
		CORSStripped:    {{Labels: [2]string{"users"}, Value: 4}},
		CORSShadow:      {{Labels: [2]string{"api", "origin_refused"}, Value: 6}},
		UpstreamHealthy: {{Labels: [2]string{"users", "http://127.0.0.1:8081"}, Value: 1}, {Labels: [2]string{"users", "http://127.0.0.1:8082"}, Value: 0}},
		Purges:          {{Labels: [2]string{"url"}, Value: 3}},
	}
	for m, s := range samples {
		tel.Register(m, func() []Sample { return s })
	}
	tel.Upstream("users").Observe(3 * time.Millisecond)
	golden, err := os.ReadFile("testdata/exposition.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), anyVersion(scrape(t, tel))); diff != "" {
		t.Error(diff)
	}
}

// Before anything happened a route has its results at zero, so that a rate
// sees the first one, and nothing else but its empty histogram.
func TestExpositionOfARouteAtRest(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	tel.Route("api")
	want := []string{
		`veneer_cache_requests_total{result="bypass",route="api"} 0`,
		`veneer_cache_requests_total{result="collapsed",route="api"} 0`,
		`veneer_cache_requests_total{result="error",route="api"} 0`,
		`veneer_cache_requests_total{result="hit",route="api"} 0`,
		`veneer_cache_requests_total{result="miss",route="api"} 0`,
		`veneer_cache_requests_total{result="preflight",route="api"} 0`,
		`veneer_cache_requests_total{result="revalidated",route="api"} 0`,
		`veneer_cache_requests_total{result="stale",route="api"} 0`,
		`veneer_telemetry_dropped_total{signal="access_log"} 0`,
		`veneer_telemetry_dropped_total{signal="logs"} 0`,
		`veneer_telemetry_dropped_total{signal="metrics"} 0`,
		`veneer_telemetry_dropped_total{signal="traces"} 0`,
	}
	if diff := cmp.Diff(want, lines(scrape(t, tel), "veneer_")); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutPrometheus(t *testing.T) {
	tel := fresh(t, Config{})
	tel.Route("api").Add(Hit)
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
}

// anyVersion returns text without the version of the library, which is its own
// business.
func anyVersion(text string) string {
	return regexp.MustCompile(`telemetry_sdk_version="[^"]+"`).ReplaceAllString(text, `telemetry_sdk_version="x"`)
}

// The environment wins over the configuration.
func TestTargetInfo(t *testing.T) {
	for _, c := range []struct {
		name, envName, envAttributes string
		cfg                          Config
		want                         string
	}{
		{"default", "", "", Config{}, `target_info{service_name="veneer",telemetry_sdk_language="go",telemetry_sdk_name="opentelemetry",telemetry_sdk_version="x"} 1`},
		{"configured", "", "", Config{ServiceName: "edge", Version: "2"}, `target_info{service_name="edge",service_version="2",telemetry_sdk_language="go",telemetry_sdk_name="opentelemetry",telemetry_sdk_version="x"} 1`},
		{"environment", "env", "deployment.environment=test", Config{ServiceName: "edge"}, `target_info{deployment_environment="test",service_name="env",telemetry_sdk_language="go",telemetry_sdk_name="opentelemetry",telemetry_sdk_version="x"} 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("OTEL_SERVICE_NAME", c.envName)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", c.envAttributes)
			c.cfg.Prometheus = true
			tel, err := New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer tel.Shutdown(context.Background())
			got := anyVersion(strings.Join(lines(scrape(t, tel), "target_info"), "\n"))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Instruments that other packages make through the API are exported too.
func TestMeterProvider(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	c, err := tel.MeterProvider().Meter("elsewhere").Int64Counter("veneer.elsewhere", metric.WithDescription("x"))
	if err != nil {
		t.Fatal(err)
	}
	c.Add(context.Background(), 3)
	if diff := cmp.Diff([]string{"veneer_elsewhere_total 3"}, lines(scrape(t, tel), "veneer_elsewhere")); diff != "" {
		t.Error(diff)
	}
}

// Two of them share nothing.
func TestNoGlobalState(t *testing.T) {
	a, b := fresh(t, Config{Prometheus: true}), fresh(t, Config{Prometheus: true})
	a.Route("only-in-a").Add(Hit)
	if got := scrape(t, b); strings.Contains(got, "only-in-a") {
		t.Error(got)
	}
}

// A reload: the new configuration registers, the old one leaves, and no count
// is lost; gauges follow the new one.
func TestReload(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	tel.Route("api").Add(Hit)
	old, now := int64(5), int64(0)
	counter := func(n *int64) func() []Sample {
		return func() []Sample { return []Sample{{Labels: [2]string{"users"}, Value: *n}} }
	}
	server := func(name string) func() []Sample {
		return func() []Sample { return []Sample{{Labels: [2]string{"users", name}, Value: 1}} }
	}
	leaveCounter := tel.Register(CORSStripped, counter(&old))
	leaveGauge := tel.Register(UpstreamHealthy, server("old"))

	tel.Register(CORSStripped, counter(&now))
	tel.Register(UpstreamHealthy, server("new"))
	if first, again := tel.Route("api"), tel.Route("api"); first != again {
		t.Error("a route has two sets of counters")
	}
	now, old = 2, 6
	leaveCounter()
	leaveGauge()
	leaveCounter() // once more does nothing
	old = 1000     // nobody asks any more
	now = 3
	tel.Route("api").Add(Hit)

	got := scrape(t, tel)
	want := []string{`veneer_cors_stripped_total{upstream="users"} 9`, `veneer_upstream_healthy{server="new",upstream="users"} 1`}
	if diff := cmp.Diff(want, append(lines(got, "veneer_cors_stripped"), lines(got, "veneer_upstream")...)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got, `veneer_cache_requests_total{result="hit",route="api"} 2`) {
		t.Error("the route's counters were lost")
	}
}

// Whatever registers, counts and leaves in whatever order: what the exposition
// sums up to is what was counted, and it never goes down.
func TestCountersNeverGoDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tel, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer tel.Shutdown(context.Background())
		type live struct {
			n     *int64
			leave func()
		}
		var sources []live
		total := int64(0)
		steps := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 60).Draw(t, "steps")
		for _, step := range steps {
			switch {
			case step == 0 || len(sources) == 0:
				n := new(int64)
				sources = append(sources, live{n, tel.Register(CORSStripped, func() []Sample {
					return []Sample{{Labels: [2]string{"u"}, Value: *n}}
				})})
			case step == 1:
				i := rapid.IntRange(0, len(sources)-1).Draw(t, "leaves")
				sources[i].leave()
				sources = append(sources[:i], sources[i+1:]...)
			default:
				i := rapid.IntRange(0, len(sources)-1).Draw(t, "counts")
				*sources[i].n += int64(step)
				total += int64(step)
			}
			if got := tel.collect(CORSStripped)[[2]string{"u"}]; got != total {
				t.Fatalf("got %d, want %d", got, total)
			}
		}
	})
}

// Labels stay within bounds whatever the names are.
func TestLabelsAreBounded(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	for i := range maxNames + 50 {
		tel.Route(fmt.Sprintf("route-%d", i)).Add(Hit)
	}
	tel.Register(CacheObjects, func() []Sample {
		var many []Sample
		for i := range maxSeries + 50 {
			many = append(many, Sample{Labels: [2]string{fmt.Sprintf("tier-%d", i)}, Value: 1})
		}
		return many
	})
	tel.Register(CORSDecisions, func() []Sample {
		return []Sample{{Labels: [2]string{strings.Repeat("x", 1000), "bad \xff byte \"quoted\"\n"}, Value: 1}}
	})
	got := scrape(t, tel)
	if n := len(lines(got, `veneer_cache_requests_total{result="hit"`)); n != maxNames+1 {
		t.Errorf("%d routes, want %d", n, maxNames+1)
	}
	if n := len(lines(got, "veneer_cache_objects{")); n != maxSeries+1 {
		t.Errorf("%d series, want %d", n, maxSeries+1)
	}
	want := []string{
		`veneer_cache_objects{tier="other"} 50`,
		`veneer_cache_requests_total{result="hit",route="other"} 50`,
		`veneer_cors_decisions_total{decision="bad ` + "\uFFFD" + ` byte \"quoted\"\n",route="` + strings.Repeat("x", maxLabel) + `"} 1`,
	}
	var found []string
	for _, w := range want {
		found = append(found, lines(got, w[:strings.LastIndexByte(w, ' ')])...)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

// Counting, scraping and reloading at once; the race detector reads this.
func TestConcurrentUse(t *testing.T) {
	tel := fresh(t, Config{Prometheus: true})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := tel.Route(fmt.Sprint("route", i%2))
			for n := range 500 {
				c.Add(Hit)
				c.AddNotStored(cachestatus.Stale)
				c.AddStatus(200)
				c.Observe(time.Duration(n) * time.Microsecond)
				if n%50 == 0 {
					tel.Register(Purges, func() []Sample { return []Sample{{Labels: [2]string{"url"}, Value: 1}} })()
					scrape(t, tel)
				}
			}
		})
	}
	all.Wait()
	want := []string{
		`http_server_request_duration_seconds_count{http_route="route0"} 1000`,
		`http_server_request_duration_seconds_count{http_route="route1"} 1000`,
		`veneer_purges_total{kind="url"} 40`,
	}
	got := scrape(t, tel)
	if diff := cmp.Diff(want, append(lines(got, "http_server_request_duration_seconds_count"), lines(got, "veneer_purges")...)); diff != "" {
		t.Error(diff)
	}
}

// A duration is in the first bucket whose bound it does not exceed.
func TestHistogramBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		durations := rapid.SliceOf(rapid.Int64Range(-1000, int64(20*time.Second))).Draw(t, "durations")
		want := make([]uint64, len(bounds)+1)
		sum := time.Duration(0)
		for _, n := range durations {
			d := time.Duration(n)
			h.Observe(d)
			sum += max(d, 0)
			slot := len(bounds)
			for i := len(bounds) - 1; i >= 0 && max(d, 0) <= bounds[i]; i-- {
				slot = i
			}
			want[slot]++
		}
		p := h.point("k", "v", time.Time{}, time.Time{})
		if diff := cmp.Diff(want, p.BucketCounts); diff != "" || p.Count != uint64(len(durations)) || p.Sum != sum.Seconds() {
			t.Errorf("count %d, sum %v, want %v: %s", p.Count, p.Sum, sum.Seconds(), diff)
		}
	})
}

// Every reason of the enum has its label, in its place.
func TestReasonLabels(t *testing.T) {
	for _, r := range cachestatus.Reasons() {
		if reasonLabels[r] != r.String() {
			t.Errorf("%d: %s, want %s", r, reasonLabels[r], r)
		}
	}
	if got := Result(99).String(); got != "unknown" {
		t.Errorf("got %q", got)
	}
}
