package conformance

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pass and fail are results of tests in tables.
var (
	pass = result{}
	fail = result{Class: "Assertion", Message: "Response 2 comes from cache"}
)

func TestParseCases(t *testing.T) {
	got, err := parseCases([]byte(`[
		{"id":"a","name":"A","suite":"s"},
		{"id":"b","name":"B","suite":"s","kind":"optimal","depends_on":["a"]},
		{"id":"c","name":"C","suite":"s","kind":"check"},
		{"id":"d","name":"D","suite":"s","kind":"required"}]`))
	want := []testCase{
		{ID: "a", Name: "A", Suite: "s", Kind: required},
		{ID: "b", Name: "B", Suite: "s", Kind: optional, DependsOn: []string{"a"}},
		{ID: "c", Name: "C", Suite: "s", Kind: check},
		{ID: "d", Name: "D", Suite: "s", Kind: required},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; cases (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{``, `{}`, `[{"id":""}]`, `[{"id":"a"},{"id":"a"}]`, `[{"id":"a","kind":"nice"}]`} {
		if got, err := parseCases([]byte(bad)); err == nil {
			t.Errorf("%s: got %v, want an error", bad, got)
		}
	}
}

func TestParseResults(t *testing.T) {
	cases := []testCase{{ID: "a"}, {ID: "b"}}
	got, err := parseResults([]byte("a word before\n"+`{"a":true,"b":["Setup","retry"]}`), cases)
	want := map[string]result{"a": {}, "b": {Class: "Setup", Message: "retry"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; results (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{``, `{"a":true}`, `{"a":true,"b":false}`, `{"a":true,"b":["",""]}`, `{"a":true,"b":1`} {
		if got, err := parseResults([]byte(bad), cases); err == nil {
			t.Errorf("%s: got %v, want an error", bad, got)
		}
	}
}

func TestParseSingle(t *testing.T) {
	head := "Running a\n=== Client request 1\n    GET / - \n\x1b[32m" + resultsHeading + "\x1b[0m\n"
	for _, c := range []struct {
		out  string
		want result
	}{
		{head + "✅ - \n", pass},
		{head + "Y - \n", pass},
		{head + "⛔️ - Response 2 comes from cache\n", fail},
		{head + "⚠️ - Response 2 comes from cache\n", fail},
		{head + "N - Response 2 comes from cache\n", fail},
		{head + "🔹 - Response 1 status is 502, not 200\n", result{"Setup", "Response 1 status is 502, not 200"}},
		{head + "↻ - retry\n", result{"Setup", "retry"}},
	} {
		if got, err := parseSingle(c.out); err != nil || got != c.want {
			t.Errorf("%q: got %v and error %v, want %v", c.out, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "✅ - \n", head, head + "TypeError\n"} {
		if got, err := parseSingle(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestJudge(t *testing.T) {
	cases := []testCase{
		{ID: "after-c", DependsOn: []string{"after-fails"}},
		{ID: "after-fails", DependsOn: []string{"fails"}},
		{ID: "after-passes", DependsOn: []string{"passes"}},
		{ID: "after-unknown", DependsOn: []string{"unknown"}},
		{ID: "circle-1", DependsOn: []string{"circle-2"}},
		{ID: "circle-2", DependsOn: []string{"circle-1"}},
		{ID: "fails"}, {ID: "fails-after", DependsOn: []string{"fails"}}, {ID: "passes"},
	}
	raw := map[string]result{"fails": fail, "fails-after": fail}
	for _, c := range cases {
		if _, failed := raw[c.ID]; !failed {
			raw[c.ID] = pass
		}
	}
	var passed []string
	final := judge(cases, raw)
	for _, id := range slices.Sorted(maps.Keys(final)) {
		if final[id].passed() {
			passed = append(passed, id)
		}
	}
	if diff := cmp.Diff([]string{"after-passes", "passes"}, passed); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}
	if got := final["fails-after"]; got != fail {
		t.Errorf("a failure of its own became %v", got)
	}
}

func TestParseExpected(t *testing.T) {
	got, err := parseExpected(strings.NewReader("# words\n\n a  required  for a  reason\nb optional because # so\n"))
	want := []expectation{{"a", required, "for a reason"}, {"b", optional, "because # so"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; list (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"a", "a required", "a check why", "a nice why", "a required why\na required why"} {
		if got, err := parseExpected(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

// The gate complains in both directions, and of nothing else.
func TestComplaints(t *testing.T) {
	cases := []testCase{{ID: "c", Kind: check}, {ID: "o", Kind: optional}, {ID: "r", Kind: required}}
	for _, c := range []struct {
		name     string
		results  map[string]result
		list     []expectation
		want     []string
		doubtful []string
	}{
		{"all pass", map[string]result{"r": pass, "o": pass, "c": pass}, nil, nil, nil},
		{"a check says no", map[string]result{"r": pass, "o": pass, "c": fail}, nil, nil, nil},
		{"known", map[string]result{"r": pass, "o": fail, "c": pass}, []expectation{{"o", optional, "why"}}, nil, nil},
		{"new", map[string]result{"r": fail, "o": fail, "c": pass}, nil,
			[]string{"o (optional): " + fail.String(), "r (required): " + fail.String()}, []string{"o", "r"}},
		{"mended", map[string]result{"r": pass, "o": pass, "c": pass}, []expectation{{"r", required, "why"}},
			[]string{"r (required): passes, and is on the list of those that fail: remove the line"}, []string{"r"}},
		{"another kind", map[string]result{"r": fail, "o": pass, "c": pass}, []expectation{{"r", optional, "why"}},
			[]string{"r: is on the list as optional, and the suite says required"}, nil},
		{"unknown", map[string]result{"r": pass, "o": pass, "c": pass}, []expectation{{"x", optional, "why"}},
			[]string{"x: is on the list, and the suite has no such test"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, complaints(cases, c.results, c.list)); diff != "" {
				t.Errorf("complaints (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.doubtful, doubtful(cases, c.results, c.list)); diff != "" {
				t.Errorf("doubtful (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReport(t *testing.T) {
	cases := []testCase{{ID: "c", Kind: check}, {ID: "optional-one", Kind: optional}, {ID: "r2", Kind: required}, {ID: "r1", Kind: required}}
	results := map[string]result{"c": fail, "optional-one": fail, "r1": pass, "r2": fail}
	if got, want := summary(cases, results), "required 1 of 2, optional 0 of 1 (and 0 of 1 checks say yes)"; got != want {
		t.Errorf("summary: got %q, want %q", got, want)
	}
	want := "required  r2            " + fail.String() + "\noptional  optional-one  " + fail.String() + "\n"
	if diff := cmp.Diff(want, table(cases, results)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// The committed list can be read also where the suite cannot run.
func TestExpectedFile(t *testing.T) {
	f, err := os.Open(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := parseExpected(f); err != nil {
		t.Errorf("%s: %v", expectedFile, err)
	}
}

func TestOutputKeepsBothEnds(t *testing.T) {
	o := new(output)
	for range 100 {
		_, _ = o.Write([]byte(strings.Repeat("m", 5000)))
	}
	_, _ = o.Write([]byte("the end"))
	got := o.String()
	if len(got) > 2*outputKept || !strings.HasSuffix(got, "the end") || !strings.HasPrefix(got, "mmm") {
		t.Errorf("kept %d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
	if kept := cap(o.head) + cap(o.tail); kept > 8*outputKept {
		t.Errorf("holds %d bytes", kept)
	}
	short := new(output)
	_, _ = short.Write([]byte("one, "))
	_, _ = short.Write([]byte("two"))
	if short.String() != "one, two" {
		t.Errorf("got %q", short)
	}
}

func TestEnvironmentIsOurs(t *testing.T) {
	t.Setenv("npm_config_id", "freshness-none")
	t.Setenv("npm_package_config_port", "8000")
	env := environment("npm_config_base=x")
	var npm []string
	for _, v := range env {
		if strings.HasPrefix(v, "npm_") {
			npm = append(npm, v)
		}
	}
	if diff := cmp.Diff([]string{"npm_config_base=x"}, npm); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
