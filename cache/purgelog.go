package cache

import (
	"slices"
	"sync"
)

// PurgeLog is the order in which purges came to a Store: each has a number, one
// more than that of the one before. It answers what was fetched while they
// came: a response brings its tags with it, so whether an earlier purge was
// about it is known only when it is stored.
//
// It is bounded: the newest maxLogged are remembered, and who asks about
// earlier ones is told that there was one. A Store need not keep what it knows
// otherwise: store/memory counts purges of one URL by target URI, so that a
// client whose requests invalidate (RFC 9111 §4.4) cannot make it forget.
//
// It lives as long as the process. A log that outlives it, or that instances
// share, gives its own numbers and hands its purges, in its order, to
// Purger.Purge of each Store; what a Store answers from then on is the same.
//
// It is safe for concurrent use; the zero value is empty.
type PurgeLog struct {
	mu   sync.RWMutex // guards what follows
	last uint64       // number of the newest, 0: there was none
	ring []Purge      // number n is at n % maxLogged
}

// maxLogged is how many purges a PurgeLog remembers. Ten a second are
// remembered for a hundred seconds, longer than nearly all fetches take.
const maxLogged = 1 << 10

// Append adds p.
func (l *PurgeLog) Append(p *Purge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ring == nil {
		l.ring = make([]Purge, maxLogged)
	}
	l.last++
	l.ring[l.last%maxLogged] = *p
}

// Last returns the number of the newest purge, 0 when there was none.
func (l *PurgeLog) Last() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last
}

// manyTags is from how many on the tags of an Object are put into a set, for as
// many purges are compared with them.
const manyTags = 8

// Concerns reports whether one of the purges with the numbers above after, up
// to upTo, is about o, or is forgotten. Numbers that were not given yet count
// for nothing.
func (l *PurgeLog) Concerns(o *Object, after, upTo uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	upTo = min(upTo, l.last)
	if after >= upTo {
		return false
	}
	if l.last-after > maxLogged {
		return true
	}
	has := func(tag string) bool { return slices.Contains(o.Tags, tag) }
	if len(o.Tags) > manyTags {
		set := make(map[string]struct{}, len(o.Tags))
		for _, t := range o.Tags {
			set[t] = struct{}{}
		}
		has = func(tag string) bool { _, ok := set[tag]; return ok }
	}
	for n := after + 1; n <= upTo; n++ {
		p := &l.ring[n%maxLogged]
		if p.Kind == PurgeTag && has(p.Tag) || p.Kind != PurgeTag && p.Concerns(o.URI(), nil) {
			return true
		}
	}
	return false
}
