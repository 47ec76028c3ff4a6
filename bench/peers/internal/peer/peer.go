// Package peer has the servers that are measured side by side: how each is
// found, configured for the same work, started on one core, checked and ended.
package peer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Origins are the allowed ones. Requests carry the first.
var Origins = []string{"https://app.example.com", "https://shop.example.com"}

// Protocol is how a client talks to a server.
type Protocol uint8

// The protocols.
const (
	HTTP1 Protocol = iota // in clear
	TLS                   // HTTP/1.1 over TLS 1.3
	HTTP2                 // over TLS 1.3
)

// Work is what a server has to do in one group of measurements.
type Work struct {
	Protocol Protocol
	Size     int  // of the content
	Miss     bool // the upstream's answer may not be stored
}

// Place is where a server runs, and with whom.
type Place struct {
	Dir         string // its own, for configuration and state
	Core        int
	HTTP, HTTPS string // its addresses
	Upstream    string // host:port
	Sink        string // host:port where spans go
	Cert, Key   string // files, for 127.0.0.1
	Both        string // a file with certificate and key
}

// Server is one that can be measured.
type Server struct {
	Name    string // for -servers
	About   string
	Ours    bool     // a failed check is our own fault, and a finding
	Memory  bool     // it answers from its own memory, without an upstream
	Blind   bool     // ... and whatever is asked as for the first origin
	program string   // looked up, unless it is one of the words below
	version []string // arguments that make it tell its version
	takes   func(Work) bool
	config  string // file or directory in configs; "" is none
	variant variant
	args    func(values) []string
}

// Programs that are not looked up.
const (
	self   = "self"   // the running binary
	veneer = "veneer" // built from this tree
)

// Takes says whether the server can do the work at all.
func (s *Server) Takes(w Work) bool { return s.takes(w) }

// Programs says where what is not looked up lies.
type Programs struct{ Self, Veneer string }

// Find returns the path of the server's program.
func (p Programs) Find(s *Server) (string, error) {
	switch s.program {
	case self:
		return p.Self, nil
	case veneer:
		return p.Veneer, nil
	}
	return find(s.program, []string{"/usr/local/sbin", "/usr/sbin", "/sbin"})
}

// find looks in PATH, and then where distributions put servers, which the PATH
// of a user often leaves out.
func find(program string, more []string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range more {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %w", program, err)
}

// Version asks a server's program for its version. It is "" when the program
// does not tell.
func (p Programs) Version(s *Server) string {
	path, err := p.Find(s)
	if err != nil || len(s.version) == 0 {
		return ""
	}
	return Said(path, s.version...)
}

// Said is the first line that a program prints; some end badly after their
// version.
func Said(program string, args ...string) string {
	out, _ := exec.Command(program, args...).CombinedOutput() // #nosec G204: a program that was looked up by name
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// All returns every server, the ones to compare with first.
func All() []*Server {
	all := own()
	all = append(all, veneers()...)
	return append(all, others()...)
}

// prepare writes the server's configuration into its directory, and returns the
// arguments that follow the program.
func (s *Server) prepare(place Place, w Work) ([]string, error) {
	v := values{place, w, Origins, s.variant}
	if s.config != "" {
		files, err := fill(s.config, v)
		if err != nil {
			return nil, err
		}
		for name, text := range files {
			err := os.WriteFile(filepath.Join(place.Dir, name), []byte(text), 0o644) // #nosec G306: servers that give up root read it
			if err != nil {
				return nil, fmt.Errorf("cannot write %s: %w", name, err)
			}
		}
	}
	return s.args(v), nil
}
