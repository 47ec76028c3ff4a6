package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"veneer/corslayer"
)

// Load reads, completes and checks the configuration file at path. The Config
// is nil when one of the problems is an error. Variables are those of the
// process; files that the configuration names are relative to its folder.
func Load(path string) (*Config, Problems) {
	src, problem := source(path)
	if problem != nil {
		return nil, Problems{*problem}
	}
	return Parse(path, src, os.LookupEnv)
}

// source reads a configuration file.
func source(path string) ([]byte, *Problem) {
	src, err := readRegular(path, maxSource+1)
	if err != nil {
		why := "the file cannot be read"
		switch {
		case errors.Is(err, os.ErrNotExist):
			why = "there is no such file"
		case errors.Is(err, os.ErrPermission):
			why = "the file may not be read"
		case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
			why += ": " + err.Error()
		}
		return nil, &Problem{File: path, Why: why, Fix: "the path of a configuration, for one veneer.yaml"}
	}
	return src, nil
}

// AdminAddress returns the admin.address of the file at path, as it was written
// or the default, also where anything else in the file has a problem; "" when
// there is no admin listener. The error is that of a file that cannot be read,
// or is no YAML.
func AdminAddress(path string) (string, error) {
	src, problem := source(path)
	if problem != nil {
		return "", errors.New(problem.String())
	}
	r := &reader{report: newReport(path), env: os.LookupEnv, readFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }}
	v, ok := r.document(src)
	if !ok {
		return "", errors.New(r.done()[0].String())
	}
	return r.root(v).Admin.Address, nil
}

// Parse is Load for a text that the caller has: name stands in problems, and
// its folder is where the files are that src names. env looks up a variable;
// nil knows none.
func Parse(name string, src []byte, env func(string) (string, bool)) (*Config, Problems) {
	return parse(name, src, env, func(path string) ([]byte, error) { return readRegular(path, maxSecret+1) })
}

func parse(name string, src []byte, env func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, Problems) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	var files []string
	r := &reader{report: newReport(name), env: env, readFile: func(path string) ([]byte, error) {
		files = append(files, path)
		return readFile(path)
	}}
	v, ok := r.document(src)
	if !ok {
		return nil, r.done()
	}
	c := r.root(v)
	c.Files = files
	c.check(r.report)
	problems := r.done()
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return c, problems
}

// maxSecret bounds a file that the configuration names, in bytes.
const maxSecret = 256 << 10

var (
	errNotRegular = errors.New("it is not a regular file")
	errTooLarge   = errors.New("it is too large")
)

// readRegular reads a file that is one: a pipe or a device could keep a
// reload waiting for ever. A file of more than limit bytes is an error.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err == nil && int64(len(data)) == limit {
		return nil, fmt.Errorf("%w, more than %s", errTooLarge, formatSize(limit-1))
	}
	return data, err
}

// Quick is the configuration of `serve --upstream URL`: one route for all
// hosts and paths. listen is the address, "" for 127.0.0.1:8080. With origins
// Veneer owns CORS and lets those in, without it passes the application's
// answers through. Problems name the flags.
func Quick(upstream, listen string, allowOrigins []string) (*Config, Problems) {
	c := Default()
	if listen != "" {
		c.Server.HTTP = []string{listen}
	}
	r := newReport("")
	u := NewUpstream("upstream")
	server, why, fix := parseServer(upstream)
	if why != "" {
		got := quote(upstream)
		if strings.ContainsAny(upstream, "@?#") {
			got = hidden
		}
		r.problem("--upstream", got, why, fix)
	} else {
		u.Servers = append(u.Servers, server)
	}
	c.Upstreams = []Upstream{u}
	rt := NewRoute("", "/", u.Name)
	if len(allowOrigins) > 0 {
		const name = "allow-origin"
		c.CORS = []CORSPolicy{{Name: name, Config: corslayer.Config{
			Origins: allowOrigins,
			Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
			Headers: []string{"Content-Type", "Authorization"},
		}}}
		rt.CORS = RouteCORS{Mode: corslayer.ModeOwn, Policy: name}
	}
	c.Routes = []Route{rt}
	if why == "" {
		c.check(r)
	}
	problems := r.done()
	for i := range problems {
		problems[i].Field = flagOf(problems[i].Field)
	}
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return c, problems
}

// flagOf names the flag behind a field of Quick's configuration.
func flagOf(field string) string {
	switch {
	case strings.HasPrefix(field, "server.http"):
		return "--listen"
	case strings.HasPrefix(field, "cors.allow-origin.origins"):
		return "--allow-origin"
	case strings.HasPrefix(field, "upstreams."):
		return "--upstream"
	}
	return field
}
