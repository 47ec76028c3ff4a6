package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors are the storeys of the house: a package imports from lower floors
// only. cachestatus is the vocabulary below the ground floor: everybody may
// use its words, and it uses nobody's. The longest prefix decides.
var floors = map[string]int{
	"veneer/cache/cachestatus": -1,

	"veneer/cache/rfc9111":    0,
	"veneer/cache/key":        0,
	"veneer/cache/flight":     0,
	"veneer/cache/tag":        0,
	"veneer/corslayer/origin": 0,
	"veneer/upstream/route":   0,
	"veneer/upstream/forward": 0,
	"veneer/cache":            1,
	"veneer/corslayer":        1,
	"veneer/upstream":         1,
	"veneer/cache/store":      2,
	"veneer/cache/lane":       2,
	"veneer/upstream/balance": 2,
	"veneer/upstream/health":  2,
	"veneer/bench":            3,
	"veneer/loadtest":         3,
	"veneer/cmd/internal":     3,
	"veneer/deploy":           3,
	"veneer/cmd/internal/cli": 4,
	"veneer/cmd/veneer":       5,
}

// only says which package alone may import a library (and what lies under it).
var only = map[string]string{
	"github.com/dgraph-io/ristretto":     "veneer/cache/store/memory",
	"github.com/pquerna/cachecontrol":    "veneer/cache/rfc9111",
	"go.yaml.in/yaml":                    "veneer/cmd/internal/config",
	"go.opentelemetry.io/otel/sdk":       "veneer/cmd/internal/telemetry",
	"go.opentelemetry.io/otel/exporters": "veneer/cmd/internal/telemetry",
	"go.opentelemetry.io/contrib":        "veneer/cmd/internal/telemetry",
	"github.com/redis/rueidis":           "veneer/cache/store/shared",
	"github.com/cockroachdb/pebble":      "veneer/cache/store/disk",
}

// trees never import one another: cmd joins them.
var trees = []string{"veneer/cache", "veneer/corslayer", "veneer/upstream"}

// apart are packages of one floor of which the first does not import the second:
// what a file says is known without the library that does it.
var apart = map[string]string{"veneer/cmd/internal/config": "veneer/cmd/internal/telemetry"}

func TestFloors(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages: the test would prove nothing", len(packages))
	}
	for _, p := range packages {
		from, known := floor(p.ImportPath)
		if !known {
			t.Errorf("%s stands on no floor: add it to the list in this test", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if why := forbidden(p.ImportPath, from, imp); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
}

// forbidden says why from may not import imp, or "".
func forbidden(path string, from int, imp string) string {
	for lib, home := range only {
		if under(imp, lib) && !under(path, home) {
			return "only " + home + " may"
		}
	}
	if !strings.HasPrefix(imp, "veneer/") {
		return ""
	}
	to, known := floor(imp)
	switch {
	case !known:
		return "it stands on no floor"
	case to == -1:
		return ""
	case to > from:
		return "imports point down"
	case to == from && from <= 1:
		return "packages of one floor do not import one another"
	}
	if other, ok := apart[path]; ok && under(imp, other) {
		return "app knows both"
	}
	if a, b := tree(path), tree(imp); a != "" && b != "" && a != b {
		return "cache, corslayer and upstream never import one another"
	}
	return ""
}

func TestFloorRulesBite(t *testing.T) {
	for _, c := range []struct{ path, imp string }{
		{"veneer/cache", "veneer/corslayer"},
		{"veneer/cache", "veneer/corslayer/origin"},
		{"veneer/upstream", "veneer/cache/key"},
		{"veneer/corslayer", "veneer/cache/store/memory"},
		{"veneer/cache/key", "veneer/cache"},
		{"veneer/cache/key", "veneer/cache/rfc9111"},
		{"veneer/cache", "github.com/dgraph-io/ristretto/v2"},
		{"veneer/cmd/internal/app", "go.yaml.in/yaml/v3"},
		{"veneer/cache", "go.opentelemetry.io/otel/sdk/metric"},
		{"veneer/cmd/internal/app", "veneer/cmd/internal/cli"},
		{"veneer/cmd/internal/config", "veneer/cmd/internal/telemetry"},
	} {
		from, _ := floor(c.path)
		if forbidden(c.path, from, c.imp) == "" {
			t.Errorf("%s may import %s, and must not", c.path, c.imp)
		}
	}
}

func floor(path string) (int, bool) {
	for p := path; p != ""; {
		if f, ok := floors[p]; ok {
			return f, true
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return 0, false
		}
		p = p[:i]
	}
	return 0, false
}

func tree(path string) string {
	for _, t := range trees {
		if under(path, t) {
			return t
		}
	}
	return ""
}

func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "veneer/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("go list printed something else: %v", err)
		}
		all = append(all, p)
	}
}
