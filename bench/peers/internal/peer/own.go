package peer

import (
	"fmt"
	"strconv"
	"strings"

	"veneer/bench/peers/internal/bare"
)

// own are the Go servers of package bare.
func own() []*Server {
	return []*Server{
		{
			Name: "floor", About: "reads, finds the blank line, writes ready bytes", Ours: true, Fixed: true, program: self,
			takes: func(w Work) bool { return !w.Miss && w.Protocol != HTTP2 }, setup: serve("floor"),
		},
		{
			Name: "nethttp", About: "a minimal net/http handler with the same fields", Ours: true, Fixed: true, program: self,
			takes: func(w Work) bool { return !w.Miss }, setup: serve("nethttp"),
		},
		{
			Name: "reverse", About: "httputil.ReverseProxy on net/http, tuned Transport", Ours: true, program: self,
			takes: func(w Work) bool { return w.Miss }, setup: serve("reverse"),
		},
	}
}

// Upstream is the server behind the others. It is not one of All.
func Upstream() *Server {
	return &Server{Name: "upstream", Ours: true, program: self, setup: serve("upstream")}
}

// serve makes the sub-command that runs one of them.
func serve(role string) func(Place, Work) Setup {
	return func(p Place, w Work) Setup {
		return Setup{Args: []string{
			bare.Command, role, "-http", p.HTTP, "-https", p.HTTPS, "-sink", p.Sink, "-upstream", p.Upstream,
			"-cert", p.Cert, "-key", p.Key, "-size", strconv.Itoa(w.Size), "-store=" + strconv.FormatBool(!w.Miss),
			"-origins", strings.Join(Origins, ","),
		}}
	}
}

// variant is a Veneer configuration with a name.
type variant struct {
	name, about string
	server      string // more keys of server
	telemetry   string // keys of telemetry, %s is where spans go
}

// variants are the configurations that are measured. Another one is another
// line; one that this release refuses is reported and not measured.
var variants = []variant{
	{name: "veneer", about: "Veneer, server.lane: true", server: "lane: true"},
	{name: "veneer-nolane", about: "Veneer, server.lane: false", server: "lane: false"},
	{name: "veneer-traces", about: "Veneer, lane, traces of 1 %", server: "lane: true", telemetry: `traces: { endpoint: "http://%s", sample: 0.01 }`},
}

func veneers() []*Server {
	var all []*Server
	for _, v := range variants {
		all = append(all, &Server{
			Name: v.name, About: v.about, Ours: true, program: veneer, version: []string{"version"},
			takes: func(Work) bool { return true }, setup: v.setup,
		})
	}
	return all
}

func (v variant) setup(p Place, _ Work) Setup {
	telemetry := ""
	if v.telemetry != "" {
		telemetry = "telemetry: { " + fmt.Sprintf(v.telemetry, p.Sink) + " }\n"
	}
	text := fmt.Sprintf(`server: { http: %q, https: { address: %q, cert_file: %q, key_file: %q }, %s }
cors:
  app: { origins: [%s], methods: [GET] }
upstreams:
  app: { servers: ["http://%s"] }
routes:
  - { match: { path: / }, upstream: app, cors: app }
%s`, p.HTTP, p.HTTPS, p.Cert, p.Key, v.server, quoted(Origins), p.Upstream, telemetry)
	return Setup{Args: []string{"serve", "-c", p.Dir + "/veneer.yaml"}, Files: map[string]string{"veneer.yaml": text}}
}

func quoted(names []string) string {
	var all []string
	for _, n := range names {
		all = append(all, strconv.Quote(n))
	}
	return strings.Join(all, ", ")
}
