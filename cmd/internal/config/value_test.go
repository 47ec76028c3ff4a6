package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
		err  string
	}{
		{"30s", 30 * time.Second, ""},
		{"1h30m", 90 * time.Minute, ""},
		{"250ms", 250 * time.Millisecond, ""},
		{"1.5h", 90 * time.Minute, ""},
		{"0", 0, ""},
		{"0s", 0, ""},
		{"-1s", -time.Second, ""},
		{"1d", 24 * time.Hour, ""},
		{"1d12h", 36 * time.Hour, ""},
		{"0d", 0, ""},
		{"", 0, "is empty"},
		{"30", 0, "has no unit"},
		{"-30", 0, "has no unit"},
		{"soon", 0, "is not a duration"},
		{"30 s", 0, "is not a duration"},
		{"30S", 0, "is not a duration"},
		{"d", 0, "is not a duration"},
		{"1d24h", 0, "is not a duration"},
		{"1d-1h", 0, "is not a duration"},
		{"1d1d", 0, "is not a duration"},
		{"1.5d", 0, "is not a duration"},
		{"-1d", 0, "is out of range"},
		{"106751d", 0, "is out of range"},
		{"99999999999999999999d", 0, "is not a duration"},
		{"99999999999h", 0, "is not a duration"},
	} {
		got, err := parseDuration(c.in)
		if got != c.want || text(err) != c.err {
			t.Errorf("%q: got %v, %q, want %v, %q", c.in, got, text(err), c.want, c.err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		err  string
	}{
		{"512MiB", 512 << 20, ""},
		{"32 KiB", 32 << 10, ""},
		{"1GB", 1e9, ""},
		{"5kB", 5000, ""},
		{"5KB", 5000, ""},
		{"2TiB", 2 << 40, ""},
		{"17B", 17, ""},
		{"0", 0, ""},
		{"007B", 7, ""},
		{"8388607TiB", 8388607 << 40, ""},
		{"8388608TiB", 0, "is out of range"},
		{"99999999999999999999B", 0, "is out of range"},
		{"1024", 0, "has no unit"},
		{"", 0, "is not a size"},
		{"MiB", 0, "is not a size"},
		{"-1MiB", 0, "is not a size"},
		{"1.5GiB", 0, "is not a size"},
		{"1M", 0, "is not a size"},
		{"1mib", 0, "is not a size"},
		{"1Mb", 0, "is not a size"},
	} {
		got, err := parseSize(c.in)
		if got != c.want || text(err) != c.err {
			t.Errorf("%q: got %v, %q, want %v, %q", c.in, got, text(err), c.want, c.err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What is printed as a fix can be written into the file.
func TestFormatted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(year), math.MaxInt64).Draw(t, "d"))
		if got, err := parseDuration(formatDuration(d)); err != nil || got != d {
			t.Errorf("%d is written %s and read as %d, %v", d, formatDuration(d), got, err)
		}
		n := rapid.Int64Range(0, math.MaxInt64).Draw(t, "n") &^ (1<<rapid.IntRange(0, 62).Draw(t, "zeroes") - 1)
		if got, err := parseSize(formatSize(n)); err != nil || got != n {
			t.Errorf("%d is written %s and read as %d, %v", n, formatSize(n), got, err)
		}
	})
	for d, want := range map[time.Duration]string{2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 0: "0s"} {
		if got := formatDuration(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"plain", "plain", ""},
		{"", "", ""},
		{"${API_TOKEN}", "secret-from-env", ""},
		{"a${API_TOKEN}b${API_TOKEN}", "asecret-from-envbsecret-from-env", ""},
		{"${EMPTY}", "", ""},
		{"${EMPTY:-other}", "other", ""},
		{"${UNSET:-other}", "other", ""},
		{"${UNSET:-}", "", ""},
		{"${API_TOKEN:-other}", "secret-from-env", ""},
		{"${UNSET:-a:-b}", "a:-b", ""},
		{"${UNSET:-${API_TOKEN}}", "${API_TOKEN}", ""}, // defaults do not nest, and are not expanded
		{"$$", "$", ""},
		{"$${API_TOKEN}", "${API_TOKEN}", ""},
		{"$$$${", "$${", ""},
		{"$", "$", ""},
		{"a$", "a$", ""},
		{"$API_TOKEN", "$API_TOKEN", ""},
		{"pa$word", "pa$word", ""},
		{"${UNSET}", "", "names the environment variable UNSET, which is not set"},
		{"${", "", "has a ${ without a }"},
		{"${}", "", "has a ${…} that does not name an environment variable"},
		{"${1A}", "", "has a ${…} that does not name an environment variable"},
		{"${a b}", "", "has a ${…} that does not name an environment variable"},
		{"${A-b}", "", "has a ${…} that does not name an environment variable"},
	} {
		got, err := expand(c.in, testEnv)
		if got != c.want || text(err) != c.err {
			t.Errorf("%q: got %q, %q, want %q, %q", c.in, got, text(err), c.want, c.err)
		}
	}
	large := func(string) (string, bool) { return strings.Repeat("x", maxExpanded), true }
	if _, err := expand("${A}${A}", large); err == nil || err.Error() != "expands to more than 64KiB" {
		t.Errorf("too large: %v", err)
	}
}

// A text in which every dollar is doubled expands to itself.
func TestExpandEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.SampledFrom([]rune("ab${}:-$$"))).Draw(t, "s")
		if got, err := expand(strings.ReplaceAll(s, "$", "$$"), testEnv); err != nil || got != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"origins", "methods", "headers", "expose", "credentials", "max_age", "stale_while_revalidate", "off"}
	for _, c := range []struct{ in, want string }{
		{"origin", "origins"},
		{"orgins", "origins"},
		{"orignis", "origins"},
		{"Origins", "origins"},
		{"max-age", "max_age"},
		{"maxage", "max_age"},
		{"credential", "credentials"},
		{"stale-while-revalidate", "stale_while_revalidate"},
		{"stale_while_revalidation", "stale_while_revalidate"},
		{"of", "off"},
		{"nothing_like_it", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("o", 1000), ""},
	} {
		if got := nearest(c.in, known); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1},
		{"kitten", "sitting", 3}, {"abcdef", "", 5}, {"ca", "abc", 3},
	} {
		if got := distance(c.a, c.b, 5); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
	word := rapid.StringMatching(`[abc]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b, 100)
		if back := distance(b, a, 100); back != d || (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Errorf("%q, %q: %d, and back %d", a, b, d, back)
		}
	})
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"30s", "1d12h", "512MiB", "${A:-b}", "$$", "http://h:1/", "*.example.com", "[::1]:80", "/a/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil {
			if again, err := parseDuration(formatDuration(d)); err != nil || again != d {
				t.Errorf("duration %q: %v, then %v, %v", s, d, again, err)
			}
		}
		if n, err := parseSize(s); err == nil && n < 0 {
			t.Errorf("size %q: %d", s, n)
		}
		if got, err := expand(s, testEnv); err == nil && !strings.Contains(s, "$") && got != s {
			t.Errorf("expand %q: %q", s, got)
		}
		if u, why, _ := parseServer(s); (why == "") != (u != nil) {
			t.Errorf("server %q: %v, %q", s, u, why)
		}
		if host, why, _ := matchHost(s); why == "" {
			if again, why, _ := matchHost(host); why != "" || again != host {
				t.Errorf("host %q: %q, then %q, %q", s, host, again, why)
			}
		}
		if _, port, why, _ := parseAddress(s); why == "" && (port < 0 || port > 65535) {
			t.Errorf("address %q: port %d", s, port)
		}
		matchPath(s)
		nearest(s, []string{"origins", s})
	})
}
