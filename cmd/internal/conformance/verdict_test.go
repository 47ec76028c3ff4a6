package conformance

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// kind is how much a test of the suite means.
type kind string

// The kinds. The suite leaves the word out for what is required, and says
// optimal for what is optional.
const (
	required kind = "required"
	optional kind = "optional"
	check    kind = "check"
)

// testCase is a test of the suite that a proxy is to run.
type testCase struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Suite     string   `json:"suite"`
	Kind      kind     `json:"kind"`
	DependsOn []string `json:"depends_on"`
}

// parseCases reads the list of tests, as listTests prints it.
func parseCases(data []byte) ([]testCase, error) {
	var cases []testCase
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("cannot read the list of tests: %w", err)
	}
	seen := map[string]bool{}
	for i := range cases {
		c := &cases[i]
		switch c.Kind {
		case "":
			c.Kind = required
		case "optimal":
			c.Kind = optional
		case required, check:
		default:
			return nil, fmt.Errorf("test %q has the unknown kind %q", c.ID, c.Kind)
		}
		if c.ID == "" || seen[c.ID] {
			return nil, fmt.Errorf("test %q (%s) is there twice, or has no id", c.ID, c.Name)
		}
		seen[c.ID] = true
	}
	return cases, nil
}

// result is what one run of a test came to. The zero value is a pass.
type result struct {
	Class   string // "" for a pass; "Assertion", "Setup", or the error's name
	Message string
}

func (r result) passed() bool { return r.Class == "" }

func (r result) String() string {
	if r.passed() {
		return "pass"
	}
	return r.Class + ": " + r.Message
}

// UnmarshalJSON reads true, or a pair of the error's name and its message.
func (r *result) UnmarshalJSON(data []byte) error {
	if string(data) == "true" {
		*r = result{}
		return nil
	}
	var pair [2]string
	if err := json.Unmarshal(data, &pair); err != nil || pair[0] == "" {
		return fmt.Errorf("%s is no result of a test", data)
	}
	*r = result{Class: pair[0], Message: pair[1]}
	return nil
}

// parseResults reads what the suite's command prints after a whole run, and
// insists on a result for every case.
func parseResults(data []byte, cases []testCase) (map[string]result, error) {
	start := strings.IndexByte(string(data), '{')
	if start < 0 {
		return nil, fmt.Errorf("the suite printed no results: %q", data)
	}
	var results map[string]result
	if err := json.Unmarshal(data[start:], &results); err != nil {
		return nil, fmt.Errorf("cannot read the suite's results: %w", err)
	}
	for _, c := range cases {
		if _, ok := results[c.ID]; !ok {
			return nil, fmt.Errorf("the suite printed no result for %s", c.ID)
		}
	}
	return results, nil
}

// resultsHeading stands before the result of a test that runs alone.
const resultsHeading = "==== Results"

// parseSingle reads what the suite's command prints after one test: requests
// and responses, a heading, and a sign with the message.
func parseSingle(out string) (result, error) {
	_, tail, found := strings.Cut(out, resultsHeading)
	_, tail, _ = strings.Cut(tail, "\n")
	sign, message, dash := strings.Cut(strings.TrimSpace(tail), " -")
	if !found || !dash {
		return result{}, fmt.Errorf("the suite printed no result: %q", out)
	}
	message = strings.TrimSpace(message)
	switch strings.TrimSuffix(sign, "\ufe0f") {
	case "✅", "Y":
		return result{}, nil
	case "🔹", "↻":
		return result{Class: "Setup", Message: message}, nil
	default:
		return result{Class: "Assertion", Message: message}, nil
	}
}

// judge gives every case its final result: a pass on which a dependency has no
// hold is none. Dependencies that run in a circle hold nothing.
func judge(cases []testCase, raw map[string]result) map[string]result {
	byID := map[string]testCase{}
	for _, c := range cases {
		byID[c.ID] = c
	}
	final := make(map[string]result, len(cases))
	var settle func(id string) result
	settle = func(id string) result {
		if r, done := final[id]; done {
			return r
		}
		r, known := raw[id]
		if !known {
			return result{Class: "Dependency", Message: "is not among the tests"}
		}
		final[id] = result{Class: "Dependency", Message: "depends on itself"}
		for _, d := range byID[id].DependsOn {
			if !settle(d).passed() && r.passed() {
				r = result{Class: "Dependency", Message: "passes, but proves nothing while " + d + " fails"}
			}
		}
		final[id] = r
		return r
	}
	for _, c := range cases {
		settle(c.ID)
	}
	return final
}

// expectation is a line of expected.txt: a test that is known to fail.
type expectation struct {
	ID     string
	Kind   kind
	Reason string
}

// parseExpected reads expected.txt: id, kind and reason, separated by white
// space. Empty lines and those that begin with # mean nothing.
func parseExpected(r io.Reader) ([]expectation, error) {
	var list []expectation
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: %q: want id, kind and a reason", n, lines.Text())
		}
		e := expectation{ID: f[0], Kind: kind(f[1]), Reason: strings.Join(f[2:], " ")}
		if e.Kind != required && e.Kind != optional {
			return nil, fmt.Errorf("line %d: %q: the kind is required or optional", n, f[1])
		}
		if slices.ContainsFunc(list, func(o expectation) bool { return o.ID == e.ID }) {
			return nil, fmt.Errorf("line %d: %s is there twice", n, e.ID)
		}
		list = append(list, e)
	}
	return list, lines.Err()
}

// complaints says where the results and the list differ, sorted. Empty: the
// gate is open.
func complaints(cases []testCase, results map[string]result, list []expectation) []string {
	var out []string
	expected := map[string]expectation{}
	for _, e := range list {
		expected[e.ID] = e
	}
	for _, c := range cases {
		e, listed := expected[c.ID]
		delete(expected, c.ID)
		r := results[c.ID]
		switch {
		case listed && e.Kind != c.Kind:
			out = append(out, fmt.Sprintf("%s: is on the list as %s, and the suite says %s", c.ID, e.Kind, c.Kind))
		case c.Kind == check:
		case listed && r.passed():
			out = append(out, fmt.Sprintf("%s (%s): passes, and is on the list of those that fail: remove the line", c.ID, c.Kind))
		case !listed && !r.passed():
			out = append(out, fmt.Sprintf("%s (%s): %s", c.ID, c.Kind, r))
		}
	}
	for id := range expected {
		out = append(out, id+": is on the list, and the suite has no such test")
	}
	slices.Sort(out)
	return out
}

// doubtful returns the ids of gated tests that are not as the list has them,
// in the order of the cases: those deserve another run.
func doubtful(cases []testCase, results map[string]result, list []expectation) []string {
	var ids []string
	for _, c := range cases {
		listed := slices.ContainsFunc(list, func(e expectation) bool { return e.ID == c.ID })
		if c.Kind != check && listed == results[c.ID].passed() {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// summary counts what passed.
func summary(cases []testCase, results map[string]result) string {
	passed, all := map[kind]int{}, map[kind]int{}
	for _, c := range cases {
		all[c.Kind]++
		if results[c.ID].passed() {
			passed[c.Kind]++
		}
	}
	return fmt.Sprintf("required %d of %d, optional %d of %d (and %d of %d checks say yes)",
		passed[required], all[required], passed[optional], all[optional], passed[check], all[check])
}

// table lists the gated tests that fail, required ones first, with the
// suite's message.
func table(cases []testCase, results map[string]result) string {
	var failed []testCase
	width := 0
	for _, c := range cases {
		if c.Kind != check && !results[c.ID].passed() {
			failed = append(failed, c)
			width = max(width, len(c.ID))
		}
	}
	slices.SortFunc(failed, func(a, b testCase) int {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	var b strings.Builder
	for _, c := range failed {
		fmt.Fprintf(&b, "%-8s  %-*s  %s\n", c.Kind, width, c.ID, results[c.ID])
	}
	return b.String()
}
