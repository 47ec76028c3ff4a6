package corslayer

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// maxInterned bounds an interned table: what is in it comes from upstreams.
const maxInterned = 256

// maxInternedKey bounds what one entry of an interned table is found by, in
// bytes: longer ones are made anew each time.
const maxInternedKey = 512

// interned remembers field values that were made once. Reads take no lock;
// past its bound it remembers nothing more. The zero value is ready.
type interned struct {
	mu    sync.Mutex // serialises put
	table atomic.Pointer[map[string][]string]
}

func (t *interned) get(key string) []string {
	if m := t.table.Load(); m != nil {
		return (*m)[key]
	}
	return nil
}

// getBytes is get without a string of key's own.
func (t *interned) getBytes(key []byte) []string {
	if m := t.table.Load(); m != nil {
		return (*m)[string(key)]
	}
	return nil
}

// put remembers value under key, if there is room, and returns it as a field
// value. It copies both: they may be parts of a larger text.
func (t *interned) put(key, value string) []string {
	line := one(strings.Clone(value))
	if len(key) > maxInternedKey {
		return line
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.table.Load()
	if old == nil {
		t.table.Store(&map[string][]string{strings.Clone(key): line})
		return line
	}
	if known := (*old)[key]; known != nil {
		return known
	}
	if len(*old) < maxInterned {
		next := maps.Clone(*old)
		next[strings.Clone(key)] = line
		t.table.Store(&next)
	}
	return line
}

// mergeVary makes Vary one line that has all the names and add (nil: none),
// each once without regard to case; * wins (case E2, RFC 9110 §12.5.5). What is
// remembered is found by the lines, and by whether something was added: a
// policy adds Origin or nothing.
func (p *Policy) mergeVary(h http.Header, add []string) {
	lines := h[fieldVary]
	switch {
	case len(lines) == 0:
		if add != nil {
			h[fieldVary] = add
		}
		return
	case len(lines) == 1 && (add == nil || lines[0] == add[0]):
		return
	}
	known := &p.varies[0]
	if add != nil {
		known = &p.varies[1]
	}
	if len(lines) > 1 {
		h[fieldVary] = known.mergeLines(lines, add)
		return
	}
	merged := known.get(lines[0])
	if merged == nil {
		merged = known.put(lines[0], mergeNames(lines, add))
	}
	h[fieldVary] = merged
}

// mergeLines is mergeVary for several lines, which are found as one with commas
// between them.
func (t *interned) mergeLines(lines, add []string) []string {
	var room [512]byte
	key := room[:0]
	for i, line := range lines {
		if i > 0 {
			key = append(key, ',')
		}
		key = append(key, line...)
	}
	if merged := t.getBytes(key); merged != nil {
		return merged
	}
	return t.put(string(key), mergeNames(lines, add))
}

// mergeNames keeps the order and the spelling of what came first.
func mergeNames(lines, add []string) string {
	var names []string
	for _, group := range [2][]string{lines, add} {
		for _, line := range group {
			for name := range strings.SplitSeq(line, ",") {
				name = strings.Trim(name, " \t")
				if name == "*" {
					return "*"
				}
				if name != "" && !hasFold(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return strings.Join(names, ", ")
}

// hasName reports whether a list-valued field has the name, or *.
func hasName(lines []string, name string) bool {
	for _, line := range lines {
		for n := range strings.SplitSeq(line, ",") {
			if n = strings.Trim(n, " \t"); n == "*" || strings.EqualFold(n, name) {
				return true
			}
		}
	}
	return false
}

// StripVary removes from Vary what the upstream was not shown (case K3): the
// fields of a preflight always, and Origin where no GET or HEAD of the route
// shows it: in shared mode, under a policy that is * and in off mode.
// Elsewhere Origin stays, also for requests that were forwarded without one:
// the response of another bucket may differ, and caches behind Veneer must
// know. For the same reason a static policy says Vary: Origin once its upstream
// has. It is for responses to GET and HEAD; in pass mode it does nothing.
func (p *Policy) StripVary(h http.Header, shared bool) {
	lines := h[fieldVary]
	if p.mode == ModePass || len(lines) == 0 {
		return
	}
	hidden := func(name string) bool {
		switch {
		case strings.EqualFold(name, fieldRequestMethod), strings.EqualFold(name, fieldRequestHeaders), strings.EqualFold(name, fieldRequestNetwork):
			return true
		}
		return strings.EqualFold(name, fieldOrigin) && (shared || p.any || p.mode == ModeOff)
	}
	var keep []string
	removed := false
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); hidden(name) {
				removed = true
			} else if name != "" {
				keep = append(keep, name)
			}
		}
	}
	switch {
	case !removed:
	case len(keep) == 0:
		delete(h, fieldVary)
	default:
		h[fieldVary] = one(strings.Join(keep, ", "))
	}
	if p.static && !p.learned.echoes.Load() && hasName(keep, fieldOrigin) {
		p.learned.echoes.Store(true)
	}
}
