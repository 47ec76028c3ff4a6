// Package bare has the Go servers that others are measured by: the floor, which
// does nothing that a server could leave out, a plain net/http handler, a
// plain httputil.ReverseProxy, and the upstream behind the caches. Each runs in
// a process of its own, as a sub-command.
package bare

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Command is the first argument that makes a program one of the servers.
const Command = "serve"

// roles are the servers, by the name that follows Command.
var roles = map[string]func(context.Context, options) error{
	"floor": floor, "nethttp": handler, "reverse": reverse, "upstream": upstream,
}

// options are what a server is told.
type options struct {
	http, https, sink string // addresses; "" is none
	upstream          string // host:port
	cert, key         string // files
	size              int    // of the content
	store             bool   // whether the upstream's answer may be stored
	origins           []string
}

// Run is the sub-command: a server until ctx ends. args follow Command.
func Run(ctx context.Context, args []string) error {
	var name string
	if len(args) > 0 {
		name = args[0]
	}
	role, ok := roles[name]
	if !ok {
		return fmt.Errorf("cannot serve %q: there is no such server", name)
	}
	var o options
	var origins string
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.http, "http", "", "")
	f.StringVar(&o.https, "https", "", "")
	f.StringVar(&o.sink, "sink", "", "")
	f.StringVar(&o.upstream, "upstream", "", "")
	f.StringVar(&o.cert, "cert", "", "")
	f.StringVar(&o.key, "key", "", "")
	f.IntVar(&o.size, "size", 0, "")
	f.BoolVar(&o.store, "store", false, "")
	f.StringVar(&origins, "origins", "", "")
	if err := f.Parse(args[1:]); err != nil {
		return fmt.Errorf("cannot serve %q: %w", name, err)
	}
	o.origins = slices.DeleteFunc(strings.Split(origins, ","), func(s string) bool { return s == "" })
	return role(ctx, o)
}

// Content is what every answer holds: size bytes that are no run of one byte,
// so that a server which mixes up parts of it is found out.
func Content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyz\n"[i%37]
	}
	return b
}

// fields are those of an answer from a cache, CORS aside: what Veneer sends on a
// hit, so that all write the same number of bytes.
var fields = [][2]string{
	{"Age", "7"},
	{"Cache-Control", "public, max-age=3600"},
	{"Cache-Status", "veneer; hit; ttl=3593"},
	{"Content-Type", "application/octet-stream"},
	{"Date", "Thu, 01 Jan 2026 00:00:00 GMT"},
	{"Etag", `"bench"`},
	{"Vary", "Origin"},
	{"Via", "1.1 veneer"},
}

// head is a ready head of HTTP/1.1 with an empty line at its end.
func head(fields [][2]string, origin string, size int) []byte {
	b := []byte("HTTP/1.1 200 OK\r\n")
	if origin != "" {
		b = fmt.Appendf(b, "Access-Control-Allow-Origin: %s\r\n", origin)
	}
	for _, f := range fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f[0], f[1])
	}
	return fmt.Appendf(b, "Content-Length: %d\r\n\r\n", size)
}
