package deploy

import (
	"os/exec"
	"strings"
	"testing"
)

// announced tells whether the program refuses a command line because of
// something that the files here use already and a part under way brings.
func announced(t *testing.T, program, line, out string) bool {
	t.Helper()
	help, err := output(t, exec.Command(program, "--help"))
	if err != nil {
		t.Fatalf("--help: %v\n%s", err, help)
	}
	return strings.HasPrefix(line, "health") && !strings.Contains(help, "\n  health ") ||
		strings.Contains(out, "unknown flag: --drain-delay")
}

// announcedMetrics are those that parts under way bring.
var announcedMetrics = []string{
	"veneer_config_reloads_total", "veneer_config_last_reload_successful", "veneer_config_loaded_timestamp_seconds",
	"veneer_access_log_dropped_total", "veneer_telemetry_dropped_total", "veneer_purges_total",
}
