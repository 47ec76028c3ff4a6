package forward

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddVia(t *testing.T) {
	for _, c := range []struct {
		in           http.Header
		major, minor int
		want         string
	}{
		{header(), 1, 1, "1.1 veneer"},
		{header(), 1, 0, "1.0 veneer"},
		{header("Via: 1.0 fred", "Via: HTTP/1.1 p.example (a, b)"), 2, 0, "1.0 fred, HTTP/1.1 p.example (a, b), 2 veneer"},
		{header(), 3, 0, "3 veneer"},
	} {
		AddVia(c.in, c.major, c.minor, "veneer")
		if diff := cmp.Diff(http.Header{"Via": {c.want}}, c.in); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestLooped(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"", false},
		{"veneer", true},
		{"Veneer", true},
		{"other, veneer", true},
		{"other,,veneer ; a=b", true},
		{`veneer;a="x,y;\"z"; b=c`, true},
		{"veneer:80", false},
		{"veneer2", false},
		{"other; by=veneer", false},
		{`other; by="a, veneer"`, false},
		{`other; by="\", veneer"`, false},
		{"[::1]:80, a.example:443, veneer", true},
		// Malformed: any occurrence counts, a quote hides nothing.
		{`"unbalanced, veneer`, true},
		{`other; by="veneer`, true},
		{`other; by=, veneer`, true},
		{"other veneer", true},
		{`"unbalanced, other`, false},
		{"other; =", false},
	} {
		if got := Looped(http.Header{"Cdn-Loop": {"first", c.line}}, "veneer"); got != c.want {
			t.Errorf("%q: got %v", c.line, got)
		}
	}
	if Looped(nil, "veneer") {
		t.Error("nil is a loop")
	}
	if !Looped(header("CDN-Loop: a.example:443; x=y"), "a.example:443") {
		t.Error("a host with port is not found")
	}
}

func TestCDNInfo(t *testing.T) {
	for member, want := range map[string]bool{
		"a": true, "a.example:80": true, "[::1]": true, "[2001:db8::1]:80": true, "a;b=c": true, `a ; b="c d"`: true,
		"a b": false, "a;b": false, "a;=c": false, "a;b=": false, "a:x": false, "[::1": false, `"a"`: false, ":80": false, "": false, `a;b="c`: false,
	} {
		if _, ok := cdnInfo(member); ok != want {
			t.Errorf("%q: got %v", member, ok)
		}
	}
}

func TestAddLoop(t *testing.T) {
	h := header(`CDN-Loop: other; a="unbalanced`)
	AddLoop(h, "veneer")
	if diff := cmp.Diff(http.Header{"Cdn-Loop": {`other; a="unbalanced`, "veneer"}}, h); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMaxForwards(t *testing.T) {
	for _, c := range []struct {
		method, value string
		last          bool
		after         string
	}{
		{"TRACE", "0", true, "0"},
		{"OPTIONS", "00", true, "00"},
		{"OPTIONS", " 1 ", false, "0"},
		{"TRACE", "10", false, "9"},
		{"TRACE", "99999999999999999999", false, "2147483647"},
		{"TRACE", "-1", false, "-1"},
		{"TRACE", "+1", false, "+1"},
		{"TRACE", "", false, ""},
		{"TRACE", "x", false, "x"},
		{"GET", "0", false, "0"},
	} {
		h := http.Header{"Max-Forwards": {c.value}}
		if last := MaxForwards(c.method, h); last != c.last || h["Max-Forwards"][0] != c.after {
			t.Errorf("%s %q: got %v %q", c.method, c.value, last, h["Max-Forwards"])
		}
	}
	two := http.Header{"Max-Forwards": {"0", "1"}}
	if MaxForwards("TRACE", two) || MaxForwards("TRACE", nil) {
		t.Error("two fields or none were taken")
	}
}

// Whatever a client sends before, a request that came through here once is
// found to loop, also when somebody in between joins the lines.
func FuzzLooped(f *testing.F) {
	for _, s := range []string{"", "veneer", `a; b="c, veneer"`, `"`, `a;b="\`, "[::1]:80", `\",=`, ";;,,\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cdn-Loop": {line}}
		before := Looped(h, "veneer")
		if before && !strings.Contains(strings.ToLower(line), "veneer") {
			t.Fatalf("%q is no loop", line)
		}
		AddLoop(h, "veneer")
		if !Looped(h, "veneer") {
			t.Fatalf("%q hides the id", line)
		}
		joined := http.Header{"Cdn-Loop": {strings.Join(h["Cdn-Loop"], ", ")}}
		if !Looped(joined, "veneer") {
			t.Fatalf("%q hides the id when joined", line)
		}
		AddVia(h, 1, 1, "veneer")
		StripRequest(h, nil)
		if !Looped(h, "veneer") {
			t.Fatal("StripRequest took CDN-Loop away")
		}
	})
}
