package telemetry

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// sampler decides which requests get a trace, before any span is begun: the
// SDK's own way of asking costs two allocations for every request that gets
// none. It keeps nothing, takes no lock and allocates nothing.
type sampler struct {
	parent bool          // a valid traceparent decides
	below  uint64        // of 63 random bits, as the SDK's ratio has it
	random func() uint64 // safe for concurrent use

	parents   Parents
	known     func(peer string) bool // nil: nobody
	strangers *pace
	now       func() time.Time
}

// newSampler draws for the requests that come without a trace.
func newSampler(ratio float64, random func() uint64) sampler {
	if random == nil {
		random = rand.Uint64
	}
	s := sampler{parent: true, random: random, strangers: new(pace), now: time.Now}
	s.setRatio(ratio)
	return s
}

// setRatio takes a ratio from 0 to 1; anything else is 0.
func (s *sampler) setRatio(ratio float64) {
	s.below = 0
	if ratio > 0 && ratio <= 1 {
		s.below = uint64(ratio * (1 << 63))
	}
}

// fromEnvironment takes what OTEL_TRACES_SAMPLER says, with its
// OTEL_TRACES_SAMPLER_ARG, and names the variable that makes no sense, if one
// does: that one is as if it were not there.
func (s *sampler) fromEnvironment() (misunderstood string) {
	ratio := func() string {
		text := os.Getenv(envSamplerArg)
		if text == "" {
			s.setRatio(1) // as the specification has it
			return ""
		}
		r, err := strconv.ParseFloat(text, 64)
		if err != nil || !(r >= 0 && r <= 1) {
			return envSamplerArg
		}
		s.setRatio(r)
		return ""
	}
	switch os.Getenv(envSampler) {
	case "":
	case "always_on":
		s.parent, s.below = false, 1<<63
	case "always_off":
		s.parent, s.below = false, 0
	case "traceidratio":
		s.parent = false
		return ratio()
	case "parentbased_always_on":
		s.setRatio(1)
	case "parentbased_always_off":
		s.setRatio(0)
	case "parentbased_traceidratio":
		return ratio()
	default:
		return envSampler
	}
	return ""
}

// sample decides about a request with these lines of the traceparent field from
// peer.
func (s *sampler) sample(traceparent []string, peer string) bool {
	if len(traceparent) > 0 {
		p, ok := parseParent(traceparent)
		switch {
		case ok && s.heeds(p, peer):
			return p.flags.IsSampled()
		case ok && !s.parent && s.trusts(peer):
			// As every service decides that has the same ratio. A stranger would
			// choose an id that is below it.
			return binary.BigEndian.Uint64(p.trace[8:])>>1 < s.below
		}
	}
	return s.below != 0 && s.random()>>1 < s.below
}

// parent is what a traceparent field says.
type parent struct {
	trace trace.TraceID
	span  trace.SpanID
	flags trace.TraceFlags
}

// parseParent reads the lines of a traceparent field (W3C Trace Context §3.2).
// A field that is malformed or there twice is none.
func parseParent(lines []string) (p parent, ok bool) {
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	if len(lines) != 1 || len(lines[0]) < length {
		return p, false
	}
	s := lines[0]
	version, bad := number(s[:2], 0)
	high, bad := number(s[3:19], bad)
	low, bad := number(s[19:35], bad)
	span, bad := number(s[36:52], bad)
	flags, bad := number(s[53:55], bad)
	switch {
	case bad > 0xf, s[2] != '-', s[35] != '-', s[52] != '-', version == 0xff:
		return p, false
	case len(s) > length && (version == 0 || s[length] != '-'): // a later version may have more
		return p, false
	case high|low == 0, span == 0:
		return p, false
	}
	binary.BigEndian.PutUint64(p.trace[:8], high)
	binary.BigEndian.PutUint64(p.trace[8:], low)
	binary.BigEndian.PutUint64(p.span[:], span)
	p.flags = trace.TraceFlags(flags) & (trace.FlagsSampled | trace.FlagsRandom)
	return p, true
}

// number reads lower-case hexadecimal digits. Anything else makes bad, which
// goes from one call to the next, more than 0xf.
func number(s string, bad byte) (n uint64, worse byte) {
	for i := range len(s) {
		d := digits[s[i]]
		bad |= d
		n = n<<4 | uint64(d&0xf)
	}
	return n, bad
}

// digits are the values of the lower-case hexadecimal digits, and 0xff.
var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		d[c] = byte(i)
	}
	return d
}()
