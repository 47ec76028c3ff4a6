// Package tag reads the labels by which an upstream lets stored responses be
// purged together: Surrogate-Key (separated by spaces) and Cache-Tag
// (separated by commas). There is no RFC for either; the fields are those that
// content managers already send.
//
// It knows nothing of stores: a purge by tag is theirs.
package tag

import (
	"net/http"
	"strings"
)

// Limits on what one response may be labelled with. What exceeds them is left
// out, and a purge by it does not find the response: they are far above what
// content managers send, and every tag has its cost in the store's budget.
const (
	MaxTags   = 256 // tags of one response
	MaxLength = 256 // bytes of one tag
)

// Parse returns the tags of a response, those of Surrogate-Key first, in the
// order in which they came, each once and as it was written (tags are case
// sensitive). Every tag is Valid. The strings do not share memory with h.
func Parse(h http.Header) []string {
	var p parser
	for _, line := range h["Surrogate-Key"] {
		p.list(line, isSpace)
	}
	for _, line := range h["Cache-Tag"] {
		p.list(line, isComma)
	}
	return p.tags
}

// Valid reports whether s can be a tag: 1 to MaxLength bytes without control
// characters, and without white space at either end. A purge by anything else
// is a mistake of who asks.
func Valid(s string) bool {
	if s == "" || len(s) > MaxLength || isSpace(s[0]) || isSpace(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// parser collects tags.
type parser struct {
	tags []string
	seen map[string]struct{} // made when a walk over tags would be slow
}

// list adds the members of a field line.
func (p *parser) list(line string, separates func(byte) bool) {
	for start := 0; start <= len(line) && len(p.tags) < MaxTags; {
		end := start
		for end < len(line) && !separates(line[end]) {
			end++
		}
		p.add(strings.Trim(line[start:end], " \t"))
		start = end + 1
	}
}

// smallSet is up to how many tags duplicates are looked for without a map.
const smallSet = 16

// add appends a tag that is valid and new.
func (p *parser) add(s string) {
	if !Valid(s) || p.has(s) {
		return
	}
	s = strings.Clone(s)
	p.tags = append(p.tags, s)
	switch {
	case p.seen != nil:
		p.seen[s] = struct{}{}
	case len(p.tags) == smallSet:
		p.seen = make(map[string]struct{}, 4*smallSet)
		for _, t := range p.tags {
			p.seen[t] = struct{}{}
		}
	}
}

func (p *parser) has(s string) bool {
	if p.seen != nil {
		_, ok := p.seen[s]
		return ok
	}
	for _, t := range p.tags {
		if t == s {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func isComma(c byte) bool { return c == ',' }
