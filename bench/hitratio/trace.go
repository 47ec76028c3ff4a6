package hitratio

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Request is one request of a Trace.
type Request struct {
	Object uint32 // numbered from 0 in each Trace
	Size   int32  // of the content, in bytes; the same in all requests for the Object
}

// Trace is a row of requests, made from a seed: the same one each time. Nobody
// changes it once it is made.
type Trace struct {
	Name     string
	Says     string // what it stands for, in a few words
	Requests []Request
}

// Footprint returns how many different objects the Trace names and the bytes
// that a cache of all of them would take, each at its content and overhead.
func (t *Trace) Footprint(overhead int64) (objects int, bytes int64) {
	seen := make(map[uint32]bool)
	for _, r := range t.Requests {
		if !seen[r.Object] {
			seen[r.Object] = true
			bytes += int64(r.Size) + overhead
		}
	}
	return len(seen), bytes
}

// Traces makes one Trace of each kind with n requests. Their populations grow
// with n, so that short ones have the shape of long ones.
func Traces(n int, seed uint64) []*Trace {
	return []*Trace{
		zipf(n, seed),
		crawler(n, seed),
		drift(n, seed),
		news(n, seed),
		recency(n, seed),
		shifts(n, seed),
	}
}

// Content sizes are log-normal, as those of the web's are about.
const (
	medianSize = 8 << 10
	sizeSigma  = 1.3
	maxSize    = 1 << 20
)

// skew is the exponent of all popularities: the s in 1/rank^s.
const skew = 0.9

// maker makes one Trace.
type maker struct {
	rng   *rand.Rand
	sizes []int32 // of the objects so far
	trace *Trace
}

func newMaker(name, says string, n int, seed uint64) *maker {
	return &maker{
		rng:   rand.New(rand.NewPCG(seed, uint64(len(name)))),
		trace: &Trace{Name: name, Says: says, Requests: make([]Request, 0, n)},
	}
}

// object returns a new object.
func (m *maker) object() uint32 {
	size := medianSize * math.Exp(sizeSigma*m.rng.NormFloat64())
	m.sizes = append(m.sizes, int32(min(size, maxSize)))
	return uint32(len(m.sizes) - 1)
}

// objects returns n new objects.
func (m *maker) objects(n int) []uint32 {
	o := make([]uint32, n)
	for i := range o {
		o[i] = m.object()
	}
	return o
}

func (m *maker) request(o uint32) {
	m.trace.Requests = append(m.trace.Requests, Request{o, m.sizes[o]})
}

func (m *maker) more() bool { return len(m.trace.Requests) < cap(m.trace.Requests) }

// population is how many objects of one time share n requests.
func population(n int) int { return max(n/20, 10) }

// zipf: fixed popularities, and now and then an object goes and a new one takes
// its rank: two in five do, in all.
func zipf(n int, seed uint64) *Trace {
	m := newMaker("zipf", "Zipf 0.9, sizes log-normal, objects replaced", n, seed)
	ranks, pick := m.objects(population(n)), newPicker(population(n), skew, 0)
	for i := 0; m.more(); i++ {
		if i%50 == 0 {
			ranks[m.rng.IntN(len(ranks))] = m.object()
		}
		m.request(ranks[pick.next(m.rng)])
	}
	return m.trace
}

// crawler is zipf with somebody who walks through all that nobody else reads:
// a request in six, in runs.
func crawler(n int, seed uint64) *Trace {
	m := newMaker("crawler", "the same, a sixth of the requests a crawler's", n, seed)
	ranks, pick := m.objects(population(n)), newPicker(population(n), skew, 0)
	for i := 0; m.more(); i++ {
		switch {
		case i%600 < 100:
			m.request(m.object())
			continue
		case i%50 == 0:
			ranks[m.rng.IntN(len(ranks))] = m.object()
		}
		m.request(ranks[pick.next(m.rng)])
	}
	return m.trace
}

// drift: the objects stay and their popularities do not. Two ranks change
// places, high ones as often as low ones by order of magnitude.
func drift(n int, seed uint64) *Trace {
	m := newMaker("drift", "Zipf 0.9, ranks change places all the time", n, seed)
	ranks, pick := m.objects(population(n)), newPicker(population(n), skew, 0)
	rank := func() int {
		return int(math.Pow(float64(len(ranks)), m.rng.Float64())) - 1
	}
	for i := 0; m.more(); i++ {
		if i%50 == 0 {
			a, b := rank(), rank()
			ranks[a], ranks[b] = ranks[b], ranks[a]
		}
		m.request(ranks[pick.next(m.rng)])
	}
	return m.trace
}

// news: objects appear one after another, some liked better than others, are
// read at once, and ever less as they grow old.
func news(n int, seed uint64) *Trace {
	m := newMaker("news", "new objects all the time, read by age and appeal", n, seed)
	pick := newPicker(population(n)+n/20+1, 1.2, 10)
	articles := m.objects(population(n))
	appeal := make(map[uint32]float64)
	for i := 0; m.more(); i++ {
		if i%20 == 0 {
			articles = append(articles, m.object())
		}
		var o uint32
		for read := false; !read; {
			age := pick.next(m.rng)
			if age >= len(articles) {
				continue
			}
			o = articles[len(articles)-1-age]
			if appeal[o] == 0 {
				appeal[o] = math.Pow(m.rng.Float64(), 3)
			}
			read = m.rng.Float64() < appeal[o]
		}
		m.request(o)
	}
	return m.trace
}

// recency: a request in twelve is for a new object, the others for one that was
// used a while ago, the sooner the likelier. Nothing but that counts: no trace
// is kinder to LRU.
func recency(n int, seed uint64) *Trace {
	m := newMaker("recency", "what was used lately, whatever its popularity", n, seed)
	pick := newPicker(population(n), 1, 10)
	recent := m.objects(population(n)) // the latest at the end
	for m.more() {
		at := len(recent) - 1 - pick.next(m.rng)
		o := recent[at]
		if m.rng.IntN(12) == 0 {
			at, o = 0, m.object()
		}
		copy(recent[at:], recent[at+1:])
		recent[len(recent)-1] = o
		m.request(o)
	}
	return m.trace
}

// shifts: every tenth of the trace a third of the ranks belong to others, as
// with a campaign or a deployment.
func shifts(n int, seed uint64) *Trace {
	m := newMaker("shifts", "Zipf 0.9, a third of the ranks new at a stroke", n, seed)
	ranks, pick := m.objects(population(n)), newPicker(population(n), skew, 0)
	for i := 0; m.more(); i++ {
		if i > 0 && i%max(n/10, 1) == 0 {
			for j := range ranks {
				if m.rng.IntN(3) == 0 {
					ranks[j] = m.object()
				}
			}
		}
		m.request(ranks[pick.next(m.rng)])
	}
	return m.trace
}

// picker draws ranks from 0 with weights 1/(rank+1+offset)^s.
type picker struct{ sums []float64 }

func newPicker(n int, s, offset float64) *picker {
	p := &picker{sums: make([]float64, n)}
	sum := 0.0
	for i := range p.sums {
		sum += math.Pow(float64(i+1)+offset, -s)
		p.sums[i] = sum
	}
	return p
}

func (p *picker) next(r *rand.Rand) int {
	x := r.Float64() * p.sums[len(p.sums)-1]
	i, _ := slices.BinarySearch(p.sums, x)
	return min(i, len(p.sums)-1)
}
