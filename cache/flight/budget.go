package flight

import "sync/atomic"

// Budget bounds the memory of all flights that share it, in bytes. Nothing
// waits for it: a flight that gets no more overflows. A nil Budget has no
// bound. It is safe for concurrent use.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget makes a Budget of limit bytes. 0 or less grants nothing.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// InUse returns how many bytes are taken.
func (b *Budget) InUse() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

func (b *Budget) acquire(n int64) bool {
	if b == nil {
		return true
	}
	for {
		used := b.used.Load()
		if n > b.limit-used {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (b *Budget) release(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}
