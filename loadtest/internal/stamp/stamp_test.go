package stamp

import (
	"errors"
	"testing"
	"time"
)

func sample(serial uint64) Stamp {
	return Stamp{
		URL: "/own/d1?size=4096&age=2", Serial: serial, Origin: "https://app.load.test\n\"",
		Tag: `"7-1"`, Until: time.UnixMicro(1_700_000_000_123_456),
	}
}

func TestContentReadsBack(t *testing.T) {
	for _, size := range []int{0, 1, 300, 4096, 64 << 10, 1 << 20} {
		for serial := range uint64(100) {
			if size > 4096 && serial > 3 {
				break
			}
			s := sample(serial)
			content := s.Content(size)
			if size > 300 && len(content) != size {
				t.Errorf("asked for %d bytes, got %d", size, len(content))
			}
			if got, err := Read(content); err != nil || got != s {
				t.Errorf("size %d: read %+v, %v; want %+v", size, got, err, s)
			}
		}
	}
}

func TestEveryCutIsSeen(t *testing.T) {
	content := sample(3).Content(700)
	for n := range content {
		if _, err := Read(content[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d bytes of %d: %v, want %v", n, len(content), err, ErrTruncated)
		}
	}
}

func TestEveryChangedByteIsSeen(t *testing.T) {
	content := sample(3).Content(700)
	for i := range content {
		content[i] ^= 0x11
		if s, err := Read(content); err == nil {
			t.Fatalf("byte %d changed, and it reads as %+v", i, s)
		}
		content[i] ^= 0x11
	}
}

func TestMixedContentIsSeen(t *testing.T) {
	a, b := sample(1).Content(4096), sample(2).Content(4096)
	for _, at := range []int{300, 1000, 2048, 4090} {
		mixed := append(append([]byte{}, a[:at]...), b[at:]...)
		if _, err := Read(mixed); !errors.Is(err, ErrCorrupt) {
			t.Errorf("the first %d bytes of one and the rest of another: %v, want %v", at, err, ErrCorrupt)
		}
	}
	if _, err := Read(append(a, b...)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("two contents in one: %v, want %v", err, ErrCorrupt)
	}
	if _, err := Read([]byte("<html>502</html>")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a foreign page: %v, want %v", err, ErrCorrupt)
	}
}
