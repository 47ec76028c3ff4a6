package config

import (
	"path/filepath"
	"testing"
)

// Every sample configuration that is shipped is good, without so much as a
// warning.
func TestShippedSamples(t *testing.T) {
	deploy := filepath.Join("..", "..", "..", "deploy")
	samples := []string{filepath.Join(deploy, "veneer.yaml")}
	more, err := filepath.Glob(filepath.Join(deploy, "samples", "*.yaml"))
	if err != nil || len(more) == 0 {
		t.Fatalf("no samples found: %v", err)
	}
	samples = append(samples, more...)
	for _, path := range samples {
		if cfg, problems := Load(path); cfg == nil || len(problems) > 0 {
			t.Errorf("%s:\n%v", path, problems)
		}
	}
}
