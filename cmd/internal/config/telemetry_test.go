package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const tracedRest = `
upstreams: { app: { servers: "http://127.0.0.1:3000" } }
routes: [{ upstream: app }]
`

func TestTraces(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      *Traces
	}{
		{"not there", "telemetry: {}", nil},
		{"off", "telemetry: { traces: off }", nil},
		{"false", "telemetry: { traces: false }", nil},
		{"empty", "telemetry: { traces: {} }", &Traces{"http://127.0.0.1:4318", 0.01, false, 0}},
		{"as in the sample", "telemetry: { traces: { endpoint: http://127.0.0.1:4318, sample: 0.01 } }", &Traces{"http://127.0.0.1:4318", 0.01, false, 0}},
		{"a base path, and all", "telemetry: { traces: { endpoint: 'https://otel.example/a/', sample: 1 } }", &Traces{"https://otel.example/a", 1, false, 0}},
		{"none of its own", "telemetry: { traces: { sample: 0 } }", &Traces{"http://127.0.0.1:4318", 0, false, 0}},
		{"gRPC has its own port", "telemetry: { traces: { protocol: grpc } }", &Traces{"http://127.0.0.1:4317", 0.01, true, 0}},
		{"parents", "telemetry: { traces: { parents: trusted } }", &Traces{"http://127.0.0.1:4318", 0.01, false, ParentsTrusted}},
		{"gRPC elsewhere", "telemetry: { traces: { protocol: grpc, endpoint: 'https://otel.example:4317' } }", &Traces{"https://otel.example:4317", 0.01, true, 0}},
	} {
		cfg, problems := parseTest("x", []byte(c.src+tracedRest))
		if len(problems) > 0 {
			t.Errorf("%s: %s", c.name, problems)
			continue
		}
		if diff := cmp.Diff(c.want, cfg.Telemetry.Traces); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// One mistake each. What may be a credential is not shown.
func TestTracesProblems(t *testing.T) {
	const at = "x:1:34: telemetry.traces.endpoint: "
	for _, c := range []struct{ endpoint, want string }{
		{"", at + `got "": is empty; fix: give a value, or leave the key out`},
		{"127.0.0.1:4318", at + `got "127.0.0.1:4318": is not a URL; fix: a URL such as http://127.0.0.1:4318`},
		{"grpc://otel:4318", at + `got "grpc://otel:4318": is neither an http nor an https URL; fix: a URL such as http://127.0.0.1:4318`},
		{"http:///base", at + `got "http:///base": has no host; fix: a URL such as http://127.0.0.1:4318`},
		{"http://u:word@h", at + `got (hidden): has credentials, which are not sent; fix: put them into the environment: OTEL_EXPORTER_OTLP_HEADERS=authorization=…`},
		{"http://h?key=word", at + `got (hidden): has a query or a fragment, which are not sent; fix: leave it out; for a key of an API: OTEL_EXPORTER_OTLP_HEADERS`},
		{"http://h/v1/traces", at + `got "http://h/v1/traces": ends with /v1/traces, which Veneer adds; fix: the base URL, without it`},
		{"http://h:4317", "x:1:34: warning: telemetry.traces.endpoint: " + `got "http://h:4317": has the port of OTLP over gRPC, and the protocol is http; fix: protocol: grpc; or port 4318, as most receivers have it`},
	} {
		_, problems := parseTest("x", []byte(`telemetry: { traces: { endpoint: "`+c.endpoint+`" } }`+tracedRest))
		if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	const sample = "x:1:32: telemetry.traces.sample: "
	for _, c := range []struct{ sample, want string }{
		{"5", sample + `got "5": is not a number from 0 to 1; fix: 0.05, if percent is meant`},
		{"10%", sample + `got "10%": is not a number from 0 to 1; fix: 0.1, if percent is meant`},
		{"-0.1", sample + `got "-0.1": is out of range; fix: from 0 to 1, such as 0.01 for one in a hundred`},
		{"NaN", sample + `got "NaN": is not a number; fix: from 0 to 1, such as 0.01 for one in a hundred`},
		{"all", sample + `got "all": is not a number; fix: from 0 to 1, such as 0.01 for one in a hundred`},
		{"[1]", sample + `got a list: a single value belongs here; fix: write it without [ ] and { }`},
	} {
		_, problems := parseTest("x", []byte("telemetry: { traces: { sample: "+c.sample+" } }"+tracedRest))
		if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// A Config that was built in code is held to the same.
func TestTracesBuiltInCode(t *testing.T) {
	for _, c := range []struct {
		traces Traces
		want   string
	}{
		{Traces{}, ""},
		{Traces{"http://u:word@h", 1, false, 0}, "telemetry.traces.endpoint: has credentials, which are not sent; fix: put them into the environment: OTEL_EXPORTER_OTLP_HEADERS=authorization=…"},
		{Traces{"http://h", math.NaN(), false, 0}, "telemetry.traces.sample: got NaN: is out of range; fix: from 0 to 1"},
		{Traces{"http://h", -1, false, 0}, "telemetry.traces.sample: got -1: is out of range; fix: from 0 to 1"},
	} {
		cfg, problems := parseTest("x", []byte(tracedRest))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		cfg.File, cfg.Telemetry.Traces = "", &c.traces
		if got := strings.TrimSuffix(cfg.Check().String(), "\n"); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestPush(t *testing.T) {
	for _, c := range []struct {
		src, want string
		push      *Push
	}{
		{"{}", "", nil},
		{"{ otlp: false }", "", nil},
		{"{ otlp: off }", "", nil},
		{"{ otlp: true }", "", &Push{"http://127.0.0.1:4318", false, time.Minute}},
		{"{ otlp: {} }", "", &Push{"http://127.0.0.1:4318", false, time.Minute}},
		{"{ otlp: { protocol: grpc, interval: 10s } }", "", &Push{"http://127.0.0.1:4317", true, 10 * time.Second}},
		{"{ otlp: { endpoint: 'https://h/base/' } }", "", &Push{"https://h/base", false, time.Minute}},
		{"{ otlp: { interval: 1ms } }", `x:1:43: telemetry.metrics.otlp.interval: got "1ms": is out of range; fix: between 1s and 1h`, nil},
		{"{ otlp: { endpoint: 'http://u:word@h' } }", `x:1:43: telemetry.metrics.otlp.endpoint: got (hidden): has credentials, which are not sent; fix: put them into the environment: OTEL_EXPORTER_OTLP_HEADERS=authorization=…`, nil},
		{"{ otlp: { endpoint: 'http://h/v1/metrics' } }", `x:1:43: telemetry.metrics.otlp.endpoint: got "http://h/v1/metrics": ends with /v1/metrics, which Veneer adds; fix: the base URL, without it`, nil},
		{"{ otlp: { protocol: grpc, endpoint: 'http://h:4318' } }", `x:1:59: warning: telemetry.metrics.otlp.endpoint: got "http://h:4318": has the port of OTLP over HTTP, and the protocol is grpc; fix: protocol: http; or port 4317, as most receivers have it`, nil},
	} {
		cfg, problems := parseTest("x", []byte("telemetry: { metrics: "+c.src+" }"+tracedRest))
		if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.src, got, c.want)
		} else if c.want == "" {
			if diff := cmp.Diff(c.push, cfg.Telemetry.Push); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.src, diff)
			}
		}
	}
}

func TestLogs(t *testing.T) {
	for _, c := range []struct {
		src, want string
		logs      *Logs
	}{
		{"{}", "", nil},
		{"{ otlp: false }", "", nil},
		{"{ otlp: off }", "", nil},
		{"{ otlp: true }", "", &Logs{"http://127.0.0.1:4318", false}},
		{"{ otlp: {} }", "", &Logs{"http://127.0.0.1:4318", false}},
		{"{ otlp: { protocol: grpc } }", "", &Logs{"http://127.0.0.1:4317", true}},
		{"{ otlp: { endpoint: 'https://h/base/' } }", "", &Logs{"https://h/base", false}},
		{"{ otlp: { interval: 1s } }", `x:1:30: telemetry.logs.otlp.interval: is not a known key here; fix: one of endpoint, protocol`, nil},
		{"{ otlp: { endpoint: 'http://u:word@h' } }", `x:1:40: telemetry.logs.otlp.endpoint: got (hidden): has credentials, which are not sent; fix: put them into the environment: OTEL_EXPORTER_OTLP_HEADERS=authorization=…`, nil},
		{"{ otlp: { endpoint: 'http://h/v1/logs' } }", `x:1:40: telemetry.logs.otlp.endpoint: got "http://h/v1/logs": ends with /v1/logs, which Veneer adds; fix: the base URL, without it`, nil},
		{"{ endpoint: 'http://h' }", `x:1:22: telemetry.logs.endpoint: is not a known key here; fix: one of otlp`, nil},
	} {
		cfg, problems := parseTest("x", []byte("telemetry: { logs: "+c.src+" }"+tracedRest))
		if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.src, got, c.want)
		} else if c.want == "" {
			if diff := cmp.Diff(c.logs, cfg.Telemetry.Logs); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.src, diff)
			}
		}
	}
}
