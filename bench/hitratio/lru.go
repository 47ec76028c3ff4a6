package hitratio

// lru throws out what was not used for the longest time.
type lru struct {
	size  int64
	items map[uint32]*item
	queue *queue
}

// NewLRU returns a Cache of size bytes.
func NewLRU(size int64) Cache {
	return &lru{size: size, items: make(map[uint32]*item), queue: newQueue()}
}

func (c *lru) Request(object uint32, cost int64) bool {
	if i := c.items[object]; i != nil {
		c.queue.remove(i)
		c.queue.push(i)
		return true
	}
	if cost > c.size {
		return false
	}
	for c.queue.bytes+cost > c.size {
		delete(c.items, c.queue.pop().object)
	}
	i := &item{object: object, cost: cost}
	c.items[object] = i
	c.queue.push(i)
	return false
}
