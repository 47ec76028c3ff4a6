// Package stamp makes content that says what it is, and reads it back: of which
// target it is, which answer of the upstream carried it, what the upstream saw,
// how long it is, and a checksum. So a reader at the far end of any number of
// caches sees that content was cut, mixed up, or belongs to another request.
package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// Stamp is what content says of itself. It is a value without references that
// anybody changes.
type Stamp struct {
	URL    string    // the target that the upstream was asked for: path and query
	Serial uint64    // the number of the upstream's answer, from 1, never twice
	Origin string    // the Origin that the upstream saw, "" for none
	Tag    string    // the entity tag that went with it, with its quotes
	Until  time.Time // when the upstream's own content changes next, in µs
}

// What is wrong with content; Read's errors wrap one of them.
var (
	ErrTruncated = errors.New("content is shorter than it says")
	ErrCorrupt   = errors.New("content is not what was written")
)

const (
	magic   = "veneer-load 1\n"
	trailer = len("sum 01234567\n")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// filler is what lies between head and checksum, from a place that depends on
// the serial number: two contents of one length differ everywhere.
var filler = func() []byte {
	b := make([]byte, 128<<10)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = 'a' + byte(x>>24)%26
	}
	return b
}()

// Content returns size bytes, or as many more as the stamp itself needs. The
// caller owns them.
func (s Stamp) Content(size int) []byte {
	head := fmt.Sprintf("url %q\nserial %d\norigin %q\ntag %q\nuntil %d\n\n", s.URL, s.Serial, s.Origin, s.Tag, s.Until.UnixMicro())
	// The length stands in the head and is part of it: nine digits always.
	fixed := len(magic) + len("length 123456789\n") + len(head) + trailer
	size = max(size, fixed)
	b := make([]byte, 0, size)
	b = append(b, magic...)
	b = fmt.Appendf(b, "length %09d\n", size)
	b = append(b, head...)
	for at := int(s.Serial * 977 % uint64(len(filler)/2)); len(b) < size-trailer; at = 0 {
		b = append(b, filler[at:min(len(filler), at+size-trailer-len(b))]...)
	}
	return fmt.Appendf(b, "sum %08x\n", crc32.Checksum(b, castagnoli))
}

// Read returns the stamp of content that is whole. An error wraps ErrTruncated
// when the end is missing, and ErrCorrupt when it is anything else.
func Read(content []byte) (Stamp, error) {
	rest, ok := bytes.CutPrefix(content, []byte(magic))
	if !ok {
		if bytes.HasPrefix([]byte(magic), content) {
			return Stamp{}, fmt.Errorf("%w: %d bytes", ErrTruncated, len(content))
		}
		return Stamp{}, fmt.Errorf("%w: begins with %q", ErrCorrupt, content[:min(40, len(content))])
	}
	lines := strings.SplitN(string(rest[:min(len(rest), 8<<10)]), "\n", 8)
	if len(lines) < 8 {
		return Stamp{}, fmt.Errorf("%w: %d bytes, within its head", ErrTruncated, len(content))
	}
	var s Stamp
	var length int
	var until int64
	for i, f := range []struct {
		format string
		to     any
	}{{"length %d", &length}, {"url %q", &s.URL}, {"serial %d", &s.Serial}, {"origin %q", &s.Origin}, {"tag %q", &s.Tag}, {"until %d", &until}} {
		if _, err := fmt.Sscanf(lines[i], f.format, f.to); err != nil {
			return Stamp{}, fmt.Errorf("%w: line %q: %w", ErrCorrupt, lines[i], err)
		}
	}
	s.Until = time.UnixMicro(until)
	switch {
	case len(content) < length:
		return s, fmt.Errorf("%w: %d bytes of %d", ErrTruncated, len(content), length)
	case len(content) > length:
		return s, fmt.Errorf("%w: %d bytes, and it says %d", ErrCorrupt, len(content), length)
	}
	body, end := content[:length-trailer], content[length-trailer:]
	sum, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSuffix(string(end), "\n"), "sum "), 16, 32)
	if got := crc32.Checksum(body, castagnoli); err != nil || uint32(sum) != got {
		return s, fmt.Errorf("%w: it ends in %q, its checksum is %08x", ErrCorrupt, end, got)
	}
	return s, nil
}
