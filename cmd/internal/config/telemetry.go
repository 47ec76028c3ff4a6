package config

import (
	"math"
	"net/url"
	"strconv"
	"strings"
)

// traces reads which requests are traced; without the key none is.
func (r *reader) traces(s *section, dst *Telemetry) {
	v, ok := s.get("traces")
	if !ok || v.is("off") || v.is("false") {
		return
	}
	t := &Traces{Endpoint: defaultCollector, Sample: defaultSample}
	sub := v.section()
	if v, ok := sub.get("endpoint"); ok {
		// Credentials stand in such URLs, in several places.
		if strings.ContainsAny(v.node.Value, "@?#") {
			v.hide()
		}
		if text, good := v.text(); good {
			if strings.ContainsAny(text, "@?#") {
				v.hide()
			}
			t.Endpoint = text // checkTelemetry looks at it
		}
	}
	if v, ok := sub.get("sample"); ok {
		if ratio, good := v.ratio(); good {
			t.Sample = ratio
		}
	}
	sub.done()
	dst.Traces = t
}

// ratio reads a number from 0 to 1.
func (v value) ratio() (float64, bool) {
	s, ok := v.text()
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err == nil && n >= 0 && n <= 1 {
		return n, true
	}
	const fix = "such as 0.01 for one in a hundred"
	percent, percentErr := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	switch {
	case percentErr == nil && percent > 0 && percent <= 100 && !v.r.where[v.path].expanded:
		v.problem("is not a number from 0 to 1", strconv.FormatFloat(percent/100, 'g', -1, 64)+", if percent is meant")
	case err == nil && !math.IsNaN(n):
		v.problem("is out of range", "from 0 to 1, "+fix)
	default:
		v.problem("is not a number", "from 0 to 1, "+fix)
	}
	return 0, false
}

func (c *Config) checkTelemetry(r *report) {
	if c.Telemetry.ServiceName == "" {
		c.Telemetry.ServiceName = defaultService
	}
	t := c.Telemetry.Traces
	if t == nil {
		return
	}
	if t.Endpoint == "" {
		t.Endpoint = defaultCollector
	}
	if why, fix := checkCollector(t.Endpoint); why != "" && r.clean("telemetry.traces.endpoint") {
		got := quote(t.Endpoint)
		if strings.ContainsAny(t.Endpoint, "@?#") {
			got = ""
		}
		r.problem("telemetry.traces.endpoint", got, why, fix)
	}
	if strings.HasSuffix(t.Endpoint, ":4317") {
		r.warn("telemetry.traces.endpoint", quote(t.Endpoint), "has the port of OTLP over gRPC, and Veneer speaks OTLP over HTTP", "port 4318, as most receivers have it")
	}
	t.Endpoint = strings.TrimRight(t.Endpoint, "/")
	if !(t.Sample >= 0 && t.Sample <= 1) { // NaN is neither
		r.problem("telemetry.traces.sample", strconv.FormatFloat(t.Sample, 'g', -1, 64), "is out of range", "from 0 to 1")
	}
}

// checkCollector says what is wrong with the base URL of an OTLP/HTTP receiver.
func checkCollector(text string) (why, fix string) {
	const example = "a URL such as " + defaultCollector
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is not a URL", example
	case u.Scheme != "http" && u.Scheme != "https":
		return "is neither an http nor an https URL", example
	case u.Hostname() == "":
		return "has no host", example
	case u.User != nil:
		return "has credentials, which are not sent", "put them into the environment: OTEL_EXPORTER_OTLP_HEADERS=authorization=…"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has a query or a fragment, which are not sent", "leave it out; for a key of an API: OTEL_EXPORTER_OTLP_HEADERS"
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/v1/traces"):
		return "ends with /v1/traces, which Veneer adds", "the base URL, without it"
	}
	return "", ""
}
