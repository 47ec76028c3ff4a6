package accesslog

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"veneer/cache"
)

// entry is a request whose line is written.
type entry struct {
	q      *cache.Request
	d      *cache.Decision
	scheme string
	client netip.Addr
	*scratch
}

// maxText bounds what a line has of one text that a client chooses, in bytes.
const maxText = 2048

// clip returns what a line has of s.
func clip(s string) string { return s[:min(len(s), maxText)] }

// json writes the line as an object.
func (e *entry) json(fields []Field) {
	b := e.line
	b = append(b, '{')
	for _, f := range fields {
		v := e.value(f)
		if v.kind == nothing || v.kind == address && !e.client.IsValid() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, names[f]...)
		b = append(b, '"', ':')
		switch v.kind {
		case text:
			b = append(b, '"')
			b = appendJSON(b, clip(v.s))
			b = append(b, '"')
		case word, moment, address:
			b = append(b, '"')
			b = e.appendPlain(b, v)
			b = append(b, '"')
		default:
			b = e.appendPlain(b, v)
		}
	}
	b = append(b, '}', '\n')
	e.line = b
}

// combined writes the line as nginx's log_format of that name does.
func (e *entry) combined(more []Field) {
	b := e.line
	if e.client.IsValid() {
		b = e.client.AppendTo(b)
	} else {
		b = append(b, '-')
	}
	b = append(b, " - - ["...)
	b = appendCLF(b, e.d.Start)
	b = append(b, `] "`...)
	b = appendEscaped(b, clip(e.q.Method), true)
	b = append(b, ' ')
	b = appendEscaped(b, clip(e.q.Path), true)
	if e.q.Query != "" {
		b = append(b, '?')
		b = appendEscaped(b, clip(e.query(e.q.Query)), true)
	}
	b = append(b, ' ')
	b = appendEscaped(b, e.q.Protocol, true)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(e.status()), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.d.Sent, 10)
	b = e.appendQuoted(b, Referer)
	b = e.appendQuoted(b, UserAgent)
	for _, f := range more {
		b = e.appendQuoted(b, f)
	}
	b = append(b, '\n')
	e.line = b
}

// appendQuoted writes a field of the combined format, "-" where there is nothing
// to say.
func (e *entry) appendQuoted(b []byte, f Field) []byte {
	b = append(b, ' ', '"')
	switch v := e.value(f); {
	case v.kind == nothing || v.kind == address && !e.client.IsValid():
		b = append(b, '-')
	case v.kind == text:
		b = appendEscaped(b, clip(v.s), false)
	default:
		b = e.appendPlain(b, v)
	}
	return append(b, '"')
}

// appendPlain writes what needs no escaping.
func (e *entry) appendPlain(b []byte, v value) []byte {
	switch v.kind {
	case number:
		return strconv.AppendInt(b, v.n, 10)
	case seconds:
		b = strconv.AppendInt(b, v.n/1e6, 10)
		return appendDigits(append(b, '.'), int(v.n%1e6), 6)
	case yes:
		return append(b, "true"...)
	case moment:
		return appendTime(b, e.d.Start)
	case address:
		return e.client.AppendTo(b)
	}
	return append(b, v.s...)
}

// appendTime writes RFC 3339 with microseconds, of which time.AppendFormat drops
// the zeros at the end when it is quick.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendDigits(b, year, 4), '-')
	b = append(appendDigits(b, int(month), 2), '-')
	b = append(appendDigits(b, day, 2), 'T')
	b = appendClock(b, hour, minute, second)
	b = append(b, '.')
	return append(appendDigits(b, t.Nanosecond()/1000, 6), 'Z')
}

// appendCLF writes a time as the Common Log Format does, in local time.
func appendCLF(b []byte, t time.Time) []byte {
	t = t.Local()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	_, offset := t.Zone()
	b = append(appendDigits(b, day, 2), '/')
	b = append(b, month.String()[:3]...)
	b = append(b, '/')
	b = append(appendDigits(b, year, 4), ':')
	b = appendClock(b, hour, minute, second)
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	b = append(b, ' ', sign)
	return appendDigits(b, offset/3600*100+offset%3600/60, 4)
}

func appendClock(b []byte, hour, minute, second int) []byte {
	b = append(appendDigits(b, hour, 2), ':')
	b = append(appendDigits(b, minute, 2), ':')
	return appendDigits(b, second, 2)
}

// appendDigits writes n, which is not below zero, with that many digits at least.
func appendDigits(b []byte, n, digits int) []byte {
	for ; digits > 1 && n < pow10[digits-1]; digits-- {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

var pow10 = [...]int{1, 10, 100, 1000, 10_000, 100_000}

const hexDigits = "0123456789ABCDEF"

// appendEscaped writes s as nginx does (log_format, escape=default): a quote, a
// backslash and what is not printable ASCII become \x and two digits. tight does
// so with a space too: what stands between spaces then is one thing.
func appendEscaped(b []byte, s string, tight bool) []byte {
	begun := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || tight && c == ' ' {
			b = append(b, s[begun:i]...)
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			begun = i + 1
		}
	}
	return append(b, s[begun:]...)
}

// appendJSON writes s as the inside of a JSON string (RFC 8259 §7). What is no
// UTF-8 becomes U+FFFD. What cannot be seen is escaped, beyond what JSON asks
// for: some readers take U+2028 or U+0085 for the end of a line, and terminals
// act on others.
func appendJSON(b []byte, s string) []byte {
	begun := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		b = append(b, s[begun:i]...)
		if b = append(b, '\\'); c == '"' || c == '\\' {
			b = append(b, c)
		} else {
			b = appendRune(b, r)
		}
		i += size
		begun = i
	}
	return append(b, s[begun:]...)
}

// appendRune writes what follows the backslash.
func appendRune(b []byte, r rune) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		b = appendRune(b, high)
		return appendRune(append(b, '\\'), low)
	}
	return append(b, 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
