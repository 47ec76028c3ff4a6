package telemetry

import (
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The environment variables that are looked at here; the exporters look at
// others by themselves.
const (
	envDisabled        = "OTEL_SDK_DISABLED"
	envExporter        = "OTEL_TRACES_EXPORTER"
	envMetricsExporter = "OTEL_METRICS_EXPORTER"
	envPropagators     = "OTEL_PROPAGATORS"
	envSampler         = "OTEL_TRACES_SAMPLER"
	envSamplerArg      = "OTEL_TRACES_SAMPLER_ARG"
	envEndpoint        = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint  = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envQueue           = "OTEL_BSP_MAX_QUEUE_SIZE"
	envInterval        = "OTEL_METRIC_EXPORT_INTERVAL"
	envLogsExporter    = "OTEL_LOGS_EXPORTER"
	envLogsQueue       = "OTEL_BLRP_MAX_QUEUE_SIZE"
	envValueLength     = "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"
)

// The receivers of OTLP that are taken when nobody names one.
const (
	DefaultHTTP = "http://127.0.0.1:4318"
	DefaultGRPC = "http://127.0.0.1:4317"
)

// receiver is where one signal goes.
type receiver struct {
	url  string // "": the environment says so, and the exporter reads it
	grpc bool   // else HTTP
}

// newReceiver takes what the environment says of a signal, else what is given.
// An exporter reads the environment by itself, but an option wins over that.
func newReceiver(signal, base string, grpc bool, log *slog.Logger) receiver {
	r := receiver{grpc: grpc}
	// The first is the stronger one.
	own := "OTEL_EXPORTER_OTLP_" + strings.ToUpper(signal) + "_"
	for _, name := range []string{own + "PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		if text == "grpc" || text == "http/protobuf" {
			r.grpc = text == "grpc"
			break
		}
		warnVariable(log, name)
	}
	for _, name := range []string{own + "ENDPOINT", envEndpoint} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
			log.Info(signal+" are exported", "collector", u.Host, "from", name)
			return r
		}
		warnVariable(log, name)
	}
	switch {
	case r.grpc && (base == "" || base == DefaultHTTP):
		base = DefaultGRPC
	case !r.grpc && (base == "" || base == DefaultGRPC):
		base = DefaultHTTP
	}
	if u, err := url.Parse(base); err == nil {
		log.Info(signal+" are exported", "collector", u.Host)
	}
	r.url = strings.TrimRight(base, "/")
	if !r.grpc {
		r.url += "/v1/" + signal
	}
	return r
}

// wants says whether a signal is sent, given that the configuration wants that or
// not: a variable of the environment lists exporters, of which these are known.
func wants(variable string, configured bool, log *slog.Logger, known ...string) bool {
	if disabled() {
		return false
	}
	text := os.Getenv(variable)
	if text == "" {
		return configured
	}
	names := strings.Split(text, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if !slices.Contains(known, names[i]) {
			warnVariable(log, variable)
			return configured
		}
	}
	return slices.Contains(names, "otlp")
}

func warnVariable(log *slog.Logger, name string) {
	log.Warn("an environment variable makes no sense and is not used", "variable", name)
}

// positive returns the positive number in an environment variable, else otherwise.
func positive(name string, otherwise int, log *slog.Logger) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 || int64(n) > int64(time.Hour/time.Millisecond) {
		warnVariable(log, name)
		return otherwise
	}
	return n
}

// disabled says whether the environment switches all of it off.
func disabled() bool { return strings.EqualFold(os.Getenv(envDisabled), "true") }
