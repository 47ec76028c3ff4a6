package hitratio

// s3fifo is S3-FIFO (Yang et al., "FIFO queues are all you need for cache
// eviction", SOSP 2023), by bytes instead of by count: a small queue, a tenth
// of the room, whose objects go to the main queue when they were used twice in
// it; a main queue in which use gives another round; and a ghost queue that
// remembers which objects left the small one, as many bytes of them as the main
// queue holds.
type s3fifo struct {
	size, smallSize    int64
	items              map[uint32]*item // the ghosts too
	small, main, ghost *queue
}

const maxUses = 3 // two bits

// NewS3FIFO returns a Cache of size bytes.
func NewS3FIFO(size int64) Cache {
	return &s3fifo{
		size: size, smallSize: size / 10,
		items: make(map[uint32]*item), small: newQueue(), main: newQueue(), ghost: newQueue(),
	}
}

func (c *s3fifo) Request(object uint32, cost int64) bool {
	i := c.items[object]
	if i != nil && i.queue != c.ghost {
		i.uses = min(i.uses+1, maxUses)
		return true
	}
	if cost > c.size {
		return false
	}
	// The ghost may be forgotten while room is made, and still decides.
	for c.small.bytes+c.main.bytes+cost > c.size {
		c.evict()
	}
	to := c.small
	if i != nil {
		to = c.main
		if i.queue == c.ghost {
			c.ghost.remove(i)
		}
	}
	i = &item{object: object, cost: cost}
	c.items[object] = i
	to.push(i)
	return false
}

// evict throws one object out.
func (c *s3fifo) evict() {
	if c.small.bytes < c.smallSize || c.small.oldest() == nil {
		if c.main.oldest() != nil {
			c.evictMain()
			return
		}
	}
	c.evictSmall()
}

func (c *s3fifo) evictSmall() {
	for c.small.oldest() != nil {
		i := c.small.pop()
		if i.uses <= 1 {
			c.remember(i)
			return
		}
		i.uses = 0
		c.main.push(i)
	}
	c.evictMain()
}

func (c *s3fifo) evictMain() {
	for c.main.oldest() != nil {
		i := c.main.pop()
		if i.uses == 0 {
			delete(c.items, i.object)
			return
		}
		i.uses--
		c.main.push(i)
	}
}

// remember makes a ghost of an object.
func (c *s3fifo) remember(i *item) {
	c.ghost.push(i)
	for c.ghost.bytes > c.size-c.smallSize {
		delete(c.items, c.ghost.pop().object)
	}
}
