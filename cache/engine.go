package cache

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/flight"
)

// Config is what an Engine is made of and keeps for its life; what a reload
// may change is in Plan.
type Config struct {
	Plan     *Plan
	Recorder Recorder // nil: nothing is recorded
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// InFlight bounds the bytes of all responses that are being fetched to be
	// stored. Zero: 256 MiB.
	InFlight int64
	// Log receives what an operator should know of one request only when it
	// is a fault of ours; nil drops it. The span of a request that is traced is
	// in ctx.
	Log func(ctx context.Context, msg string, err any)
	// Trace begins the spans of requests that are traced; nil: there are none.
	Trace Tracer
}

// Engine is the cache: an http.Handler. It is safe for concurrent use.
//
// Ownership: every fetch that may be stored runs on a goroutine of the
// Engine, not of the client that began it; Close waits for them.
type Engine struct {
	plan     atomic.Pointer[Plan]
	recorder Recorder
	now      func() time.Time
	since    func(time.Time) time.Duration
	log      func(context.Context, string, any)
	trace    Tracer // nil: there are no traces

	flights *flight.Group[*fillHead]
	budget  *flight.Budget
	marks   marks         // hit-for-miss
	serial  atomic.Uint64 // tells the flights of routes apart that do not collapse

	ctx    context.Context // of fetches; ends when Close gives up waiting
	cancel context.CancelFunc

	upgrades    context.Context // of connections that changed protocol
	endUpgrades context.CancelFunc
	upgraded    sync.WaitGroup // of them, until they are recorded
	fills       sync.WaitGroup
	mu          sync.Mutex // guards closed against Add of the two
	closed      bool

	exchanges sync.Pool // *exchange
}

// marks remember the keys of flights whose answers cannot be shared, and the
// cachestatus.Reason. *flight.Marks are some.
type marks interface {
	Mark(key []byte, why uint8, now time.Time)
	Marked(key []byte, now time.Time) (why uint8, ok bool)
	Clear(key []byte)
}

// New returns an Engine that serves cfg.Plan.
func New(cfg Config) *Engine {
	e := &Engine{recorder: cfg.Recorder, now: cfg.Now, log: cfg.Log, trace: cfg.Trace}
	e.since = func(t time.Time) time.Duration { return e.now().Sub(t) }
	if e.now == nil {
		e.now, e.since = time.Now, time.Since // which reads one clock of two
	}
	if e.log == nil {
		e.log = func(context.Context, string, any) {}
	}
	inFlight := cfg.InFlight
	if inFlight == 0 {
		inFlight = 256 << 20
	}
	e.budget = flight.NewBudget(inFlight)
	e.flights = flight.NewGroup[*fillHead](flight.Options{Budget: e.budget})
	e.marks = flight.NewMarks(flight.MarksOptions{})
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.upgrades, e.endUpgrades = context.WithCancel(context.Background())
	e.exchanges.New = func() any { return new(exchange) }
	e.Swap(cfg.Plan)
	return e
}

// Swap replaces the plan: requests that begin afterwards see all of p, the
// others none of it.
func (e *Engine) Swap(p *Plan) {
	if p.generation == 0 {
		p.generation = generations.Add(1)
	}
	e.plan.Store(p)
}

// generations counts the plans of the process.
var generations atomic.Uint64

// Close waits until no fetch is under way or ctx ends, then abandons the rest
// and ends upgraded connections. No request may begin afterwards.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	done := make(chan struct{})
	go func() { e.fills.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.cancel()
	e.endUpgrades()
	<-done
	e.upgraded.Wait()
	return err
}

// EndUpgrades ends the connections that changed protocol, which a graceful
// stop would otherwise wait for as long as the peers like.
func (e *Engine) EndUpgrades() { e.endUpgrades() }

// goFill runs f on a goroutine that Close waits for; it reports false when the
// Engine is closed.
func (e *Engine) goFill(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.fills.Go(f)
	return true
}

// beginUpgrade makes Close wait for a connection that changes protocol, until
// the returned function is called: net/http knows nothing of it any more.
func (e *Engine) beginUpgrade() (end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return func() {}
	}
	e.upgraded.Add(1)
	return e.upgraded.Done
}

// ServeHTTP answers one request.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := e.exchanges.Get().(*exchange)
	x.begin(e, w, r)
	if s := x.span; s != nil {
		defer s.abandon() // if it panics
	}
	x.serve()
	x.record()
	x.endTrace()
	abort := x.abort
	x.end()
	e.exchanges.Put(x)
	if abort {
		// The content ended early: what was sent must not look complete.
		panic(http.ErrAbortHandler)
	}
}

// serve is a request's life: the eight steps. A step that answers reports so
// and ends it; the others leave what they found in the exchange for the next.
func (x *exchange) serve() {
	if x.routeStep() || x.preflightStep() || x.refuse() {
		return
	}
	if x.keyStep() {
		x.lookupStep()
		if x.reuseStep() {
			return
		}
	}
	x.fillStep()
}

// record is the last step: one Decision for counters, span and log, once.
func (x *exchange) record() {
	if x.e.recorder == nil || x.counted {
		return
	}
	x.counted = true
	x.decision.Took = x.e.since(x.decision.Start)
	x.decision.Cut = x.abort && !x.decision.Left
	if x.span != nil {
		x.decision.Span = x.span.Span
	}
	x.e.recorder.Record(&x.req, &x.decision)
}

// unstored keeps the first reason why the upstream's response is not stored.
func (x *exchange) unstored(reason cachestatus.Reason) {
	if x.decision.NotStored == cachestatus.None {
		x.decision.NotStored = reason
	}
}

// note keeps the first reason: it is the one that decided.
func (x *exchange) note(reason cachestatus.Reason) {
	if x.decision.Reason == cachestatus.None {
		x.decision.Reason = reason
	}
}
