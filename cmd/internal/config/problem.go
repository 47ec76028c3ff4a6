package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong, or doubtful, in a configuration. It never
// holds a secret: Got is the text as it stands in the file, before any
// environment variable is expanded, and "(hidden)" where the text itself may
// be a credential.
type Problem struct {
	File      string // as given to Load or Parse; "" for a configuration that was built in code
	Line, Col int    // 1-based, columns in characters; 0 when unknown
	Field     string // the path of the value, such as routes[0].cache.grace
	Got       string // what stands there, quoted or named; "" when it says nothing
	Why       string // what is wrong with it
	Fix       string // what to write instead; "" when Why says it
	Warning   bool   // the configuration may be used all the same
}

// String returns the problem as one line:
// "file:line:col: field: got X: why; fix: …".
func (p Problem) String() string {
	var b strings.Builder
	if where := p.Where(); where != "" {
		b.WriteString(where)
		b.WriteString(": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Field != "" {
		b.WriteString(p.Field)
		b.WriteString(": ")
	}
	if p.Got != "" {
		b.WriteString("got ")
		b.WriteString(p.Got)
		b.WriteString(": ")
	}
	b.WriteString(p.Why)
	if p.Fix != "" {
		b.WriteString("; fix: ")
		b.WriteString(p.Fix)
	}
	return b.String()
}

// Where returns the problem's place, "file:line:col", as far as it is known.
func (p Problem) Where() string {
	if p.File == "" || p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, max(p.Col, 1))
}

// Problems are all that is wrong with one configuration, in the order of the
// file.
type Problems []Problem

// Errors returns the problems that forbid to use the configuration.
func (ps Problems) Errors() Problems { return ps.only(false) }

// Warnings returns the problems that do not.
func (ps Problems) Warnings() Problems { return ps.only(true) }

func (ps Problems) only(warning bool) Problems {
	var out Problems
	for _, p := range ps {
		if p.Warning == warning {
			out = append(out, p)
		}
	}
	return out
}

// String returns the problems one a line.
func (ps Problems) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Secret is a value that must not be printed: a token, or a field value that
// may hold one. Every way of formatting and encoding it gives "(hidden)".
type Secret string

const hidden = "(hidden)"

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// Format writes "(hidden)" for every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// String returns "(hidden)".
func (s Secret) String() string { return hidden }

// MarshalText returns "(hidden)", for encoders of every kind.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// maxProblems bounds what one file can make us print.
const maxProblems = 500

// position is where a value stands and what stands there.
type position struct {
	line, col int
	raw       string // the scalar before expansion
	text      string // the scalar after expansion, when that differs
	expanded  bool   // it does
	scalar    bool
	hidden    bool // raw may be a credential
}

// report collects problems and knows where each field stands in the file.
type report struct {
	file     string
	where    map[string]position
	problems Problems
	dropped  int
}

func newReport(file string) *report {
	return &report{file: file, where: make(map[string]position)}
}

// find returns the position of path, or of the nearest section around it.
func (r *report) find(path string) (pos position, exact bool) {
	for p := path; ; {
		if pos, ok := r.where[p]; ok {
			return pos, p == path
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return position{}, false
		}
		p = p[:i]
	}
}

// problem adds one problem about the value at path. What the file says there
// becomes Got; got stands in for it where the value has no text in a file. A why
// or fix that quotes an expanded value is replaced.
func (r *report) problem(path, got, why, fix string) { r.add(path, got, why, fix, false) }

func (r *report) warn(path, got, why, fix string) { r.add(path, got, why, fix, true) }

func (r *report) add(path, got, why, fix string, warning bool) {
	pos, exact := r.find(path)
	switch {
	case exact && pos.hidden:
		got = hidden
	case exact && pos.scalar:
		got = quote(pos.raw)
	}
	if exact && pos.expanded {
		if tells(why, pos.text) {
			why = "does not belong here"
		}
		if tells(fix, pos.text) {
			fix = "another value for the variable"
		}
		why += " (after expansion, which is not shown)"
	}
	r.append(Problem{
		File: r.file, Line: pos.line, Col: pos.col, Field: path,
		Got: got, Why: why, Fix: fix, Warning: warning,
	})
}

// tells reports whether text repeats the value, or six bytes of it in a row.
func tells(text, value string) bool {
	const n = 6
	if len(value) <= n {
		return len(value) > n/2 && strings.Contains(text, value)
	}
	for i := range len(value) - n + 1 {
		if strings.Contains(text, value[i:i+n]) {
			return true
		}
	}
	return false
}

func (r *report) append(p Problem) {
	if len(r.problems) >= maxProblems {
		r.dropped++
		return
	}
	r.problems = append(r.problems, p)
}

// done returns the problems in the order of the file, each once.
func (r *report) done() Problems {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	r.problems = slices.Compact(r.problems)
	if r.dropped > 0 {
		r.problems = append(r.problems, Problem{
			File: r.file, Why: strconv.Itoa(r.dropped) + " more problems are not shown",
			Fix: "mend the first ones and check again",
		})
	}
	return r.problems
}

// quote returns s in quotes, in printable characters, cut after 80.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.Quote(s)
}

// clean reports whether nothing at or below path is known to be wrong: one
// mistake should not be reported in two ways.
func (r *report) clean(path string) bool {
	return !slices.ContainsFunc(r.problems, func(p Problem) bool {
		rest, below := strings.CutPrefix(p.Field, path)
		return below && !p.Warning && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// has reports whether the file gives the field.
func (r *report) has(path string) bool {
	_, ok := r.where[path]
	return ok
}

// element is the path of element i of the list at path. A list of one may
// stand as a single value, without an index.
func (r *report) element(path string, i int) string {
	at := path + "[" + strconv.Itoa(i) + "]"
	if i == 0 && r.has(path) && !r.has(at) {
		return path
	}
	return at
}
