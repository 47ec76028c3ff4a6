package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TracesConfig says which requests get a trace, and where it goes. What the
// environment says wins: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER,
// OTEL_TRACES_SAMPLER and its _ARG, and all OTEL_EXPORTER_OTLP_* and OTEL_BSP_*
// that the exporter knows. Of OTEL_PROPAGATORS there is tracecontext only; baggage
// is a field like any other.
type TracesConfig struct {
	Off      bool    // none, unless the environment wants some: then DefaultSample
	Endpoint string  // base URL of an OTLP receiver
	GRPC     bool    // else OTLP over HTTP
	Sample   float64 // of the requests that come without a trace, from 0 to 1
	Parents  Parents // whose traces go on
	// Known reports whether peer, a host:port, is trusted, to any number of
	// goroutines; nil means that nobody is.
	Known func(peer string) bool
	// Random gives 64 random bits, to any number of goroutines; nil means
	// math/rand.
	Random func() uint64
}

// DefaultSample is what the configuration has as well, where it does not say.
const DefaultSample = 0.01

// Traces begins the spans of requests and sends them to a collector, in the
// background: a collector that is slow, or not there, costs spans and nothing
// else. It is safe for concurrent use.
type Traces struct {
	sampler  sampler
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	exporter *exporter
}

// newTraces returns nil when the environment wants no traces. The caller ends
// it with shutdown.
func newTraces(cfg TracesConfig, about *resource.Resource, log *slog.Logger) (*Traces, error) {
	if !wants(envExporter, !cfg.Off, log, "otlp", "none") {
		if !cfg.Off {
			log.Info("the environment switches traces off")
		}
		return nil, nil
	}
	if cfg.Off {
		cfg.Sample = DefaultSample
	}
	if text := os.Getenv(envPropagators); text != "" && !strings.Contains(text, "tracecontext") {
		warnVariable(log, envPropagators)
	}
	t := &Traces{sampler: newSampler(cfg.Sample, cfg.Random)}
	t.sampler.parents, t.sampler.known = cfg.Parents, cfg.Known
	if name := t.sampler.fromEnvironment(); name != "" {
		warnVariable(log, name)
	}
	inner, err := spanExporter(newReceiver("traces", cfg.Endpoint, cfg.GRPC, log))
	if err != nil {
		return nil, fmt.Errorf("cannot make the exporter of traces: %w", err)
	}
	t.exporter = newExporter(inner, log)
	most := positive(envQueue, sdktrace.DefaultMaxQueueSize, log)
	t.exporter.most = int64(most)
	batches := sdktrace.NewBatchSpanProcessor(t.exporter, sdktrace.WithMaxQueueSize(most))
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		// Who gets here has been sampled.
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		// Bounded, and what does not fit is dropped: 2048 spans, unless the
		// environment says otherwise.
		sdktrace.WithSpanProcessor(&queue{batches, t.exporter}),
	)
	t.tracer = t.provider.Tracer(scope)
	return t, nil
}

func spanExporter(to receiver) (sdktrace.SpanExporter, error) {
	if to.grpc {
		var options []otlptracegrpc.Option
		if to.url != "" {
			options = append(options, otlptracegrpc.WithEndpointURL(to.url))
		}
		return otlptracegrpc.New(context.Background(), options...)
	}
	var options []otlptracehttp.Option
	if to.url != "" {
		options = append(options, otlptracehttp.WithEndpointURL(to.url))
	}
	return otlptracehttp.New(context.Background(), options...)
}

// Sample decides whether a request with these lines of the traceparent field,
// from that peer, gets a trace: as the traceparent says where it is valid and
// heeded, else by the ratio. Ask once a request.
func (t *Traces) Sample(traceparent []string, peer string) bool {
	return t.sampler.sample(traceparent, peer)
}

// Start begins the span of a request that Sample has picked, below the one that
// its fields name; fields returns the lines of one, of which copies are kept. The
// span is in the context that is returned.
func (t *Traces) Start(ctx context.Context, fields func(name string) []string, at time.Time) (context.Context, trace.Span) {
	if p, ok := parseParent(fields("Traceparent")); ok {
		// A tracestate that is malformed is dropped (W3C Trace Context §3.3).
		state, _ := trace.ParseTraceState(strings.Clone(strings.Join(fields("Tracestate"), ",")))
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: p.trace, SpanID: p.span, TraceFlags: p.flags, TraceState: state,
		}))
	}
	return t.tracer.Start(ctx, "HTTP", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at))
}

// shutdown sends what is left. When ctx ends first the rest is dropped.
func (t *Traces) shutdown(ctx context.Context) error {
	return t.exporter.end(ctx, t.provider.Shutdown)
}
