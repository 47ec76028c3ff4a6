package cache

import (
	"context"
	"slices"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// PurgeKind says by what a Purge finds stored responses.
type PurgeKind uint8

// The kinds.
const (
	PurgeURL    PurgeKind = iota // one target URI, all origins and variants
	PurgePrefix                  // all target URIs with one beginning
	PurgeTag                     // all responses with one tag
	PurgeAll
	PurgeKinds int = iota // how many there are
)

var purgeKinds = [PurgeKinds]string{"url", "prefix", "tag", "all"}

// String returns the kind's word, the kind label of veneer_purges_total.
func (k PurgeKind) String() string {
	if int(k) < len(purgeKinds) {
		return purgeKinds[k]
	}
	return "unknown"
}

// Purge is an order of the operator's about stored responses, and about those
// that are being fetched. Immutable.
//
// A soft one, the default, says that they may have changed: they are stale from
// then on, whatever their lifetime, and are validated before they are used
// again; a 304 makes them fresh. Neither stale-while-revalidate nor a client's
// max-stale lets one pass: who purges wants no client to see the old one. While
// the upstream fails it may stand in, as any stale response (RFC 5861 §4),
// unless must-revalidate or no-cache forbid it; its stale-if-error, or the
// route's grace, counts from the purge, or from where it was stale before. An
// answer that must not come back at all is for a hard one, which removes.
type Purge struct {
	Kind   PurgeKind
	URI    string     // of PurgeURL: a key.URIKey
	Prefix key.Prefix // of PurgePrefix
	Tag    string     // of PurgeTag
	Hard   bool
	At     time.Time // when it was given, for how long what is stale may stand in
}

// Concerns reports whether p is about a response of the target URI uri
// (Object.URI) with those tags.
func (p *Purge) Concerns(uri string, tags []string) bool {
	switch p.Kind {
	case PurgeURL:
		return uri == p.URI
	case PurgePrefix:
		return p.Prefix.Begins(uri)
	case PurgeTag:
		return slices.Contains(tags, p.Tag)
	}
	return true
}

// Epoch is a moment in the order in which purges came to a Store, as it bears
// on one target URI. Its numbers grow, and have no meaning beyond one Store's
// life.
type Epoch struct {
	// URI changes whenever the target URI is known to be concerned: it is
	// invalidated or purged, or everything is. It may change more often than
	// that. Flights are keyed by it.
	URI uint64
	// Log is how many purges came so far of which it has to be asked whom they
	// concern: as long as it is fetched nobody knows a response's tags. See
	// PurgeLog.
	Log uint64
}

// Purger is the part of a Store that carries purges out.
type Purger interface {
	// Purge carries p out and returns how many stored responses it concerned,
	// those that it found purged already included. It costs what it touches.
	// Every Get and Glance that begins after it returned sees it, and a Put of
	// a response that it concerns, with an Epoch from before, is refused; that
	// of any other response is not, as long as the store remembers.
	//
	// Purges take effect one after the other, in the same order for all.
	Purge(ctx context.Context, p *Purge) (touched int, err error)

	// Epoch returns the moment for a target URI (key.Key.URI).
	Epoch(uri []byte) Epoch

	// Purged reports whether o is concerned by a purge, or an invalidation,
	// that came after from and no later than to. It also does when nobody
	// knows any more.
	Purged(o *Object, from, to Epoch) bool
}

// Purge makes o stale as a soft purge does. It is what a Store does to what it
// has stored. The first purge counts.
func (o *Object) Purge(at time.Time) {
	seconds := min(max(at.Unix(), 1), int64(^uint32(0)))
	o.purged.CompareAndSwap(0, uint32(seconds))
}

// PurgedAt returns when o was purged, in whole seconds. ok is false when it was
// not.
func (o *Object) PurgedAt() (at time.Time, ok bool) {
	seconds := o.purged.Load()
	return time.Unix(int64(seconds), 0), seconds != 0
}

// fresh reports whether o is fresh at now and was not purged.
func (o *Object) fresh(now time.Time) bool { return o.purged.Load() == 0 && o.Meta.Fresh(now) }

// decide is rfc9111.Decide for a stored response that may have been purged.
func (o *Object) decide(q rfc9111.RequestDirectives, now time.Time) (rfc9111.Reuse, cachestatus.Reason) {
	reuse, why := rfc9111.Decide(&o.Meta, q, now)
	if o.purged.Load() == 0 {
		return reuse, why
	}
	switch why {
	case cachestatus.RequestNoCache, cachestatus.RequestMaxAge, cachestatus.RequestMinFresh, cachestatus.OnlyIfCached:
		return reuse, why // it would have been asked for all the same
	}
	switch {
	case q.OnlyIfCached:
		return rfc9111.OnlyIfCachedFails, cachestatus.OnlyIfCached
	case o.Meta.HasValidator():
		return rfc9111.MustValidate, cachestatus.Purged
	}
	return rfc9111.MustForward, cachestatus.Purged
}

// standsIn reports whether o may answer because the upstream failed. A stored
// error is no better than a new one.
func standsIn(o *Object, q rfc9111.RequestDirectives, now time.Time) bool {
	if o == nil || rfc9111.ErrorStatus(o.Status) {
		return false
	}
	at, purged := o.PurgedAt()
	if !purged {
		return rfc9111.StaleOnError(&o.Meta, q, now)
	}
	if at.After(now) {
		at = now
	}
	m := o.Meta
	m.Lifetime, m.StaleRevalidate = min(m.Lifetime, m.Age(at)), 0
	return rfc9111.StaleOnError(&m, q, now)
}
