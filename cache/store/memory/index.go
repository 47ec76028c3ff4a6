package memory

import (
	"slices"
	"sync"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/key"
)

// entry is one stored Object with what the store knows of it. Its 64 bytes are
// one line of a processor's cache, which is what a lookup among millions is made
// of (a test holds the size).
type entry struct {
	objs [1]*cache.Object // the Object: as an array it is also the variants of a key that has but one
	id   uint64           // by which the policy knows it
	cost int64            // Object.Cost
	hit  atomic.Bool      // used since it entered the window or the hand last passed

	// Store.mu guards the rest.

	place      place
	rec        *record
	prev, next *entry   // neighbours in the window or under the hand
	links      *tagLink // of its Object's tags, in their order
}

func newEntry(o *cache.Object) *entry { return &entry{objs: [1]*cache.Object{o}, cost: o.Cost()} }

func (e *entry) obj() *cache.Object { return e.objs[0] }

// record is a primary key with its variants. It is in the index exactly as
// long as it has one.
type record struct {
	id  uint64 // hash of the key
	key string

	// The variants: nearly all keys have one, and need no list for it.
	only *entry    // nil when there are several
	many *variants // nil when there is one

	next *record // another key with the same id

	// The records under one target URI, for writers alone (uri.go).
	older, newer *record
	nextURI      *record // of the newest: that of another URI with the same hash
	n            uint32  // of the newest: how many there are

	group uint32 // key[:group] is the target URI
}

// variants are several of them, side by side. Never changed, only exchanged,
// so that a reader may go on with what it took.
type variants struct {
	objs    []*cache.Object
	entries []*entry
}

// objects returns the variants. Nobody changes the slice.
func (r *record) objects() []*cache.Object {
	if r.many != nil {
		return r.many.objs
	}
	return r.only.objs[:]
}

// len returns how many variants there are.
func (r *record) len() int { return len(r.objects()) }

// entry returns the i-th variant.
func (r *record) entry(i int) *entry {
	if r.many != nil {
		return r.many.entries[i]
	}
	return r.only
}

// all returns the variants in a slice of the caller's own.
func (r *record) all() []*entry {
	if r.many != nil {
		return slices.Clone(r.many.entries)
	}
	return []*entry{r.only}
}

// set makes all the variants of r, and gives up the memory of a key that it no
// longer has. The caller holds the shard's mu, and all from then on.
func (r *record) set(all []*entry) {
	r.key = all[0].obj().Key()
	if len(all) == 1 {
		r.only, r.many = all[0], nil
		return
	}
	r.only, r.many = nil, &variants{objects(all), all}
}

// shard is the part of the index for the target URIs of one range of hashes,
// all origins and variants of a URI included.
type shard struct {
	mu      sync.RWMutex // guards closed, records and what readers use of a record; changed with Store.mu held too
	closed  bool
	records map[uint64]*record // by record.id, chained by record.next

	uris  map[uint64]*record // the newest record of each target URI by its hash, chained by record.nextURI; Store.mu guards it
	order *byURI             // of the whole Store; Store.mu guards it

	hits, misses atomic.Uint64
	_            [24]byte // keeps the counters of neighbours on other cache lines
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

// variant returns the position of the variant with the given selecting fields,
// or -1.
func (r *record) variant(s key.Selecting) int {
	return slices.IndexFunc(r.objects(), func(o *cache.Object) bool {
		return slices.Equal(o.Selecting.Names, s.Names) && slices.Equal(o.Selecting.Values, s.Values)
	})
}

// add enters e as a new variant of r, or of a new record when r is nil.
func (sh *shard) add(r *record, e *entry, hash, id uint64) {
	if r == nil {
		o := e.obj()
		sh.addRecord(&record{id: id, key: o.Key(), group: uint32(len(o.URI())), only: e}, hash)
		return
	}
	e.rec = r
	all := append(r.all(), e)
	sh.mu.Lock()
	r.set(all)
	sh.mu.Unlock()
}

// addRecord enters a record with its first variant.
func (sh *shard) addRecord(r *record, hash uint64) {
	r.only.rec = r
	sh.join(r, hash)
	sh.mu.Lock()
	r.next = sh.records[r.id]
	sh.records[r.id] = r
	sh.mu.Unlock()
}

// replace puts e where the i-th variant of r stood.
func (sh *shard) replace(r *record, i int, e *entry) {
	e.rec = r
	all := r.all()
	all[i] = e
	sh.mu.Lock()
	r.set(all)
	sh.mu.Unlock()
}

// remove takes e out, and its record with the last variant. hash is that of the
// target URI.
func (sh *shard) remove(e *entry, hash uint64) {
	r := e.rec
	e.rec = nil
	if r.only == e {
		sh.mu.Lock()
		sh.unlinkLocked(r)
		sh.mu.Unlock()
		sh.leave(r, hash)
		return
	}
	i := slices.Index(r.many.entries, e)
	all := slices.Delete(r.all(), i, i+1)
	sh.mu.Lock()
	r.set(all)
	sh.mu.Unlock()
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
