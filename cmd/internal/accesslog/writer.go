package accesslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// writer takes lines and writes them from a goroutine of its own.
//
// There is one lock and one buffer, so lines stand in the order in which requests
// ended. The lock is held while a line is copied, which is a few nanoseconds
// beside the hundreds that the rest of a line takes.
type writer struct {
	log  *slog.Logger
	wake chan struct{} // there is something to do; holds one
	end  chan struct{} // closed by close
	done sync.WaitGroup

	slow, failed atomic.Int64  // lines that were lost
	lossy        chan struct{} // one of them has grown; holds one

	mu      sync.Mutex // guards what follows
	out     *output    // where filling goes
	filling []byte
	queue   []piece
	pending int // bytes of filling, of queue, and of what is being written
	spare   [][]byte
	size    int // of a buffer
	flush   time.Duration
	closed  bool
	writing *output // by the goroutine, at the moment; nil: it does not write
	why     error   // the last one that lines were lost for, since it was said

	saidSlow, saidFailed int64 // of slow and failed
}

// piece is what is written next: whole lines, or the end of an output.
type piece struct {
	b  []byte // nil: close to
	to *output
}

const (
	// maxPending is how many buffers may wait.
	maxPending = 64
	// maxSpare is how many empty ones are kept.
	maxSpare = 4
	// maxEnds is how many outputs may wait for their end: each is an open file.
	maxEnds = 8
	// quiet is how long nothing more is said of lines that are lost.
	quiet = time.Minute
)

func newWriter(out *output, size int, flush time.Duration, log *slog.Logger) *writer {
	w := &writer{
		log: log, out: out, size: size, flush: flush,
		wake: make(chan struct{}, 1), end: make(chan struct{}), lossy: make(chan struct{}, 1),
	}
	w.done.Go(w.run)
	w.done.Go(w.complain)
	return w
}

// add takes a line, or drops it.
func (w *writer) add(line []byte) {
	w.mu.Lock()
	if w.closed || w.pending+len(line) > maxPending*w.size {
		w.mu.Unlock()
		w.slow.Add(1)
		signal(w.lossy)
		return
	}
	first := len(w.filling) == 0
	full := !first && len(w.filling)+len(line) > w.size
	if full {
		w.seal()
	}
	if w.filling == nil {
		w.filling = w.empty()
	}
	w.filling = append(w.filling, line...)
	w.pending += len(line)
	now := full || first && w.flush == 0
	w.mu.Unlock()
	if now {
		signal(w.wake)
	}
}

// signal wakes whoever waits on c, now or when it looks next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// seal queues what was gathered. w.mu is held.
func (w *writer) seal() {
	if len(w.filling) > 0 {
		w.queue = append(w.queue, piece{b: w.filling, to: w.out})
		w.filling = nil
	}
}

// empty returns a buffer. w.mu is held.
func (w *writer) empty() []byte {
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b
	}
	return make([]byte, 0, w.size)
}

// retune changes the buffer and the time that lines wait.
func (w *writer) retune(size int, flush time.Duration) {
	w.mu.Lock()
	w.size, w.flush, w.spare = size, flush, nil
	w.mu.Unlock()
	signal(w.wake)
}

// turnTo ends the output in use behind what was added until now, and goes on
// with out. It takes over out: when it fails out is closed.
func (w *writer) turnTo(out *output) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ends := 0
	for _, p := range w.queue {
		if p.b == nil {
			ends++
		}
	}
	if w.closed || ends >= maxEnds {
		_ = out.close()
		return errors.New("cannot open the access log again: what was opened before is still waiting to be written")
	}
	w.seal()
	w.queue = append(w.queue, piece{to: w.out})
	w.out = out
	signal(w.wake)
	return nil
}

// run is the goroutine that writes.
func (w *writer) run() {
	var tick <-chan time.Time
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	every := time.Duration(0)
	for {
		if flush := w.flushes(); flush != every {
			if every, tick = flush, nil; flush > 0 {
				ticker.Reset(flush)
				tick = ticker.C
			}
		}
		select {
		case <-w.wake:
			w.drain(w.flushes() == 0) // every is older than the change that may have woken us
		case <-tick:
			w.drain(true)
		case <-w.end:
			w.drain(true)
			return
		}
	}
}

func (w *writer) flushes() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush
}

// drain writes what is queued, and with all also what is still being gathered.
func (w *writer) drain(all bool) {
	for {
		p, ok := w.next(all)
		if !ok {
			return
		}
		if p.b == nil {
			if err := p.to.close(); err != nil {
				w.log.Warn("access log: closing failed", "error", err)
			}
			continue
		}
		lost, err := p.to.write(p.b)
		w.wrote(p, lost, err)
	}
}

// next takes a piece off the queue.
func (w *writer) next(all bool) (piece, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 && all {
		w.seal()
	}
	if len(w.queue) == 0 {
		w.queue = nil
		return piece{}, false
	}
	p := w.queue[0]
	w.queue[0] = piece{}
	w.queue = w.queue[1:]
	if p.b != nil {
		w.writing = p.to
	}
	return p, true
}

// wrote ends the writing of a piece.
func (w *writer) wrote(p piece, lost int, err error) {
	w.mu.Lock()
	w.pending -= len(p.b)
	w.writing = nil
	if len(w.spare) < maxSpare && cap(p.b) >= w.size && cap(p.b) <= 2*w.size {
		w.spare = append(w.spare, p.b[:0])
	}
	if err != nil {
		w.why = err
	}
	w.mu.Unlock()
	if lost > 0 {
		w.failed.Add(int64(lost))
		signal(w.lossy)
	}
}

// complain is the goroutine that says what was lost.
func (w *writer) complain() {
	for {
		select {
		case <-w.lossy:
		case <-w.end:
			return // close says the rest
		}
		w.say()
		select {
		case <-time.After(quiet):
		case <-w.end:
			return
		}
	}
}

// say logs what was lost since it was last called.
func (w *writer) say() {
	slow, failed := w.slow.Load(), w.failed.Load()
	w.mu.Lock()
	lateNow, failedNow, why := slow-w.saidSlow, failed-w.saidFailed, w.why
	w.saidSlow, w.saidFailed, w.why = slow, failed, nil
	w.mu.Unlock()
	if lateNow > 0 {
		w.log.Warn("access log: lines were dropped, the output takes them too slowly", "lines", lateNow,
			"fix", "a faster disk or reader, a larger telemetry.access_log.buffer, or a sample below 1")
	}
	if failedNow > 0 {
		w.log.Warn("access log: lines could not be written", "lines", failedNow, "error", why)
	}
}

// close writes what is left, until ctx ends.
func (w *writer) close(ctx context.Context) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.seal()
	w.queue = append(w.queue, piece{to: w.out})
	w.mu.Unlock()
	close(w.end)
	ended := make(chan struct{})
	go func() { w.done.Wait(); close(ended) }()
	select {
	case <-ended:
		w.say()
		return nil
	case <-ctx.Done():
	}
	left, free := w.abandon()
	if free {
		<-ended
		w.say()
	}
	return fmt.Errorf("cannot write the end of the access log in time: %d lines are lost: %w", left, context.Cause(ctx))
}

// abandon drops what waits, and ends the write that keeps it waiting. It reports
// how many lines are lost at least, and whether the goroutines end now. They may
// hang where nobody takes what a process writes to its stdout: then they end with
// the process.
func (w *writer) abandon() (left int, free bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.queue[:0:0]
	for _, p := range w.queue {
		if p.b == nil {
			rest = append(rest, p)
		}
		left += lines(p.b)
		w.pending -= len(p.b)
	}
	w.queue = rest
	w.slow.Add(int64(left))
	return left, w.writing == nil || w.writing.interrupt()
}
