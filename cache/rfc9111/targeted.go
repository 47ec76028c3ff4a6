package rfc9111

import "github.com/dunglas/httpsfv"

// parseTargeted reads a targeted field (RFC 9213 §2.1), a Structured Field
// dictionary. It returns false when the field is absent, empty or not valid:
// then it is ignored as a whole and the next one counts.
//
// Parameters and unknown members are ignored, and so is a delta-seconds that
// is not an Integer. A prohibition is honoured whatever its value is, except
// Boolean false, because what was meant by it is not in doubt; no-cache and
// private with a list of fields count as without one.
func parseTargeted(lines []string) (Directives, bool) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	switch {
	case size == 0:
		return Directives{}, false
	case size > maxResponseField:
		return unreadable, true
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return Directives{}, false
	}
	var d Directives
	for _, name := range dict.Names() {
		value, _ := dict.Get(name)
		d.setTargeted(name, value)
	}
	return d, true
}

// setTargeted sets one member of a targeted field.
func (d *Directives) setTargeted(name string, value httpsfv.Member) {
	item, _ := value.(httpsfv.Item)
	on, isBoolean := item.Value.(bool)
	said := on || !isBoolean
	switch name {
	case "no-store":
		d.NoStore = said
	case "no-cache":
		d.NoCache = said
	case "private":
		d.Private = said
	case "must-revalidate":
		d.MustRevalidate = said
	case "proxy-revalidate":
		d.ProxyRevalidate = said
	case "no-transform":
		d.NoTransform = said
	case "public":
		d.Public = on
	case "immutable":
		d.Immutable = on
	case "must-understand":
		d.MustUnderstand = on
	case "max-age":
		d.MaxAge = targetedDelta(item)
	case "s-maxage":
		d.SMaxAge = targetedDelta(item)
	case "stale-while-revalidate":
		d.StaleWhileRevalidate = targetedDelta(item)
	case "stale-if-error":
		d.StaleIfError = targetedDelta(item)
	}
}

// targetedDelta returns an Integer as delta-seconds; a negative one is zero,
// anything else is absent.
func targetedDelta(item httpsfv.Item) Delta {
	n, ok := item.Value.(int64)
	if !ok {
		return 0
	}
	return Seconds(n)
}
