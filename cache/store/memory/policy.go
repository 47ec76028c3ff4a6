package memory

import (
	"fmt"

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
type policy struct {
	cache *ristretto.Cache[uint64, *entry]

	// Written by the callbacks on ristretto's goroutine between a Set and the
	// end of its Wait, read by the waiting writer after it.
	victims  []*entry
	rejected bool
}

// bytesPerCounter relates the frequency sketch to the budget: ten counters an
// object of 5 KiB, at about four bytes each.
const bytesPerCounter = 512

// newPolicy returns a policy that holds maxCost bytes.
func newPolicy(maxCost int64) (*policy, error) {
	p := &policy{}
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

// offer asks for admission of e, whose id is not taken, and reports whether it
// was admitted. Entries that had to go, also for one that was refused in the
// end, are appended to victims.
func (p *policy) offer(e *entry) bool {
	p.rejected = false
	p.set(e)
	return !p.rejected
}

// update puts e in the place of an entry with the same id and at least the
// same cost. Nobody has to go for that.
func (p *policy) update(e *entry) { p.set(e) }

func (p *policy) set(e *entry) {
	for !p.cache.Set(e.id, e, e.cost) {
		p.cache.Wait()
	}
	p.cache.Wait()
}

// remove forgets e. The caller calls settle after the last of a row.
func (p *policy) remove(e *entry) { p.cache.Del(e.id) }

// settle waits until all removals are done.
func (p *policy) settle() { p.cache.Wait() }

// takeVictims returns the entries that the policy gave up since the last call.
// The slice is good until the next offer.
func (p *policy) takeVictims() []*entry {
	v := p.victims
	p.victims = p.victims[:0]
	return v
}

// close ends ristretto's goroutines. Nothing may be called afterwards.
func (p *policy) close() {
	p.cache.Close()
	p.victims = nil
}
