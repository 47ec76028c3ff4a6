package rfc9111

import "strings"

// surrogateControl is the field of the W3C's Edge Architecture Specification
// (2001), older than targeted fields and no structured field: its names have
// no case, and ";" addresses a directive to one surrogate by the name that it
// has in Surrogate-Capability.
const surrogateControl = "Surrogate-Control"

// surrogateName is our name in Surrogate-Capability, which says
//
//	veneer="Surrogate/1.0"
const surrogateName = "veneer"

// parseSurrogate reads Surrogate-Control with the care of Cache-Control. It
// returns false when nothing in it is known and meant for us: then the next
// field counts. What is addressed to another surrogate is ignored, and so is
// how long past max-age a response may be served (max-age=600+60).
func parseSurrogate(lines []string) (Directives, bool) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxResponseField {
		return unreadable, true
	}
	var ours []string
	for _, line := range lines {
		lex := lexer{rest: line}
		for {
			start := strings.TrimLeft(lex.rest, ", \t")
			m, ok := lex.next()
			if !ok {
				break
			}
			text := strings.TrimSuffix(start[:len(start)-len(lex.rest)], ",")
			if text, ok = addressed(text, m); ok {
				ours = append(ours, text)
			}
		}
		if lex.broken {
			return unreadable, true
		}
	}
	return parseList(ours)
}

// addressed returns the text of m without its address and without the second
// number of max-age, and whether m is meant for us. What follows a directive
// and is no address stays, for parseList to distrust.
func addressed(text string, m member) (string, bool) {
	address, isAddress := strings.CutPrefix(strings.Trim(m.junk, " \t"), ";")
	if address != "" && !isAddress {
		return text, true
	}
	text = text[:len(text)-len(m.junk)]
	if m.form == tokenArgument && strings.EqualFold(m.name, "max-age") {
		text, _, _ = strings.Cut(text, "+")
	}
	if address = strings.Trim(address, " \t;"); address == "" {
		return text, true
	}
	for name := range strings.SplitSeq(address, ";") {
		if strings.EqualFold(strings.Trim(name, " \t"), surrogateName) {
			return text, true
		}
	}
	return "", false
}
