package key

import (
	"net/http"
	"slices"
	"strings"
)

// Selecting is what a stored response was selected by: the names in its Vary
// field and the normalised values that they had in the request that brought
// it (RFC 9111 §4.1). The zero value is a response that does not vary.
// Immutable once built.
type Selecting struct {
	// Names are canonical, sorted and without duplicates.
	Names []string
	// Values stand beside Names. A field that was absent differs from one
	// that was present and empty: an absent one is Absent.
	Values []string
}

// Absent stands for a selecting field that the request did not have. It
// cannot be a field value.
const Absent = "\x00"

// maxNames is how many selecting fields a response may name. One that names
// more is in effect never selected again.
const maxNames = 32

// Names reads the lines of a response's Vary field (RFC 9110 §12.5.5): names
// in canonical form, sorted, without duplicates. star means that no request
// selects the response: a "*" anywhere, something that is not a field name, or
// more than 32 names. names is nil then.
func Names(vary []string) (names []string, star bool) {
	for _, line := range vary {
		for member := range strings.SplitSeq(line, ",") {
			member = strings.Trim(member, " \t")
			if member == "" {
				continue
			}
			if member == "*" || !isToken(member) {
				return nil, true
			}
			name := http.CanonicalHeaderKey(member)
			if slices.Contains(names, name) {
				continue
			}
			if len(names) == maxNames {
				return nil, true
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, false
}

// Select returns the selecting values of a request, as Names named them. f is
// the request as the upstream sees it: what is removed on the way cannot
// select. The Selecting keeps names and has values of its own.
func Select(names []string, f Fields) Selecting {
	if len(names) == 0 {
		return Selecting{}
	}
	s := Selecting{Names: names, Values: make([]string, len(names))}
	var stack [512]byte
	for i, name := range names {
		lines := f.Values(name)
		if len(lines) == 0 {
			s.Values[i] = Absent
			continue
		}
		s.Values[i] = string(appendNormal(stack[:0], name, lines))
	}
	return s
}

// Matches reports whether a request has the selecting values of s, so that the
// stored response may answer it (RFC 9111 §4.1). f is the request as the
// upstream would see it. It is safe for concurrent use and allocates nothing
// for values up to 512 bytes.
func (s *Selecting) Matches(f Fields) bool {
	for i, name := range s.Names {
		if !matchesValue(name, s.Values[i], f.Values(name)) {
			return false
		}
	}
	return true
}

// matchesValue reports whether lines have the stored normalised value.
func matchesValue(name, stored string, lines []string) bool {
	if len(lines) == 0 || stored == Absent {
		return len(lines) == 0 && stored == Absent
	}
	if len(lines) > 1 {
		return matchesNormal(name, stored, lines, nil)
	}
	if lines[0] == stored {
		return true // a normalised value is its own normal form
	}
	known := memoOf(name)
	if known != nil {
		if normal, ok := known.get(lines[0]); ok {
			return normal == stored
		}
	}
	return matchesNormal(name, stored, lines, known)
}

// matchesNormal is matchesValue for a value whose normal form has to be worked
// out. It tells the memo, which may be nil, of the first line.
func matchesNormal(name, stored string, lines []string, known *memo) bool {
	var stack [512]byte
	normal := appendNormal(stack[:0], name, lines)
	if known != nil {
		known.put(lines[0], normal)
	}
	return string(normal) == stored
}

// Append writes s to dst in the framing of a key: it names the variant, and
// after the bytes of a key the variant's flight. It writes nothing for a
// response that does not vary.
func (s Selecting) Append(dst []byte) []byte {
	for i, name := range s.Names {
		dst = appendRecord(dst, tagSelect, name)
		if v := s.Values[i]; v != Absent {
			dst = appendRecord(dst, tagPresent, v)
		}
	}
	return dst
}

// Equal reports whether s and o name the same variant.
func (s *Selecting) Equal(o *Selecting) bool {
	return slices.Equal(s.Names, o.Names) && slices.Equal(s.Values, o.Values)
}

// SetStored puts the selecting values of a stored response into the fields of
// a request that validates it, and removes those that it was selected without:
// else the validation could be about another variant (RFC 9111 §4.3.1). A
// normalised value means what the request's own did. Fields that belong to the
// connection are left alone, whatever Vary says (RFC 9110 §7.6.1).
func SetStored(h http.Header, s *Selecting) {
	for i, name := range s.Names {
		if slices.Contains(connectionFields, name) {
			continue
		}
		if v := s.Values[i]; v != Absent {
			h[name] = []string{v}
		} else {
			delete(h, name)
		}
	}
}

var connectionFields = []string{
	"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool { return s != "" && plain(s, tokenByte) == len(s) }
