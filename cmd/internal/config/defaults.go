package config

import (
	"time"

	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/corslayer"
)

// What a key is when the file does not say. The figures are those of the
// sample in the README, but for stale-while-revalidate: serving stale while
// the upstream is well needs somebody's explicit leave (RFC 9111 §4.2.4), the
// response's or the operator's.
const (
	defaultListen  = "127.0.0.1:8080"
	defaultAdmin   = "127.0.0.1:9090"
	defaultService = "veneer"
	defaultMemory  = 512 << 20

	defaultRedirects = 3 // of an external upstream

	defaultCollector = "http://127.0.0.1:4318" // OTLP/HTTP's own port
	defaultGRPC      = "http://127.0.0.1:4317" // OTLP/gRPC's own port
	defaultInterval  = time.Minute             // between two pushes of metrics, OpenTelemetry's own
	defaultSample    = 0.01                    // one request in a hundred
)

// The largest values that are not a slip of the pen.
const (
	year        = 365 * 24 * time.Hour
	maxTimeout  = 24 * time.Hour
	maxBytes    = 1 << 50
	minMemory   = 1 << 20
	maxVariants = 1 << 16
)

// Default returns a Config that listens on the loopback address, has no admin
// listener and no route. Add upstreams and routes, and Check it.
func Default() *Config {
	return &Config{
		Server: Server{
			HTTP: []string{defaultListen},
			Lane: true,
			Limits: Limits{
				HeaderBytes:   32 << 10,
				BodyBytes:     64 << 20,
				HeaderTimeout: 10 * time.Second,
				IdleTimeout:   120 * time.Second,
				WriteStall:    60 * time.Second,
				Connections:   10_000,
			},
		},
		Store:     Store{MemorySize: defaultMemory},
		Telemetry: Telemetry{ServiceName: defaultService, Prometheus: true},
	}
}

// NewUpstream returns an upstream with the defaults and no server.
func NewUpstream(name string) Upstream {
	return Upstream{
		Name:            name,
		Balance:         RoundRobin,
		MaxFails:        3,
		FailTimeout:     10 * time.Second,
		ConnectTimeout:  5 * time.Second,
		ResponseTimeout: 60 * time.Second,
	}
}

// NewRoute returns a route for host ("" for any) and path with the defaults:
// cached, and CORS passed through.
func NewRoute(host, path, upstream string) Route {
	return Route{
		Host: host, Path: path, Upstream: upstream,
		CORS:  RouteCORS{Mode: corslayer.ModePass},
		Cache: defaultCache(),
	}
}

func defaultCache() Cache {
	return Cache{
		Enabled:       true,
		Grace:         time.Hour,
		MaxObject:     64 << 20,
		Variants:      32,
		Origins:       64,
		SetCookie:     rfc9111.SetCookieBypass,
		HonourRequest: true,
		Targets:       []string{"Veneer-Cache-Control", "Cdn-Cache-Control"},
		FetchTimeout:  5 * time.Minute,
		Collapse:      true,
	}
}

// originMode is the part of Origin in the key where the file does not say.
func originMode(m corslayer.Mode) key.OriginMode {
	switch m {
	case corslayer.ModeOwn:
		return key.OriginBucket
	case corslayer.ModeOff:
		return key.OriginShared
	}
	return key.OriginExact
}
