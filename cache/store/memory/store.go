package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"veneer/cache"
	"veneer/cache/key"
)

// ErrClosed is returned by every method of a closed Store that can fail.
var ErrClosed = errors.New("cache/store/memory: the store is closed")

// Config says how much a Store may hold. The zero values of all but Size stand
// for the defaults.
type Config struct {
	Size      int64   // bytes, by Object.Cost; at least MinSize
	Window    float64 // the window's part of Size, 0.01 to 0.5; default DefaultWindow
	MaxObject int64   // bytes, by Object.Cost; what is larger is not admitted; default an eighth of Size
	Shards    int     // of the index, rounded up to a power of two, at most 4096; default 256
}

const (
	// MinSize is the least Config.Size, in bytes.
	MinSize = 64 << 10
	// DefaultWindow is the window's part of the budget.
	DefaultWindow = 0.2

	defaultShards = 256
	maxShards     = 4096
	epochStripes  = 64 << 10 // a power of two
)

// Store is a cache.Store in memory. It is safe for concurrent use; make one
// with New, and Close it when its last user has ended.
type Store struct {
	hash      hasher
	shards    []shard
	shift     uint // a hash shifted right by it is the number of its shard
	size      int64
	maxObject int64
	policy    *policy // admission's, for touch

	// The number of purges so far, by hash of the target URI, and of those of
	// everything. Read at any time, changed with mu held.
	epochs   [epochStripes]atomic.Uint64
	epochAll atomic.Uint64
	log      cache.PurgeLog // of those by prefix and tag; added to with mu held

	rejections atomic.Uint64

	mu        sync.Mutex // one writer at a time; guards all below and every change of the index
	admission admission
	tags      tagIndex
	order     byURI
	objects   int
	bytes     int64
	evictions uint64
	closed    bool
}

var (
	_ cache.Store    = (*Store)(nil)
	_ cache.Foreseer = (*Store)(nil)
	_ cache.Glancer  = (*Store)(nil)
	_ cache.Peeker   = (*Store)(nil)
)

// New returns an empty Store.
func New(cfg Config) (*Store, error) {
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.MaxObject == 0 {
		cfg.MaxObject = cfg.Size / 8
	}
	if cfg.Shards == 0 {
		cfg.Shards = defaultShards
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	window := int64(float64(cfg.Size) * cfg.Window)
	p, err := newPolicy(cfg.Size - window)
	if err != nil {
		return nil, err
	}
	width := bits.Len(uint(cfg.Shards - 1))
	s := &Store{
		hash:      hasher{seed: maphash.MakeSeed(), mask: ^uint64(0)},
		shards:    make([]shard, 1<<width),
		shift:     uint(64 - width),
		size:      cfg.Size,
		maxObject: cfg.MaxObject,
		policy:    p,
		admission: admission{policy: p},
		tags:      make(tagIndex),
	}
	s.admission.window.init(window)
	for i := range s.shards {
		s.shards[i].records = make(map[uint64]*record)
		s.shards[i].uris = make(map[uint64]*record)
		s.shards[i].order = &s.order
	}
	return s, nil
}

// check finds all faults of a configuration whose defaults are filled in.
func (c Config) check() error {
	var errs []error
	if c.Size < MinSize {
		errs = append(errs, fmt.Errorf("size %d is below %d bytes", c.Size, MinSize))
	}
	if !(c.Window >= 0.01 && c.Window <= 0.5) { // also of NaN
		errs = append(errs, fmt.Errorf("window %g is not between 0.01 and 0.5", c.Window))
	}
	if c.MaxObject < 0 || c.MaxObject > c.Size {
		errs = append(errs, fmt.Errorf("largest object %d is not between 1 and size", c.MaxObject))
	}
	if c.Shards < 1 || c.Shards > maxShards {
		errs = append(errs, fmt.Errorf("%d shards are not between 1 and %d", c.Shards, maxShards))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make a memory store: %w", err)
	}
	return nil
}

// Get returns the Object that sel selects among the variants of k, or nil. sel
// is called without a lock held and sees the variants as they stood at one
// moment. Hit or miss counts as a use of k. Get allocates nothing.
func (s *Store) Get(_ context.Context, k key.Key, sel cache.Selector) (*cache.Object, error) {
	hash, id := s.hash.bytes(k)
	sh := s.shard(hash)
	sh.mu.RLock()
	if sh.closed {
		sh.mu.RUnlock()
		return nil, ErrClosed
	}
	s.policy.touch(id)
	var e *entry
	var all *variants
	if r := sh.lookup(id, k.Bytes); r != nil {
		e, all = r.only, r.many
	}
	sh.mu.RUnlock()

	if e = selected(e, all, sel); e == nil {
		sh.misses.Add(1)
		return nil, nil
	}
	sh.used(e)
	if e.id != id {
		sh.touch(s.policy, e.id, e.id)
	}
	return e.obj(), nil
}

// selected asks sel for one of the variants of a record, and returns nil where
// it wants none.
func selected(only *entry, many *variants, sel cache.Selector) *entry {
	switch {
	case many != nil:
		if i := sel.Select(many.objs); i >= 0 && i < len(many.entries) {
			return many.entries[i]
		}
	case only != nil && sel.Select(only.objs[:]) == 0:
		return only
	}
	return nil
}

// Glance implements cache.Glancer.
func (s *Store) Glance(k key.Key, sel cache.Selector) *cache.Object {
	hash, id := s.hash.bytes(k)
	sh := s.shard(hash)
	sh.mu.RLock()
	var e *entry
	var all *variants
	if r := sh.lookup(id, k.Bytes); r != nil { // there is none in a closed one
		e, all = r.only, r.many
	}
	sh.mu.RUnlock()
	if e = selected(e, all, sel); e == nil {
		return nil
	}
	sh.used(e)
	sh.touch(s.policy, id, e.id)
	return e.obj()
}

// used counts a hit of one variant.
func (sh *shard) used(e *entry) {
	sh.hits.Add(1)
	if !e.hit.Load() {
		e.hit.Store(true)
	}
}

// touch counts a use of a primary key and of a variant under it, which may have
// the same id, unless the store is closed.
func (sh *shard) touch(p *policy, id, variant uint64) {
	sh.mu.RLock()
	if !sh.closed {
		p.touch(id)
		if variant != id {
			p.touch(variant)
		}
	}
	sh.mu.RUnlock()
}

// Put stores o, as cache.Store says. An Object above Config.MaxObject is not
// admitted; a smaller one that fits the window always is.
func (s *Store) Put(_ context.Context, o *cache.Object, opt cache.PutOptions) error {
	e := newEntry(o)
	hash, id := s.hash.strings(o.Key(), len(o.URI()))
	e.id = s.hash.variant(id, o.Selecting)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.Purged(o, opt.Epoch, cache.Epoch{URI: s.epoch(hash), Log: s.log.Last()}):
		return cache.ErrPurged
	}
	sh := s.shard(hash)
	r := sh.record(id, o.Key())
	at := -1
	if r != nil {
		at = r.variant(o.Selecting)
	}
	if err := sh.checkCaps(r, at, hash, o, opt); err != nil {
		return err
	}
	if e.id != id {
		s.policy.touch(e.id) // the lookup that missed knew the primary key only
	}
	var old *entry
	if at >= 0 {
		old = r.entry(at)
	}
	return s.admitLocked(sh, e, old, hash, id)
}

// Foresee implements cache.Foreseer.
func (s *Store) Foresee(o *cache.Object, opt cache.PutOptions) error {
	hash, id := s.hash.strings(o.Key(), len(o.URI()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	sh, at := s.shard(hash), -1
	r := sh.record(id, o.Key())
	if r != nil {
		at = r.variant(o.Selecting)
	}
	return sh.checkCaps(r, at, hash, o, opt)
}

// admitLocked makes room for e and enters it in the place of old, or refuses.
func (s *Store) admitLocked(sh *shard, e, old *entry, hash, id uint64) error {
	admitted := e.cost <= s.maxObject && s.admission.admit(e, old)
	s.dropLosers()
	if !admitted {
		s.rejections.Add(1)
		return cache.ErrNotAdmitted
	}
	s.enter(sh, e, old, hash, id)
	return nil
}

// checkCaps refuses what would add a variant or a primary key too many. What
// replaces a variant adds neither.
func (sh *shard) checkCaps(r *record, at int, hash uint64, o *cache.Object, opt cache.PutOptions) error {
	switch {
	case at >= 0:
		return nil
	case r != nil:
		if opt.Variants > 0 && r.len() >= opt.Variants {
			return cache.ErrTooManyVariants
		}
	case opt.Origins > 0:
		if r := sh.newest(hash, o.URI()); r != nil && int(r.n) >= opt.Origins {
			return cache.ErrTooManyOrigins
		}
	}
	return nil
}

// enter makes an admitted entry visible, in the place of old if there is one.
func (s *Store) enter(sh *shard, e, old *entry, hash, id uint64) {
	if old != nil {
		r := old.rec
		sh.replace(r, slices.Index(r.objects(), old.obj()), e)
		old.rec = nil
		s.tags.remove(old)
		s.objects--
		s.bytes -= old.cost
	} else {
		// Looked up again: making room may have removed the record.
		sh.add(sh.record(id, e.obj().Key()), e, hash, id)
	}
	s.tags.add(e)
	s.objects++
	s.bytes += e.cost
}

// dropLosers takes out of the index whom admission gave up.
func (s *Store) dropLosers() {
	losers := s.admission.takeLosers()
	for i, e := range losers {
		s.drop(e)
		losers[i] = nil
	}
	s.evictions += uint64(len(losers))
}

// drop takes an entry that is accounted nowhere out of index and tags.
func (s *Store) drop(e *entry) {
	hash, _ := s.hash.strings(e.obj().Key(), len(e.obj().URI()))
	s.shard(hash).remove(e, hash)
	s.forget(e)
}

// forget takes an entry that left the index out of tags and sums.
func (s *Store) forget(e *entry) {
	s.tags.remove(e)
	s.objects--
	s.bytes -= e.cost
}

// Close ends the Store's goroutines and forgets its Objects. Every other
// method may run beside it and returns ErrClosed or nothing afterwards. A
// second Close does nothing.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.closed, sh.records = true, nil
		sh.mu.Unlock()
		sh.uris = nil
	}
	s.policy.close()
	s.admission.window.init(s.admission.window.size)
	s.admission.window.bytes = 0
	s.tags, s.order = make(tagIndex), byURI{}
	s.objects, s.bytes = 0, 0
}

func (s *Store) shard(hash uint64) *shard { return &s.shards[hash>>s.shift] }
