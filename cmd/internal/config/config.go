// Package config is what the user writes: one YAML file, read, completed and
// checked as a whole. All problems are found at once, each with its place,
// what was got, why it is wrong and what to write instead; a configuration
// with an error is never returned, so whoever holds a *Config holds a good one.
//
// It is the only package that imports a YAML library. It opens no listener and
// no connection; the only files it reads are the configuration and those that
// the configuration names.
package config

import (
	"net/netip"
	"net/url"
	"time"

	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cmd/internal/accesslog"
)

// Config is a checked configuration with every default in place. It is built
// whole and not changed after that, so it may be read by anybody.
type Config struct {
	File      string   // what it was loaded from; "" when built in code
	Files     []string // the files that File names: certificates, keys, secrets
	Server    Server
	Admin     Admin
	CORS      []CORSPolicy // in the order of the file
	Upstreams []Upstream   // in the order of the file
	Routes    []Route      // in the order of the file, which does not matter for matching
	Store     Store
	Telemetry Telemetry
}

// Server says where clients are listened to and what one of them may use.
type Server struct {
	HTTP           []string       // host:port of the clear-text listeners
	HTTPS          *HTTPS         // nil without TLS
	Lane           bool           // fresh hits over HTTP/1.1 are answered in front of net/http
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-* and Forwarded count; masked
	Limits         Limits
}

// HTTPS is the TLS listener. The pair of files was readable and matched when
// the configuration was checked; paths are relative to the process, no longer
// to the configuration file.
type HTTPS struct {
	Address           string
	CertFile, KeyFile string
}

// Limits bound what one client, and all of them, can take. None is zero.
type Limits struct {
	HeaderBytes   int           // bytes of one request head
	BodyBytes     int64         // bytes of one request's content
	HeaderTimeout time.Duration // for a request head to arrive
	IdleTimeout   time.Duration // for a kept connection without a request
	WriteStall    time.Duration // for a client that takes no byte of its response
	Connections   int           // open client connections, all listeners together
}

// Admin is the listener for operators. Address is empty when there is none:
// the section was left out, or says off.
type Admin struct {
	Address string
	Token   Secret // what the token file holds; "" only on a loopback address
}

// Upstream is a named group of servers that answer alike.
type Upstream struct {
	Name            string
	Servers         []*url.URL // scheme http or https, host, perhaps a base path; nothing else
	Balance         Balance
	MaxFails        int           // connection failures within FailTimeout that put a server aside
	FailTimeout     time.Duration // and for how long
	ConnectTimeout  time.Duration
	ResponseTimeout time.Duration // from the request's end to the response's head
	Host            string        // the Host field to send; "": the client's own
	External        *External     // a third party's; nil: our own

	// OpenToAnyOrigin (dangerously_open_to_any_origin): a route may let in the
	// pages of everybody although the server is a third party's, or although
	// the route lends them the operator's credentials.
	OpenToAnyOrigin bool
}

// Balance is how a server of an upstream is picked.
type Balance uint8

// The values of upstreams.NAME.balance.
const (
	RoundRobin Balance = iota
	LeastConn
	Random // the less busy of two picked at random
)

// Route says what is done with the requests that one host and path match.
type Route struct {
	Name     string // host and path, for logs and labels; unique in a Config
	Host     string // lower case, perhaps with a port; exact, *.example.com, or "" for any
	Path     string // escaped; a prefix when it ends in "/" or "*", else exact
	Upstream string // the Name of an Upstream
	CORS     RouteCORS
	Cache    Cache
	Headers  Headers
	Rate     *RateLimit // nil: clients send as many requests as they like
}

// Cache is what a route stores, under which key, and for how long.
type Cache struct {
	Enabled bool // false: every request goes upstream and nothing is stored

	// Key is complete: OriginMode is the default for the route's CORS mode
	// (bucket in own mode, exact in pass mode, shared with CORS off) unless
	// OriginSet says that the file chose it.
	Key       key.Spec
	OriginSet bool

	DefaultTTL           time.Duration // freshness lifetime of a response that says nothing
	Grace                time.Duration // stale-if-error of a response that says nothing
	StaleWhileRevalidate time.Duration // likewise (RFC 5861 §3)
	MaxObject            int64         // bytes of content; larger responses pass unstored
	Variants             int           // most variants under one primary key
	Origins              int           // most origins under one target URI
	SetCookie            rfc9111.SetCookiePolicy
	HonourRequest        bool          // request directives count (RFC 9111 §5.2.1)
	Targets              []string      // targeted fields in order (RFC 9213), canonical, Surrogate-Control included when chosen
	FetchTimeout         time.Duration // a whole fetch from the upstream, content included
	Collapse             bool          // requests for one key wait for one fetch
}

// Headers are the fields that a route changes.
type Headers struct {
	Request  FieldChanges // on the way to the upstream
	Response FieldChanges // on the way to the client
}

// FieldChanges removes fields and sets fields, in this order. No name stands
// in both.
type FieldChanges struct {
	Set    []FieldSet
	Remove []string // canonical names
}

// FieldSet sets one field to one line.
type FieldSet struct {
	Name  string // canonical
	Value Secret // a valid field value
}

// Store says where stored responses are kept.
type Store struct {
	MemorySize int64 // bytes
}

// Telemetry says what is measured and under which name.
type Telemetry struct {
	ServiceName string
	Prometheus  bool              // GET /metrics on the admin listener
	Push        *Push             // where metrics are sent to as well; nil: nowhere
	Traces      *Traces           // nil: none
	Logs        *Logs             // where the operational log is sent to as well; nil: nowhere
	AccessLog   *accesslog.Config // nil: none
}

// Push says where metrics are sent to. What the environment says (OTEL_*) wins.
type Push struct {
	Endpoint string        // as that of Traces
	GRPC     bool          // OTLP over gRPC; else over HTTP
	Interval time.Duration // between two pushes, from a second to an hour
}

// Logs says where the operational log is sent to. What the environment says
// (OTEL_*) wins.
type Logs struct {
	Endpoint string // as that of Traces
	GRPC     bool   // OTLP over gRPC; else over HTTP
}

// Traces says which requests get a trace, and where it goes. What the
// environment says (OTEL_*) wins over both.
type Traces struct {
	Endpoint string  // base URL of an OTLP receiver: http or https, without a slash at its end
	Sample   float64 // of the requests without a traceparent, from 0 to 1
	GRPC     bool    // OTLP over gRPC; else over HTTP
	Parents  Parents // whose traceparent decides
}

// Parents says whose traceparent decides whether a request gets a trace.
type Parents uint8

// The words that telemetry.traces.parents may be.
const (
	ParentsBounded Parents = iota // everybody's, of strangers up to a rate
	ParentsAll
	ParentsTrusted // that of server.trusted_proxies
	ParentsNone
)

// Upstream returns the upstream of that name, or nil.
func (c *Config) Upstream(name string) *Upstream {
	for i := range c.Upstreams {
		if c.Upstreams[i].Name == name {
			return &c.Upstreams[i]
		}
	}
	return nil
}

// Policy returns the CORS policy of that name, or nil.
func (c *Config) Policy(name string) *CORSPolicy {
	for i := range c.CORS {
		if c.CORS[i].Name == name {
			return &c.CORS[i]
		}
	}
	return nil
}
