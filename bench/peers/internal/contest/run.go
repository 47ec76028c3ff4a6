package contest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"veneer/bench/peers/internal/client"
	"veneer/bench/peers/internal/peer"
	"veneer/bench/peers/internal/usage"
)

// Plan is what is to be measured, and how.
type Plan struct {
	Rows        []Row
	Servers     []*peer.Server
	Programs    peer.Programs
	Rounds      int
	Time        time.Duration // of the load in each round
	Connections int           // of HTTP/1.1
	H2          [2]int        // connections of HTTP/2, and streams on each
	ServerCore  int
	ClientCore  int    // the upstream's too
	Dir         string // for state; the caller removes it
	Cert        peer.Certificate
	Progress    io.Writer
}

// contender is a server that runs.
type contender struct {
	entry   *Entry
	process *peer.Process
}

// Run measures the rows, one after the other. The error says that nothing can be
// measured; what one server cannot do is in its Entry.
func (p Plan) Run(ctx context.Context) ([]Outcome, error) {
	for _, row := range p.Rows {
		if err := p.load(row, &peer.Process{}, p.Time).Available(); err != nil {
			return nil, fmt.Errorf("cannot measure %s: %w", row.Name, err)
		}
	}
	var all []Outcome
	for _, row := range p.Rows {
		o, err := p.row(ctx, row)
		if err != nil {
			return nil, fmt.Errorf("cannot measure %s: %w", row.Name, err)
		}
		all = append(all, o)
	}
	return all, nil
}

func (p Plan) row(ctx context.Context, row Row) (o Outcome, err error) {
	o = Outcome{Row: row.Name, Title: row.Title, Base: row.Base}
	dir := filepath.Join(p.Dir, row.Name)
	upstream, err := p.upstream(ctx, dir, row)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, upstream.Stop()) }()
	for _, s := range p.Servers {
		if s.Takes(row.Work) {
			o.Entries = append(o.Entries, Entry{Server: s.Name})
		}
	}
	var running []contender
	defer func() {
		for _, c := range running {
			err = errors.Join(err, c.process.Stop())
		}
	}()
	for _, s := range p.Servers {
		e := o.Entry(s.Name)
		if e == nil {
			continue
		}
		process, why, fault := p.start(ctx, dir, row, s, upstream.Place)
		if err := ctx.Err(); err != nil {
			return o, err
		}
		if e.Why, e.Fault = why, fault; why == "" {
			running = append(running, contender{e, process})
		}
		p.say("%s: %s: %s\n", row.Name, s.Name, word(why))
	}
	return o, p.rounds(ctx, row, running, upstream.Place.HTTP)
}

func word(why string) string {
	if why == "" {
		return "runs, and answers as it should"
	}
	return why
}

func (p Plan) say(format string, args ...any) { _, _ = fmt.Fprintf(p.Progress, format, args...) }

// upstream starts the server behind the others on the client's core: the other
// one is for what is measured.
func (p Plan) upstream(ctx context.Context, dir string, row Row) (*peer.Process, error) {
	place, err := p.place(filepath.Join(dir, "upstream"), p.ClientCore)
	if err != nil {
		return nil, err
	}
	place.HTTPS, place.Sink = "", place.HTTPS
	work := row.Work
	work.Protocol = peer.HTTP1
	return peer.Start(ctx, p.Programs, peer.Upstream(), place, work)
}

// start starts and checks a server. why says why it is not measured, fault that
// it is one of ours and should be.
func (p Plan) start(ctx context.Context, dir string, row Row, s *peer.Server, upstream peer.Place) (process *peer.Process, why string, fault bool) {
	if _, err := p.Programs.Find(s); errors.Is(err, exec.ErrNotFound) {
		return nil, "not installed", false
	}
	place, err := p.place(filepath.Join(dir, s.Name), p.ServerCore)
	if err != nil {
		return nil, err.Error(), true
	}
	place.Upstream, place.Sink = upstream.HTTP, upstream.Sink
	if process, err = peer.Start(ctx, p.Programs, s, place, row.Work); errors.Is(err, peer.ErrNotBuilt) {
		return nil, err.Error(), false
	} else if err != nil {
		return nil, err.Error(), s.Ours
	}
	checker := peer.Checker{Work: row.Work, Upstream: upstream.HTTP, Roots: p.Cert.Roots}
	if err = checker.Check(ctx, process); err == nil {
		_, err = p.turn(ctx, row, process, upstream.HTTP, min(p.Time, time.Second)) // warm
	}
	if err == nil {
		err = checker.Check(ctx, process)
	}
	if err == nil {
		return process, "", false
	}
	return nil, "fails its check: " + errors.Join(err, process.Stop()).Error(), s.Ours
}

// place makes a directory and finds free ports of the loopback.
func (p Plan) place(dir string, core int) (peer.Place, error) {
	place := peer.Place{Dir: dir, Core: core, Cert: p.Cert.Cert, Key: p.Cert.Key, Both: p.Cert.Both}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301: servers that give up root read it
		return place, fmt.Errorf("cannot make a directory for a server: %w", err)
	}
	for _, address := range []*string{&place.HTTP, &place.HTTPS} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return place, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // both are held until both are found
		*address = l.Addr().String()
	}
	return place, nil
}

// rounds lets the servers take turns. Each round starts with another one, so
// that none always comes after the same.
func (p Plan) rounds(ctx context.Context, row Row, running []contender, upstream string) error {
	for round := range p.Rounds {
		for i := range running {
			c := running[(i+round)%len(running)]
			r, err := p.turn(ctx, row, c.process, upstream, p.Time)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				r.Problem = err.Error()
			}
			c.entry.Rounds = append(c.entry.Rounds, r)
			p.say("%s: round %d: %s: %.2f µs %s\n", row.Name, round+1, c.entry.Server, r.PerRequest(), r.Problem)
			if r.Problem != "" && c.entry.Why == "" {
				c.entry.Why = fmt.Sprintf("round %d: %s", round+1, r.Problem)
				c.entry.Fault = c.process.Server.Ours
			}
		}
	}
	return nil
}

// turn puts load on one server, and reads before and after what it has used.
func (p Plan) turn(ctx context.Context, row Row, process *peer.Process, upstream string, length time.Duration) (Round, error) {
	before, err := p.look(ctx, process, upstream)
	if err != nil {
		return Round{}, err
	}
	began := time.Now()
	result, err := p.load(row, process, length).Run(ctx)
	if err != nil {
		return Round{}, err
	}
	elapsed := time.Since(began)
	after, err := p.look(ctx, process, upstream)
	if err != nil {
		return Round{}, err
	}
	r := Round{Result: result, Upstream: after.asked - before.asked}
	r.CPU, r.Clock = after.used.Since(before.used)
	r.Others = max(0, float64(after.busy-before.busy-r.CPU)/float64(elapsed))
	return r, r.judge(row.Work, process.Server)
}

// sight is what is read before a turn and after it.
type sight struct {
	asked int64         // requests at the upstream
	used  usage.Reading // of the server
	busy  time.Duration // of the server's core
}

func (p Plan) look(ctx context.Context, process *peer.Process, upstream string) (s sight, err error) {
	if s.asked, err = peer.Count(ctx, upstream); err != nil {
		return s, err
	}
	if s.busy, err = usage.System.Core(p.ServerCore); err != nil {
		return s, err
	}
	s.used, err = usage.System.Read(process.PID())
	return s, err
}

// judge says that a round was not the work that it was to be.
func (r Round) judge(w peer.Work, s *peer.Server) error {
	switch {
	case r.Problem != "":
		return errors.New(r.Problem)
	case s.Memory:
		return nil
	case !w.Miss && r.Upstream > 0:
		return fmt.Errorf("%d of %d requests reached the upstream", r.Upstream, r.Requests)
	case w.Miss && r.Upstream < r.Requests:
		return fmt.Errorf("only %d of %d requests reached the upstream", r.Upstream, r.Requests)
	}
	return nil
}

func (p Plan) load(row Row, process *peer.Process, length time.Duration) client.Load {
	l := client.Load{
		URL: row.Work.URL(process.Place), Connections: p.Connections, Time: length, Core: p.ClientCore,
		Fields: []string{"Origin: " + peer.Origins[0], "Accept-Encoding: " + peer.Encoding},
	}
	if row.Work.Protocol == peer.HTTP2 {
		l.Connections, l.Streams = p.H2[0], p.H2[1]
	}
	return l
}
