package config

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// traces reads which requests are traced; without the key none is.
func (r *reader) traces(s *section, dst *Telemetry) {
	v, ok := s.get("traces")
	if !ok || v.is("off") || v.is("false") {
		return
	}
	t := &Traces{Sample: defaultSample}
	sub := v.section()
	receiver(sub, &t.Endpoint, &t.GRPC)
	if v, ok := sub.get("sample"); ok {
		if ratio, good := v.ratio(); good {
			t.Sample = ratio
		}
	}
	choice(sub, "parents", &t.Parents, option[Parents]{"bounded", ParentsBounded}, option[Parents]{"all", ParentsAll},
		option[Parents]{"trusted", ParentsTrusted}, option[Parents]{"none", ParentsNone})
	sub.done()
	dst.Traces = t
}

// push reads where metrics are sent to; without the key nowhere.
func (r *reader) push(s *section, dst *Telemetry) {
	v, ok := s.get("otlp")
	if !ok || v.is("off") || v.is("false") {
		return
	}
	p := &Push{Interval: defaultInterval}
	if v.is("true") || v.is("on") {
		p.Endpoint = defaultCollector
		dst.Push = p
		return
	}
	sub := v.section()
	receiver(sub, &p.Endpoint, &p.GRPC)
	sub.duration("interval", &p.Interval, minInterval, maxInterval)
	sub.done()
	dst.Push = p
}

// logs reads where the operational log is sent to; without the key nowhere.
func (r *reader) logs(s *section, dst *Telemetry) {
	v, ok := s.get("otlp")
	if !ok || v.is("off") || v.is("false") {
		return
	}
	dst.Logs = &Logs{Endpoint: defaultCollector}
	if v.is("true") || v.is("on") {
		return
	}
	sub := v.section()
	receiver(sub, &dst.Logs.Endpoint, &dst.Logs.GRPC)
	sub.done()
}

// The bounds of the time between two pushes: a push reads every counter.
const (
	minInterval = time.Second
	maxInterval = time.Hour
)

// receiver reads where a signal goes, and how.
func receiver(s *section, endpoint *string, grpc *bool) {
	choice(s, "protocol", grpc, option[bool]{"http", false}, option[bool]{"grpc", true})
	*endpoint = defaultCollector
	if *grpc {
		*endpoint = defaultGRPC
	}
	v, ok := s.get("endpoint")
	if !ok {
		return
	}
	// Credentials stand in such URLs, in several places.
	if strings.ContainsAny(v.node.Value, "@?#") {
		v.hide()
	}
	if text, good := v.text(); good {
		if strings.ContainsAny(text, "@?#") {
			v.hide()
		}
		*endpoint = text // checkTelemetry looks at it
	}
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
	if p := c.Telemetry.Push; p != nil {
		r.receiver("telemetry.metrics.otlp.endpoint", "/v1/metrics", &p.Endpoint, p.GRPC)
		if p.Interval == 0 {
			p.Interval = defaultInterval
		}
		if p.Interval < minInterval || p.Interval > maxInterval {
			r.problem("telemetry.metrics.otlp.interval", formatDuration(p.Interval), "is out of range", "between 1s and 1h")
		}
	}
	if l := c.Telemetry.Logs; l != nil {
		r.receiver("telemetry.logs.otlp.endpoint", "/v1/logs", &l.Endpoint, l.GRPC)
	}
	t := c.Telemetry.Traces
	if t == nil {
		return
	}
	r.receiver("telemetry.traces.endpoint", "/v1/traces", &t.Endpoint, t.GRPC)
	if !(t.Sample >= 0 && t.Sample <= 1) { // NaN is neither
		r.problem("telemetry.traces.sample", strconv.FormatFloat(t.Sample, 'g', -1, 64), "is out of range", "from 0 to 1")
	}
}

// receiver checks the endpoint of one signal.
func (r *report) receiver(field, path string, endpoint *string, grpc bool) {
	if *endpoint == "" {
		*endpoint = defaultCollector
		if grpc {
			*endpoint = defaultGRPC
		}
	}
	if why, fix := checkCollector(*endpoint, path); why != "" && r.clean(field) {
		got := quote(*endpoint)
		if strings.ContainsAny(*endpoint, "@?#") {
			got = ""
		}
		r.problem(field, got, why, fix)
	}
	switch {
	case !grpc && strings.HasSuffix(*endpoint, ":4317"):
		r.warn(field, quote(*endpoint), "has the port of OTLP over gRPC, and the protocol is http", "protocol: grpc; or port 4318, as most receivers have it")
	case grpc && strings.HasSuffix(*endpoint, ":4318"):
		r.warn(field, quote(*endpoint), "has the port of OTLP over HTTP, and the protocol is grpc", "protocol: http; or port 4317, as most receivers have it")
	}
	*endpoint = strings.TrimRight(*endpoint, "/")
}

// checkCollector says what is wrong with the base URL of an OTLP receiver, below
// which a signal has path.
func checkCollector(text, path string) (why, fix string) {
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
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), path):
		return "ends with " + path + ", which Veneer adds", "the base URL, without it"
	}
	return "", ""
}
