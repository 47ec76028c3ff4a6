package flight

import (
	"context"
	"errors"
	"io"
)

// Reader is one client's place in the content of a flight. It reads what is
// there at once and waits for more. It belongs to one goroutine; only Close
// may be called from another, and does not wake up a read that waits (the
// context does).
//
// Reads return io.EOF at the complete end, the leader's error behind the last
// byte of an incomplete content, ErrLagging when an overflowed flight has left
// the reader behind, the cause of the context given to Wait when it ends while
// the reader waits, and ErrClosed after Close.
type Reader struct {
	b   *body
	ctx context.Context

	// Guarded by b.mu. pos is behind what was handed out, not behind what the
	// client has taken.
	pos        int64
	closed     bool
	prev, next *Reader
}

// Next returns the next piece of the content, at least one byte and at most
// 64 KiB (or what Adopt brought). It is shared and read-only; it never changes
// and may be kept.
func (r *Reader) Next() ([]byte, error) { return r.take(0) }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	piece, err := r.take(len(p))
	return copy(p, piece), err
}

// WriteTo implements io.WriterTo: the rest of the content, piece by piece,
// without a copy. w must not change what it is given.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		piece, err := r.take(0)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(piece)
		total += int64(n)
		if err == nil && n < len(piece) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
}

// Ready says that the next read would not wait. A server flushes when it is
// not: then the client has all that there is.
func (r *Reader) Ready() bool {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.closed || r.b.finished || r.pos < r.b.size
}

// Close gives the place up. It is idempotent and never fails.
func (r *Reader) Close() error {
	r.b.remove(r)
	return nil
}

// take hands out the next piece, at most limit bytes if limit is positive.
func (r *Reader) take(limit int) ([]byte, error) {
	b := r.b
	for {
		b.mu.Lock()
		switch {
		case r.closed:
			b.mu.Unlock()
			return nil, ErrClosed
		case r.pos < b.baseLocked():
			b.mu.Unlock()
			return nil, ErrLagging
		case r.pos < b.size:
			piece := b.pieceLocked(r.pos, limit)
			r.pos += int64(len(piece))
			if b.space != nil && r.pos >= b.need {
				close(b.space)
				b.space = nil
			}
			b.mu.Unlock()
			return piece, nil
		case b.finished:
			err := b.err
			b.mu.Unlock()
			if err == nil {
				err = io.EOF
			}
			return nil, err
		}
		if b.grown == nil {
			b.grown = make(chan struct{})
		}
		grown := b.grown
		b.mu.Unlock()
		select {
		case <-grown:
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		}
	}
}
