package rfc9111

import (
	"errors"
	"math"
	"strings"
)

// Range is a part of the content, in bytes. Length is at least one.
type Range struct{ Start, Length int64 }

// Why a Range field gives no ranges.
var (
	// ErrRangeIgnored: it is not a byte range that can be read, or the field
	// has several lines. It is as if it were absent: 200 (RFC 9110 §14.2).
	ErrRangeIgnored = errors.New("rfc9111: Range is ignored")
	// ErrRangeUnsatisfiable: no range overlaps the content: 416 with
	// Content-Range: bytes */size (§15.5.17).
	ErrRangeUnsatisfiable = errors.New("rfc9111: Range is not satisfiable")
	// ErrRangeRefused: too many ranges, or ranges that overlap, which would
	// make the answer larger than the content: 416 as well (§14.2, §15.5.17).
	ErrRangeRefused = errors.New("rfc9111: Range asks for too many or for overlapping parts")
)

// What one request may ask for.
const (
	maxRanges     = 16
	maxRangeField = 1 << 10
)

// ParseRange reads the lines of a Range field for content of size bytes (RFC
// 9110 §14.1.2). The ranges are in the order of the request, within the
// content, and disjoint; those that lie beyond the content are left out, as
// long as one remains. Without a field it returns nil and no error. It
// allocates nothing but the result.
func ParseRange(lines []string, size int64) ([]Range, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	unit, set, ok := strings.Cut(lines[0], "=")
	if !ok || len(lines) > 1 || size < 0 || !strings.EqualFold(unit, "bytes") {
		return nil, ErrRangeIgnored
	}
	if len(set) > maxRangeField {
		return nil, ErrRangeRefused
	}
	var found []Range
	specs := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // §5.6.1.2: empty elements do not count
		}
		r, ok := parseRangeSpec(spec, size)
		if !ok {
			return nil, ErrRangeIgnored
		}
		if specs++; specs <= maxRanges && r.Length > 0 {
			if found == nil {
				found = make([]Range, 0, min(strings.Count(set, ",")+1, maxRanges))
			}
			found = append(found, r)
		}
	}
	switch {
	case specs == 0:
		return nil, ErrRangeIgnored
	case specs > maxRanges || overlap(found):
		return nil, ErrRangeRefused
	case len(found) == 0:
		return nil, ErrRangeUnsatisfiable
	}
	return found, nil
}

// parseRangeSpec reads one range-spec. One that is valid and not satisfiable
// has the length zero.
func parseRangeSpec(spec string, size int64) (Range, bool) {
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return Range{}, false
	}
	if from == "" { // the last n bytes
		n, ok := parsePosition(to)
		n = min(n, size)
		return Range{size - n, n}, ok
	}
	first, ok := parsePosition(from)
	if !ok {
		return Range{}, false
	}
	last := int64(math.MaxInt64)
	if to != "" {
		if last, ok = parsePosition(to); !ok || last < first {
			return Range{}, false
		}
	}
	if first >= size {
		return Range{}, true
	}
	return Range{first, min(last, size-1) - first + 1}, true
}

// parsePosition reads 1*DIGIT; too large a number is clamped.
func parsePosition(s string) (int64, bool) {
	var n int64
	for i := range len(s) {
		c := int64(s[i]) - '0'
		switch {
		case c < 0 || c > 9:
			return 0, false
		case n > (math.MaxInt64-c)/10:
			n = math.MaxInt64
		default:
			n = n*10 + c
		}
	}
	return n, s != ""
}

// overlap reports whether two of the few ranges have a byte in common.
func overlap(ranges []Range) bool {
	for i, a := range ranges {
		for _, b := range ranges[:i] {
			if a.Start < b.Start+b.Length && b.Start < a.Start+a.Length {
				return true
			}
		}
	}
	return false
}
