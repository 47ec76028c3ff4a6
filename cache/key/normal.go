package key

import "strings"

// appendNormal writes the normal form of a selecting field to dst, which is
// empty. lines is not. Two requests have the same normal form only if their
// fields mean the same (RFC 9111 §4.1), as far as that is known:
//
//   - Accept-Encoding and Accept-Language: the order of members has no
//     meaning, names have no case, and of the weights the order counts
//     (RFC 9110 §12.4.2, §12.5.3, §12.5.4).
//   - Cookie, Authorization: as they were sent. Cookie lines are one list
//     (RFC 9113 §8.2.3).
//   - All others: lines are joined, and whitespace outside quoted strings is
//     brought to one form (RFC 9110 §5.2, §5.6.3).
//
// A normal form is a value with the same meaning, and its own normal form.
func appendNormal(dst []byte, name string, lines []string) []byte {
	switch name {
	case "Accept-Encoding", "Accept-Language":
		var l weighted
		if l.parse(name, lines) {
			return l.append(dst)
		}
	case "Cookie":
		return appendJoined(dst, lines, "; ")
	case "Authorization":
		return appendJoined(dst, lines, ", ")
	}
	return appendGeneral(dst, lines)
}

func appendJoined(dst []byte, lines []string, sep string) []byte {
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, sep...)
		}
		dst = append(dst, line...)
	}
	return dst
}

// appendGeneral joins the lines with ", ", writes every comma that way, and
// every other run of whitespace as one space. In a quoted string all bytes
// count.
func appendGeneral(dst []byte, lines []string) []byte {
	var g general
	for i, line := range lines {
		if i > 0 {
			dst = g.append(dst, ',')
			dst = g.append(dst, ' ')
		}
		for j := range len(line) {
			dst = g.append(dst, line[j])
		}
	}
	return dst
}

// general is the state of appendGeneral. It does not hold the bytes written:
// they may lie on the caller's stack.
type general struct {
	space   bool // whitespace was read and not written yet
	quoted  bool // in a quoted string
	escaped bool // after a backslash in one
}

// append writes one byte. Whitespace before a comma vanishes; after one it is
// a space, even before another comma.
func (g *general) append(dst []byte, c byte) []byte {
	if g.quoted {
		g.quoted = g.escaped || c != '"'
		g.escaped = !g.escaped && c == '\\'
		return append(dst, c)
	}
	if c == ' ' || c == '\t' {
		g.space = true
		return dst
	}
	if n := len(dst); n > 0 && (dst[n-1] == ',' || g.space && c != ',') {
		dst = append(dst, ' ')
	}
	g.space, g.quoted = false, c == '"'
	return append(dst, c)
}

// maxMembers is how many members of a weighted list are understood. A longer
// list is taken literally.
const maxMembers = 32

// weighted is a list of names with weights (RFC 9110 §12.4.2). It has room of
// its own, so that a lookup allocates nothing.
type weighted struct {
	n       int
	members [maxMembers]member
}

// member is a name, in the case that it was sent in, and its weight in
// thousandths: 0 is "not acceptable".
type member struct {
	name   string
	weight uint16
}

// parse reads the lines of Accept-Encoding or Accept-Language. It reports
// false, and the field is to be taken literally, when they are not a weighted
// list of codings or language ranges, or when they give one name two weights:
// what an upstream makes of those is not known.
func (l *weighted) parse(field string, lines []string) bool {
	codings := field == "Accept-Encoding"
	for _, line := range lines {
		for more := true; more; {
			var item string
			item, line, more = strings.Cut(line, ",")
			if item = strings.Trim(item, " \t"); item == "" {
				continue
			}
			name, weight, ok := parseMember(item)
			if codings {
				name, ok = unaliased(name), ok && isToken(name)
			} else {
				ok = ok && isLanguageRange(name)
			}
			if !ok || !l.add(name, weight) {
				return false
			}
		}
	}
	return true
}

// add puts a member in its place: by falling weight, then by name.
func (l *weighted) add(name string, weight uint16) bool {
	at := 0
	for i := range l.n {
		m := &l.members[i]
		order := compareFold(m.name, name)
		if order == 0 {
			return m.weight == weight
		}
		if m.weight > weight || m.weight == weight && order < 0 {
			at = i + 1
		}
	}
	if l.n == maxMembers {
		return false
	}
	copy(l.members[at+1:l.n+1], l.members[at:l.n])
	l.members[at] = member{name, weight}
	l.n++
	return true
}

// append writes the list: names in lower case, and for the weights the rank.
// Only the order of weights says what is preferred; clients that agree in it
// share a variant. What is excluded stays listed, since an upstream that reads
// the field carelessly may answer to the mere name.
func (l *weighted) append(dst []byte) []byte {
	const step = 25 // 32 ranks stay above 0
	rank := uint16(0)
	for i := range l.n {
		m := &l.members[i]
		if i > 0 {
			dst = append(dst, ", "...)
			if m.weight != l.members[i-1].weight {
				rank++
			}
		}
		for j := range len(m.name) {
			dst = append(dst, lower(m.name[j]))
		}
		switch {
		case m.weight == 0:
			dst = append(dst, ";q=0"...)
		case rank > 0:
			dst = appendWeight(append(dst, ";q="...), 1000-step*rank)
		}
	}
	return dst
}

// appendWeight writes a weight between 0 and 1000 thousandths, exclusive, as
// the shortest qvalue.
func appendWeight(dst []byte, w uint16) []byte {
	digits := [3]byte{byte('0' + w/100), byte('0' + w/10%10), byte('0' + w%10)}
	n := 3
	for n > 1 && digits[n-1] == '0' {
		n--
	}
	return append(append(dst, "0."...), digits[:n]...)
}

// parseMember reads a name with an optional weight.
func parseMember(item string) (name string, weight uint16, ok bool) {
	name, param, found := strings.Cut(item, ";")
	name = strings.TrimRight(name, " \t")
	if !found {
		return name, 1000, true
	}
	param = strings.TrimLeft(param, " \t")
	if len(param) < 3 || lower(param[0]) != 'q' || param[1] != '=' {
		return "", 0, false
	}
	weight, ok = parseWeight(param[2:])
	return name, weight, ok
}

// parseWeight reads a qvalue (RFC 9110 §12.4.2) in thousandths.
func parseWeight(s string) (w uint16, ok bool) {
	if s == "" || s[0] != '0' && s[0] != '1' || len(s) > 5 || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	w = uint16(s[0]-'0') * 1000
	for i, unit := 2, uint16(100); i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		w += uint16(s[i]-'0') * unit
	}
	return w, w <= 1000
}

// unaliased returns the coding that an alias stands for (RFC 9110 §8.4.1).
func unaliased(name string) string {
	switch {
	case strings.EqualFold(name, "x-gzip"):
		return "gzip"
	case strings.EqualFold(name, "x-compress"):
		return "compress"
	}
	return name
}

// compareFold orders names without regard to ASCII case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if d := int(lower(a[i])) - int(lower(b[i])); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

// isLanguageRange reports whether s is a basic language range (RFC 4647 §2.1).
func isLanguageRange(s string) bool {
	if s == "*" {
		return true
	}
	run := 0
	first := true
	for i := range len(s) {
		c := s[i]
		if c == '-' {
			if run == 0 {
				return false
			}
			run, first = 0, false
			continue
		}
		letter := 'a' <= lower(c) && lower(c) <= 'z'
		digit := '0' <= c && c <= '9'
		if run++; run > 8 || !letter && (first || !digit) {
			return false
		}
	}
	return run > 0
}
