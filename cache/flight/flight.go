// Package flight collapses concurrent requests for one key into one fill, and
// lets everybody read the answer while it still arrives (RFC 9111 §4 allows a
// cache to collapse requests; what is shared is the engine's decision).
//
// It knows nothing of HTTP: a flight has a key, a head of some type H and a
// growing content. One goroutine, the leader, fills it; it is nobody's client
// goroutine, so a client that leaves, the one whose request began the flight
// included, is only one reader less.
//
//	Join ─ Wait ─┬─ Published: head + Reader   (storable)
//	             ├─ Released: go on alone      (not storable; known at the head)
//	             └─ Failed: the error          (nothing arrived)
//
// Memory is bounded: what a flight keeps by Content.MaxBody, what all keep by
// a Budget. A flight that exceeds either overflows: it can no longer be stored
// and takes nobody else on, keeps a small window, and goes at the pace of its
// fastest reader; who falls out of the window gets ErrLagging. Within the
// bounds no reader ever holds the leader or another reader back.
//
// Marks remember the keys whose answers could not be shared, so that the next
// requests for them do not queue up.
//
// The package starts no goroutines.
package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Why a reader or the leader cannot go on.
var (
	// ErrLagging: an overflowed flight has moved on without this reader. What
	// it has read so far is a true but incomplete prefix.
	ErrLagging = errors.New("flight: reader fell behind the window")
	// ErrNoReaders: the content can neither be stored nor does anybody read it.
	ErrNoReaders = errors.New("flight: nobody reads what cannot be stored")
	// ErrAbandoned: the leader left without a word about the outcome.
	ErrAbandoned = errors.New("flight: abandoned by its leader")
	// ErrClosed: a write to a flight that has no content (yet, or any more),
	// or a read from a closed Reader.
	ErrClosed = errors.New("flight: closed")
)

// Options are the bounds of a Group. The zero value is usable.
type Options struct {
	// MaxBody is how many bytes of content one flight may keep, if its leader
	// does not say otherwise; 0 means 64 MiB.
	MaxBody int64
	// Budget bounds what all flights (of all Groups that share it) keep
	// together; nil means no bound.
	Budget *Budget
	// Window is how many bytes an overflowed flight keeps, outside of Budget,
	// so that it can always go on; 0 means 1 MiB, and less than 4 KiB is 4 KiB.
	Window int64
}

const (
	defaultMaxBody = 64 << 20
	defaultWindow  = 1 << 20
	minWindow      = 4 << 10
)

// Group holds the flights under way, at most one a key. It is safe for
// concurrent use; make one with NewGroup.
type Group[H any] struct {
	opt Options

	// mu guards flights. One mutex is enough: it is held for a map access, and
	// only by requests that are about to wait for an upstream. A flight's own
	// mutex may be taken under it, never the other way round.
	mu      sync.Mutex
	flights map[string]*Flight[H]
}

// NewGroup makes an empty Group.
func NewGroup[H any](opt Options) *Group[H] {
	if opt.MaxBody <= 0 {
		opt.MaxBody = defaultMaxBody
	}
	if opt.Window <= 0 {
		opt.Window = defaultWindow
	}
	opt.Window = max(opt.Window, minWindow)
	return &Group[H]{opt: opt, flights: make(map[string]*Flight[H])}
}

// Join takes a seat in the flight of key; it begins one, and says leader, when
// there is none. Whoever joined, the leader's client too, calls Wait exactly
// once: that gives the seat back or turns it into a Reader. The caller of a
// leader sees to it that a goroutine of its own fills the flight and ends with
// Leave. The key is not kept unless it begins a flight.
func (g *Group[H]) Join(key []byte) (f *Flight[H], leader bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, ok := g.flights[string(key)]
	if !ok {
		f = g.beginLocked(string(key))
	}
	f.body.sit()
	return f, !ok
}

// Lead begins a flight without a client (a background revalidation, RFC 5861
// §3), or returns nil and false when the key is already in flight. Nobody
// calls Wait for it; clients may Join it as any other.
func (g *Group[H]) Lead(key []byte) (f *Flight[H], ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, busy := g.flights[string(key)]; busy {
		return nil, false
	}
	return g.beginLocked(string(key)), true
}

// Len returns the number of flights that a Join could still find.
func (g *Group[H]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.flights)
}

// Has reports whether a Join of key would find a flight. The key is not kept.
func (g *Group[H]) Has(key []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.flights[string(key)]
	return ok
}

func (g *Group[H]) beginLocked(key string) *Flight[H] {
	f := &Flight[H]{group: g, key: key, decided: make(chan struct{}), left: make(chan struct{})}
	f.body.maxBody, f.body.window, f.body.budget = g.opt.MaxBody, g.opt.Window, g.opt.Budget
	g.flights[key] = f
	return f
}

// State is what became of a flight's head.
type State uint8

// The states of a flight. A waiter that gives up sees Pending.
const (
	Pending   State = iota // nothing is known yet
	Published              // the head is there and the content may be read
	Released               // what arrived cannot be shared
	Failed                 // nothing arrived that a reader could use
)

// Outcome is what a waiter learns.
type Outcome[H any] struct {
	State State
	Head  H       // if Published; shared by all waiters
	Body  *Reader // if Published; the waiter closes it, read or not
	Why   uint8   // if Released: the leader's reason
}

// Flight is one fill and those who wait for it. Methods under "leader" are for
// one goroutine at a time, the one that fills; all others are safe for
// concurrent use.
type Flight[H any] struct {
	group   *Group[H]
	key     string
	decided chan struct{} // closed when state leaves Pending
	left    chan struct{} // closed by Leave
	leave   sync.Once

	// Written once, before decided is closed.
	state State
	head  H
	why   uint8
	err   error

	note atomic.Value // whatever the leader's side has said of itself

	content Content         // leader's
	ctx     context.Context // leader's: ends a Write that waits for readers
	body    body
}

// Wait blocks until the head is known, and ends the seat that Join took.
//
//	Published  nil error; the waiter closes Outcome.Body. Its reads end with ctx.
//	Released   nil error; the waiter goes on alone, or through Join again.
//	Failed     the leader's error; ErrLagging if the content has overflowed
//	           and its beginning is gone. The waiter has seen nothing of it.
//	Pending    ctx ended first; the error is its cause.
//
// A content that has failed already by the time Wait looks is Failed, not
// Published: nothing has been sent to this client, so a whole answer is still
// possible.
func (f *Flight[H]) Wait(ctx context.Context) (Outcome[H], error) {
	select {
	case <-f.decided:
	default:
		select {
		case <-f.decided:
		case <-ctx.Done():
			f.body.stand()
			return Outcome[H]{}, context.Cause(ctx)
		}
	}
	if f.state != Published {
		f.body.stand()
		return Outcome[H]{State: f.state, Why: f.why}, f.err
	}
	r, err := f.body.reader(ctx)
	if err != nil {
		return Outcome[H]{State: Failed}, err
	}
	return Outcome[H]{State: Published, Head: f.head, Body: r}, nil
}

// SetNote leaves word for those who wait, once, before the flight is filled: its
// type is between the caller and them.
func (f *Flight[H]) SetNote(v any) { f.note.Store(v) }

// Note returns what SetNote has left, or nil. Who has returned from Wait sees it.
func (f *Flight[H]) Note() any { return f.note.Load() }

// Readers returns how many clients wait for the flight or read it.
func (f *Flight[H]) Readers() int { return f.body.readers() }

// Retained returns how many bytes of memory the flight keeps for its content.
// A reader may hold one piece (at most 64 KiB) more.
func (f *Flight[H]) Retained() int64 { return f.body.memory() }

// Size returns how many bytes of content have been written.
func (f *Flight[H]) Size() int64 { return f.body.written() }

// Overflowed says whether and why the content can no longer be stored.
func (f *Flight[H]) Overflowed() Overflow { return f.body.overflowed() }

// Decided is closed when Wait would not block any more.
func (f *Flight[H]) Decided() <-chan struct{} { return f.decided }

// Complete says that the content has arrived, whole: whoever joins now waits
// for nothing.
func (f *Flight[H]) Complete() bool {
	select {
	case <-f.decided:
		return f.state == Published && f.body.complete()
	default:
		return false
	}
}

// Left is closed when the leader has left: what it stored can be found.
func (f *Flight[H]) Left() <-chan struct{} { return f.left }
