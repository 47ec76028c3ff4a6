package cache

import (
	"net/http"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// lookupStep is step 4: the stored response that the request selects, fresh or
// not, is left in x.object. A store that cannot answer counts as empty: the
// upstream is asked.
func (x *exchange) lookupStep() {
	x.decision.Forward = cachestatus.URIMiss
	x.object, x.names = nil, nil
	span := x.span.child("cache.lookup")
	o, err := x.route.Store.Get(x.r.Context(), x.key, x)
	span.lookedUp(o, err)
	if err != nil {
		x.e.log(x.r.Context(), "cache: store cannot answer a lookup", err)
		return
	}
	x.object = o
}

// Select implements Selector (RFC 9111 §4.1): of the variants whose selecting
// fields the request matches, the most recent one.
func (x *exchange) Select(variants []*Object) int {
	i, newest := selectVariant(variants, &x.seen, x.authorized, x.now)
	switch {
	case i >= 0:
	case newest == nil:
	case x.authorized && newest.Selecting.Matches(&x.seen):
		x.decision.Forward = cachestatus.Miss
		x.note(cachestatus.Authorization)
	default:
		x.decision.Forward = cachestatus.VaryMiss
		x.note(cachestatus.VaryMismatch)
		x.names = newest.Selecting.Names
	}
	return i
}

// selectVariant returns the index of the most recent variant that the request
// matches, or -1, and the most recent variant of all. Where none matches, a
// fresh one serves that the upstream would choose again. A request with
// Authorization is only given what may be reused for one (RFC 9111 §3.5).
func selectVariant(variants []*Object, f key.Fields, authorized bool, now time.Time) (index int, newest *Object) {
	index, alike := -1, -1
	for i, o := range variants {
		if newest == nil || o.Meta.Date.After(newest.Meta.Date) {
			newest = o
		}
		switch {
		case authorized && !o.Meta.Flags.Has(rfc9111.SharesAuthorized):
		case o.Selecting.Matches(f):
			if index < 0 || o.Meta.Date.After(variants[index].Meta.Date) {
				index = i
			}
		case alike < 0 && o.fresh(now) && o.servesAs(f):
			alike = i
		}
	}
	if index < 0 {
		index = alike
	}
	return index, newest
}

// reuseStep is step 5: whether the stored response may answer (RFC 9111 §4).
func (x *exchange) reuseStep() (answered bool) {
	if x.object == nil {
		if x.directives.OnlyIfCached {
			return x.fail(http.StatusGatewayTimeout, cachestatus.OnlyIfCached, "Nothing stored can answer, and the request says only-if-cached.")
		}
		return false
	}
	reuse, reason := x.object.decide(x.directives, x.now)
	switch reuse {
	case rfc9111.UseFresh:
		x.decision.Result, x.decision.Forward = ResultHit, cachestatus.NotForwarded
		x.deliverStored(x.object)
		return true
	case rfc9111.UseStale:
		x.decision.Result, x.decision.Forward = ResultStale, cachestatus.NotForwarded
		x.note(cachestatus.Stale)
		if x.object.Meta.WantsRefresh(x.now) {
			x.refresh(x.object)
		}
		x.deliverStored(x.object)
		return true
	case rfc9111.OnlyIfCachedFails:
		return x.fail(http.StatusGatewayTimeout, cachestatus.OnlyIfCached, "What is stored cannot answer, and the request says only-if-cached.")
	}
	if !x.object.Selecting.Matches(&x.seen) {
		// It was selected by its content, which makes it good as a fresh
		// answer only: its validators speak of another request's variant.
		x.names, x.object = x.object.Selecting.Names, nil
		x.note(cachestatus.VaryMismatch)
		x.decision.Forward = cachestatus.VaryMiss
		return false
	}
	x.note(reason)
	x.decision.Forward = cachestatus.ByStale
	switch reason {
	case cachestatus.RequestNoCache, cachestatus.RequestMaxAge, cachestatus.RequestMinFresh:
		x.decision.Forward = cachestatus.ByRequest
	}
	return false
}
