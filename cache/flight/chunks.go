package flight

import (
	"context"
	"sort"
)

// Overflow says why the content of a flight can no longer be stored.
type Overflow uint8

// The reasons for an overflow.
const (
	Fits     Overflow = iota // it has not overflowed
	TooLarge                 // longer than MaxBody
	NoBudget                 // all flights together keep too much
)

// Chunks begin small and double with the content, so that 1 KiB does not cost
// 64; an announced length is taken as it is, but never further ahead than
// maxChunk, since it is only the upstream's word.
const (
	minChunk = 4 << 10
	maxChunk = 64 << 10
)

// chunk is a piece of the content. Its memory belongs to the garbage collector
// alone: a reader may still hold it when the flight has dropped it.
type chunk struct {
	start   int64 // offset of buf[0] in the content
	buf     []byte
	charged bool // counts against the Budget
	adopted bool // the store's memory, not the flight's
}

func (c chunk) end() int64 { return c.start + int64(len(c.buf)) }

// baseLocked returns the offset of the first byte that is still kept.
func (b *body) baseLocked() int64 {
	if len(b.chunks) > 0 {
		return b.chunks[0].start
	}
	return b.size
}

// pieceLocked returns the bytes from pos on that lie in one chunk, at most
// limit of them if limit is positive. base ≤ pos < size.
func (b *body) pieceLocked(pos int64, limit int) []byte {
	i := sort.Search(len(b.chunks), func(i int) bool { return b.chunks[i].end() > pos })
	c := b.chunks[i]
	to := min(c.end(), b.size)
	if limit > 0 {
		to = min(to, pos+int64(limit))
	}
	return c.buf[pos-c.start : to-c.start : to-c.start]
}

func (b *body) configure(c Content) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.MaxBody > 0 {
		b.maxBody = c.MaxBody
	}
	b.expect, b.unwanted = max(c.Expect, 0), c.OnUnwanted
}

// brimful says that the memory is used up at a length where the content is
// likely to end: it is worth asking for more content before more memory.
func (b *body) brimful() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := len(b.tailLocked()) == 0
	return full && b.overflow == Fits && b.size > 0 && (b.size == b.expect || b.size == b.maxBody)
}

// tailLocked returns the memory behind the last byte.
func (b *body) tailLocked() []byte {
	if len(b.chunks) == 0 {
		return nil
	}
	c := b.chunks[len(b.chunks)-1]
	return c.buf[b.size-c.start:]
}

// room returns memory to write to, or why there can be none without an
// overflow. It waits only in an overflowed flight.
func (b *body) room(ctx context.Context, want int) ([]byte, Overflow, error) {
	for {
		b.mu.Lock()
		if b.finished {
			b.mu.Unlock()
			return nil, Fits, ErrClosed
		}
		fastest := int64(0)
		if b.overflow != Fits {
			if fastest = b.fastestLocked(); fastest < 0 {
				b.mu.Unlock()
				return nil, Fits, ErrNoReaders
			}
		}
		if tail := b.tailLocked(); len(tail) > 0 {
			b.mu.Unlock()
			return tail, Fits, nil
		}
		if b.overflow == Fits {
			n, why := b.chargeLocked(want)
			b.mu.Unlock()
			if why != Fits {
				return nil, why, nil
			}
			return b.extend(n, true), Fits, nil
		}
		n := min(maxChunk, b.window/4)
		b.dropLocked(fastest, n)
		if b.retained+n <= b.window {
			b.mu.Unlock()
			return b.extend(n, false), Fits, nil
		}
		space := make(chan struct{})
		b.space, b.need = space, b.chunks[0].end()
		b.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return nil, Fits, context.Cause(ctx)
		}
	}
}

// chargeLocked sizes the next chunk and takes it from the Budget.
func (b *body) chargeLocked(want int) (int64, Overflow) {
	left := b.maxBody - b.size
	if left <= 0 {
		return 0, TooLarge
	}
	n := max(minChunk, b.size, int64(want))
	if rest := b.expect - b.size; rest > 0 {
		n = rest
	}
	n = min(n, maxChunk, left)
	if !b.budget.acquire(n) {
		return 0, NoBudget
	}
	return n, Fits
}

// dropLocked drops chunks that the fastest reader has behind it, until n more
// bytes fit into the window.
func (b *body) dropLocked(fastest, n int64) {
	for len(b.chunks) > 0 && b.retained+n > b.window && b.chunks[0].end() <= fastest {
		b.refundLocked(b.chunks[0])
		b.chunks[0] = chunk{} // the array may live on
		b.chunks = b.chunks[1:]
	}
}

func (b *body) refundLocked(c chunk) {
	if c.adopted {
		return
	}
	b.retained -= int64(len(c.buf))
	if c.charged {
		b.budget.release(int64(len(c.buf)))
	}
}

// extend appends a chunk. The memory is made outside of mu: only the leader
// appends, so nothing can come between.
func (b *body) extend(n int64, charged bool) []byte {
	buf := make([]byte, n)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chunks = append(b.chunks, chunk{start: b.size, buf: buf, charged: charged})
	b.retained += n
	return buf
}

// commit makes n more bytes visible.
func (b *body) commit(n int) {
	if n <= 0 {
		return
	}
	b.mu.Lock()
	b.size += int64(n)
	b.wakeAndUnlock()
}

// wakeAndUnlock wakes every reader that waits. The channel is closed outside
// of mu, so that those who wake up find it free.
func (b *body) wakeAndUnlock() {
	grown := b.grown
	b.grown = nil
	b.mu.Unlock()
	if grown != nil {
		close(grown)
	}
}

// spill begins the overflow. The flight is out of its group already.
func (b *body) spill(why Overflow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.overflow, b.detached = why, true
}

// end finishes the content; only the first time counts. An error, or an
// overflow before, means that the flight is out of its group.
func (b *body) end(err error) {
	b.mu.Lock()
	if b.finished {
		b.mu.Unlock()
		return
	}
	b.finished, b.err, b.unwanted = true, err, nil
	if err != nil {
		b.detached = true
	}
	b.freeLocked()
	b.wakeAndUnlock()
}

// detach notes that nobody new will come.
func (b *body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = true
	b.freeLocked()
}

// freeLocked gives the memory back once nobody can ask for it.
func (b *body) freeLocked() {
	if !b.detached || b.seats+b.open > 0 || b.freed {
		return
	}
	b.freed = b.finished
	b.dropAllLocked()
}

func (b *body) dropAllLocked() {
	for _, c := range b.chunks {
		b.refundLocked(c)
	}
	b.chunks = nil
}

func (b *body) pieces() ([][]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || b.overflow != Fits || b.freed {
		return nil, false
	}
	pieces := make([][]byte, 0, len(b.chunks))
	for _, c := range b.chunks {
		n := min(c.end(), b.size) - c.start
		pieces = append(pieces, c.buf[:n:n])
	}
	return pieces, true
}

func (b *body) completeLocked() bool {
	return b.finished && b.err == nil && b.overflow == Fits && !b.freed
}

func (b *body) adopt(stored []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.completeLocked() || int64(len(stored)) != b.size || b.size == 0 {
		return
	}
	b.dropAllLocked()
	b.chunks = []chunk{{buf: stored, adopted: true}}
}
