package process

import (
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Settings are what a scenario wants to have configured. Every other value is
// the same for all.
type Settings struct {
	Upstream        string        // host:port
	StoreMiB        int           // of the memory store
	Origins         int           // origins let in by a pattern that are stored, per URL
	Listed          []string      // exact origins and patterns of the policy
	ResponseTimeout time.Duration // until an upstream's head
}

// configuration has four routes to one upstream, one for each way of dealing
// with CORS. Port 0 is the same address to a reload, and free whenever it is
// bound.
var configuration = template.Must(template.New("veneer.yaml").Parse(`# written by loadtest
server:
  http: 127.0.0.1:0
  https: { address: "127.0.0.1:0", cert_file: tls.crt, key_file: tls.key }
admin: { address: "127.0.0.1:0" }
cors:
  apps:
    origins: [{{range $i, $o := .Listed}}{{if $i}}, {{end}}"{{$o}}"{{end}}]
    methods: [GET, PUT]
    headers: [Content-Type]
    expose: [ETag, Load-Serial]
    credentials: true
    max_age: 10m
upstreams:
  load: { servers: ["http://{{.Upstream}}"], response_timeout: {{.ResponseTimeout}}, fail_timeout: 1s }
routes:
  - { match: { path: /own/ }, upstream: load, cors: apps, cache: { origins: {{.Origins}}, grace: 1h, max_object: 4MiB } }
  - { match: { path: /shared/ }, upstream: load, cors: apps, cache: { key: { origin: shared }, grace: 1h, max_object: 4MiB } }
  - { match: { path: /pass/ }, upstream: load, cors: pass, cache: { origins: {{.Origins}}, grace: 1h, max_object: 4MiB } }
  - { match: { path: /off/ }, upstream: load, cors: "off", cache: { grace: 1h, max_object: 4MiB } }
store: { memory: { size: {{.StoreMiB}}MiB } }
`))

// file is the configuration as the program reads it.
func (s Settings) file() (string, error) {
	var b strings.Builder
	if err := configuration.Execute(&b, s); err != nil {
		return "", fmt.Errorf("cannot write a configuration: %w", err)
	}
	return b.String(), nil
}
