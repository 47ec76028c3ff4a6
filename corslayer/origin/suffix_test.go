package origin

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

var update = flag.Bool("update", false, "write ancestors.txt anew")

func TestPublicSuffix(t *testing.T) {
	for pattern, want := range map[string]bool{
		"https://*.co.uk":                     true,
		"https://*.github.io":                 true,
		"https://*.com":                       true,
		"https://*.amazonaws.com":             true, // s3.amazonaws.com and many more
		"https://*.compute.amazonaws.com":     true, // *.compute.amazonaws.com
		"https://*.core.windows.net":          true,
		"https://*.windows.net":               true,
		"https://*.run.app":                   true,
		"https://*.r.appspot.com":             true,
		"https://*.digitaloceanspaces.com":    true,
		"https://*.kawasaki.jp":               true,
		"https://*.ck":                        true,
		"https://*.amazonaws.com.":            true,
		"https://*.amazonaws.com:*":           true,
		"https://+.co.uk":                     true,
		"https://app-*.github.io":             true,
		"https://+.amazonaws.com":             false, // the suffixes themselves are nobody's to register
		"https://+.ck":                        true,  // every label there is a suffix: handed out one by one
		"https://+.code.run":                  true,
		"https://app-*.oaiusercontent.com":    true,
		"https://+.windows.net":               false,
		"https://*.example.com":               false,
		"https://*.example.co.uk":             false,
		"https://*.bucket.s3.amazonaws.com":   false, // one customer's
		"https://*.city.kawasaki.jp":          false, // an exception of the list
		"https://*.internal":                  false,
		"https://*.localhost":                 false,
		"https://amazonaws.com":               false,
		"https://app.example.com:[8080,8081]": false,
	} {
		if got := mustPattern(t, pattern).PublicSuffix(); got != want {
			t.Errorf("%s: got %t", pattern, got)
		}
	}
}

// TestAncestors makes the list of the rules that the module's own test has, and
// compares it with the one that is built in: go test -run Ancestors -update
// ./corslayer/origin writes it anew when the module is a newer one.
func TestAncestors(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/net").Output()
	if err != nil {
		t.Fatalf("cannot find the module: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "publicsuffix", "table_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "var rules = ")
	body, _, closed := strings.Cut(body, "\n}")
	if !ok || !closed {
		t.Fatal("the module's table_test.go has its rules in another form")
	}
	above := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\t"([^"!]+)",$`).FindAllStringSubmatch(body, -1) {
		for _, domain, more := strings.Cut(m[1], "."); more; _, domain, more = strings.Cut(domain, ".") {
			if s, icann := publicsuffix.PublicSuffix(domain); s != domain || !icann && !strings.Contains(s, ".") {
				above[domain] = true
			}
		}
	}
	want := strings.Join(slices.Sorted(maps.Keys(above)), "\n") + "\n"
	if *update {
		if err := os.WriteFile("ancestors.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != ancestorsText {
		t.Error("ancestors.txt is not what the module's rules make: run this test with -update")
	}
}
