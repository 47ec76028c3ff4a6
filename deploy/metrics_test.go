package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every metric that the alert rules, the dashboard and README.md name is one
// that the built program exposes after some traffic, and every one of Veneer's
// own stands on the dashboard.
func TestMetricNames(t *testing.T) {
	exposed := exposedMetrics(t)
	if len(exposed) < 40 {
		t.Fatalf("%d metrics are exposed: the test would prove nothing", len(exposed))
	}
	for _, path := range []string{"prometheus/veneer.rules.yml", "prometheus/veneer.rules.test.yml", "grafana/veneer.json", "README.md"} {
		names := metricNames(read(t, path))
		if len(names) == 0 {
			t.Errorf("%s names no metric", path)
		}
		for _, name := range names {
			if !exposed[name] {
				t.Errorf("%s names %s, which the program does not expose", path, name)
			}
		}
	}
	shown := metricNames(read(t, "grafana/veneer.json"))
	for name := range exposed {
		family := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "veneer_") && !slices.ContainsFunc(shown, func(s string) bool { return strings.HasPrefix(s, family) }) {
			t.Errorf("%s is on no panel of the dashboard", name)
		}
	}
}

// The words of metrics, as far as they begin like one of a node's.
var metricName = regexp.MustCompile(`(^|[^\w:.])((?:veneer|http_server|http_client|process|go)_[a-z0-9_]*[a-z0-9])\b`)

func metricNames(text string) []string {
	var names []string
	for _, m := range metricName.FindAllStringSubmatch(text, -1) {
		names = append(names, m[2])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// exposedMetrics runs the program, gives it traffic of every kind, and returns
// the names of the samples and families at /metrics.
func exposedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		switch r.URL.Path {
		case "/stored":
			w.Header().Set("Cache-Control", "max-age=60")
		case "/failed":
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintln(w, "an answer")
	}))
	defer up.Close()
	dir, proxy, admin := t.TempDir(), freeAddress(t), freeAddress(t)
	write(t, filepath.Join(dir, "veneer.yaml"), fmt.Sprintf(`
server: { http: %q }
admin: { address: %q }
cors:
  now:  { origins: [https://app.example.com], shadow: next }
  next: { origins: [https://app.example.com, https://partner.example.com] }
upstreams: { app: { servers: %q } }
routes: [{ match: { path: / }, upstream: app, cors: now }]
`, proxy, admin, up.URL))
	p := start(t, "veneer", exec.Command(veneer(t), "serve", "-c", filepath.Join(dir, "veneer.yaml")))
	p.await(t, func() bool { return ready(t, admin) })
	for _, path := range []string{"/stored", "/stored", "/unstored", "/failed"} {
		for _, origin := range []string{"https://app.example.com", "https://partner.example.com"} {
			if _, _, _, err := ask(t, "GET", "http://"+proxy+path, "", "Origin", origin); err != nil {
				t.Fatal(err)
			}
		}
	}
	if status, _, body, err := ask(t, "POST", "http://"+admin+"/api/purge", `{"all":true}`, "Content-Type", "application/json"); err != nil || status != http.StatusOK {
		t.Errorf("purge: %d, %v\n%s", status, err, body)
	}
	_, text := must(t, "GET", "http://"+admin+"/metrics", "")
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if family, found := strings.CutPrefix(line, "# TYPE "); found {
			name, _, _ := strings.Cut(family, " ")
			names[name] = true
		}
		if line[0] != '#' {
			names[line[:strings.IndexAny(line, "{ ")]] = true
		}
	}
	return names
}

// write writes a file.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// promtool runs promtool, which has to succeed.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := output(t, exec.Command(tool(t, "promtool", "prometheus"), args...)); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The rules are well formed, every alert has a unit test in which it fires, and
// a section that says what to do.
func TestRules(t *testing.T) {
	tests := read(t, "prometheus/veneer.rules.test.yml")
	readme := read(t, "README.md")
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "prometheus/veneer.rules.yml"), -1)
	if len(alerts) < 10 {
		t.Errorf("%d alerts: some are lost", len(alerts))
	}
	for _, a := range alerts {
		if !regexp.MustCompile(`alertname: ` + a[1] + `\n +exp_alerts:\n +- exp_labels`).MatchString(tests) {
			t.Errorf("%s fires in no test of veneer.rules.test.yml", a[1])
		}
		if !strings.Contains(readme, a[1]) {
			t.Errorf("README.md does not say what to do about %s", a[1])
		}
	}
	anchors := anchorsOf(readme)
	for _, m := range regexp.MustCompile(`runbook: deploy/README\.md#(\S+)`).FindAllStringSubmatch(read(t, "prometheus/veneer.rules.yml"), -1) {
		if !anchors[m[1]] {
			t.Errorf("README.md has no section #%s", m[1])
		}
	}
	promtool(t, "check", "rules", "prometheus/veneer.rules.yml")
	promtool(t, "test", "rules", "prometheus/veneer.rules.test.yml")
}

// anchorsOf returns the names of a page's sections, as GitHub makes them.
func anchorsOf(page string) map[string]bool {
	anchors := map[string]bool{}
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		anchors[regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ReplaceAll(title, " ", "-"), "")] = true
	}
	return anchors
}

// Every query of the dashboard is PromQL: as a rule, for promtool reads those.
func TestDashboardQueries(t *testing.T) {
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/veneer.json")), &d); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$route", ".*")
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	n := 0
	rule := func(expr string) {
		n++
		fmt.Fprintf(&rules, "  - record: panel:query%d\n    expr: %q\n", n, variables.Replace(expr))
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			rule(q.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		rule(a.Expr)
	}
	if n < 40 || strings.Contains(rules.String(), "$") {
		t.Fatalf("%d queries, or an unknown variable:\n%s", n, rules.String())
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	write(t, path, rules.String())
	promtool(t, "check", "rules", path)
}
