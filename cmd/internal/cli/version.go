package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if asJSON {
				return json.NewEncoder(s.out).Encode(b)
			}
			_, err := fmt.Fprintln(s.out, b)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print for programs")
	return c
}

// linkedVersion is what the linker was told (-X), for builds that see no
// repository: an image is built from a folder without one.
var linkedVersion string

// build is what is known of the running program.
type build struct {
	Version  string `json:"version"` // of the module; "(devel)" for a build from a working tree
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`     // of the revision
	Modified bool   `json:"modified,omitempty"` // the tree had changes beyond the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() build {
	b := build{Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(linkedVersion, info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns the build in one line.
func (b build) String() string {
	line := "veneer " + b.Version
	if b.Revision != "" {
		line += " (" + b.Revision[:min(len(b.Revision), 12)]
		if b.Time != "" {
			line += ", " + b.Time
		}
		if b.Modified {
			line += ", modified"
		}
		line += ")"
	}
	return line + " " + b.Go + " " + b.Platform
}
