package key

import (
	"strings"
	"sync/atomic"
)

// memo remembers the normal forms of values that clients send over and over:
// the browsers of the world have a few dozen for Accept-Encoding. It is bounded
// and takes no lock. What it does not know is worked out, so a client that
// sends something new each time gains nothing and displaces little.
type memo struct {
	slots [memoSlots]atomic.Pointer[remembered]
	asked atomic.Uint32 // how often it did not know, for a slot that was taken
}

type remembered struct{ value, normal string }

const (
	memoSlots = 256 // a power of two
	// memoValue bounds the values that are remembered, in bytes.
	memoValue = 128
	// memoPatience is how often a taken slot is asked for something else before
	// it is given up.
	memoPatience = 64
)

var encodings, languages memo

// memoOf returns the memo of a field, or nil.
func memoOf(name string) *memo {
	switch name {
	case "Accept-Encoding":
		return &encodings
	case "Accept-Language":
		return &languages
	}
	return nil
}

func (m *memo) slot(value string) *atomic.Pointer[remembered] {
	h := uint32(2166136261) // FNV-1a, of every byte of short values and some of others
	for i := 0; i < len(value); i += 1 + len(value)/16 {
		h = (h ^ uint32(value[i])) * 16777619
	}
	h = (h ^ uint32(len(value))) * 16777619
	return &m.slots[(h^h>>16)%memoSlots]
}

// get returns the normal form of value, if it is known.
func (m *memo) get(value string) (normal string, ok bool) {
	if len(value) > memoValue {
		return "", false
	}
	if r := m.slot(value).Load(); r != nil && r.value == value {
		return r.normal, true
	}
	return "", false
}

// put remembers that value has that normal form. It copies both.
func (m *memo) put(value string, normal []byte) {
	if len(value) > memoValue || len(normal) > 2*memoValue {
		return
	}
	slot := m.slot(value)
	if slot.Load() != nil && m.asked.Add(1)%memoPatience != 0 {
		return
	}
	slot.Store(&remembered{strings.Clone(value), string(normal)})
}
