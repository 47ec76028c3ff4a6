package rfc9111

import "strings"

// member is one element of a Cache-Control list as it was written.
type member struct {
	name  string // the token before "="; "" when the element does not begin with one
	value string // the argument without its quotes; escapes are left as they stand
	form  argument
	junk  string // what stands after the argument and should not
	// spoiled: white space around "=", or junk. The argument cannot be trusted.
	spoiled bool
}

// argument is how a member's argument was written.
type argument uint8

const (
	noArgument argument = iota
	tokenArgument
	quotedArgument
)

// lexer splits one line of a Cache-Control field (RFC 9111 §5.2) into members.
// It never fails; it reads every byte once.
type lexer struct {
	rest string
	// broken: a quoted string that does not end, or one where none may begin.
	// What it hides from the reader may be a no-store.
	broken bool
}

// next returns the next member; ok is false at the end or once it is broken.
func (l *lexer) next() (m member, ok bool) {
	s := strings.TrimLeft(l.rest, ", \t")
	if s == "" || l.broken {
		return member{}, false
	}
	m.name, s = cutToken(s)
	if after := strings.TrimLeft(s, " \t"); m.name != "" && strings.HasPrefix(after, "=") {
		m.spoiled = len(after) != len(s)
		s = after[1:]
		trimmed := strings.TrimLeft(s, " \t")
		m.spoiled = m.spoiled || len(trimmed) != len(s)
		s = l.argument(&m, trimmed)
	}
	m.junk, l.rest, _ = strings.Cut(s, ",")
	if strings.Trim(m.junk, " \t") != "" {
		m.spoiled = true
		l.broken = l.broken || strings.Contains(m.junk, `"`)
	}
	return m, !l.broken
}

// argument reads the argument at the beginning of s into m and returns what
// follows it.
func (l *lexer) argument(m *member, s string) string {
	if !strings.HasPrefix(s, `"`) {
		m.form = tokenArgument
		m.value, s = cutToken(s)
		return s
	}
	m.form = quotedArgument
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			m.value = s[1:i]
			return s[i+1:]
		}
	}
	l.broken = true
	return ""
}

// cutToken returns the token (RFC 9110 §5.6.2) that s begins with, and the rest.
func cutToken(s string) (token, rest string) {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// isToken reports whether s is a token.
func isToken(s string) bool {
	t, rest := cutToken(s)
	return t != "" && rest == ""
}

// isTokenByte reports whether c is a tchar (RFC 9110 §5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
