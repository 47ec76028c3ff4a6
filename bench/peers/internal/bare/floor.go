package bare

import (
	"context"
	"net"
)

// floor reads, finds the blank line and writes head and content, which are one
// ready slice, whatever was asked for. No server in Go with net's connections
// can do with less.
func floor(ctx context.Context, o options) error {
	plain, secure, err := o.listen("http/1.1")
	if err != nil {
		return err
	}
	var origin string
	if len(o.origins) > 0 {
		origin = o.origins[0]
	}
	ready := append(head(fields, origin, o.size), Content(o.size)...)
	return accept(ctx, func([]byte) []byte { return ready }, some(plain, secure)...)
}

// some returns the listeners that there are.
func some(all ...net.Listener) []net.Listener {
	var there []net.Listener
	for _, l := range all {
		if l != nil {
			there = append(there, l)
		}
	}
	return there
}
