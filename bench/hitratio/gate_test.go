//go:build !race

package hitratio

import (
	"testing"
)

// What the store may be behind the best of the others, in points. The goal by
// requests is two. By bytes more is granted: on traces this short a few large
// objects make up a few points.
const (
	maxLag      = 2.0
	maxLagBytes = 7.0
)

func TestStoreKeepsUp(t *testing.T) {
	table := replayAll(t, Traces(40_000, 1), 5, 20)
	store := len(table.Caches) - 1
	for _, r := range table.Rows {
		lead := r.Lead(store)
		t.Logf("%-8s %2d%%: %5.1f %5.1f, lead %+5.1f %+5.1f", r.Trace, r.Percent,
			100*r.Ratios[store].Objects, 100*r.Ratios[store].Bytes, lead.Objects, lead.Bytes)
		if lead.Objects < -maxLag || lead.Bytes < -maxLagBytes {
			t.Errorf("%s at %d %%: %+.1f points to the best by requests (at most %.1f behind), %+.1f by bytes (at most %.1f)",
				r.Trace, r.Percent, lead.Objects, maxLag, lead.Bytes, maxLagBytes)
		}
	}
}
