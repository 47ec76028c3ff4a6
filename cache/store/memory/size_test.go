package memory

import (
	"testing"
	"unsafe"
)

// What an Object costs beside its bytes is mostly these two, and what a lookup
// costs among millions is how many lines of memory it reads: so neither grows
// unnoticed into the allocator's next class. bench/growth measures the sum.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("of 64-bit processors")
	}
	for name, c := range map[string]struct{ got, most uintptr }{
		"entry":  {unsafe.Sizeof(entry{}), 64},
		"record": {unsafe.Sizeof(record{}), 80},
	} {
		if c.got > c.most {
			t.Errorf("%s: %d bytes, more than %d", name, c.got, c.most)
		}
	}
}
