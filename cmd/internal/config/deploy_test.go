package config

import (
	"path/filepath"
	"testing"
)

// Every sample configuration that is shipped is good, without so much as a
// warning.
func TestShippedSamples(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "..", "..", "deploy", "*.yaml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples found: %v", err)
	}
	for _, path := range samples {
		if cfg, problems := Load(path); cfg == nil || len(problems) > 0 {
			t.Errorf("%s:\n%v", path, problems)
		}
	}
}
