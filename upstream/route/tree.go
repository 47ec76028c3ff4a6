package route

import "strings"

// paths are the entries of one host: exact paths in a map, prefixes in a radix
// tree. A nil *paths matches nothing.
type paths struct {
	exact map[string]int
	root  *node
}

// node is an edge of the radix tree with what lies below it. Children begin
// with different bytes, which stand in firsts in the same order.
type node struct {
	edge     string
	value    int // -1: no entry ends here
	firsts   string
	children []*node
}

func (p *paths) add(path string, prefix bool, value int) {
	if !prefix {
		if p.exact == nil {
			p.exact = map[string]int{}
		}
		p.exact[path] = value
		return
	}
	if p.root == nil {
		p.root = &node{value: -1}
	}
	p.root.insert(path, value)
}

// lookup returns the value of the most specific entry that matches path, or -1.
func (p *paths) lookup(path string) int {
	if p == nil {
		return -1
	}
	if i, ok := p.exact[path]; ok {
		return i
	}
	best := -1
	for n := p.root; n != nil; {
		if !strings.HasPrefix(path, n.edge) {
			break
		}
		path = path[len(n.edge):]
		if n.value >= 0 {
			best = n.value
		}
		if path == "" {
			break
		}
		i := strings.IndexByte(n.firsts, path[0])
		if i < 0 {
			break
		}
		n = n.children[i]
	}
	return best
}

// insert puts value at the end of path, which does not hold the edges above n.
func (n *node) insert(path string, value int) {
	for {
		common := commonPrefix(path, n.edge)
		if common < len(n.edge) {
			lower := *n
			lower.edge = n.edge[common:]
			*n = node{edge: n.edge[:common], value: -1, firsts: lower.edge[:1], children: []*node{&lower}}
		}
		path = path[common:]
		if path == "" {
			n.value = value
			return
		}
		i := strings.IndexByte(n.firsts, path[0])
		if i < 0 {
			n.firsts += path[:1]
			n.children = append(n.children, &node{edge: path, value: value})
			return
		}
		n = n.children[i]
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
