package rfc9111

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The longest Cache-Control that is read, all lines together, in bytes. The
// request field is the client's and never needs more.
const (
	maxResponseField = 8 << 10
	maxRequestField  = 1 << 10
)

// kind says what argument a directive takes.
type kind uint8

const (
	flagKind   kind = iota // none; one that is there anyway does not unsay the directive
	grantKind              // none; a directive that permits something counts only as it should be written
	deltaKind              // delta-seconds; one that cannot be read counts as zero
	limitKind              // delta-seconds that widen what the client accepts; dropped when it cannot be read
	floorKind              // delta-seconds that narrow what the client accepts; the greatest when it cannot be read
	fieldsKind             // none or a list of field names
)

// directive is one that a grammar knows. hold marks those that are honoured
// even where they stand in what cannot be parsed.
type directive struct {
	name string
	kind kind
	hold bool
}

var responseGrammar = []directive{
	{"no-store", flagKind, true},
	{"no-cache", fieldsKind, true},
	{"private", fieldsKind, true},
	{"must-revalidate", flagKind, true},
	{"proxy-revalidate", flagKind, true},
	{"max-age", deltaKind, false},
	{"s-maxage", deltaKind, false},
	{"public", grantKind, false},
	{"immutable", grantKind, false},
	{"must-understand", grantKind, false},
	{"no-transform", flagKind, true},
	{"stale-while-revalidate", deltaKind, false},
	{"stale-if-error", deltaKind, false},
}

var requestGrammar = []directive{
	{"no-cache", flagKind, true},
	{"no-store", flagKind, true},
	{"only-if-cached", flagKind, false},
	{"max-age", deltaKind, false},
	{"max-stale", limitKind, false},
	{"min-fresh", floorKind, false},
	{"no-transform", flagKind, true},
	{"stale-if-error", deltaKind, false},
}

// canonicaliser rewrites Cache-Control lines in the one form that
// cachecontrol reads as they were meant. That parser is quadratic in quoted
// strings, gives up everything at the first error (the no-store too), lets the
// last of two arguments win and lets an unquoted field name swallow what
// follows it. So it never sees what a client or an upstream wrote.
type canonicaliser struct {
	grammar []directive
	seen    uint32     // a bit for each directive of the grammar that was written, or is known without its argument
	fields  [][]string // for fieldsKind: the names that the argument listed
	out     []byte
}

// canonical returns the canonical form of lines: known directives only, in
// lower case, each once. Of two arguments the first counts (RFC 9111 §4.2.1).
// It returns false when the field is longer than limit or hides a part of
// itself behind a quote.
func canonical(lines []string, grammar []directive, limit int) (string, bool) {
	c := canonicaliser{grammar: grammar}
	for _, line := range lines {
		if limit -= len(line); limit < 0 {
			return "", false
		}
		// Line by line, not joined: a quote left open on one line must not
		// hide the next.
		lex := lexer{rest: line}
		for m, ok := lex.next(); ok; m, ok = lex.next() {
			c.add(m)
		}
		if lex.broken {
			return "", false
		}
	}
	for i, names := range c.fields {
		if len(names) > 0 && c.seen&(1<<i) == 0 {
			c.write(c.grammar[i].name)
			c.out = append(c.out, `="`...)
			c.out = append(c.out, strings.Join(names, ", ")...)
			c.out = append(c.out, '"')
		}
	}
	return string(c.out), true
}

// add writes what m says.
func (c *canonicaliser) add(m member) {
	if i := c.find(m.name); i >= 0 {
		c.directive(i, m)
	}
	if m.spoiled {
		// Where the list went wrong is not for us to say: any of what stands
		// there may be the directive that it looks like.
		c.hold(m.junk)
		if m.form == tokenArgument {
			c.hold(m.value)
		}
	}
}

// hold writes the prohibitions among the tokens of s.
func (c *canonicaliser) hold(s string) {
	for s != "" {
		var token string
		if token, s = cutToken(s); token == "" {
			s = s[1:]
			continue
		}
		if i := c.find(token); i >= 0 && c.grammar[i].hold {
			c.flag(i)
		}
	}
}

// find returns the index of the directive with that name, or -1.
func (c *canonicaliser) find(name string) int {
	return slices.IndexFunc(c.grammar, func(d directive) bool {
		return len(d.name) == len(name) && strings.EqualFold(d.name, name)
	})
}

// directive writes directive i with the argument of m.
func (c *canonicaliser) directive(i int, m member) {
	switch kind := c.grammar[i].kind; {
	case kind == flagKind, kind == grantKind && m.form == noArgument && !m.spoiled:
		c.flag(i)
	case kind == grantKind:
		// Nothing is granted.
	case kind == fieldsKind:
		c.list(i, m)
	case kind == limitKind && m.form == noArgument && !m.spoiled:
		c.flag(i) // max-stale without a value: any staleness
	default:
		c.delta(i, m)
	}
}

// flag writes directive i without an argument, once.
func (c *canonicaliser) flag(i int) {
	if c.seen&(1<<i) == 0 {
		c.write(c.grammar[i].name)
		c.seen |= 1 << i
	}
}

// delta writes directive i with its delta-seconds. The argument may be quoted
// (RFC 9111 §5.2: both forms ought to be accepted).
func (c *canonicaliser) delta(i int, m member) {
	if c.seen&(1<<i) != 0 {
		return
	}
	c.seen |= 1 << i
	n, ok := parseDelta(m.value)
	switch kind := c.grammar[i].kind; {
	case ok && !m.spoiled:
	case kind == limitKind:
		return
	case kind == floorKind:
		n = maxDelta
	default:
		n = 0
	}
	c.write(c.grammar[i].name)
	c.out = append(c.out, '=')
	c.out = strconv.AppendInt(c.out, n, 10)
}

// list keeps the field names of directive i for the end, since the directive
// without a list says more and may still come. A list that cannot be read
// counts as none.
func (c *canonicaliser) list(i int, m member) {
	var names []string
	for name := range strings.SplitSeq(m.value, ",") {
		if name = strings.Trim(name, " \t"); isToken(name) {
			names = append(names, http.CanonicalHeaderKey(name))
		} else if name != "" {
			m.spoiled = true
		}
	}
	if m.spoiled || len(names) == 0 {
		c.flag(i)
		return
	}
	if c.fields == nil {
		c.fields = make([][]string, len(c.grammar))
	}
	c.fields[i] = append(c.fields[i], names...)
}

// write begins a member.
func (c *canonicaliser) write(name string) {
	if len(c.out) > 0 {
		c.out = append(c.out, ", "...)
	}
	c.out = append(c.out, name...)
}
