package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// section is a mapping whose keys are known. Every key that is asked for
// becomes a known name; done then refuses the rest, so the list of known names
// cannot drift from what is read.
type section struct {
	value
	entries []entry
	index   map[string]int // name → its place in entries
	known   []string
}

// entry is one key of a section and its value.
type entry struct {
	name string
	key  *yaml.Node
	node *yaml.Node
	used bool
}

// section returns the mapping. What is no mapping is reported; an empty
// section is taken as one without keys. The result is never nil.
func (v value) section() *section {
	s := &section{value: v, index: map[string]int{}}
	switch {
	case v.null():
	case v.node.Kind == yaml.MappingNode:
		s.collect(v.node, 0, nil)
	default:
		v.problem("a mapping belongs here", "write { key: value } or one key a line, indented")
	}
	return s
}

// collect takes the keys of n, and those that n merges in (<<) for names that
// stand nowhere before: nearest first, as the YAML merge key has it.
func (s *section) collect(n *yaml.Node, depth int, seen []*yaml.Node) {
	if !s.r.spend(s.path, len(n.Content)/2) {
		return
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			merges = append(merges, n.Content[i+1])
		case k.Kind != yaml.ScalarNode || k.ShortTag() == "!!null":
			s.at(n.Content[i], "", "a key must be a plain word", "")
		default:
			s.take(n.Content[i], k.Value, n.Content[i+1], depth)
		}
	}
	for _, m := range merges {
		s.merge(m, depth+1, append(seen, n))
	}
}

func (s *section) merge(m *yaml.Node, depth int, seen []*yaml.Node) {
	from := m
	if from.Kind == yaml.AliasNode {
		from = from.Alias
	}
	switch {
	case depth > maxMerges || slices.Contains(seen, from):
		s.at(m, "", "merges itself, or merges too deep", "write the keys out")
	case from.Kind == yaml.MappingNode:
		s.collect(from, depth, seen)
	case from.Kind == yaml.SequenceNode && m.Kind == from.Kind:
		if !s.r.spend(s.path, len(from.Content)) {
			return
		}
		for _, e := range from.Content {
			s.merge(e, depth+1, append(seen, from))
		}
	default:
		s.at(m, "", "<< takes a mapping, or a list of them", "<<: *name")
	}
}

// take adds one key. A second one of the same name is refused where it stands
// in the section itself, and is the weaker one where it was merged in.
func (s *section) take(key *yaml.Node, name string, node *yaml.Node, depth int) {
	if i, dup := s.index[name]; dup {
		if depth == 0 {
			s.at(key, name, fmt.Sprintf("is given twice, first on line %d", s.entries[i].key.Line), "keep one of them")
		}
		return
	}
	s.index[name] = len(s.entries)
	s.entries = append(s.entries, entry{name: name, key: key, node: node})
}

// at reports a problem with a key, which has no path of its own.
func (s *section) at(key *yaml.Node, name, why, fix string) {
	field := s.path
	if name != "" {
		field = join(s.path, cut(name, 64))
	}
	s.r.append(Problem{File: s.r.file, Line: key.Line, Col: key.Column, Field: field, Why: why, Fix: fix})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// get returns the value of a known name, if it is there.
func (s *section) get(name string) (value, bool) {
	s.known = append(s.known, name)
	i, ok := s.index[name]
	if !ok {
		return value{}, false
	}
	s.entries[i].used = true
	return s.r.value(join(s.path, name), s.entries[i].node), true
}

// each calls f for every key of a section whose keys are the user's own names,
// in the order of the file.
func (s *section) each(f func(name string, key *yaml.Node, v value)) {
	for i := range s.entries {
		e := &s.entries[i]
		e.used = true
		f(e.name, e.key, s.r.value(join(s.path, cut(e.name, 64)), e.node))
	}
}

// done refuses the keys that nobody asked for.
func (s *section) done() {
	for _, e := range s.entries {
		if e.used {
			continue
		}
		fix := ""
		if near := nearest(e.name, s.known); near != "" {
			fix = near
		} else if len(s.known) > 0 {
			known := slices.Clone(s.known)
			slices.Sort(known)
			fix = "one of " + strings.Join(slices.Compact(known), ", ")
		}
		s.at(e.key, e.name, "is not a known key here", fix)
	}
}

// sub reads the section under name with f, if it is there.
func (s *section) sub(name string, f func(*section)) bool {
	v, ok := s.get(name)
	if ok {
		sub := v.section()
		f(sub)
		sub.done()
	}
	return ok
}

// The following read the key name into dst when it is there and good, and
// leave dst alone otherwise. They report whether the key is there.

func (s *section) text(name string, dst *string) bool {
	v, ok := s.get(name)
	if ok {
		if t, good := v.text(); good {
			*dst = t
		}
	}
	return ok
}

func (s *section) texts(name string, dst *[]string) bool {
	v, ok := s.get(name)
	if ok {
		*dst = v.texts()
	}
	return ok
}

func (s *section) boolean(name string, dst *bool) bool {
	v, ok := s.get(name)
	if ok {
		if b, good := v.boolean(); good {
			*dst = b
		}
	}
	return ok
}

func (s *section) duration(name string, dst *time.Duration, lo, hi time.Duration) bool {
	v, ok := s.get(name)
	if ok {
		if d, good := v.duration(lo, hi); good {
			*dst = d
		}
	}
	return ok
}

func (s *section) size(name string, dst *int64, lo, hi int64) bool {
	v, ok := s.get(name)
	if ok {
		if n, good := v.size(lo, hi); good {
			*dst = n
		}
	}
	return ok
}

func (s *section) count(name string, dst *int, lo, hi int) bool {
	v, ok := s.get(name)
	if ok {
		if n, good := v.count(lo, hi); good {
			*dst = n
		}
	}
	return ok
}

// option is one word that a key may have, and what it means.
type option[T any] struct {
	word string
	is   T
}

// choice reads one of a few words.
func choice[T any](s *section, name string, dst *T, options ...option[T]) bool {
	v, ok := s.get(name)
	if !ok {
		return false
	}
	t, good := v.text()
	if !good {
		return true
	}
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = o.word
		if o.word == t {
			*dst = o.is
			return true
		}
	}
	fix := nearest(t, words)
	if fix == "" || s.r.where[v.path].expanded {
		fix = "one of " + strings.Join(words, ", ")
	}
	v.problem("is not one of the words known here", fix)
	return true
}

// later refuses keys of later releases by name. Switched off they may stand:
// a file may say that it does without.
func (s *section) later(names ...string) {
	for _, name := range names {
		v, ok := s.get(name)
		if !ok || v.null() || v.is("false") || v.is("off") {
			continue
		}
		v.problem("is not built yet in this release", "leave it out, or set it to off")
	}
	// A key that cannot be used is not a name to offer for a misspelt one.
	s.known = slices.DeleteFunc(s.known, func(k string) bool { return slices.Contains(names, k) })
}
