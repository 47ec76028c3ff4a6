package live

import (
	"context"
	"time"
)

// The two histories.
const (
	FineStep   = 2 * time.Second
	finePoints = 300 // ten minutes
	DayStep    = time.Minute
	dayPoints  = 1440
)

// Point is what happened in one step of a history, which began at At.
type Point struct {
	At time.Time
	Counts
}

// series is the newest points of one history, in a ring.
type series struct {
	step   time.Duration
	points []Point
	next   int // the oldest, once all are in use
	open   Point
}

func (s *series) init(step time.Duration, n int) { s.step, s.points = step, make([]Point, 0, n) }

// add takes in what happened until now. A point that has its time is closed.
func (s *series) add(c *Counts, now time.Time) {
	if s.open.At.IsZero() {
		s.open.At = now
	}
	s.open.add(c, 1)
	if now.Sub(s.open.At) < s.step-FineStep/2 { // a ticker is never quite on time
		return
	}
	if len(s.points) < cap(s.points) {
		s.points = append(s.points, s.open)
	} else {
		s.points[s.next] = s.open
		s.next = (s.next + 1) % len(s.points)
	}
	s.open = Point{At: now}
}

func (s *series) list() []Point {
	points := make([]Point, 0, len(s.points))
	points = append(points, s.points[s.next:]...)
	return append(points, s.points[:s.next]...)
}

// Run writes the histories until ctx ends. It is called once.
func (l *Live) Run(ctx context.Context) {
	t := time.NewTicker(FineStep)
	defer t.Stop()
	l.sample()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.sample()
		}
	}
}

func (l *Live) sample() {
	sum, now := l.Total(), l.opt.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	since := sum
	since.add(&l.last, -1)
	l.last = sum
	l.fine.add(&since, now)
	l.day.add(&since, now)
}

// History returns the points of the last ten minutes, or of the last day, the
// oldest first, and how long each is.
func (l *Live) History(day bool) (step time.Duration, points []Point) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.fine
	if day {
		s = &l.day
	}
	return s.step, s.list()
}
