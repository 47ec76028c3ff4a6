package memory

import (
	"slices"
	"sync"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/key"
)

// entry is one stored Object with what the store knows of it.
type entry struct {
	obj  *cache.Object
	id   uint64      // by which the policy knows it
	cost int64       // obj.Cost()
	hit  atomic.Bool // used since it entered the window or the hand last passed

	// Store.mu guards the rest.

	rec        *record
	place      place
	prev, next *entry // neighbours in the window or under the hand
	tags       []tagLink
}

// record is a primary key with its variants. It is in the index exactly as
// long as it has one.
type record struct {
	id  uint64 // hash of the key
	key string

	// The variants, side by side. The slices are never changed, only
	// exchanged, so that a reader may go on with what it took.
	objs    []*cache.Object
	entries []*entry

	next         *record // another key with the same id
	group        *group
	older, newer *record // under the same target URI; for writers alone
}

// group is a target URI with its records (primary keys of other origins and
// other route-specific parts). For writers alone.
type group struct {
	hash   uint64
	newest *record
	n      int
	next   *group // another URI with the same hash
}

// uri returns the URI; a group always has a record.
func (g *group) uri() string { return g.newest.entries[0].obj.URI() }

// shard is the part of the index for the target URIs of one range of hashes,
// all origins and variants of a URI included.
type shard struct {
	mu      sync.RWMutex // guards closed, records and what readers use of a record; changed with Store.mu held too
	closed  bool
	records map[uint64]*record // by record.id, chained by record.next

	groups map[uint64]*group // by group.hash, chained by group.next; Store.mu guards it

	hits, misses atomic.Uint64
	_            [32]byte // keeps the counters of neighbours on other cache lines
}

// lookup returns the record of a primary key or nil. The caller holds mu.
func (sh *shard) lookup(id uint64, k []byte) *record {
	r := sh.records[id]
	for r != nil && r.key != string(k) {
		r = r.next
	}
	return r
}

// record is lookup for writers.
func (sh *shard) record(id uint64, k string) *record {
	r := sh.records[id]
	for r != nil && r.key != k {
		r = r.next
	}
	return r
}

// group returns the group of a target URI or nil.
func (sh *shard) group(hash uint64, uri string) *group {
	g := sh.groups[hash]
	for g != nil && g.uri() != uri {
		g = g.next
	}
	return g
}

// variant returns the position of the variant with the given selecting fields,
// or -1.
func (r *record) variant(s key.Selecting) int {
	return slices.IndexFunc(r.objs, func(o *cache.Object) bool {
		return slices.Equal(o.Selecting.Names, s.Names) && slices.Equal(o.Selecting.Values, s.Values)
	})
}

// add enters e as a new variant of r, or of a new record when r is nil.
func (sh *shard) add(r *record, e *entry, hash, id uint64) {
	if r == nil {
		sh.addRecord(&record{id: id, key: e.obj.Key(), objs: []*cache.Object{e.obj}, entries: []*entry{e}}, hash)
		return
	}
	e.rec = r
	objs, entries := append(slices.Clip(r.objs), e.obj), append(slices.Clip(r.entries), e)
	sh.mu.Lock()
	r.objs, r.entries = objs, entries
	sh.mu.Unlock()
}

// addRecord enters a record with its first variant.
func (sh *shard) addRecord(r *record, hash uint64) {
	e := r.entries[0]
	e.rec = r
	g := sh.group(hash, e.obj.URI())
	if g == nil {
		g = &group{hash: hash, next: sh.groups[hash]}
		sh.groups[hash] = g
	}
	r.group, r.older = g, g.newest
	if g.newest != nil {
		g.newest.newer = r
	}
	g.newest = r
	g.n++
	sh.mu.Lock()
	r.next = sh.records[r.id]
	sh.records[r.id] = r
	sh.mu.Unlock()
}

// replace puts e where the i-th variant of r stood.
func (sh *shard) replace(r *record, i int, e *entry) {
	e.rec = r
	objs, entries := slices.Clone(r.objs), slices.Clone(r.entries)
	objs[i], entries[i] = e.obj, e
	sh.mu.Lock()
	r.objs, r.entries, r.key = objs, entries, e.obj.Key() // the old key's memory may go
	sh.mu.Unlock()
}

// remove takes e out, and its record with the last variant.
func (sh *shard) remove(e *entry) {
	r := e.rec
	e.rec = nil
	if len(r.entries) == 1 {
		sh.mu.Lock()
		sh.unlinkLocked(r)
		sh.mu.Unlock()
		sh.leaveGroup(r)
		return
	}
	i := slices.Index(r.entries, e)
	objs, entries := slices.Delete(slices.Clone(r.objs), i, i+1), slices.Delete(slices.Clone(r.entries), i, i+1)
	sh.mu.Lock()
	r.objs, r.entries, r.key = objs, entries, objs[0].Key()
	sh.mu.Unlock()
}

// removeGroup takes all records of g out at once.
func (sh *shard) removeGroup(g *group) {
	sh.mu.Lock()
	for r := g.newest; r != nil; r = r.older {
		sh.unlinkLocked(r)
	}
	sh.mu.Unlock()
	sh.unlinkGroup(g)
}

// unlinkLocked takes r out of the readers' sight.
func (sh *shard) unlinkLocked(r *record) {
	head := sh.records[r.id]
	switch {
	case head != r:
		for head.next != r {
			head = head.next
		}
		head.next = r.next
	case r.next != nil:
		sh.records[r.id] = r.next
	default:
		delete(sh.records, r.id)
	}
}

// leaveGroup takes r out of its group, and the group with the last record.
func (sh *shard) leaveGroup(r *record) {
	g := r.group
	if g.n == 1 {
		sh.unlinkGroup(g)
		return
	}
	g.n--
	if r.newer != nil {
		r.newer.older = r.older
	} else {
		g.newest = r.older
	}
	if r.older != nil {
		r.older.newer = r.newer
	}
}

func (sh *shard) unlinkGroup(g *group) {
	head := sh.groups[g.hash]
	switch {
	case head != g:
		for head.next != g {
			head = head.next
		}
		head.next = g.next
	case g.next != nil:
		sh.groups[g.hash] = g.next
	default:
		delete(sh.groups, g.hash)
	}
}
