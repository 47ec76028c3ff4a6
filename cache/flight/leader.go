package flight

import (
	"context"
	"errors"
	"io"
)

// Content is what the leader knows of the content when it publishes the head.
type Content struct {
	// MaxBody replaces Options.MaxBody, if positive.
	MaxBody int64
	// Expect is the length in bytes that was announced, 0 or less if none was.
	// It only sizes the memory: the true length may differ. One beyond MaxBody
	// overflows the flight at once; Release is the kinder answer to it, since
	// an overflowed flight cuts slow readers off.
	Expect int64
	// OnOverflow is called by the leader's goroutine when the flight
	// overflows, at most once, after it has left its group.
	OnOverflow func(Overflow)
	// OnUnwanted is called at most once, when an overflowed flight has lost
	// its last reader: nothing that still arrives can be of use. It runs in
	// the goroutine that noticed (a reader's or the leader's), perhaps after a
	// Write has said ErrNoReaders, and must not block; cancelling the fill's
	// context is what it is for.
	OnUnwanted func()
}

// Publish (leader) shows the head to everybody who waits, now and until the
// flight leaves its group, and opens the content. Only what may be shared is
// published. ctx is the fill's: it ends a Write that waits for readers. The
// first of Publish, Release and Fail decides; the others do nothing then.
func (f *Flight[H]) Publish(ctx context.Context, h H, c Content) {
	if f.state != Pending {
		return
	}
	f.ctx, f.content = ctx, c
	f.body.configure(c)
	tooLarge := f.body.expect > f.body.maxBody
	if tooLarge {
		f.leaveGroup()
		f.body.spill(TooLarge)
	}
	f.state, f.head = Published, h
	close(f.decided)
	if tooLarge {
		f.overflowHooks(TooLarge)
	}
}

// Release (leader) frees everybody who waits at once: what arrived cannot be
// shared. Nothing of it passes through the flight but why, a number of the
// caller's own. The flight is out of its group before the first waiter is
// free, so a waiter that joins again does not find it; whoever keeps Marks
// marks the key before it releases, or the waiters collapse anew.
func (f *Flight[H]) Release(why uint8) {
	if f.state != Pending {
		return
	}
	f.leaveGroup()
	f.body.end(ErrClosed)
	f.state, f.why = Released, why
	close(f.decided)
}

// Fail (leader) ends the flight with an error; nil means ErrAbandoned. Before
// the head every waiter gets it from Wait; after it, readers get it behind the
// bytes that were written before. The flight leaves its group first.
func (f *Flight[H]) Fail(err error) {
	if err == nil {
		err = ErrAbandoned
	}
	f.leaveGroup()
	f.body.end(err)
	if f.state == Pending {
		f.state, f.err = Failed, err
		close(f.decided)
	}
}

// Finish (leader) ends the content; nil means that it is complete. Readers see
// its end at once, before it is stored. A complete flight stays in its group
// until Leave, so a request that comes meanwhile still finds it; a broken one
// leaves at once, as Fail does. Only the first Finish or Fail counts.
func (f *Flight[H]) Finish(err error) {
	if err != nil || f.state != Published {
		f.Fail(err)
		return
	}
	f.body.end(nil)
}

// Leave (leader) is the last step, idempotent and fit to be deferred: it takes
// the flight out of its group, after the object has been stored, so that every
// request finds one or the other. Its order is
//
//	Publish → Write… → Chunks, store → Finish → Adopt → Leave
//
// A flight that has not ended by then fails with ErrAbandoned. Memory goes
// back to the Budget with Leave or with the last reader, whichever is later.
func (f *Flight[H]) Leave() {
	f.leaveGroup()
	if !f.body.ended() {
		f.Fail(ErrAbandoned)
	}
	f.body.detach()
	f.leave.Do(func() { close(f.left) })
}

// leaveGroup hides the flight from Join. Idempotent: a successor under the
// same key is not touched.
func (f *Flight[H]) leaveGroup() {
	g := f.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flights[f.key] == f {
		delete(g.flights, f.key)
	}
}

// Chunks (leader) returns the content that was written so far in pieces, and
// true unless it is broken, has overflowed or has been given back. The pieces
// are read-only; they may be kept, but only the flight's time counts against
// the Budget.
func (f *Flight[H]) Chunks() ([][]byte, bool) { return f.body.pieces() }

// Adopt (leader) hands readers over to body, the stored copy of the content,
// and gives the flight's own memory back: otherwise slow readers of flights
// that ended long ago would use the Budget up. Nobody may change body after.
// It does nothing if the content is not complete or its length differs.
func (f *Flight[H]) Adopt(body []byte) { f.body.adopt(body) }

// Write (leader) appends a copy of p. It waits only when the flight has
// overflowed and its fastest reader has the whole window still to read;
// ErrNoReaders then means that there is no such reader, and the cause of
// Publish's ctx that it ended. ErrClosed: there is no content to write to.
func (f *Flight[H]) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		free, err := f.room(len(p) - n)
		if err != nil {
			return n, err
		}
		m := copy(free, p[n:])
		f.body.commit(m)
		n += m
	}
	return n, nil
}

// maxEmptyReads is how many reads in a row may bring nothing, as in bufio.
const maxEmptyReads = 100

// ReadFrom (leader) appends what src brings until its end, read straight into
// the flight's memory. Errors are src's own (nil for io.EOF) or Write's. It
// does not Finish.
func (f *Flight[H]) ReadFrom(src io.Reader) (int64, error) {
	var (
		total int64
		probe []byte
		empty int
	)
	for {
		var (
			buf []byte
			err error
		)
		probing := f.body.brimful()
		if probing { // more memory only if there is more content
			if probe == nil {
				probe = make([]byte, 512)
			}
			buf = probe
		} else if buf, err = f.room(0); err != nil {
			return total, err
		}
		n, rerr := src.Read(buf)
		if n < 0 || n > len(buf) {
			return total, errors.New("flight: BUG: reader returned an impossible count")
		}
		if probing {
			n, err = f.Write(buf[:n])
		} else {
			f.body.commit(n)
		}
		total += int64(n)
		switch {
		case err != nil:
			return total, err
		case rerr == io.EOF:
			return total, nil
		case rerr != nil:
			return total, rerr
		case n > 0:
			empty = 0
		default:
			if empty++; empty >= maxEmptyReads {
				return total, io.ErrNoProgress
			}
		}
	}
}

// room returns memory behind the last byte written, at least one byte of it.
// want is how much is about to come, 0 if unknown.
func (f *Flight[H]) room(want int) ([]byte, error) {
	if f.state != Published {
		return nil, ErrClosed
	}
	for {
		free, why, err := f.body.room(f.ctx, want)
		if why == Fits {
			return free, err
		}
		f.leaveGroup()
		f.body.spill(why)
		f.overflowHooks(why)
	}
}

// overflowHooks tells the leader's side what has happened, without any lock.
func (f *Flight[H]) overflowHooks(why Overflow) {
	if f.content.OnOverflow != nil {
		f.content.OnOverflow(why)
	}
	f.body.recheck()
}
