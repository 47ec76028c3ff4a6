package scenario

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/process"
	"veneer/loadtest/internal/stamp"
)

// scale is a proxy whose use follows a function of time.
type scale struct {
	Proxy
	began time.Time
	use   func(time.Duration) (process.Usage, error)
}

func (p scale) Usage() (process.Usage, error) { return p.use(time.Since(p.began)) }

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := scale{began: time.Now(), use: func(at time.Duration) (process.Usage, error) {
			u := process.Usage{At: time.Now(), RSS: 10, Files: 5}
			if at > 400*time.Millisecond && at < 600*time.Millisecond {
				u.RSS = 99 // for a moment only
			}
			if at > time.Second && at < 2*time.Second {
				u.Files = 70
			}
			return u, nil
		}}
		m := watch(p)
		<-time.After(1010 * time.Millisecond)
		m.end()
		if peak, ok := m.peak(); !ok || peak != 99 || len(m.samples) != 21 {
			t.Errorf("peak %d, %t, of %d samples; want 99 of 21", peak, ok, len(m.samples))
		}
		waited := time.Now()
		if now, before := m.settle(t.Context(), p); now != 5 || before != 5 || time.Since(waited) < 900*time.Millisecond {
			t.Errorf("%d files, %d before, after %s; want 5 when it has closed them", now, before, time.Since(waited))
		}
	})
}

func TestMeterOfWhatNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := scale{began: time.Now(), use: func(at time.Duration) (process.Usage, error) {
			return process.Usage{Files: 5 + int(at.Milliseconds())}, nil
		}}
		m := watch(p)
		<-time.After(time.Second)
		m.end()
		if now, before := m.settle(t.Context(), p); before != 5 || now < 2000 {
			t.Errorf("%d files, %d before", now, before)
		}
	})
}

func TestMeterWhereNobodyTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watch(scale{use: func(time.Duration) (process.Usage, error) { return process.Usage{}, errors.New("no /proc") }})
		<-time.After(time.Second)
		m.end()
		if peak, ok := m.peak(); ok || len(m.samples) > 0 {
			t.Errorf("peak %d of %d samples", peak, len(m.samples))
		}
		if r := (&run{meter: m}); r.rssLimit() != 0 {
			t.Errorf("a limit of %d, and nobody can tell", r.rssLimit())
		}
	})
}

// The generator's own lateness is granted on top of a limit, and no more.
func TestLatencyPromise(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		class string
		kept  bool
	}{
		{49 * time.Millisecond, "read", true},
		{52 * time.Millisecond, "read", false},
		{time.Millisecond, "write", false}, // of which there was none
	} {
		synctest.Test(t, func(t *testing.T) {
			load, err := openloop.Run(t.Context(), openloop.Config{Schedule: openloop.Constant(10, time.Second), Workers: 2}, func(context.Context, int) openloop.Outcome {
				<-time.After(c.takes)
				return openloop.Outcome{Class: "read"}
			})
			if err != nil {
				t.Fatal(err)
			}
			r := &run{load: load}
			r.latency(c.class, 0.99, 50*time.Millisecond)
			if p := r.promises[0]; p.Kept != c.kept || !strings.Contains(p.Text, "99 % of the "+c.class+" requests are answered within 50ms") || p.Got == "" {
				t.Errorf("%s: %+v, want kept: %t", c.takes, p, c.kept)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	began := time.Now()
	second := int64(time.Second)
	span := func(sent, done int) *answer {
		return &answer{sent: began.Add(time.Duration(sent) * time.Second), done: began.Add(time.Duration(done) * time.Second)}
	}
	for _, c := range []struct {
		name       string
		from, till int64
		got        *answer
		want       bool
	}{
		{"not yet", 0, 0, span(1, 2), false},
		{"before", 5 * second, 9 * second, span(1, 4), false},
		{"into it", 5 * second, 9 * second, span(4, 6), true},
		{"within", 5 * second, 9 * second, span(6, 7), true},
		{"across", 5 * second, 9 * second, span(1, 20), true},
		{"while it lasts", 5 * second, 0, span(30, 31), true},
		{"out of it", 5 * second, 9 * second, span(8, 12), true},
		{"just after", 5 * second, 9 * second, span(10, 11), true},
		{"after", 5 * second, 9 * second, span(12, 13), false},
	} {
		o := outage{began: began}
		o.from.Store(c.from)
		o.till.Store(c.till)
		if got := o.overlaps(c.got, 2*time.Second); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestOutageThatIsInterrupted(t *testing.T) {
	upstream, err := faulty.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := outage{began: time.Now()}
	if err := o.happen(ctx, &run{upstream: upstream}, time.Hour); !errors.Is(err, context.Canceled) || o.till.Load() == 0 {
		t.Errorf("%v, ended at %d", err, o.till.Load())
	}
}

func TestZipf(t *testing.T) {
	z, random := newZipf(100, 1.1), rand.New(rand.NewPCG(1, 2))
	counts := make([]int, 100)
	const picks = 200_000
	for range picks {
		counts[z.pick(random)]++
	}
	// 1/1^1.1 against 1/2^1.1 and 1/10^1.1
	for n, want := range map[int]float64{2: 2.14, 10: 12.6} {
		if got := float64(counts[0]) / float64(counts[n-1]); got < want*0.9 || got > want*1.1 {
			t.Errorf("the first is picked %.2f times as often as number %d, want %.2f", got, n, want)
		}
	}
	if counts[99] == 0 {
		t.Error("the last is never picked")
	}
}

func TestBookKeepsTheFirstCase(t *testing.T) {
	b := newBook()
	a := get("read", faulty.Doc{Path: "/own/d"}, exact(appOrigin))
	long := get("read", faulty.Doc{Path: "/own/e"}, visitor{name: "bad", lines: []string{strings.Repeat("x", 5000)}})
	b.enter(&a, &answer{status: 200}, nil)
	b.enter(&long, &answer{status: 502}, []wrong{{failed, "first"}, {cors, "no ACAO"}})
	b.enter(&a, &answer{err: errors.New("reset")}, []wrong{{failed, "second"}})
	if n, first := b.wrong(failed); n != 2 || !strings.Contains(first, "GET /own/e") || !strings.Contains(first, "first") || len(first) > 400 {
		t.Errorf("%d: %s", n, first)
	}
	if n, _ := b.wrong(old); n != 0 || b.total() != 3 {
		t.Errorf("%d old ones of %d", n, b.total())
	}
	if b.statuses["read 200"] != 1 || b.statuses["read 502"] != 1 || b.statuses["read no answer"] != 1 {
		t.Errorf("statuses %v", b.statuses)
	}
}

// A client knows what it was given itself, and not what others were.
func TestBookRemembersForEachVisitor(t *testing.T) {
	b := newBook()
	d := faulty.Doc{Path: "/own/d"}
	mine, others, once := get("read", d, exact(appOrigin)), get("read", d, nobody()), get("read", faulty.Doc{Path: "/own/o", Once: true}, nobody())
	b.learn(&mine, stamp.Stamp{Tag: `"1"`})
	b.learn(&mine, stamp.Stamp{Tag: `"2"`})
	b.learn(&once, stamp.Stamp{Tag: `"3"`})
	if k, ok := b.recall(&mine); !ok || k.stamp.Tag != `"2"` {
		t.Errorf("mine: %+v, %t", k, ok)
	}
	for _, a := range []ask{others, once} {
		if k, ok := b.recall(&a); ok {
			t.Errorf("%s for %s: %+v", a.target, a.visitor.name, k)
		}
	}
}

func TestWarmingUpSaysWhatFails(t *testing.T) {
	upstream, err := faulty.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Stop()
	var served atomic.Int32
	r := &run{upstream: upstream, book: newBook(), client: newClient(at{address: upstream.Address()}, false), heard: func(*ask, *answer) { served.Add(1) }}
	defer r.client.close()
	good := get("warm", faulty.Doc{Path: "/off/good"}, nobody())
	if err := r.together(t.Context(), []ask{good, good, good}); err != nil || served.Load() != 3 {
		t.Errorf("%d served, %v", served.Load(), err)
	}
	bad := get("warm", faulty.Doc{Path: "/off/bad", Fault: faulty.Error503}, nobody())
	if err := r.together(t.Context(), []ask{good, bad}); err == nil || !strings.Contains(err.Error(), "/off/bad") {
		t.Errorf("%v, want what failed", err)
	}
}

// The public of the mix has all kinds in it.
func TestPublic(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, one := range map[string]func(*rand.Rand) visitor{"any": anyVisitor, "many": manyVisitor} {
		seen := map[string]bool{}
		for range 2000 {
			seen[one(random).name] = true
		}
		for _, kind := range []string{"none", "exact", "stranger", "null", "bad"} {
			if !seen[kind] {
				t.Errorf("%s: nobody is %s", name, kind)
			}
		}
	}
	buckets := map[string]bool{}
	for n := range 60 {
		v := herdVisitor(n)
		saw := due{mode: own, allowed: v.allowed}.sees(v)
		if v.lines != nil && saw == "" {
			saw = "other"
		}
		buckets[saw] = true
	}
	if len(buckets) != 4 {
		t.Errorf("a herd has %d entries in own mode, the promise says 4", len(buckets))
	}
}

// Time excuses what time may have done, and nothing else.
func TestUndecided(t *testing.T) {
	late, bare := Promise{Text: "fast"}, Promise{Text: "right", Timeless: true}
	for _, c := range []struct {
		lag    time.Duration
		broken []Promise
		want   bool
	}{
		{starving + 1, []Promise{late}, true},
		{starving, []Promise{late}, false},
		{starving + 1, nil, false},
		{starving + 1, []Promise{late, bare}, false},
		{starving + 1, []Promise{bare}, false},
	} {
		if got := undecided(c.lag, c.broken); got != c.want {
			t.Errorf("%s late, broken %v: undecided %t, want %t", c.lag, c.broken, got, c.want)
		}
	}
	for _, k := range []kind{content, foreign, cors, leaked, odd} {
		r := &run{book: newBook(), load: &openloop.Result{}, meter: &meter{}, proxy: scale{}}
		r.book.enter(&ask{}, &answer{}, []wrong{{k, "so"}})
		r.wrongs()
		if i := int(k); r.promises[i].Kept || !r.promises[i].Timeless {
			t.Errorf("%s: %+v, want it timeless", promised[k], r.promises[i])
		}
	}
}
