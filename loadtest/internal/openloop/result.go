package openloop

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in microseconds, from one to the longest a run may
// make somebody wait.
const longest = 10 * time.Minute

// Result is what a run has measured. It is complete, and nobody changes it,
// once Run has returned it.
type Result struct {
	Began   time.Time
	Took    time.Duration // until the last answer
	Sent    int
	Failed  int
	Bytes   int64
	Unsent  int // because the context ended
	Grain   time.Duration
	Windows []Window // by the time at which requests were due

	mu      sync.Mutex // guards all of it during the run
	classes map[string]*Latency
	lag     *hdrhistogram.Histogram
	window  []*hdrhistogram.Histogram
}

// Window is what was due within one grain of time.
type Window struct {
	Sent, Failed int
	Bytes        int64
	P50, P99     time.Duration
	Max          time.Duration
}

// Latency is the distribution of one class of requests.
type Latency struct {
	response, service *hdrhistogram.Histogram
}

func newResult(grain time.Duration) *Result {
	return &Result{Began: time.Now(), Grain: grain, classes: map[string]*Latency{}, lag: histogram(3)}
}

func histogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), digits)
}

// put records d, cut to what the histogram holds.
func put(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d, time.Microsecond), longest).Microseconds()) // within its bounds it cannot fail
}

// woke notes by how much a worker that had nothing else to do was late: the
// generator's own lateness, which is the machine's doing and not the server's.
func (r *Result) woke(late time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	put(r.lag, late)
}

// leave notes a ticket that was taken and not used.
func (r *Result) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Unsent++
}

func (r *Result) record(o Outcome, due, sent, done time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.classes[o.Class]
	if l == nil {
		l = &Latency{response: histogram(3), service: histogram(3)}
		r.classes[o.Class] = l
	}
	put(l.response, done.Sub(due))
	put(l.service, done.Sub(sent))
	i := int(due.Sub(r.Began) / r.Grain)
	for len(r.Windows) <= i {
		r.Windows = append(r.Windows, Window{})
		r.window = append(r.window, histogram(2))
	}
	put(r.window[i], done.Sub(due))
	w := &r.Windows[i]
	r.Sent, w.Sent = r.Sent+1, w.Sent+1
	r.Bytes, w.Bytes = r.Bytes+int64(o.Bytes), w.Bytes+int64(o.Bytes)
	if o.Failed {
		r.Failed, w.Failed = r.Failed+1, w.Failed+1
	}
}

// finish computes what is derived, once nothing is recorded any more.
func (r *Result) finish(unsent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Took = time.Since(r.Began)
	r.Unsent += unsent
	for i, h := range r.window {
		w := &r.Windows[i]
		w.P50, w.P99, w.Max = micros(h.ValueAtQuantile(50)), micros(h.ValueAtQuantile(99)), micros(h.Max())
	}
	r.window = nil
}

// Classes returns the names of the classes that were seen, in order.
func (r *Result) Classes() []string { return slices.Sorted(maps.Keys(r.classes)) }

// Class returns the latencies of one class, or nil when it was not seen.
func (r *Result) Class(name string) *Latency { return r.classes[name] }

// Lag returns the q quantile (0 to 1) of the generator's own lateness: how much
// later than due a request was sent although a worker was free for it. What the
// machine does to the generator it does to any latency: a limit is to be taken
// on top of it.
func (r *Result) Lag(q float64) time.Duration { return micros(r.lag.ValueAtQuantile(100 * q)) }

// Count returns how many requests the class had.
func (l *Latency) Count() int64 { return l.response.TotalCount() }

// Response returns the q quantile (0 to 1) of the time from when a request was
// due until it was answered. It is what a client feels, and what a limit is
// about.
func (l *Latency) Response(q float64) time.Duration {
	return micros(l.response.ValueAtQuantile(100 * q))
}

// Service returns the q quantile (0 to 1) of the time from when a request was
// sent until it was answered: what a closed loop would report. Where it is much
// less than Response, requests have queued.
func (l *Latency) Service(q float64) time.Duration { return micros(l.service.ValueAtQuantile(100 * q)) }

// Min returns the shortest response time.
func (l *Latency) Min() time.Duration { return micros(l.response.Min()) }

func micros(v int64) time.Duration { return time.Duration(v) * time.Microsecond }
