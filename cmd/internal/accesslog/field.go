package accesslog

import (
	"encoding/hex"
	"slices"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
)

// Field is one thing that a line says.
type Field uint8

// The fields, as the configuration and the JSON name them.
const (
	Time           Field = iota // time: when the request began, RFC 3339 with microseconds, UTC
	Client                      // client: the address behind the trusted proxies
	Method                      // method
	Scheme                      // scheme: http or https, as the client used it
	Host                        // host: as it was sent
	Path                        // path: as it was sent, without the query
	Query                       // query: as it was sent, known credentials replaced by REDACTED
	Protocol                    // protocol: HTTP/1.1, HTTP/2.0
	Status                      // status: 499 when the client left before there was one
	Bytes                       // bytes: of content
	Duration                    // duration: seconds from the head of the request to the end of the response
	Route                       // route: its host and path
	Cache                       // cache: hit, miss, stale, revalidated, collapsed, bypass, error, preflight
	Reason                      // reason: why it was not stored, or what was stored not reused (detail of Cache-Status)
	NotStored                   // not_stored: why the upstream's response was not stored
	Stored                      // stored: true when it was
	Forward                     // forward: why the request went to the upstream (fwd of Cache-Status)
	TTL                         // ttl: seconds of freshness that were left, below zero when stale
	Age                         // age: seconds
	UpstreamStatus              // upstream_status
	Origin                      // origin: of the page that asked
	Referer                     // referer: its query redacted like the request's
	UserAgent                   // user_agent
	RequestID                   // request_id: X-Request-Id
	TraceID                     // trace_id: of the span, else of traceparent
	Collapsed                   // collapsed: true when it waited for another request's fetch
	Aborted                     // aborted: client when that left early, upstream when that ended early

	fieldCount // keep last
)

var names = [fieldCount]string{
	"time", "client", "method", "scheme", "host", "path", "query", "protocol", "status", "bytes", "duration",
	"route", "cache", "reason", "not_stored", "stored", "forward", "ttl", "age", "upstream_status",
	"origin", "referer", "user_agent", "request_id", "trace_id", "collapsed", "aborted",
}

// String returns the field's name.
func (f Field) String() string {
	if f < fieldCount {
		return names[f]
	}
	return "unknown"
}

// ParseField returns the field of that name.
func ParseField(name string) (Field, bool) {
	i := slices.Index(names[:], name)
	return Field(max(i, 0)), i >= 0
}

// AllFields returns every field, in the order of a line.
func AllFields() []Field {
	all := make([]Field, fieldCount)
	for i := range all {
		all[i] = Field(i)
	}
	return all
}

// DefaultFields returns what a line of JSON says unless it is told what: all but
// the query, in which applications put what is nobody else's.
func DefaultFields() []Field {
	return slices.DeleteFunc(AllFields(), func(f Field) bool { return f == Query })
}

// needPeer reports whether a field says what Options.Peer does.
func needPeer(fields []Field) bool {
	return slices.Contains(fields, Client) || slices.Contains(fields, Scheme)
}

// kind is what a field's value is.
type kind uint8

const (
	nothing kind = iota
	text         // of a client: it may hold any byte
	word         // of ours
	number
	seconds // a number of microseconds, to be written in seconds
	yes
	moment
	address
)

// value is what a field has to say of a request.
type value struct {
	kind kind
	s    string
	n    int64
}

// gone is what nginx logs for a client that left before its answer.
const gone = 499

// value returns what f says, for every field but those that are written as they
// are worked out.
func (e *entry) value(f Field) value {
	q, d := e.q, e.d
	switch f {
	case Time:
		return value{kind: moment}
	case Client:
		return value{kind: address}
	case Method:
		return value{kind: text, s: q.Method}
	case Scheme:
		return value{kind: word, s: e.scheme}
	case Host:
		return value{kind: text, s: q.Host}
	case Path:
		return value{kind: text, s: q.Path}
	case Query:
		return textOf(e.query(q.Query))
	case Protocol:
		return value{kind: text, s: q.Protocol}
	case Status:
		return value{kind: number, n: int64(e.status())}
	case Bytes:
		return value{kind: number, n: d.Sent}
	case Duration:
		return value{kind: seconds, n: max(0, d.Took.Microseconds())}
	}
	if f >= Origin && f <= TraceID {
		return e.sent(f)
	}
	return cached(f, d)
}

// status is what is logged for one.
func (e *entry) status() int {
	if e.d.Status == 0 {
		return gone
	}
	return e.d.Status
}

// sent is what a field of the request says.
func (e *entry) sent(f Field) value {
	switch f {
	case Origin:
		return textOf(e.first("Origin"))
	case Referer:
		return textOf(e.url(e.first("Referer")))
	case UserAgent:
		return textOf(e.first("User-Agent"))
	case RequestID:
		return textOf(e.first("X-Request-Id"))
	}
	if e.d.Span != nil {
		id := e.d.Span.SpanContext().TraceID()
		e.plain = hex.AppendEncode(e.plain[:0], id[:])
		return wordOf(view(e.plain))
	}
	return wordOf(traceID(e.first("Traceparent")))
}

// cached is what the cache says.
func cached(f Field, d *cache.Decision) value {
	switch f {
	case Route:
		if d.Route != nil {
			return value{kind: text, s: d.Route.Name}
		}
	case Cache:
		return value{kind: word, s: d.Result.String()}
	case Reason:
		return reason(d.Reason)
	case NotStored:
		return reason(d.NotStored)
	case Stored:
		return yesIf(d.Stored && !d.Collapsed)
	case Forward:
		if d.Forward != cachestatus.NotForwarded {
			return value{kind: word, s: d.Forward.String()}
		}
	case TTL, Age:
		return freshness(f, d)
	case UpstreamStatus:
		if d.Upstream > 0 {
			return value{kind: number, n: int64(d.Upstream)}
		}
	case Collapsed:
		return yesIf(d.Collapsed)
	case Aborted:
		switch {
		case d.Left:
			return value{kind: word, s: "client"}
		case d.Cut:
			return value{kind: word, s: "upstream"}
		}
	}
	return value{}
}

func freshness(f Field, d *cache.Decision) value {
	age, ttl, ok := d.Freshness()
	if !ok {
		return value{}
	}
	if f == TTL {
		age = ttl
	}
	n := int64(age / time.Second)
	if age%time.Second < 0 {
		n-- // rounded down, as in Cache-Status
	}
	return value{kind: number, n: n}
}

func reason(r cachestatus.Reason) value {
	if r == cachestatus.None {
		return value{}
	}
	return value{kind: word, s: r.String()}
}

func yesIf(b bool) value {
	if b {
		return value{kind: yes}
	}
	return value{}
}

func textOf(s string) value { return ofKind(text, s) }
func wordOf(s string) value { return ofKind(word, s) }

func ofKind(k kind, s string) value {
	if s == "" {
		return value{}
	}
	return value{kind: k, s: s}
}

// first returns the first line of a field of the request.
func (e *entry) first(name string) string {
	if lines := e.q.Fields.Values(name); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// traceID returns the trace-id of a traceparent (W3C Trace Context §3.2), "" when
// it is none.
func traceID(parent string) string {
	const zero = "00000000000000000000000000000000"
	if len(parent) < 55 || parent[2] != '-' || parent[35] != '-' || parent[52] != '-' || parent[3:35] == zero {
		return ""
	}
	for i := 3; i < 35; i++ {
		if c := parent[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return parent[3:35]
}
