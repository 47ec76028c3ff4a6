package cachestatus

import (
	"regexp"
	"strings"
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
		{"stale for half a second", Status{Hit: true, HasTTL: true, TTL: -time.Second / 2, Detail: Stale}, "veneer; hit; ttl=-1; detail=stale"},
		{"half a second left", Status{Hit: true, HasTTL: true, TTL: time.Second / 2}, "veneer; hit; ttl=0"},
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

// A section is one of an RFC, the standard that has only names, or our own
// choice.
var sectionForm = regexp.MustCompile(`^(RFC (9110|9111|9112|9211|9213|5861|6585|8246|8586|7230) §[1-9][0-9]*(\.[1-9][0-9]*){0,3}|Fetch|policy)$`)

// Every reason explains itself, names a section of a known form, and no two
// share a token.
func TestReasonsAreComplete(t *testing.T) {
	seen, said := map[string]Reason{}, map[string]Reason{}
	for _, r := range Reasons() {
		token, sentence := r.String(), r.Sentence()
		if _, err := httpsfv.UnmarshalItem([]string{token}); err != nil || token == "" || token == "unknown" {
			t.Errorf("reason %d: %q is no token: %v", r, token, err)
		}
		if other, dup := seen[token]; dup {
			t.Errorf("reasons %d and %d share the token %q", r, other, token)
		}
		seen[token] = r
		if !sectionForm.MatchString(r.Section()) {
			t.Errorf("%s: section %q has no known form", token, r.Section())
		}
		for _, text := range []string{sentence, r.Remedy()} {
			if text != strings.TrimSpace(text) || strings.HasSuffix(text, ".") || text != "" && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' {
				t.Errorf("%s: %q is to be the middle of a sentence: no capital, no full stop", token, text)
			}
		}
		if len(sentence) < 15 {
			t.Errorf("%s: the sentence %q says too little", token, sentence)
		}
		if other, dup := said[sentence]; dup {
			t.Errorf("%s and %s have the same sentence", token, other)
		}
		said[sentence] = r
		if got, ok := ParseReason(token); !ok || got != r {
			t.Errorf("ParseReason(%q) = %v, %t", token, got, ok)
		}
	}
	for _, none := range []string{"", "none", "unknown", "No-Store"} {
		if r, ok := ParseReason(none); ok {
			t.Errorf("ParseReason(%q) = %v", none, r)
		}
	}
}

// What is not a reason explains nothing.
func TestReasonOutOfRange(t *testing.T) {
	r := Reason(200)
	if got := [4]string{r.String(), r.Section(), r.Sentence(), r.Remedy()}; got != [4]string{"unknown", "", "", ""} {
		t.Errorf("got %q", got)
	}
}

// A reason why nothing was stored or reused has a remedy, but for those where
// all is as it should be.
func TestRemedies(t *testing.T) {
	fine := map[Reason]bool{Upgrade: true, NotFinal: true, Purged: true, Preflight: true, RevalidationFailed: true, NotImplemented: true}
	for _, r := range Reasons() {
		if (r.Remedy() == "") != fine[r] {
			t.Errorf("%s: remedy %q", r, r.Remedy())
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
