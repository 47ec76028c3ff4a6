package corslayer

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"veneer/corslayer/origin"
)

// PassVerdict is what ObservePass found in a response of an application that
// owns CORS. The First… flags are true once a policy: they are for a log that
// says a thing once.
type PassVerdict struct {
	// Foreign: the response names another origin than the request's (case
	// A4). It must not be stored.
	Foreign bool
	// VaryAdded: Vary got the Origin that it lacked (case A3).
	VaryAdded bool
	// Duplicate: there was more than one Access-Control-Allow-Origin line
	// (case A5). Equal ones were made one; browsers refuse others.
	Duplicate bool

	FirstForeign, FirstVaryAdded, FirstDuplicate bool
}

// passState is what a route in pass mode learns about its application.
type passState struct {
	echoes atomic.Bool // it varies on Origin; in pass mode, without saying so

	mu sync.Mutex // guards acao
	acao
}

// acao is what was seen of Access-Control-Allow-Origin.
type acao struct {
	// value is the one Access-Control-Allow-Origin that was seen, besides *;
	// varied says that there was another. A value that two origins other than
	// itself got (a request without Origin counts as one) is static.
	value   string
	varied  bool
	seen    bool   // value was sent to somebody else than itself
	witness string // to whom first
	static  bool
}

// copyFrom makes s, which nobody else has yet, know what t knows.
func (s *passState) copyFrom(t *passState) {
	s.echoes.Store(t.echoes.Load())
	t.mu.Lock()
	defer t.mu.Unlock()
	s.acao = t.acao
}

// ObservePass looks at an upstream's response in pass mode before it is stored
// or sent. It makes equal duplicates of Access-Control-Allow-Origin one line,
// adds Origin to Vary where it is missing, and says whether the response names
// a foreign origin. It changes h only. d is what Decide said about the request
// that brought the response. In other modes it does nothing.
func (p *Policy) ObservePass(h http.Header, d Decision) PassVerdict {
	var v PassVerdict
	if p.mode != ModePass {
		return v
	}
	lines := h[fieldAllowOrigin]
	if len(lines) > 1 {
		v.Duplicate = true
		v.FirstDuplicate = p.counts.duplicate.Add(1) == 1
		lines = collapse(h, fieldAllowOrigin)
		collapse(h, fieldAllowCredentials)
	}
	if d.Class != origin.Bad && p.foreign(lines, d) {
		v.Foreign = true
		v.FirstForeign = p.counts.foreign.Add(1) == 1
	}
	if p.varyFix == VaryNever {
		return v
	}
	hidden := len(lines) > 0 && !isWildcard(lines) && !hasName(h[fieldVary], fieldOrigin)
	if hidden {
		v.FirstVaryAdded = !p.learned.echoes.Swap(true)
	}
	if p.addsVary() && !hasName(h[fieldVary], fieldOrigin) {
		p.mergeVary(h, lineVaryOrigin)
		v.VaryAdded = true
		p.counts.varyFixed.Add(1)
	}
	return v
}

// Echoes reports whether the application was seen to vary on Origin without
// saying so (case A3): the mark of a route in pass mode.
func (p *Policy) Echoes() bool { return p.learned.echoes.Load() }

// addsVary reports whether responses of a route in pass mode get Vary: Origin.
func (p *Policy) addsVary() bool {
	switch p.varyFix {
	case VaryAlways:
		return true
	case VaryAuto:
		return p.learned.echoes.Load()
	}
	return false
}

// collapse makes lines that are all equal one, and returns what stands now.
func collapse(h http.Header, name string) []string {
	lines := h[name]
	for _, line := range lines {
		if line != lines[0] {
			return lines
		}
	}
	if len(lines) > 1 {
		lines = slices.Clip(lines[:1])
		h[name] = lines
	}
	return lines
}

func isWildcard(lines []string) bool { return len(lines) == 1 && lines[0] == "*" }

// foreign decides case A4. An answer to a request without Origin is never
// foreign: it is kept for such requests only, where no browser looks at it.
func (p *Policy) foreign(lines []string, d Decision) bool {
	switch {
	case len(lines) == 0 || isWildcard(lines):
		return false
	case len(lines) > 1:
		return d.Class != origin.None
	}
	static := p.learned.observe(lines[0], d.Bucket)
	return d.Class != origin.None && lines[0] != d.Bucket && !static
}

// maxLearned bounds the values that are remembered, in bytes.
const maxLearned = origin.MaxLen

// observe learns from one response that named value to asker ("" is a request
// without Origin), and reports whether value is static for the route.
func (s *passState) observe(value, asker string) bool {
	if len(value) > maxLearned {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.varied:
	case s.value == "":
		s.value = strings.Clone(value)
	case s.value != value:
		s.varied, s.static = true, false
	}
	if s.varied || asker == value {
		return s.static
	}
	switch {
	case !s.seen:
		s.seen, s.witness = true, strings.Clone(asker)
	case s.witness != asker:
		s.static = true
	}
	return s.static
}
