package memory

// place says who accounts for an entry.
type place uint8

const (
	nowhere place = iota
	inPolicy
	inWindow
)

// secondChances bounds how many entries one Put offers to the policy again as
// they leave the window, and so the work of a Put. The rest is dropped.
const secondChances = 8

// admission is policy and window together: who may stay. Store.mu guards all
// of it.
//
// A newcomer goes through the window, and what is used there is offered to the
// policy on its way out: most objects are asked for once, and in the policy
// each of them would cost another its place. Two kinds skip the window: what
// the policy has room for, and what was thrown out so lately that it would
// still be here had the store been half a policy larger.
type admission struct {
	policy *policy
	window fifo
	losers []*entry // accounted nowhere now, and still in the index
}

// admit finds a place for e, in the stead of old where that is not nil, and
// reports whether there is one. If not, old keeps a place. Whoever lost theirs
// is in losers afterwards, in both cases.
func (a *admission) admit(e, old *entry) bool {
	if old != nil && old.hit.Load() {
		e.hit.Store(true) // a freshened Object is as much in use as before
	}
	if old != nil && old.place == inPolicy && e.cost <= old.cost {
		a.policy.update(e, old)
		e.place, old.place = inPolicy, nowhere
		return true
	}
	wasInPolicy := old != nil && old.place == inPolicy
	if wasInPolicy {
		a.policy.remove(old)
		old.place = nowhere
	}
	fits := e.cost <= a.window.size
	known := a.policy.recall(e.id)
	switch {
	case (known || wasInPolicy || !fits || a.policy.hasRoom(e.cost)) && a.offer(e):
		a.release(old)
		return true
	case fits:
		a.release(old)
		a.push(e)
		return true
	case wasInPolicy && !a.offer(old):
		// Cannot happen: old left room, and a refused offer takes none.
		a.lose(old)
	}
	return false
}

// offer asks the policy to take e and notes who had to go. An entry whose id
// belongs to another Object (a collision of hashes) is refused: the policy
// could not tell the two apart.
func (a *admission) offer(e *entry) bool {
	if a.policy.has(e.id) {
		return false
	}
	admitted := a.policy.offer(e)
	for _, v := range a.policy.takeVictims() {
		a.lose(v)
	}
	if admitted {
		e.place = inPolicy
	}
	return admitted
}

// lose notes that e has no place any more.
func (a *admission) lose(e *entry) {
	e.place = nowhere
	a.policy.remember(e)
	a.losers = append(a.losers, e)
}

// push makes room in the window, oldest first, and takes e in. e fits.
func (a *admission) push(e *entry) {
	chances := secondChances
	for a.window.bytes+e.cost > a.window.size {
		x := a.window.oldest()
		a.window.remove(x)
		x.place = nowhere
		if chances == 0 || !x.hit.Swap(false) {
			a.lose(x)
			continue
		}
		chances--
		if !a.offer(x) {
			a.enter(x)
		}
	}
	a.enter(e)
}

// enter puts e at the window's new end.
func (a *admission) enter(e *entry) {
	a.window.add(e)
	e.place = inWindow
}

// release takes e out of where it is accounted; nil and nowhere are fine. The
// caller settles the policy after the last of a row.
func (a *admission) release(e *entry) {
	if e == nil {
		return
	}
	switch e.place {
	case inPolicy:
		a.policy.remove(e)
	case inWindow:
		a.window.remove(e)
	}
	e.place = nowhere
}

// takeLosers returns the entries to be taken out of the index. The slice is
// good until the next admit.
func (a *admission) takeLosers() []*entry {
	l := a.losers
	a.losers = a.losers[:0]
	return l
}

// fifo is a queue of entries, first in, first out, by bytes.
type fifo struct {
	size, bytes int64 // size is the bound that the owner keeps
	root        entry // root.next is the oldest, root.prev the newest
}

func (q *fifo) init(size int64) {
	q.size, q.bytes = size, 0
	q.root.next, q.root.prev = &q.root, &q.root
}

// oldest returns the entry that came first. The queue is not empty.
func (q *fifo) oldest() *entry { return q.root.next }

func (q *fifo) add(e *entry) { q.insert(e, &q.root) }

// insert puts e before x, as the next older one.
func (q *fifo) insert(e, x *entry) {
	e.prev, e.next = x.prev, x
	e.prev.next, e.next.prev = e, e
	q.bytes += e.cost
}

func (q *fifo) remove(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	q.bytes -= e.cost
}
