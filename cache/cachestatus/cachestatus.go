// Package cachestatus writes the Cache-Status field (RFC 9211) and owns the
// words that explain what the cache did: Forward, why a request went to the
// upstream, and Reason, the detail behind it.
//
// It is the vocabulary of every other package and imports none of them.
package cachestatus

import (
	"strconv"
	"time"
)

// CacheName is how this cache names itself in Cache-Status, Via and CDN-Loop.
const CacheName = "veneer"

// Forward says why a request was forwarded to the upstream (RFC 9211 §2.2).
// The zero value means that it was not.
type Forward uint8

// The values of the fwd parameter, RFC 9211 §2.2.
const (
	NotForwarded Forward = iota
	Bypass
	ByMethod
	URIMiss
	VaryMiss
	Miss
	ByRequest
	ByStale
	ByPartial
)

var forwards = [...]string{"", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}

// String returns the token of the fwd parameter.
func (f Forward) String() string {
	if int(f) < len(forwards) {
		return forwards[f]
	}
	return "unknown"
}

// Status is one member of a Cache-Status field, RFC 9211 §2.
type Status struct {
	Hit            bool          // answered from a stored response without going forward
	Forward        Forward       // why it went forward; NotForwarded on a hit and on answers of our own
	UpstreamStatus int           // fwd-status; 0 when there is none or it is the same
	TTL            time.Duration // remaining freshness, negative when stale; written in whole seconds, rounded down, and only with HasTTL
	HasTTL         bool
	Stored         bool
	Collapsed      bool
	Key            string // only on request of a trusted peer
	Detail         Reason
}

// Append writes the member to dst and returns the extended slice. It allocates
// nothing when dst has room.
func (s *Status) Append(dst []byte) []byte {
	dst = append(dst, CacheName...)
	if s.Hit {
		dst = append(dst, "; hit"...)
	}
	if s.Forward != NotForwarded {
		dst = append(dst, "; fwd="...)
		dst = append(dst, s.Forward.String()...)
	}
	if s.UpstreamStatus != 0 {
		dst = append(dst, "; fwd-status="...)
		dst = strconv.AppendInt(dst, int64(s.UpstreamStatus), 10)
	}
	if s.HasTTL {
		dst = append(dst, "; ttl="...)
		dst = strconv.AppendInt(dst, wholeSeconds(s.TTL), 10)
	}
	if s.Stored {
		dst = append(dst, "; stored"...)
	}
	if s.Collapsed {
		dst = append(dst, "; collapsed"...)
	}
	if s.Key != "" {
		dst = append(dst, "; key="...)
		dst = appendString(dst, s.Key)
	}
	if s.Detail != None {
		dst = append(dst, "; detail="...)
		dst = append(dst, s.Detail.String()...)
	}
	return dst
}

// wholeSeconds rounds down, also what is negative.
func wholeSeconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second < 0 {
		n--
	}
	return n
}

// String returns the member as text.
func (s *Status) String() string {
	var buf [96]byte // more than a member has without a key
	return string(s.Append(buf[:0]))
}

// appendString writes v as an sf-string (RFC 9651 §3.3.3). Bytes that an
// sf-string cannot hold become a question mark: the key is for people to read.
func appendString(dst []byte, v string) []byte {
	dst = append(dst, '"')
	for i := range len(v) {
		switch c := v[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
