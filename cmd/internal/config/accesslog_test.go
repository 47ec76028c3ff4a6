package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/accesslog"
)

func TestAccessLog(t *testing.T) {
	of := func(edit func(*accesslog.Config)) *accesslog.Config {
		c := NewAccessLog()
		edit(c)
		return c
	}
	for _, c := range []struct {
		src  string
		want *accesslog.Config
	}{
		{"telemetry: {}", nil},
		{"telemetry: { access_log: off }", nil},
		{"telemetry: { access_log: false }", nil},
		{"telemetry: { access_log: {} }", NewAccessLog()},
		{"telemetry: { access_log: { path: stdout, format: json, sample: 1.0 } }", NewAccessLog()},
		{"telemetry: { access_log: { path: access.log, format: combined } }", of(func(c *accesslog.Config) { c.Path, c.Format, c.Fields = "access.log", accesslog.Combined, nil })},
		{
			"telemetry: { access_log: { path: stderr, format: combined, fields: [cache, reason], sample: 0.1, always: errors, buffer: 1MiB, flush: 0 } }",
			&accesslog.Config{
				Path: "stderr", Format: accesslog.Combined, Fields: []accesslog.Field{accesslog.Cache, accesslog.Reason},
				Sample: 0.1, Errors: true, Buffer: 1 << 20,
			},
		},
		{"telemetry: { logs: { otlp: on }, access_log: { otlp: true } }", of(func(c *accesslog.Config) { c.OTLP = true })},
		{"telemetry: { access_log: { fields: [status, query], flush: 5s, sample: 0, always: errors } }", of(func(c *accesslog.Config) {
			c.Fields, c.Flush, c.Sample, c.Errors = []accesslog.Field{accesslog.Status, accesslog.Query}, 5*time.Second, 0, true
		})},
	} {
		cfg, problems := parseTest("x", []byte(c.src+tracedRest))
		if len(problems) > 0 {
			t.Errorf("%s: %s", c.src, problems)
			continue
		}
		if diff := cmp.Diff(c.want, cfg.Telemetry.AccessLog); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.src, diff)
		}
	}
}

// A path of the file's own is relative to its folder, and its directory has to be
// there.
func TestAccessLogPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "veneer.yaml")
	const place = ":1:34: telemetry.access_log.path: got "
	const words = "stdout, stderr, or the path of a file"
	for _, c := range []struct{ path, want, problem string }{
		{"logs/a.log", filepath.Join(dir, "logs/a.log"), ""},
		{"/dev/null", "/dev/null", ""},
		{"-", "", `"-": is no path; fix: stdout`},
		{"logs", "", `"logs": is a directory; fix: ` + words},
		{"logs/", "", `"logs/": is a directory; fix: ` + words},
		{"none/a.log", "", `"none/a.log": there is no directory for it; fix: make "` + dir + `/none", writable for the user that runs veneer; or ` + words},
	} {
		cfg, problems := parseTest(at, []byte(`telemetry: { access_log: { path: "`+c.path+`" } }`+tracedRest))
		if c.problem != "" {
			if got := strings.TrimSuffix(problems.String(), "\n"); got != at+place+c.problem {
				t.Errorf("got  %s\nwant %s", got, at+place+c.problem)
			}
		} else if cfg == nil || cfg.Telemetry.AccessLog.Path != c.want {
			t.Errorf("%s: %+v, %s", c.path, cfg, problems)
		}
	}
}

// Lines go where the log goes, so that has to go somewhere.
func TestAccessLogToNoCollector(t *testing.T) {
	const want = `x:1:34: telemetry.access_log.otlp: got "true": has no collector to go to; fix: telemetry: { logs: { otlp: true } }, or { endpoint: … } in place of true`
	_, problems := parseTest("x", []byte("telemetry: { access_log: { otlp: true } }"+tracedRest))
	if got := strings.TrimSuffix(problems.String(), "\n"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
