package scenario

import (
	"context"
	"slices"
	"time"

	"veneer/loadtest/internal/process"
)

// meter samples what a proxy uses until end is called.
type meter struct {
	samples []process.Usage // read after end
	quit    chan struct{}
	done    chan struct{}
}

const sampleEvery = 50 * time.Millisecond

// watch takes the first sample before it returns. There are none where the
// system does not tell.
func watch(p Proxy) *meter {
	m := &meter{quit: make(chan struct{}), done: make(chan struct{})}
	if u, err := p.Usage(); err == nil {
		m.samples = append(m.samples, u)
	}
	go m.run(p)
	return m
}

func (m *meter) run(p Proxy) {
	defer close(m.done)
	if len(m.samples) == 0 {
		return
	}
	again := time.NewTicker(sampleEvery)
	defer again.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-again.C:
		}
		if u, err := p.Usage(); err == nil {
			m.samples = append(m.samples, u)
		}
	}
}

// end stops sampling and waits for the last one.
func (m *meter) end() {
	close(m.quit)
	<-m.done
}

// peak returns the most memory that was in use, and whether anybody can tell.
func (m *meter) peak() (int64, bool) {
	if len(m.samples) == 0 {
		return 0, false
	}
	return slices.MaxFunc(m.samples, func(a, b process.Usage) int { return int(a.RSS - b.RSS) }).RSS, true
}

// settle waits until the open files are few again, for a while, and returns
// their number now and at the start.
func (m *meter) settle(ctx context.Context, p Proxy) (now, before int) {
	before = m.samples[0].Files
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	again := time.NewTicker(sampleEvery)
	defer again.Stop()
	for {
		u, err := p.Usage()
		if err == nil {
			now = u.Files
		}
		if err != nil || now <= before {
			return now, before
		}
		select {
		case <-ctx.Done():
			return now, before
		case <-again.C:
		}
	}
}
