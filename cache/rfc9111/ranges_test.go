package rfc9111

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var rangeCases = []struct {
	name  string
	lines []string
	size  int64
	want  []Range
	err   error
}{
	{"absent", nil, 10, nil, nil},
	{"first and last", []string{"bytes=0-1"}, 11, []Range{{0, 2}}, nil},
	{"no last", []string{"bytes=1-"}, 11, []Range{{1, 10}}, nil},
	{"suffix", []string{"bytes=-1"}, 11, []Range{{10, 1}}, nil},
	{"suffix longer than the content", []string{"bytes=-99"}, 11, []Range{{0, 11}}, nil},
	{"last beyond the end", []string{"bytes=5-99"}, 11, []Range{{5, 6}}, nil},
	{"one byte", []string{"bytes=10-10"}, 11, []Range{{10, 1}}, nil},
	{"unit in another case", []string{"Bytes=0-0"}, 11, []Range{{0, 1}}, nil},
	{"several, in the client's order", []string{"bytes=8-9, 0-1 ,-1"}, 11, []Range{{8, 2}, {0, 2}, {10, 1}}, nil},
	{"adjacent", []string{"bytes=0-4,5-9"}, 10, []Range{{0, 5}, {5, 5}}, nil},
	{"empty elements", []string{"bytes=,0-0,,"}, 10, []Range{{0, 1}}, nil},
	{"one of two is satisfiable", []string{"bytes=20-30,0-0"}, 10, []Range{{0, 1}}, nil},
	{"past 64 bits", []string{"bytes=0-99999999999999999999"}, 10, []Range{{0, 10}}, nil},
	{"begins past 64 bits", []string{"bytes=99999999999999999999-"}, 10, nil, ErrRangeUnsatisfiable},
	{"sixteen", []string{"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30"}, 31, []Range{
		{0, 1}, {2, 1}, {4, 1}, {6, 1}, {8, 1}, {10, 1}, {12, 1}, {14, 1}, {16, 1}, {18, 1}, {20, 1}, {22, 1}, {24, 1}, {26, 1}, {28, 1}, {30, 1}}, nil},
	{"beyond the end", []string{"bytes=11-"}, 11, nil, ErrRangeUnsatisfiable},
	{"the last zero bytes", []string{"bytes=-0"}, 11, nil, ErrRangeUnsatisfiable},
	{"no content", []string{"bytes=0-"}, 0, nil, ErrRangeUnsatisfiable},
	{"a suffix of no content", []string{"bytes=-5"}, 0, nil, ErrRangeUnsatisfiable},
	{"unknown length", []string{"bytes=0-"}, -1, nil, ErrRangeIgnored},
	{"another unit", []string{"lines=0-1"}, 10, nil, ErrRangeIgnored},
	{"no unit", []string{"0-1"}, 10, nil, ErrRangeIgnored},
	{"empty", []string{""}, 10, nil, ErrRangeIgnored},
	{"no range", []string{"bytes="}, 10, nil, ErrRangeIgnored},
	{"commas only", []string{"bytes=,,"}, 10, nil, ErrRangeIgnored},
	{"dash only", []string{"bytes=-"}, 10, nil, ErrRangeIgnored},
	{"no dash", []string{"bytes=5"}, 10, nil, ErrRangeIgnored},
	{"backwards", []string{"bytes=5-4"}, 10, nil, ErrRangeIgnored},
	{"backwards after a good one", []string{"bytes=0-1,5-4"}, 10, nil, ErrRangeIgnored},
	{"two dashes", []string{"bytes=--5"}, 10, nil, ErrRangeIgnored},
	{"a sign", []string{"bytes=+1-5"}, 10, nil, ErrRangeIgnored},
	{"white space inside", []string{"bytes=1 -5"}, 10, nil, ErrRangeIgnored},
	{"white space before =", []string{"bytes =1-5"}, 10, nil, ErrRangeIgnored},
	{"two lines", []string{"bytes=0-1", "bytes=2-3"}, 10, nil, ErrRangeIgnored},
	{"overlapping", []string{"bytes=0-5,5-9"}, 10, nil, ErrRangeRefused},
	{"all of it, many times", []string{"bytes=0-,0-,0-"}, 10, nil, ErrRangeRefused},
	{"the same by its end", []string{"bytes=9-,-1"}, 10, nil, ErrRangeRefused},
	{"too many", []string{"bytes=" + strings.Repeat("0-0,", maxRanges+1)}, 10, nil, ErrRangeRefused},
	{"too many that cannot be satisfied", []string{"bytes=" + strings.Repeat("99-,", maxRanges+1)}, 10, nil, ErrRangeRefused},
	{"too long", []string{"bytes=0-" + strings.Repeat("0", maxRangeField)}, 10, nil, ErrRangeRefused},
}

func TestParseRange(t *testing.T) {
	for _, c := range rangeCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseRange(c.lines, c.size)
			if !errors.Is(err, c.err) {
				t.Errorf("got the error %v, want %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// checkRanges reports what no result may be: empty, outside of the content, or
// overlapping.
func checkRanges(t interface{ Fatalf(string, ...any) }, ranges []Range, size int64) {
	total := int64(0)
	for _, r := range ranges {
		if r.Start < 0 || r.Length < 1 || r.Start > size-r.Length {
			t.Fatalf("%v is not within %d bytes", r, size)
		}
		total += r.Length
	}
	if overlap(ranges) || total > max(size, 0) {
		t.Fatalf("%v asks for %d of %d bytes", ranges, total, size)
	}
	if len(ranges) > maxRanges {
		t.Fatalf("%d ranges", len(ranges))
	}
}

// One range that lies within the content comes back as it was asked for.
func TestRangeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, math.MaxInt64).Draw(t, "size")
		start := rapid.Int64Range(0, size-1).Draw(t, "start")
		length := rapid.Int64Range(1, size-start).Draw(t, "length")
		want := []Range{{start, length}}
		for _, field := range []string{fmt.Sprintf("bytes=%d-%d", start, start+length-1), fmt.Sprintf("bytes=-%d", size-start)} {
			if field[6] == '-' {
				want[0].Length = size - start
			}
			got, err := ParseRange([]string{field}, size)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("%s of %d: %v\n%s", field, size, err, diff)
			}
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, c := range rangeCases {
		f.Add(strings.Join(c.lines, "\n"), c.size)
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		ranges, err := ParseRange([]string{text}, size)
		if (err == nil) == (len(ranges) == 0) {
			t.Fatalf("%q: %v with %v", text, ranges, err)
		}
		checkRanges(t, ranges, size)
	})
}
