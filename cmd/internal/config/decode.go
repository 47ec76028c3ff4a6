package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	maxSource = 1 << 20 // bytes of one configuration file
	maxNodes  = 200_000 // values read from it, each use of an alias counted anew
	maxMerges = 16      // merge keys one inside the other
)

// reader reads one YAML document through its nodes, so that every value has a
// place and no value can change the structure around it: expansion happens
// after parsing, scalar by scalar.
type reader struct {
	*report
	env      func(string) (string, bool)
	readFile func(string) ([]byte, error)
	nodes    int
	tooMany  bool
}

// document parses src and returns its root. It reports what keeps the text
// from being one YAML document, and then returns false.
func (r *reader) document(src []byte) (v value, ok bool) {
	if len(src) > maxSource {
		r.append(Problem{File: r.file, Got: formatSize(int64(len(src))), Why: "is larger than a configuration may be", Fix: "at most " + formatSize(maxSource)})
		return value{}, false
	}
	root, second, err := documents(src)
	if err != nil && !bytes.ContainsRune(src, barePort) {
		repaired := flowPort.ReplaceAll(src, []byte("${1}"+string(barePort)+"${2}"))
		if again, next, bad := documents(repaired); bad == nil {
			root, second, err = restore(again), next, nil
		}
	}
	switch {
	case err != nil:
		r.syntax(err)
		return value{}, false
	case root == nil:
		r.append(Problem{File: r.file, Line: 1, Col: 1, Why: "the file is empty", Fix: "give at least upstreams and routes"})
		return value{}, false
	case second != nil:
		r.append(Problem{File: r.file, Line: second.Line, Col: max(second.Column, 1), Why: "a second document begins here, and a configuration is one", Fix: "remove the --- line"})
	}
	v = r.value("", root.Content[0])
	if v.node.Kind != yaml.MappingNode {
		v.problem("a mapping belongs here", "keys such as upstreams: and routes: at the beginning of a line")
		return value{}, false
	}
	return v, true
}

// documents returns the first two documents of src, nil where there is none.
func documents(src []byte) (root, second *yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for _, n := range []**yaml.Node{&root, &second} {
		var doc yaml.Node
		switch err := decode(dec, &doc); {
		case errors.Is(err, io.EOF):
			return root, second, nil
		case err != nil:
			return nil, nil, err
		}
		*n = &doc
	}
	return root, second, nil
}

// A port without a host is a plain scalar inside braces too, as in
// { address: :8443 } (YAML 1.2 §7.3.3), but the library refuses it there. Such
// a colon is parsed as barePort, a character of one column from the private
// use area, and put back into the values afterwards.
var flowPort = regexp.MustCompile(`([:,\[{]\s+|[,\[{]):([0-9])`)

const barePort = '\uE000'

// restore puts the colons back, everywhere: a match inside a quoted text was
// replaced as well.
func restore(n *yaml.Node) *yaml.Node {
	n.Value = strings.ReplaceAll(n.Value, string(barePort), ":")
	for _, c := range n.Content {
		restore(c)
	}
	return n
}

// decode reads the next document. The YAML package says of itself that some
// panics are its own faults; a reload must survive them.
func decode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("yaml: %v", fault)
		}
	}()
	err = dec.Decode(n)
	if err == nil && len(n.Content) == 0 {
		return io.EOF
	}
	return err
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (r *reader) syntax(err error) {
	m := yamlError.FindStringSubmatch(err.Error())
	line, why := 1, err.Error()
	if m != nil {
		why = why[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	r.append(Problem{File: r.file, Line: line, Col: 1, Why: "is not YAML: " + cut(why, 200), Fix: "look at the indentation, quotes and braces of this line and the one before"})
}

// value is one node with its path. Aliases are followed already.
type value struct {
	r    *reader
	path string
	node *yaml.Node
}

// value makes the value at path from n and remembers where it stands. An
// alias stands where it is used, not where its anchor is.
func (r *reader) value(path string, n *yaml.Node) value {
	pos := position{line: n.Line, col: n.Column}
	for hops := 0; n.Kind == yaml.AliasNode && n.Alias != nil && hops < maxMerges; hops++ {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		pos.raw, pos.scalar = n.Value, n.ShortTag() != "!!null" || n.Value != ""
	}
	r.where[path] = pos
	return value{r, path, n}
}

// spend counts n values, and reports once when there are too many. It keeps
// aliases of long lists from growing a small file into a large configuration.
func (r *reader) spend(path string, n int) bool {
	r.nodes += n
	if r.nodes <= maxNodes {
		return true
	}
	if !r.tooMany {
		r.tooMany = true
		pos, _ := r.find(path)
		r.problems = append(r.problems, Problem{ // past the cap: it is why the rest is not read
			File: r.file, Line: pos.line, Col: pos.col, Field: path,
			Why: fmt.Sprintf("the file has more than %d values, aliases counted", maxNodes),
			Fix: "use fewer aliases, or patterns in place of long lists",
		})
	}
	return false
}

func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if v.null() {
		return "nothing"
	}
	return quote(v.node.Value)
}

func (v value) null() bool {
	return v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null"
}

func (v value) problem(why, fix string) { v.r.problem(v.path, v.kind(), why, fix) }

// is reports whether the value is the scalar word, as it stands in the file.
func (v value) is(word string) bool {
	return v.node.Kind == yaml.ScalarNode && v.node.Value == word
}

// hide keeps the value's text out of every problem.
func (v value) hide() {
	pos := v.r.where[v.path]
	pos.hidden = true
	v.r.where[v.path] = pos
}

// text returns the scalar with its variables expanded. It reports what is
// no scalar, what is empty and what does not expand.
func (v value) text() (string, bool) {
	s, ok := v.emptyText()
	if ok && s == "" {
		v.problem("is empty", "give a value, or leave the key out")
		return "", false
	}
	return s, ok
}

// emptyText is text for values that may be empty strings.
func (v value) emptyText() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.problem("a single value belongs here", "write it without [ ] and { }")
		return "", false
	}
	switch tag := v.node.ShortTag(); tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge":
	case "!!null":
		v.problem("has no value", "give one, or leave the key out")
		return "", false
	default:
		v.problem("has the YAML tag "+cut(tag, 40)+", which means nothing here", "remove the tag")
		return "", false
	}
	s, err := expand(v.node.Value, v.r.env)
	if err != nil {
		v.problem(err.Error(), "set it, or write a default: ${NAME:-default}; a literal $ is $$")
		return "", false
	}
	if s != v.node.Value {
		pos := v.r.where[v.path]
		pos.text, pos.expanded = s, true
		v.r.where[v.path] = pos
	}
	return s, true
}

// list returns the elements; a single value is a list of one.
func (v value) list() []value {
	if v.node.Kind == yaml.ScalarNode {
		if v.null() {
			v.problem("has no value", "give one, or leave the key out; an empty list is []")
			return nil
		}
		return []value{v}
	}
	if v.node.Kind != yaml.SequenceNode {
		v.problem("a list belongs here", "write [a, b] or one element a line with a dash")
		return nil
	}
	if !v.r.spend(v.path, len(v.node.Content)) {
		return nil
	}
	out := make([]value, len(v.node.Content))
	for i, n := range v.node.Content {
		out[i] = v.r.value(v.path+"["+strconv.Itoa(i)+"]", n)
	}
	return out
}

// texts returns the elements' texts; what is no text is reported, and "" in
// its place keeps the others in theirs. The result is not nil: an empty list
// is one that was given.
func (v value) texts() []string {
	elements := v.list()
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i], _ = e.text()
	}
	return out
}

// duration reads a duration between lo and hi.
func (v value) duration(lo, hi time.Duration) (time.Duration, bool) {
	s, ok := v.text()
	if !ok {
		return 0, false
	}
	d, err := parseDuration(s)
	if err != nil {
		fix := "a number with a unit (ms, s, m, h, d), such as 30s or 1h30m"
		if n, e := strconv.ParseUint(s, 10, 31); e == nil && !v.r.where[v.path].expanded {
			fix = fmt.Sprintf("%ds, if seconds are meant (units: ms, s, m, h, d)", n)
		}
		v.problem(err.Error(), fix)
		return 0, false
	}
	if d < lo || d > hi {
		v.problem("is out of range", fmt.Sprintf("between %s and %s", formatDuration(lo), formatDuration(hi)))
		return 0, false
	}
	return d, true
}

// size reads a number of bytes between lo and hi.
func (v value) size(lo, hi int64) (int64, bool) {
	s, ok := v.text()
	if !ok {
		return 0, false
	}
	n, err := parseSize(s)
	if err != nil {
		fix := "a whole number with a unit (B, KiB, MiB, GiB), such as 512MiB"
		if n, e := strconv.ParseUint(s, 10, 63); e == nil && !v.r.where[v.path].expanded {
			fix = fmt.Sprintf("%dB, if bytes are meant (units: B, KiB, MiB, GiB)", n)
		}
		v.problem(err.Error(), fix)
		return 0, false
	}
	if n < lo || n > hi {
		v.problem("is out of range", "between "+formatSize(lo)+" and "+formatSize(hi))
		return 0, false
	}
	return n, true
}

// count reads a whole number between lo and hi.
func (v value) count(lo, hi int) (int, bool) {
	s, ok := v.text()
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		v.problem("is not a whole number in range", fmt.Sprintf("between %d and %d", lo, hi))
		return 0, false
	}
	return n, true
}

// boolean reads true or false. YAML 1.1's yes, on and off are refused: half of
// the parsers in use take them for words.
func (v value) boolean() (b, ok bool) {
	s, ok := v.text()
	if !ok {
		return false, false
	}
	switch s {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	fix := "true or false"
	switch strings.ToLower(s) {
	case "yes", "on", "y", "true":
		fix = "true"
	case "no", "off", "n", "false":
		fix = "false"
	}
	v.problem("is neither true nor false", fix)
	return false, false
}
