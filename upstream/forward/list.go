package forward

import "strings"

// members cuts one field line at the commas that are outside of quoted strings
// (RFC 9110 §5.6.1) and yields the members without the space around them, and
// without empty ones. It reports whether every quoted string ended.
func members(line string, yield func(string)) (ok bool) {
	return split(line, ',', yield)
}

// split cuts s at each sep that is outside of a quoted string.
func split(s string, sep byte, yield func(string)) (ok bool) {
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			emit(s[start:i], yield)
			start = i + 1
		}
	}
	emit(s[start:], yield)
	return !quoted
}

func emit(s string, yield func(string)) {
	if s = trim(s); s != "" {
		yield(s)
	}
}

// trim removes optional white space, RFC 9110 §5.6.3.
func trim(s string) string { return strings.Trim(s, " \t") }

// tokenByte says which bytes a token has, RFC 9110 §5.6.2.
var tokenByte = func() (t [256]bool) {
	const bytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range len(bytes) {
		t[bytes[i]] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// value reads a token or a quoted string that is all of s, RFC 9110 §5.6.6.
func value(s string) (v string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, isToken(s)
	}
	return unquote(s)
}

// unquote reads a quoted string that is all of s, RFC 9110 §5.6.4.
func unquote(s string) (v string, ok bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	if !strings.ContainsAny(s, `"\`) {
		return s, printable(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' {
			i++
			if i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), printable(b.String())
}

// printable reports whether s has only what a quoted string may hold.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// quote writes v as a token if it is one, and else as a quoted string.
func quote(v string) string {
	if isToken(v) {
		return v
	}
	if !strings.ContainsAny(v, `"\`) { // a host with its port
		return `"` + v + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(v) {
		if v[i] == '"' || v[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	b.WriteByte('"')
	return b.String()
}
