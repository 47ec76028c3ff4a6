package app

import (
	"net/http"
	"strings"
	"testing"

	"veneer/cmd/internal/config"
	"veneer/cmd/internal/telemetry/collectortest"
)

// What the App logs, and what its owner does through Log, goes to the collector
// as well. What becomes of the export is in Options.Log only.
func TestLogsAreSent(t *testing.T) {
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"} {
		t.Setenv(name, "")
	}
	c := collectortest.New(t)
	r := run(t, testConfig(t, upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}), func(cfg *config.Config) {
		cfg.Telemetry.Logs = &config.Logs{Endpoint: c.URL}
	}))
	r.get("/")
	r.Log().Info("said by its owner")
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, record := range c.Records() {
		said = append(said, record.Severity+" "+record.Attributes["upstream"]+" "+record.Body)
	}
	if text := strings.Join(said, "\n"); len(said) != 2 || !strings.HasPrefix(said[0], "WARN up the upstream sends CORS fields") || said[1] != "INFO  said by its owner" {
		t.Errorf("the collector has:\n%s", text)
	}
	if text := r.log.String(); !strings.Contains(text, "logs are exported") || !strings.Contains(text, "there are two CORS layers") || !strings.Contains(text, "said by its owner") {
		t.Errorf("written:\n%s", text)
	}
}
