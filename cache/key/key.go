// Package key builds cache keys: the primary key of a request (RFC 9111 §2)
// and the selecting fields of a stored response (RFC 9111 §4.1).
//
// Both are framed: every part is written with its length, so no two different
// requests can build the same bytes. The target URI is brought to one
// canonical form first, and that form is what is keyed and what is sent
// upstream, so the two can never disagree.
package key

// Fields is the view of a request's fields that keys are built from.
// http.Header satisfies it. Values returns the field's lines in order; the
// caller does not change or keep the slice. The name is in canonical form
// ("Accept-Encoding").
type Fields interface {
	Values(name string) []string
}

// Key is a primary key. Bytes[:Group] is the part that all origins and all
// route-specific parts of one target URI share: invalidating a URI
// (RFC 9111 §4.4) means every key with that prefix.
//
// The bytes belong to whoever built the key; a store that keeps them copies.
type Key struct {
	Bytes []byte
	Group int
}

// URI returns the part of the key that names the target URI alone.
func (k Key) URI() []byte { return k.Bytes[:k.Group] }

// OriginMode says what of the browser's Origin is part of the primary key.
type OriginMode uint8

const (
	// OriginBucket keys on the origin bucket: none, the allowed Origin, or other.
	OriginBucket OriginMode = iota
	// OriginShared leaves Origin out of the key; the upstream never sees it.
	OriginShared
	// OriginExact keys on the Origin as it was sent.
	OriginExact
)

// Spec says what of a request is part of its primary key, beside method and
// target URI. It is compiled from a route's configuration and then immutable.
type Spec struct {
	Origin  OriginMode
	Query   Query
	Headers []string // canonical names of request fields whose values are keyed
	Cookies []string // names of cookies whose values are keyed
}

// Query says which query parameters count, and whether their order does.
// Parameters are what stands between "&"; a ";" separates nothing. Allow wins
// over Ignore; both hold names as a form shows them, not percent-encoded, and
// take a trailing * as a prefix pattern (utm_*). The zero value keeps all
// parameters in the order in which they were sent.
type Query struct {
	Sort   bool // by name; parameters of one name keep their order
	Ignore []string
	Allow  []string // when there is one, or AllowSet, only these count
	// AllowSet tells an empty allow list (drop the whole query) from none.
	AllowSet bool
}
