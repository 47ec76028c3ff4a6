package peer

import (
	"strconv"
	"strings"

	"veneer/bench/peers/internal/bare"
)

// own are the Go servers of package bare.
func own() []*Server {
	return []*Server{
		{
			Name: "floor", About: "reads, finds the blank line, writes ready bytes", Ours: true, Memory: true, Blind: true, program: self,
			takes: func(w Work) bool { return !w.Miss && w.Protocol != HTTP2 }, args: serve("floor"),
		},
		{
			Name: "nethttp", About: "a minimal net/http handler with the same fields", Ours: true, Memory: true, program: self,
			takes: func(w Work) bool { return !w.Miss }, args: serve("nethttp"),
		},
		{
			Name: "reverse", About: "httputil.ReverseProxy on net/http, tuned Transport", Ours: true, program: self,
			takes: func(w Work) bool { return w.Miss }, args: serve("reverse"),
		},
	}
}

// Upstream is the server behind the others. It is not one of All.
func Upstream() *Server {
	return &Server{Name: "upstream", Ours: true, program: self, args: serve("upstream")}
}

// serve makes the arguments of the sub-command that runs one of them.
func serve(role string) func(values) []string {
	return func(v values) []string {
		return []string{
			bare.Command, role, "-http", v.HTTP, "-https", v.HTTPS, "-sink", v.Sink, "-upstream", v.Upstream,
			"-cert", v.Cert, "-key", v.Key, "-size", strconv.Itoa(v.Size), "-store=" + strconv.FormatBool(!v.Miss),
			"-origins", strings.Join(v.Origins, ","),
		}
	}
}

// variant is a Veneer configuration with a name.
type variant struct {
	name, about string
	Server      []string // more lines of server
	Traces      string   // the share of requests that get a span; "" is none
}

// variants are the configurations that are measured. Another one is another
// line; one that this release refuses as not built yet is said to be that.
var variants = []variant{
	{name: "veneer", about: "Veneer, lane on", Server: []string{"lane: true"}},
	{name: "veneer-nolane", about: "Veneer, lane off", Server: []string{"lane: false"}},
	{name: "veneer-traces", about: "Veneer, lane on, traces of 1 %", Server: []string{"lane: true"}, Traces: "0.01"},
}

func veneers() []*Server {
	var all []*Server
	for _, v := range variants {
		all = append(all, &Server{
			Name: v.name, About: v.about, Ours: true, program: veneer, version: []string{"version"},
			takes: func(Work) bool { return true }, config: "veneer.yaml", variant: v,
			args: func(v values) []string { return []string{"serve", "-c", v.Dir + "/veneer.yaml"} },
		})
	}
	return all
}
