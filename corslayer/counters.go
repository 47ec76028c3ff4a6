package corslayer

import (
	"sync/atomic"

	"veneer/corslayer/origin"
)

// Counts is a snapshot of a policy's counters since it was compiled. A request
// is in one of the first nine: the first five count by its Origin what is no
// preflight answered here, the next four count those preflights. The rest
// count upstream responses.
//
// None is also where a route in off mode has every Valid Origin: such a route
// decides nothing about it, and same-origin pages send one too (case C5).
// Null and Bad count those Origins whatever the policy said of them.
type Counts struct {
	None, Allowed, Refused, Null, Bad uint64

	PreflightOK, PreflightRefusedOrigin, PreflightRefusedMethod, PreflightRefusedHeader uint64

	// Stripped counts responses of an upstream that sends CORS fields of its
	// own where Veneer is the authority.
	Stripped uint64
	// VaryFixed, Foreign and Duplicate are for pass mode: responses that got
	// a Vary they should have had (A3), that named another origin (A4), and
	// that named one twice (A5).
	VaryFixed, Foreign, Duplicate uint64
}

type counters struct {
	class [4]atomic.Uint64 // by origin.Class; Valid counts the allowed
	refused,
	stripped, varyFixed, foreign, duplicate atomic.Uint64
	preflights [Granted + 1]atomic.Uint64 // by Step
}

// request counts a request that is no preflight answered here.
func (c *counters) request(m Mode, d Decision) {
	switch {
	case d.Class != origin.Valid:
		c.class[d.Class].Add(1)
	case m == ModeOff:
		c.class[origin.None].Add(1)
	case d.Allowed:
		c.class[origin.Valid].Add(1)
	default:
		c.refused.Add(1)
	}
}

// Counts returns the counters. Each is exact; together they are not a moment's
// picture, since requests go on.
func (p *Policy) Counts() Counts {
	c := &p.counts
	return Counts{
		None:    c.class[origin.None].Load(),
		Allowed: c.class[origin.Valid].Load(),
		Refused: c.refused.Load(),
		Null:    c.class[origin.Null].Load(),
		Bad:     c.class[origin.Bad].Load(),

		PreflightOK:            c.preflights[Granted].Load(),
		PreflightRefusedOrigin: c.preflights[RefusedOrigin].Load(),
		PreflightRefusedMethod: c.preflights[RefusedMethod].Load(),
		PreflightRefusedHeader: c.preflights[RefusedHeader].Load() + c.preflights[RefusedSize].Load(),

		Stripped:  c.stripped.Load(),
		VaryFixed: c.varyFixed.Load(),
		Foreign:   c.foreign.Load(),
		Duplicate: c.duplicate.Load(),
	}
}
