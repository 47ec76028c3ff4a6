package memory

import (
	"iter"
	"slices"

	"veneer/cache/key"
)

// byURI lists the newest record of each target URI in the order of
// key.CompareURIs, so that a purge by prefix finds what it is about and nothing
// else. Store.mu guards it.
//
// It is a list of sorted blocks, which has two levels where a B-tree has four:
// for a million URIs a search compares some twenty keys either way, and adding
// one moves four KiB of pointers at most, which is less than one of these
// comparisons that misses the processor's cache. A URI takes 8 bytes of a full
// block and 12 on average (bench/growth measures it with the rest). The zero
// value is empty.
type byURI struct{ blocks [][]*record }

// blockSize is how many records a block holds: four KiB.
const blockSize = 512

// find returns where the record of a target URI is, or where it would have to
// be added.
func (l *byURI) find(uri string) (block, at int) {
	block, found := slices.BinarySearchFunc(l.blocks, uri, func(b []*record, uri string) int {
		return key.CompareURIs(b[0].uri(), uri)
	})
	switch {
	case found:
		return block, 0
	case block > 0:
		block--
	case len(l.blocks) == 0:
		return 0, 0
	}
	at, _ = slices.BinarySearchFunc(l.blocks[block], uri, func(r *record, uri string) int {
		return key.CompareURIs(r.uri(), uri)
	})
	return block, at
}

// add enters the record of a target URI that has none.
func (l *byURI) add(r *record) {
	if len(l.blocks) == 0 {
		l.blocks = append(l.blocks, newBlock(r))
		return
	}
	i, at := l.find(r.uri())
	b := l.blocks[i]
	switch {
	case len(b) < blockSize:
		l.blocks[i] = slices.Insert(b, at, r)
		return
	case at == len(b) && i == len(l.blocks)-1: // they come in order, as when a catalogue is crawled
		l.blocks = append(l.blocks, newBlock(r))
		return
	}
	right := newBlock(b[blockSize/2:]...)
	clear(b[blockSize/2:])
	b = b[:blockSize/2]
	if at <= len(b) {
		b = slices.Insert(b, at, r)
	} else {
		right = slices.Insert(right, at-len(b), r)
	}
	l.blocks[i] = b
	l.blocks = slices.Insert(l.blocks, i+1, right)
}

func newBlock(rs ...*record) []*record { return append(make([]*record, 0, blockSize), rs...) }

// replace lets r stand for its target URI in the place of another record.
func (l *byURI) replace(r *record) {
	i, at := l.find(r.uri())
	l.blocks[i][at] = r
}

// remove takes the record of a target URI out.
func (l *byURI) remove(uri string) {
	i, at := l.find(uri)
	b := slices.Delete(l.blocks[i], at, at+1)
	l.blocks[i] = b
	switch {
	case len(b) >= blockSize/4:
	case len(b) == 0:
		l.blocks = slices.Delete(l.blocks, i, i+1)
	case i+1 < len(l.blocks) && len(b)+len(l.blocks[i+1]) <= blockSize/2:
		l.join(i)
	case i > 0 && len(l.blocks[i-1])+len(b) <= blockSize/2:
		l.join(i - 1)
	}
}

// join makes one block of the i-th and the next.
func (l *byURI) join(i int) {
	l.blocks[i] = append(l.blocks[i], l.blocks[i+1]...)
	l.blocks = slices.Delete(l.blocks, i+1, i+2)
}

// within iterates over the records of the target URIs with a prefix. The list
// does not change meanwhile.
func (l *byURI) within(p key.Prefix) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for r := range l.from(p.First()) {
			if !p.Begins(r.uri()) || !yield(r) {
				return
			}
		}
	}
}

// all iterates over the records of all target URIs. The list does not change
// meanwhile.
func (l *byURI) all() iter.Seq[*record] {
	return func(yield func(*record) bool) { l.scan(0, 0, yield) }
}

// from is all, from the first whose target URI is uri or behind it.
func (l *byURI) from(uri string) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		i, at := l.find(uri)
		l.scan(i, at, yield)
	}
}

func (l *byURI) scan(block, at int, yield func(*record) bool) {
	for ; block < len(l.blocks); block, at = block+1, 0 {
		for _, r := range l.blocks[block][at:] {
			if !yield(r) {
				return
			}
		}
	}
}
