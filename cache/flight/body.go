package flight

import (
	"context"
	"sync"
)

// body is the content of a flight and the places of its readers. Bytes below
// size never change, so they are copied outside of mu; only the leader touches
// those behind it.
type body struct {
	mu sync.Mutex // guards everything below; held for bookkeeping only

	maxBody, window, expect int64
	budget                  *Budget
	unwanted                func() // Content.OnUnwanted, until it was called or the content ended

	chunks   []chunk
	size     int64 // bytes written
	retained int64 // bytes of memory in chunks that are the flight's own
	overflow Overflow
	finished bool
	err      error // why it finished; nil if complete
	detached bool  // out of the group: nobody new will come
	freed    bool

	seats int     // joined, Wait has not returned yet
	first *Reader // open readers, doubly linked
	open  int

	grown chan struct{} // closed at the next change; nil when nobody waits
	space chan struct{} // closed when a reader is past need; nil unless the leader waits
	need  int64
}

func (b *body) sit() {
	b.mu.Lock()
	b.seats++
	b.mu.Unlock()
}

// stand gives a seat back without a Reader.
func (b *body) stand() {
	b.mu.Lock()
	b.seats--
	b.goneAndUnlock()
}

// reader turns a seat into a Reader at the beginning of the content.
func (b *body) reader(ctx context.Context) (*Reader, error) {
	b.mu.Lock()
	b.seats--
	err := b.err
	if err == nil && b.baseLocked() > 0 {
		err = ErrLagging
	}
	if err != nil {
		b.goneAndUnlock()
		return nil, err
	}
	r := &Reader{b: b, ctx: ctx, next: b.first}
	if r.next != nil {
		r.next.prev = r
	}
	b.first = r
	b.open++
	b.mu.Unlock()
	return r, nil
}

// remove closes a Reader's place.
func (b *body) remove(r *Reader) {
	b.mu.Lock()
	if r.closed {
		b.mu.Unlock()
		return
	}
	r.closed = true
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		b.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
	b.open--
	b.goneAndUnlock()
}

// goneAndUnlock sees to what hangs on a client that has gone.
func (b *body) goneAndUnlock() {
	b.freeLocked()
	if b.overflow != Fits && b.space != nil && b.fastestLocked() < 0 {
		close(b.space) // the leader waits for nobody
		b.space = nil
	}
	call := b.unwantedLocked()
	b.mu.Unlock()
	if call != nil {
		call()
	}
}

// recheck calls OnUnwanted if an overflow found nobody.
func (b *body) recheck() {
	b.mu.Lock()
	b.goneAndUnlock()
}

// unwantedLocked returns OnUnwanted if this is the time to call it.
func (b *body) unwantedLocked() func() {
	if b.unwanted == nil || b.overflow == Fits || b.fastestLocked() >= 0 {
		return nil
	}
	call := b.unwanted
	b.unwanted = nil
	return call
}

// fastestLocked returns the furthest position of anybody who can still read
// on, or -1. Who has not woken up yet stands at the beginning.
func (b *body) fastestLocked() int64 {
	base, fastest := b.baseLocked(), int64(-1)
	if b.seats > 0 && base == 0 {
		fastest = 0
	}
	for r := b.first; r != nil; r = r.next {
		if r.pos >= base {
			fastest = max(fastest, r.pos)
		}
	}
	return fastest
}

func (b *body) readers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seats + b.open
}

func (b *body) memory() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.retained
}

func (b *body) written() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

func (b *body) overflowed() Overflow {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.overflow
}

func (b *body) complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.finished && b.err == nil && b.overflow == Fits
}

func (b *body) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.finished
}
