// Package contest measures servers side by side: it starts all that can do a
// row's work, checks them, and lets them take turns, round after round.
package contest

import (
	"fmt"
	"slices"
	"strings"

	"veneer/bench/peers/internal/peer"
)

// Row is a group of measurements that are compared with one another.
type Row struct {
	Name  string
	Title string
	Work  peer.Work
	Base  string // the server that the others are divided by
}

// sizes of contents, and whether their rows are measured unless others are named.
var sizes = []struct {
	name, title string
	bytes       int
}{
	{"1k", "1 KiB", 1 << 10},
	{"64k", "64 KiB", 64 << 10},
	{"1m", "1 MiB", 1 << 20},
}

// Default are the rows that the goals are about.
var Default = []string{"h1-1k", "h1-64k", "h1-1m", "tls-1k", "h2-1k", "miss-1k"}

// Rows returns every row.
func Rows() []Row {
	var rows []Row
	for _, kind := range []struct {
		name, title, base string
		work              peer.Work
	}{
		{"h1", "hit, HTTP/1.1", "floor", peer.Work{Protocol: peer.HTTP1}},
		{"tls", "hit, HTTP/1.1 over TLS", "floor", peer.Work{Protocol: peer.TLS}},
		{"h2", "hit, HTTP/2 over TLS", "nethttp", peer.Work{Protocol: peer.HTTP2}},
		{"miss", "not storable, HTTP/1.1", "reverse", peer.Work{Protocol: peer.HTTP1, Miss: true}},
	} {
		for _, size := range sizes {
			work := kind.work
			work.Size = size.bytes
			rows = append(rows, Row{kind.name + "-" + size.name, kind.title + ", " + size.title, work, kind.base})
		}
	}
	return rows
}

// Choose returns those of all whose name is in names, a list with commas, in the
// order of all. "all" is every one.
func Choose[T any](all []T, name func(T) string, names string) ([]T, error) {
	if names == "all" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	var known, some = []string{}, []T{}
	for _, x := range all {
		known = append(known, name(x))
		if slices.ContainsFunc(wanted, func(w string) bool { return strings.TrimSpace(w) == name(x) }) {
			some = append(some, x)
		}
	}
	for _, w := range wanted {
		if !slices.Contains(known, strings.TrimSpace(w)) {
			return nil, fmt.Errorf("cannot measure %q: there is none of this name; there are %s, and all", w, strings.Join(known, ", "))
		}
	}
	return some, nil
}
