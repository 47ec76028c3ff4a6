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
type admission struct {
	policy *policy
	window window
	losers []*entry // accounted nowhere now, and still in the index
}

// admit finds a place for e, in the stead of old where that is not nil, and
// reports whether there is one. If not, old keeps a place. Whoever lost theirs
// is in losers afterwards, in both cases.
func (a *admission) admit(e, old *entry) bool {
	if old != nil && old.place == inPolicy && e.cost <= old.cost {
		a.policy.update(e)
		e.place, old.place = inPolicy, nowhere
		return true
	}
	wasInPolicy := old != nil && old.place == inPolicy
	if wasInPolicy {
		a.policy.remove(old)
		old.place = nowhere
	}
	switch {
	case a.offer(e):
		a.release(old)
		return true
	case e.cost <= a.window.size:
		a.release(old)
		a.push(e)
		return true
	case wasInPolicy && !a.offer(old):
		// Cannot happen: old left room, and a refused offer takes none.
		a.losers = append(a.losers, old)
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
		v.place = nowhere
		a.losers = append(a.losers, v)
	}
	if admitted {
		e.place = inPolicy
	}
	return admitted
}

// push makes room in the window, oldest first, and takes e in. e fits.
func (a *admission) push(e *entry) {
	chances := secondChances
	for a.window.bytes+e.cost > a.window.size {
		x := a.window.oldest()
		a.window.remove(x)
		x.place = nowhere
		if chances == 0 || !x.hit.Swap(false) {
			a.losers = append(a.losers, x)
			continue
		}
		chances--
		if !a.offer(x) {
			a.window.add(x)
		}
	}
	a.window.add(e)
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

// window is a first-in-first-out queue of entries with a bound in bytes.
type window struct {
	size, bytes int64
	root        entry // root.next is the oldest, root.prev the newest
}

func (w *window) init(size int64) {
	w.size = size
	w.root.next, w.root.prev = &w.root, &w.root
}

// oldest returns the entry that came first. The window is not empty.
func (w *window) oldest() *entry { return w.root.next }

func (w *window) add(e *entry) {
	e.prev, e.next = w.root.prev, &w.root
	e.prev.next, e.next.prev = e, e
	w.bytes += e.cost
	e.place = inWindow
}

func (w *window) remove(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	w.bytes -= e.cost
}
