package corslayer

import (
	"sync/atomic"

	"veneer/corslayer/origin"
)

// Counts is a snapshot of a policy's counters since it was compiled. The five
// of the first group count requests by their Origin, preflights included; the
// next four count preflights; the rest count upstream responses.
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
	preflightOK, preflightOrigin, preflightMethod, preflightHeader,
	stripped, varyFixed, foreign, duplicate atomic.Uint64
}

func (c *counters) decision(class origin.Class, allowed bool) {
	if class == origin.Valid && !allowed {
		c.refused.Add(1)
		return
	}
	c.class[class].Add(1)
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

		PreflightOK:            c.preflightOK.Load(),
		PreflightRefusedOrigin: c.preflightOrigin.Load(),
		PreflightRefusedMethod: c.preflightMethod.Load(),
		PreflightRefusedHeader: c.preflightHeader.Load(),

		Stripped:  c.stripped.Load(),
		VaryFixed: c.varyFixed.Load(),
		Foreign:   c.foreign.Load(),
		Duplicate: c.duplicate.Load(),
	}
}
