package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a duration as the file has it: "30s", "1h30m", "250ms",
// and days, "1d" or "1d12h", which time.ParseDuration does not know. A number
// without a unit is refused, except zero.
func parseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("is empty")
	}
	if days, rest, ok := strings.Cut(s, "d"); ok {
		return parseDays(days, rest)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n != 0 {
		return 0, errors.New("has no unit")
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("is not a duration")
	}
	return d, nil
}

func parseDays(days, rest string) (time.Duration, error) {
	const day = 24 * time.Hour
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil {
		return 0, errors.New("is not a duration")
	}
	if n < 0 || n > int64(math.MaxInt64/day)-1 {
		return 0, errors.New("is out of range")
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d >= day {
		return 0, errors.New("is not a duration")
	}
	return time.Duration(n)*day + d, nil
}

// formatDuration writes d without the zero units that time.Duration.String
// leaves behind: "2h", not "2h0m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// sizeUnits are the units of a size, the binary ones first: they are what a
// size is printed in.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// parseSize reads a number of bytes: "512MiB", "64KiB", "20GB", "1024B". A
// number without a unit is refused, except zero: nobody can tell what it counts.
func parseSize(s string) (int64, error) {
	digits := strings.TrimLeft(s, "0123456789")
	number, unit := s[:len(s)-len(digits)], strings.TrimLeft(digits, " ")
	if number == "" {
		return 0, errors.New("is not a size")
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, errors.New("is out of range")
	}
	if unit == "" {
		if n == 0 {
			return 0, nil
		}
		return 0, errors.New("has no unit")
	}
	for _, u := range sizeUnits {
		if u.name != unit {
			continue
		}
		if n > math.MaxInt64/u.bytes {
			return 0, errors.New("is out of range")
		}
		return n * u.bytes, nil
	}
	return 0, errors.New("is not a size")
}

// formatSize writes n bytes in the largest binary unit that divides it.
func formatSize(n int64) string {
	if n == 0 {
		return "0"
	}
	for _, u := range sizeUnits[:4] {
		if n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// expand replaces ${NAME} and ${NAME:-default} in s by what env says, and $$
// by $. As in a shell, the default also stands in for a value that is empty.
// A lone $ stays. Defaults do not nest. It fails on a name that is not set and
// has no default.
func expand(s string, env func(string) (string, bool)) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			s = s[i+2:]
		case '{':
			value, rest, err := expandOne(s[i+2:], env)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = s[i+1:]
		}
		if b.Len() > maxExpanded {
			return "", fmt.Errorf("expands to more than %s", formatSize(maxExpanded))
		}
	}
}

// maxExpanded bounds one expanded value, in bytes.
const maxExpanded = 64 << 10

// expandOne expands the variable whose name begins s, and returns what follows
// the closing brace.
func expandOne(s string, env func(string) (string, bool)) (value, rest string, err error) {
	inner, rest, ok := strings.Cut(s, "}")
	if !ok {
		return "", "", errors.New("has a ${ without a }")
	}
	name, fallback, hasDefault := strings.Cut(inner, ":-")
	if !validEnvName(name) {
		return "", "", errors.New("has a ${…} that does not name an environment variable")
	}
	value, set := env(name)
	if hasDefault && value == "" {
		return fallback, rest, nil
	}
	if !set {
		return "", "", fmt.Errorf("names the environment variable %s, which is not set", cut(name, 80))
	}
	return value, rest, nil
}

func validEnvName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// cut returns s in printable characters, at most n bytes of it.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	q := strconv.Quote(strings.ToValidUTF8(s, "?"))
	return q[1 : len(q)-1]
}

// nearest returns the member of known that word most likely was meant to be,
// or "" when none is near: at most a third of the letters may differ, two at
// least, a swap of neighbours counting once.
func nearest(word string, known []string) string {
	const longest = 64
	if word == "" || len(word) > longest {
		return ""
	}
	best, bestDistance := "", max(2, len(word)/3)+1
	folded := strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	for _, k := range known {
		if d := distance(folded, strings.ToLower(k), bestDistance); d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of edits between a and b: letters inserted, left out,
// replaced, or swapped with the next. Anything from limit on is as good as limit.
func distance(a, b string, limit int) int {
	if diff := len(a) - len(b); diff >= limit || -diff >= limit {
		return limit
	}
	var two []int
	one := make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := one[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(one[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return min(one[len(b)], limit)
}
