package peer

import (
	"embed"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strings"
	"text/template"
)

//go:embed configs
var configs embed.FS

// values are what a configuration is made of.
type values struct {
	Place
	Work
	Origins []string
	Variant variant
}

var functions = template.FuncMap{
	"host": func(address string) (string, error) { return part(address, 0) },
	"port": func(address string) (string, error) { return part(address, 1) },
}

// part returns the host or the port of an address.
func part(address string, i int) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("cannot split %q: %w", address, err)
	}
	return []string{host, port}[i], nil
}

// fill fills in the configuration of that name, or all in the directory of that
// name, and returns them by their base names.
func fill(name string, v values) (map[string]string, error) {
	files := make(map[string]string)
	err := fs.WalkDir(configs, path.Join("configs", name), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t, err := template.New(path.Base(file)).Funcs(functions).ParseFS(configs, file)
		if err != nil {
			return err
		}
		var b strings.Builder
		err = t.Execute(&b, v)
		files[path.Base(file)] = b.String()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write the configuration %s: %w", name, err)
	}
	return files, nil
}
