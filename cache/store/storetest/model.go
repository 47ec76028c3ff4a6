package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"veneer/cache"
	"veneer/cache/key"
)

// The caps of the random test, and what it draws from: more of everything
// than the caps allow.
const (
	modelVariants = 2
	modelOrigins  = 3
)

var (
	modelURIs  = []string{"a", "ab", "b"}
	modelRests = []string{"", "1", "2", "3", "4"}
)

// model is what a Store may answer: nothing, or exactly this.
type model struct {
	*rapid.T
	h      *harness
	prefix string
	stored map[place]*cache.Object
	stale  map[string]cache.Epoch // an epoch of before the last invalidation
	purged map[place]bool         // marked by a soft purge
	fills  []fetched              // begun and not ended
	serial int
}

// place names a stored response.
type place struct {
	uri, rest string
	variant   int // in distinct
}

// testModel does random things to the Store and to a plain map.
func testModel(h *harness) {
	t := h.fataler.(*testing.T)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{
			T: rt, h: &harness{rt, h.store}, prefix: fmt.Sprintf("https://run%d.example/", runs),
			stored: map[place]*cache.Object{}, stale: map[string]cache.Epoch{}, purged: map[place]bool{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put":        func(*rapid.T) { m.put(m.draw()) },
			"put stale":  func(*rapid.T) { m.putStale(m.draw()) },
			"get":        func(*rapid.T) { m.get(m.draw()) },
			"delete":     func(*rapid.T) { m.delete(m.draw()) },
			"invalidate": func(*rapid.T) { m.invalidate(m.draw().uri) },
			"purge":      func(*rapid.T) { m.purge() },
			"begin fill": func(*rapid.T) { m.beginFill(m.draw()) },
			"end fill":   func(*rapid.T) { m.endFill() },
			"":           func(*rapid.T) { m.h.check() },
		})
	})
}

func (m *model) draw() place {
	return place{
		m.prefix + rapid.SampledFrom(modelURIs).Draw(m.T, "uri"),
		rapid.SampledFrom(modelRests).Draw(m.T, "rest"),
		rapid.IntRange(0, 2).Draw(m.T, "variant"),
	}
}

func (p place) key() key.Key { return Key(p.uri, p.rest) }

// object makes an Object that differs from every other.
func (m *model) object(p place) *cache.Object {
	m.serial++
	size := rapid.SampledFrom([]int{0, 10, 1000, 8000}).Draw(m.T, "size")
	return Object(p.key(), distinct[p.variant], fmt.Sprintf("%d %*d", m.serial, size, 0))
}

func (m *model) put(p place) {
	o := m.object(p)
	opt := cache.PutOptions{Variants: modelVariants, Origins: modelOrigins, Epoch: m.h.store.Epoch(p.key().URI())}
	err := m.h.store.Put(context.Background(), o, opt)
	variants, origins := m.count(p)
	switch {
	case err == nil:
		m.keep(p, o)
	case errors.Is(err, cache.ErrNotAdmitted):
	case errors.Is(err, cache.ErrTooManyVariants) && m.stored[p] == nil && variants >= modelVariants:
	case errors.Is(err, cache.ErrTooManyOrigins) && m.stored[p] == nil && variants == 0 && origins >= modelOrigins:
	default:
		m.Fatalf("Put(%v) with %d variants and %d origins stored: %v", p, variants, origins, err)
	}
	m.get(p)
}

// count returns how many variants the key of p and how many keys its URI may
// have in the Store.
func (m *model) count(p place) (variants, origins int) {
	rests := map[string]bool{}
	for q := range m.stored {
		if q.uri != p.uri {
			continue
		}
		rests[q.rest] = true
		if q.rest == p.rest {
			variants++
		}
	}
	return variants, len(rests)
}

func (m *model) putStale(p place) {
	epoch, ok := m.stale[p.uri]
	if !ok {
		m.Skip("never invalidated")
	}
	err := m.h.store.Put(context.Background(), m.object(p), cache.PutOptions{Epoch: epoch})
	if !errors.Is(err, cache.ErrPurged) {
		m.Fatalf("Put(%v) with an epoch of before: got %v, want ErrPurged", p, err)
	}
	m.get(p)
}

// get compares one answer with the map, which forgets what the Store forgot.
func (m *model) get(p place) *cache.Object {
	var got *cache.Object
	got, err := m.h.store.Get(context.Background(), p.key(), funcSelector(func(variants []*cache.Object) int {
		if len(variants) > modelVariants {
			m.Errorf("%d variants under %v", len(variants), p)
		}
		return Select(distinct[p.variant]).Select(variants)
	}))
	if err != nil {
		m.Fatalf("Get(%v): %v", p, err)
	}
	if g, ok := m.h.store.(cache.Glancer); ok {
		if glanced := g.Glance(p.key(), Select(distinct[p.variant])); glanced != got {
			m.Fatalf("Glance(%v): got %v, and Get %v", p, glanced, got)
		}
	}
	if got == nil {
		delete(m.stored, p)
		return nil
	}
	if d := diff(m.stored[p], got); d != "" {
		m.Fatalf("Get(%v): -want +got\n%s", p, d)
	}
	if _, purged := got.PurgedAt(); purged != m.purged[p] {
		m.Fatalf("Get(%v): purged %t, want %t", p, purged, m.purged[p])
	}
	return got
}

func (m *model) delete(p place) {
	o := m.get(p)
	if o == nil {
		m.Skip("nothing stored")
	}
	if err := m.h.store.Delete(context.Background(), o); err != nil {
		m.Fatalf("Delete(%v): %v", p, err)
	}
	delete(m.stored, p)
	m.get(p)
}

func (m *model) invalidate(uri string) {
	u := Key(uri, "").URI()
	m.stale[uri] = m.h.store.Epoch(u)
	n, err := m.h.store.Invalidate(context.Background(), u)
	m.purgedMeanwhile(cache.Purge{Kind: cache.PurgeURL, URI: string(u)})
	atMost := 0
	for p := range m.stored {
		if p.uri == uri {
			atMost++
			delete(m.stored, p)
		}
	}
	if err != nil || n < 0 || n > atMost {
		m.Fatalf("Invalidate(%q): got %d, %v; at most %d were stored", uri, n, err, atMost)
	}
	for _, rest := range modelRests {
		for v := range 3 {
			m.get(place{uri, rest, v})
		}
	}
}
