// Package accesslog writes a line for every request that the engine has
// answered, or for a share of them, hits through the lane too.
//
// A request formats its own line into memory that it has at hand, takes a lock
// for as long as it takes to copy that line, and goes on. One goroutine writes
// what was gathered. When the disk or the reader of a pipe is slower than the
// requests, lines are dropped and counted: no request waits for its line.
//
// A line is one line, whatever a client sends: bytes that could end it, or that
// a terminal would act on, are escaped. Of what may be a secret it has nothing:
// no Authorization and no cookie, and in a query no value whose name says what it
// is (redact.go).
package accesslog

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"veneer/cache"
)

// Format is how a line is written.
type Format uint8

const (
	// JSON is an object a line (RFC 8259); fields that have nothing to say are
	// left out.
	JSON Format = iota
	// Combined is the format of that name of nginx and Apache. Behind it each of
	// Config.Fields stands in quotes, or "-".
	Combined
)

// Config is what the operator chooses.
type Config struct {
	Path   string // "stdout", "stderr", or a file
	Format Format
	Fields []Field // of JSON, in that order; with Combined those behind it
	// Sample is the share of requests that are logged, from 0 to 1.
	Sample float64
	// Errors: a request is logged whatever Sample says when it was answered
	// with 5xx, or not to the end.
	Errors bool
	// Buffer is how many bytes are gathered for one write. At most 64 times as
	// many wait to be written.
	Buffer int
	// Flush is how long a line waits for others; zero: not at all.
	Flush time.Duration
	// OTLP: lines go to Options.Send as well.
	OTLP bool
}

// Options are what Config does not say. Peer is needed.
type Options struct {
	// Peer says which scheme a request came over, and from which address, as
	// far as the peers are trusted that say so.
	Peer func(*cache.Request) (scheme string, client netip.Addr)
	// Send takes lines for a collector, each without its end: at is when its
	// request began, and of its span, if it has one. It keeps no line but a copy,
	// and waits for nobody. Nil: there is no collector.
	Send func(at time.Time, of trace.SpanContext, line []byte)
	// Log is told of lines that were lost, once a minute at most; nil: nobody.
	Log *slog.Logger
}

// Log is an access log. Its methods are safe for concurrent use. It owns its
// goroutines, which Close ends.
type Log struct {
	peer     func(*cache.Request) (string, netip.Addr)
	send     func(time.Time, trace.SpanContext, []byte) // nil: nowhere
	settings atomic.Pointer[settings]
	writer   *writer

	mu   sync.Mutex // guards path, and with it one change at a time
	path string
}

// settings are those parts of a Config that a request looks at. Immutable.
type settings struct {
	Config
	limit uint64 // of a random number, below which a request is logged
	peer  bool   // Fields have something that Options.Peer says
}

func newSettings(cfg Config) *settings {
	return &settings{Config: cfg, limit: threshold(cfg.Sample), peer: cfg.Format == Combined || needPeer(cfg.Fields)}
}

// New opens cfg.Path. A failure says what cannot be opened and why. The caller
// ends the Log with Close.
func New(cfg Config, opt Options) (*Log, error) {
	out, err := open(cfg.Path)
	if err != nil {
		return nil, err
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{peer: opt.Peer, send: opt.Send, path: cfg.Path}
	l.settings.Store(newSettings(cfg))
	l.writer = newWriter(out, cfg.Buffer, cfg.Flush, opt.Log)
	return l, nil
}

// Change is another Config that a Log is ready for. It is ended by Commit or by
// Discard, one of them, once.
type Change struct {
	log *Log
	cfg Config
	out *output // nil: the one in use stays
}

// Prepare opens what cfg needs and changes nothing yet.
func (l *Log) Prepare(cfg Config) (*Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &Change{log: l, cfg: cfg}
	if cfg.Path == l.path {
		return c, nil
	}
	var err error
	c.out, err = open(cfg.Path)
	return c, err
}

// Commit makes the change: lines of requests that end from now on go to the new
// place, in the new form, and all before them to the old one. It fails when the
// old place has been hanging through many such changes; then it stays in use.
func (c *Change) Commit() error {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if c.out != nil {
		if err := c.log.writer.turnTo(c.out); err != nil {
			return err
		}
	}
	c.log.path = c.cfg.Path
	c.log.settings.Store(newSettings(c.cfg))
	c.log.writer.retune(c.cfg.Buffer, c.cfg.Flush)
	return nil
}

// Discard drops the change.
func (c *Change) Discard() {
	if c.out != nil {
		_ = c.out.close() // nothing was written
	}
}

// Reopen opens the file of that path again, for whoever has moved the old one
// away: what was recorded until now goes to the old file, which is closed then,
// and the rest to the new one. On an error everything stays as it was. Of stdout
// and stderr there is nothing to open.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if standard(l.path) {
		return nil
	}
	out, err := open(l.path)
	if err != nil {
		return err
	}
	return l.writer.turnTo(out)
}

// Lost returns how many lines were dropped because the output took them too
// slowly, and how many because it refused them.
func (l *Log) Lost() (slow, failed int64) {
	return l.writer.slow.Load(), l.writer.failed.Load()
}

// Close writes what is left, closes the file and ends the goroutines. When ctx
// ends first the rest is dropped and counted. No request may end afterwards: its
// line is dropped.
func (l *Log) Close(ctx context.Context) error { return l.writer.close(ctx) }

// scratch is where a request writes its line.
type scratch struct{ line, plain []byte }

var scratches = sync.Pool{New: func() any { return &scratch{make([]byte, 0, 1<<10), nil} }}

// maxScratch bounds what is kept for the next line, in bytes.
const maxScratch = 16 << 10

// Record logs a request, or not, as the Config says. It is made for the rules of
// cache.Recorder: it keeps nothing of q and d, allocates nothing (but what
// Options.Send does) and waits for nobody.
func (l *Log) Record(q *cache.Request, d *cache.Decision) {
	s := l.settings.Load()
	if !s.picks(d) {
		return
	}
	b := scratches.Get().(*scratch)
	e := entry{q: q, d: d, scratch: b}
	if s.peer {
		e.scheme, e.client = l.peer(q)
	}
	b.line = b.line[:0]
	if s.Format == Combined {
		e.combined(s.Fields)
	} else {
		e.json(s.Fields)
	}
	l.writer.add(b.line)
	if s.OTLP && l.send != nil {
		var of trace.SpanContext
		if d.Span != nil {
			of = d.Span.SpanContext()
		}
		l.send(d.Start, of, b.line[:len(b.line)-1])
	}
	if cap(b.line) <= maxScratch && cap(b.plain) <= maxScratch {
		scratches.Put(b)
	}
}
