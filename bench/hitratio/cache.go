package hitratio

// Cache is what a Trace is replayed through.
type Cache interface {
	// Request asks for an object and, if it is not there, offers it. It
	// reports whether it was there. cost is what the object takes of the
	// cache's room, in bytes, and the same each time.
	Request(object uint32, cost int64) bool
}

// Ratio is the outcome of a replay: parts of 1.
type Ratio struct {
	Objects float64 // requests that were hits
	Bytes   float64 // bytes of content that hits delivered
}

// Replay sends a whole Trace through an empty Cache. overhead is what an object
// costs beside its content.
func Replay(t *Trace, c Cache, overhead int64) Ratio {
	var hits, hitBytes, bytes int64
	for _, r := range t.Requests {
		bytes += int64(r.Size)
		if c.Request(r.Object, int64(r.Size)+overhead) {
			hits++
			hitBytes += int64(r.Size)
		}
	}
	return Ratio{
		Objects: float64(hits) / float64(max(len(t.Requests), 1)),
		Bytes:   float64(hitBytes) / float64(max(bytes, 1)),
	}
}

// item is an object in one of the baselines.
type item struct {
	object     uint32
	cost       int64
	uses       uint8
	queue      *queue
	prev, next *item
}

// queue is a list of items with the sum of their costs.
type queue struct {
	bytes int64
	root  item // root.next is the oldest, root.prev the newest
}

func newQueue() *queue {
	q := &queue{}
	q.root.prev, q.root.next = &q.root, &q.root
	return q
}

// oldest returns the item that was pushed first, or nil.
func (q *queue) oldest() *item {
	if q.root.next == &q.root {
		return nil
	}
	return q.root.next
}

func (q *queue) push(i *item) {
	i.prev, i.next, i.queue = q.root.prev, &q.root, q
	i.prev.next, i.next.prev = i, i
	q.bytes += i.cost
}

// pop takes the oldest item out; there is one.
func (q *queue) pop() *item {
	i := q.root.next
	q.remove(i)
	return i
}

func (q *queue) remove(i *item) {
	i.prev.next, i.next.prev = i.next, i.prev
	i.prev, i.next, i.queue = nil, nil, nil
	q.bytes -= i.cost
}
