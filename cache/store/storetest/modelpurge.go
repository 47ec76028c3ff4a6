package storetest

import (
	"context"
	"errors"

	"pgregory.net/rapid"

	"veneer/cache"
)

// fetched is a response that was asked for and is not stored yet.
type fetched struct {
	place
	object *cache.Object
	epoch  cache.Epoch
	// purged: a purge has concerned it since. doubtful: one of a URL came,
	// which a Store may take for one that concerns it.
	purged, doubtful bool
}

// keep notes that o is stored.
func (m *model) keep(p place, o *cache.Object) {
	m.stored[p], m.purged[p] = o, false
	m.h.holds(o)
}

// drawPurge makes a purge of any kind that stays among the URIs of this run.
func (m *model) drawPurge() cache.Purge {
	p := cache.Purge{At: purgedAt, Hard: rapid.Bool().Draw(m.T, "hard")}
	uri := m.draw().uri
	switch p.Kind = cache.PurgeKind(rapid.IntRange(0, cache.PurgeKinds-2).Draw(m.T, "kind")); p.Kind {
	case cache.PurgeURL:
		p.URI = string(Key(uri, "").URI())
	case cache.PurgeTag:
		p.Tag = TagOf(uri)
	default:
		p.Prefix = prefixOf(m, uri)
	}
	return p
}

func (m *model) concerned(p *cache.Purge, q place) bool {
	return p.Concerns(string(q.key().URI()), []string{"all", TagOf(q.uri)})
}

// purgedMeanwhile notes what p means for what is being fetched.
func (m *model) purgedMeanwhile(p cache.Purge) {
	for i := range m.fills {
		f := &m.fills[i]
		f.purged = f.purged || m.concerned(&p, f.place)
		f.doubtful = f.doubtful || p.Kind == cache.PurgeURL
	}
}

func (m *model) purge() {
	p := m.drawPurge()
	n, err := m.h.store.Purge(context.Background(), &p)
	if errors.Is(err, errors.ErrUnsupported) {
		m.Skip("this store says that it is not for purging")
	}
	atMost := 0
	for q := range m.stored {
		if !m.concerned(&p, q) {
			continue
		}
		atMost++
		m.purged[q] = true
		if p.Hard {
			delete(m.stored, q)
		}
	}
	m.purgedMeanwhile(p)
	if err != nil || n < 0 || n > atMost {
		m.Fatalf("Purge(%+v): got %d, %v; at most %d were stored", p, n, err, atMost)
	}
	for _, uri := range modelURIs {
		for _, rest := range modelRests {
			for v := range 3 {
				m.get(place{m.prefix + uri, rest, v})
			}
		}
	}
}

func (m *model) beginFill(p place) {
	m.fills = append(m.fills, fetched{place: p, object: m.object(p), epoch: m.h.store.Epoch(p.key().URI())})
}

// endFill stores one of what was begun, in no order. What was purged meanwhile
// must be refused, and what was not must not.
func (m *model) endFill() {
	if len(m.fills) == 0 {
		m.Skip("nothing is being fetched")
	}
	i := rapid.IntRange(0, len(m.fills)-1).Draw(m.T, "fill")
	f := m.fills[i]
	m.fills = append(m.fills[:i], m.fills[i+1:]...)
	err := m.h.store.Put(context.Background(), f.object, cache.PutOptions{Variants: modelVariants, Origins: modelOrigins, Epoch: f.epoch})
	full := errors.Is(err, cache.ErrTooManyVariants) || errors.Is(err, cache.ErrTooManyOrigins) // put says when that may be
	switch {
	case errors.Is(err, cache.ErrPurged) && (f.purged || f.doubtful), (full || errors.Is(err, cache.ErrNotAdmitted)) && !f.purged:
	case err == nil && !f.purged:
		m.keep(f.place, f.object)
	default:
		m.Fatalf("Put(%v) of what was fetched while purges came, one about it %t: got %v", f.place, f.purged, err)
	}
	m.get(f.place)
}
