package key

import "strings"

// MatchesContent reports whether a stored response may answer a request whose
// Accept-Encoding or Accept-Language differs from the stored one, because the
// upstream would choose the same representation again. contentEncoding and
// contentLanguage are the stored response's own fields, "" when absent. It is
// true wherever Matches is.
//
// This is proactive negotiation (RFC 9110 §12.1) carried out by the cache with
// what it knows: the representation that is stored, and what it was preferred
// to. It holds in these cases only, and never for a representation that the
// request does not accept:
//
//   - The stored coding is the one that the request likes best. Or every coding
//     that the request likes as well or better was also on offer when the
//     stored one was chosen, and lost: by rank, so the upstream does not have
//     it, or in a tie, so the upstream prefers the stored one. (An image that
//     came bare in spite of "gzip, br" also comes bare to "gzip".)
//   - The stored language is the one that the request likes best, alone, and
//     both fields list exactly that tag and no narrower one (de-AT for de): the
//     upstream may have looked at the region.
//
// Use it for fresh responses and after Matches found none: a validation is
// about the stored selecting fields, not about those of this request. It is
// safe for concurrent use and allocates nothing for values up to 512 bytes.
func (s *Selecting) MatchesContent(f Fields, contentEncoding, contentLanguage string) bool {
	for i, name := range s.Names {
		stored, lines := s.Values[i], f.Values(name)
		if matchesValue(name, stored, lines) {
			continue
		}
		if stored == Absent || len(lines) == 0 {
			return false
		}
		switch name {
		case "Accept-Encoding":
			if !sameCoding(stored, lines, contentEncoding) {
				return false
			}
		case "Accept-Language":
			if !sameLanguage(stored, lines, contentLanguage) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// sameCoding reports whether an upstream that chose coding for the stored
// Accept-Encoding chooses it for lines too.
func sameCoding(stored string, lines []string, coding string) bool {
	coding = unaliased(strings.Trim(coding, " \t"))
	if coding == "" {
		coding = "identity"
	}
	var then, now weighted
	if !isToken(coding) || !then.parseValue("Accept-Encoding", stored) || !now.parse("Accept-Encoding", lines) {
		return false
	}
	// A "*" stands for codings that nobody can name.
	if then.has("*") || now.has("*") {
		return false
	}
	chosenThen, ok := then.codingWeight(coding)
	chosenNow, ok2 := now.codingWeight(coding)
	if !ok || !ok2 {
		return false
	}
	for i := range now.n {
		m := &now.members[i]
		weight := int(m.weight)
		if weight == 0 || weight < chosenNow || strings.EqualFold(m.name, coding) {
			continue
		}
		offered, ok := then.codingWeight(m.name)
		lost := ok && (offered > chosenThen || offered == chosenThen && weight == chosenNow)
		if !lost {
			return false
		}
	}
	return true
}

// codingWeight returns the weight of a coding, and false when it is not
// acceptable. identity is acceptable unless it is excluded, and when it is not
// listed it is liked least (RFC 9110 §12.5.3).
func (l *weighted) codingWeight(coding string) (weight int, ok bool) {
	if m := l.find(coding); m != nil {
		return int(m.weight), m.weight > 0
	}
	return 0, strings.EqualFold(coding, "identity")
}

// sameLanguage reports whether an upstream that chose language for the stored
// Accept-Language chooses it for lines too.
func sameLanguage(stored string, lines []string, language string) bool {
	language = strings.Trim(language, " \t")
	var then, now weighted
	if !isLanguageRange(language) || language == "*" ||
		!then.parseValue("Accept-Language", stored) || !now.parse("Accept-Language", lines) {
		return false
	}
	if m := then.find(language); m == nil || m.weight == 0 || then.narrows(language) || now.narrows(language) {
		return false
	}
	// The list is sorted: the language is first, and the next weighs less.
	if now.n == 0 || !strings.EqualFold(now.members[0].name, language) || now.members[0].weight == 0 {
		return false
	}
	return now.n == 1 || now.members[1].weight < now.members[0].weight
}

// parseValue reads one line.
func (l *weighted) parseValue(field, line string) bool {
	lines := [1]string{line}
	return l.parse(field, lines[:])
}

// find returns the member with the name, or nil.
func (l *weighted) find(name string) *member {
	for i := range l.n {
		if strings.EqualFold(l.members[i].name, name) {
			return &l.members[i]
		}
	}
	return nil
}

func (l *weighted) has(name string) bool { return l.find(name) != nil }

// narrows reports whether a range in the list is narrower than language.
func (l *weighted) narrows(language string) bool {
	n := len(language)
	for i := range l.n {
		name := l.members[i].name
		if len(name) > n && name[n] == '-' && strings.EqualFold(name[:n], language) {
			return true
		}
	}
	return false
}
