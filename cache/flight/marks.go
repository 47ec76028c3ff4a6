package flight

import (
	"hash/maphash"
	"sync"
	"time"
)

// MarksOptions bound a Marks. The zero value is usable.
type MarksOptions struct {
	TTL time.Duration // how long a mark holds; 0 means 120 s
	Max int           // how many keys are remembered; 0 means 65 536
}

const (
	defaultMarkTTL = 120 * time.Second
	defaultMarks   = 1 << 16
)

// Marks remembers keys whose last answer could not be shared (hit-for-miss), so
// that requests for them go on alone instead of queueing for an answer that
// will be of no use to them, and why that was so. It is bounded: beyond Max the oldest mark goes,
// which costs one round of waiting. It keeps a 64-bit hash of a key, seeded a
// Marks; a collision costs one collapsing. It is safe for concurrent use; make
// one with NewMarks. Time is the caller's.
type Marks struct {
	ttl  time.Duration
	max  int
	seed maphash.Seed

	mu    sync.Mutex       // guards everything below
	index map[uint64]int32 // hash → place in slots
	slots []mark           // slots[0] is the ring's anchor: next is the oldest, prev the newest
	free  []int32          // places that Clear left
}

// mark is a link of the ring, in order of time.
type mark struct {
	hash       uint64
	at         time.Time
	prev, next int32
	why        uint8
}

// NewMarks makes an empty Marks.
func NewMarks(opt MarksOptions) *Marks {
	if opt.TTL <= 0 {
		opt.TTL = defaultMarkTTL
	}
	if opt.Max <= 0 {
		opt.Max = defaultMarks
	}
	return &Marks{
		ttl: opt.TTL, max: min(opt.Max, 1<<30), seed: maphash.MakeSeed(),
		index: make(map[uint64]int32), slots: make([]mark, 1),
	}
}

// Mark remembers key from now on, with why, which is the caller's to read; a
// mark that is there begins anew. The key is not kept.
func (m *Marks) Mark(key []byte, why uint8, now time.Time) {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.index[h]
	switch {
	case ok:
		m.unlinkLocked(i)
	case len(m.index) >= m.max:
		i = m.slots[0].next
		m.unlinkLocked(i)
		delete(m.index, m.slots[i].hash)
	case len(m.free) > 0:
		i = m.free[len(m.free)-1]
		m.free = m.free[:len(m.free)-1]
	default:
		i = int32(len(m.slots))
		m.slots = append(m.slots, mark{})
	}
	newest := m.slots[0].prev
	m.slots[i] = mark{hash: h, at: now, prev: newest, why: why}
	m.slots[newest].next = i
	m.slots[0].prev = i
	m.index[h] = i
}

// Marked says whether key has a mark that still holds, and why it was marked. A
// clock that jumped by more than the TTL, either way, ends a mark.
func (m *Marks) Marked(key []byte, now time.Time) (why uint8, ok bool) {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.index[h]
	if !ok {
		return 0, false
	}
	if age := now.Sub(m.slots[i].at); age < m.ttl && age > -m.ttl {
		return m.slots[i].why, true
	}
	m.removeLocked(i)
	return 0, false
}

// Clear forgets key: its answers can be shared again.
func (m *Marks) Clear(key []byte) {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, ok := m.index[h]; ok {
		m.removeLocked(i)
	}
}

// Len returns how many keys are remembered, expired ones that nobody has asked
// for since included.
func (m *Marks) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.index)
}

func (m *Marks) removeLocked(i int32) {
	m.unlinkLocked(i)
	delete(m.index, m.slots[i].hash)
	m.free = append(m.free, i)
}

func (m *Marks) unlinkLocked(i int32) {
	s := m.slots[i]
	m.slots[s.prev].next = s.next
	m.slots[s.next].prev = s.prev
}
