package cachestatus

import (
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

func TestStatusText(t *testing.T) {
	for _, c := range []struct {
		name   string
		status Status
		want   string
	}{
		{"hit", Status{Hit: true, HasTTL: true, TTL: 57 * time.Second}, "veneer; hit; ttl=57"},
		{"stale hit", Status{Hit: true, HasTTL: true, TTL: -3 * time.Second, Detail: Stale}, "veneer; hit; ttl=-3; detail=stale"},
		{"miss stored", Status{Forward: URIMiss, UpstreamStatus: 200, Stored: true}, "veneer; fwd=uri-miss; fwd-status=200; stored"},
		{"collapsed", Status{Forward: VaryMiss, Collapsed: true}, "veneer; fwd=vary-miss; collapsed"},
		{"not stored", Status{Forward: Miss, Detail: Private}, "veneer; fwd=miss; detail=private"},
		{"own answer", Status{Detail: OnlyIfCached}, "veneer; detail=only-if-cached"},
		{"key", Status{Hit: true, Key: `a"b\c` + "\x01\x7f"}, `veneer; hit; key="a\"b\\c??"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.status.String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, err := httpsfv.UnmarshalList([]string{c.status.String()}); err != nil {
				t.Errorf("not a structured field: %v", err)
			}
		})
	}
}

// Every reason explains itself, and no two share a token.
func TestReasonsAreComplete(t *testing.T) {
	seen := map[string]Reason{}
	for _, r := range Reasons() {
		if r.String() == "" || r.Section() == "" || r.Sentence() == "" {
			t.Errorf("reason %d has no token, section or sentence: %q %q %q", r, r, r.Section(), r.Sentence())
		}
		if other, dup := seen[r.String()]; dup {
			t.Errorf("reasons %d and %d share the token %q", r, other, r)
		}
		seen[r.String()] = r
		if _, err := httpsfv.UnmarshalItem([]string{r.String()}); err != nil {
			t.Errorf("%q is not a token: %v", r, err)
		}
	}
}

func TestForwardTokens(t *testing.T) {
	for f := Bypass; f <= ByPartial; f++ {
		if f.String() == "" || f.String() == "unknown" {
			t.Errorf("forward %d has no token", f)
		}
	}
	if got := Forward(200).String(); got != "unknown" {
		t.Errorf("out of range: got %q", got)
	}
}
