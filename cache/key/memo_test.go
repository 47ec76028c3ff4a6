package key

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What is remembered is what would be worked out, also when a slot changes
// hands, and the memo stays as small as it is.
func TestMemo(t *testing.T) {
	values := []string{"gzip", "GZIP", "br;q=0.5, gzip", "gzip , br;q=0.5", "*", "", "identity;q=0", "x=1", strings.Repeat("a, ", 40), strings.Repeat("b", memoValue+1)}
	for i := range 3 * memoSlots {
		values = append(values, fmt.Sprintf("coding-%d, GZIP", i))
	}
	for range 2 * memoPatience {
		for _, v := range values {
			lines := []string{v}
			want := string(appendNormal(nil, "Accept-Encoding", lines))
			if !matchesValue("Accept-Encoding", want, lines) || matchesValue("Accept-Encoding", want+"x", lines) {
				t.Fatalf("%q does not match its own normal form %q, or another one", v, want)
			}
		}
	}
	held := 0
	for i := range encodings.slots {
		if r := encodings.slots[i].Load(); r != nil {
			held++
			if want := string(appendNormal(nil, "Accept-Encoding", []string{r.value})); r.normal != want || len(r.value) > memoValue {
				t.Errorf("%q is remembered as %q, want %q", r.value, r.normal, want)
			}
		}
	}
	if held < memoSlots/4 { // alone it takes 92: not every byte of a value chooses its slot
		t.Errorf("%d of %d slots are in use: this test proves nothing", held, memoSlots)
	}
}

// One field's memo is no other's.
func TestMemoOf(t *testing.T) {
	h := http.Header{"Accept-Encoding": {"DE, en"}, "Accept-Language": {"DE, en"}, "Accept": {"DE, en"}}
	s := Select([]string{"Accept", "Accept-Encoding", "Accept-Language"}, h)
	for range 3 {
		if !s.Matches(h) {
			t.Errorf("%q does not match itself", s.Values)
		}
	}
	if s.Values[0] == s.Values[1] {
		t.Error("both have one normal form: this test proves nothing")
	}
}
