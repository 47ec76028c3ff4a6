package memory

import (
	"fmt"
	"math/bits"

	"github.com/dgraph-io/ristretto/v2"
)

// policy makes a synchronous function of ristretto: offer returns when the
// verdict is known and its victims are reported. The caller holds Store.mu in
// every method but touch.
//
// What ristretto does that this has to respect (v2.4.2):
//
//   - Set drops silently when its queue is full, and of two Sets of a new key
//     the first wins: so every change is waited for before the next begins.
//   - Set of a key that is there already changes its cost without evicting
//     anybody: so update is for entries that do not grow.
//   - It knows keys by their hash alone: so has is asked before a Set, and an
//     id in use by another Object is not offered.
//   - A victim may be reported twice, the second time without a value.
//   - Close while anything else runs panics: so Store.Close shuts every shard
//     and takes every lock first.
//   - It remembers how often, and not when: what was popular an hour ago keeps
//     its place until the counters have aged. So a clock hand goes round beside
//     it (retire).
type policy struct {
	cache *ristretto.Cache[uint64, *entry]

	residents fifo // what is admitted, in the order of the hand
	ghosts    ghosts

	// Written by the callbacks on ristretto's goroutine between a Set and the
	// end of its Wait, read by the waiting writer after it.
	victims  []*entry
	rejected bool
}

// bytesPerCounter relates the frequency sketch to the budget: ten counters an
// object of 5 KiB, at about four bytes each.
const bytesPerCounter = 512

// What follows was found by replaying traces (bench/hitratio). A factor of two
// either way moves a hit ratio by about a point: more passed bytes and more
// ghosts are good for traces of recency and for large objects, fewer for
// popularities that stay.
const (
	// retireFactor says how many bytes of residents the hand passes for each
	// byte that is offered.
	retireFactor = 2
	// retireSteps bounds how many residents it passes for one offer.
	retireSteps = 32
	// ghostPart is the policy's part whose worth of lost bytes is remembered.
	ghostPart = 2
	// bytesPerGhost relates the ghosts' table to the policy's size.
	bytesPerGhost = 4096
)

// newPolicy returns a policy that holds maxCost bytes.
func newPolicy(maxCost int64) (*policy, error) {
	p := &policy{}
	p.residents.init(maxCost)
	p.ghosts.init(min(max(maxCost/bytesPerGhost, 1<<8), 1<<24), maxCost/ghostPart)
	var err error
	p.cache, err = ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        min(max(maxCost/bytesPerCounter, 1<<12), 1<<27),
		MaxCost:            maxCost,
		BufferItems:        64,
		IgnoreInternalCost: true, // Object.Cost has it
		KeyToHash:          func(id uint64) (uint64, uint64) { return id, 0 },
		OnEvict: func(i *ristretto.Item[*entry]) {
			if i.Value != nil {
				p.victims = append(p.victims, i.Value)
			}
		},
		OnReject: func(*ristretto.Item[*entry]) { p.rejected = true },
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make the admission policy: %w", err)
	}
	return p, nil
}

// touch counts one use of id, whether it is held or not: admission compares
// frequencies, and those of absent keys count most. It never blocks and may be
// called without Store.mu as long as the shard's lock says that it is open.
func (p *policy) touch(id uint64) { p.cache.Get(id) }

// has reports whether id is taken. It does not count as a use.
func (p *policy) has(id uint64) bool {
	_, ok := p.cache.GetTTL(id)
	return ok
}

// hasRoom reports whether cost bytes fit without a victim.
func (p *policy) hasRoom(cost int64) bool { return p.residents.bytes+cost <= p.residents.size }

// offer asks for admission of e, whose id is not taken, and reports whether it
// was admitted. Entries that had to go, also for one that was refused in the
// end, are appended to victims.
func (p *policy) offer(e *entry) bool {
	if e.cost > p.residents.size {
		return false
	}
	p.retire(e.cost)
	p.rejected = false
	n := len(p.victims)
	p.set(e)
	for _, v := range p.victims[n:] {
		p.residents.remove(v)
	}
	if p.rejected {
		return false
	}
	p.residents.add(e)
	return true
}

// retire moves the hand to make room for cost bytes, or to find that there is
// none without a contest. A resident that was not used since the hand last came
// by goes; the others have another round. The bytes passed are bounded by those
// that are offered, or large objects, which have to win against several small
// ones, would hardly ever be admitted.
func (p *policy) retire(cost int64) {
	passed := int64(0)
	for range retireSteps {
		if p.hasRoom(cost) || passed >= retireFactor*cost {
			return
		}
		x := p.residents.oldest()
		p.residents.remove(x)
		passed += x.cost
		if x.hit.Load() {
			x.hit.Store(false)
			p.residents.add(x)
			continue
		}
		p.cache.Del(x.id)
		p.victims = append(p.victims, x)
	}
}

// update puts e in the place of old, which has the same id and at least the
// same cost. Nobody has to go for that.
func (p *policy) update(e, old *entry) {
	p.residents.insert(e, old)
	p.residents.remove(old)
	p.set(e)
}

func (p *policy) set(e *entry) {
	for !p.cache.Set(e.id, e, e.cost) {
		p.cache.Wait()
	}
	p.cache.Wait()
}

// remove forgets e. The caller calls settle after the last of a row.
func (p *policy) remove(e *entry) {
	p.residents.remove(e)
	p.cache.Del(e.id)
}

// settle waits until all removals are done.
func (p *policy) settle() { p.cache.Wait() }

// takeVictims returns the entries that the policy gave up since the last call.
// The slice is good until the next offer.
func (p *policy) takeVictims() []*entry {
	v := p.victims
	p.victims = p.victims[:0]
	return v
}

// remember notes that e, in the policy or not, has lost its place.
func (p *policy) remember(e *entry) { p.ghosts.add(e.id, e.cost) }

// recall reports whether id lost its place lately, and forgets it.
func (p *policy) recall(id uint64) bool { return p.ghosts.take(id) }

// close ends ristretto's goroutines. Nothing may be called afterwards.
func (p *policy) close() {
	p.cache.Close()
	p.victims, p.ghosts = nil, ghosts{}
	p.residents.init(0)
}

// ghosts remembers ids of entries that had to go, for as long as no more than
// reach bytes went after them. It is a table with one place for each hash: where
// two meet the later stays, which makes it forgetful and never wrong by more
// than a collision of ids.
type ghosts struct {
	slots []ghost // a power of two of them
	gone  int64   // bytes so far
	reach int64
}

type ghost struct {
	id   uint64
	gone int64 // ghosts.gone when it went, itself included; 0 is an empty slot
}

// init makes room for at least n ids.
func (g *ghosts) init(n, reach int64) {
	g.slots = make([]ghost, 1<<bits.Len64(uint64(n-1)))
	g.reach = reach
}

func (g *ghosts) slot(id uint64) *ghost { return &g.slots[id&uint64(len(g.slots)-1)] }

func (g *ghosts) add(id uint64, cost int64) {
	g.gone += cost
	*g.slot(id) = ghost{id, g.gone}
}

// take reports whether id is remembered, and forgets it.
func (g *ghosts) take(id uint64) bool {
	s := g.slot(id)
	if s.gone == 0 || s.id != id || g.gone-s.gone > g.reach {
		return false
	}
	*s = ghost{}
	return true
}
