package key

import "strings"

// appendCookies writes the values of the named cookies. A name that is sent
// twice has two values: which of them counts is the upstream's to say.
func appendCookies(dst []byte, names, lines []string) []byte {
	for _, name := range names {
		dst = appendRecord(dst, tagCookie, name)
		for _, line := range lines {
			for rest, more := line, true; more; {
				var n, v string
				if n, v, rest, more = nextCookie(rest); n == name {
					dst = appendRecord(dst, tagPresent, v)
				}
			}
		}
	}
	return dst
}

// KeyedCookies returns the Cookie field with the keyed cookies alone, "" when
// the request has none of them: what a request may carry upstream if its
// response is to be stored, since no other cookie is in the key. The cookies
// keep their order.
func (s *Spec) KeyedCookies(f Fields) string {
	if len(s.Cookies) == 0 {
		return ""
	}
	var out []byte
	for _, line := range f.Values("Cookie") {
		for rest, more := line, true; more; {
			var n, v string
			n, v, rest, more = nextCookie(rest)
			if !s.keysCookie(n) {
				continue
			}
			if len(out) > 0 {
				out = append(out, "; "...)
			}
			out = append(out, n...)
			out = append(out, '=')
			out = append(out, v...)
		}
	}
	return string(out)
}

func (s *Spec) keysCookie(name string) bool {
	for _, n := range s.Cookies {
		if n == name {
			return true
		}
	}
	return false
}

// nextCookie cuts the first pair off a Cookie line (RFC 6265 §4.2.1). Quotes
// do not protect a ";", as they do not for browsers and servers. A pair
// without "=" is a value without a name (RFC 6265bis §5.6).
func nextCookie(line string) (name, value, rest string, more bool) {
	pair, rest, more := strings.Cut(line, ";")
	name, value, found := strings.Cut(pair, "=")
	if !found {
		name, value = "", pair
	}
	return strings.Trim(name, " \t"), strings.Trim(value, " \t"), rest, more
}
