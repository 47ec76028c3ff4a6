package lane

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// verdict is what is known of the bytes at the beginning of a connection's next
// request.
type verdict uint8

const (
	// incomplete: the head has not ended, and nothing is wrong with it so far.
	incomplete verdict = iota
	// foreign: not a head that this package understands to its last byte, so it
	// is not known where the request ends.
	foreign
	// framed: it is known where the request ends, and it is not for the lane.
	framed
	// plain: a GET or HEAD that the engine may be asked about.
	plain
)

// maxFields is how many field lines a plain head may have.
const maxFields = 48

// head is the head of a request, read in a grammar narrower than RFC 9112's:
// what it takes net/http takes too, and in the same sense. Its strings share
// the memory of the bytes that were read. It implements key.Fields.
type head struct {
	method, path, query, host string

	size   int   // bytes of the head, its empty line included
	length int64 // Content-Length; -1 without one

	n       int
	names   [maxFields]string
	values  [maxFields]string
	present uint64 // a bit for each kind of name there is: see kind
}

// Values implements key.Fields. A plain head has no field twice.
func (h *head) Values(name string) []string {
	if h.present&kind(name) == 0 {
		return nil
	}
	if i := h.index(name); i >= 0 {
		return h.values[i : i+1 : i+1]
	}
	return nil
}

// index returns the place of a field, or -1.
func (h *head) index(name string) int {
	for i := range h.n {
		if equalFold(h.names[i], name) {
			return i
		}
	}
	return -1
}

// kind sorts names into 64 kinds, so that the absence of one is seen at once.
func kind(name string) uint64 {
	return 1 << ((uint(name[0]|0x20) + 7*uint(len(name))) & 63)
}

// parse reads the head that b begins with. Bytes are taken from a conservative
// set: no control bytes but the CR LF that ends a line, nothing above ASCII.
// What else may occur in a head (obs-fold, bare LF, absolute-form, HTTP/1.0,
// transfer codings, expectations, upgrades) is foreign: net/http deals with it,
// and with the rest of the connection.
func (h *head) parse(b []byte) verdict {
	h.n, h.present, h.length, h.host = 0, 0, -1, ""
	end := lineEnd(b, 0)
	if end < 0 {
		return end.verdict()
	}
	v := h.requestLine(b[:end])
	if v == foreign {
		return foreign
	}
	for at := int(end) + 2; ; at = int(end) + 2 {
		if end = lineEnd(b, at); end < 0 {
			return end.verdict()
		}
		if int(end) == at {
			h.size = at + 2
			break
		}
		v = min(v, h.fieldLine(b[at:end]))
		if v == foreign {
			return foreign
		}
	}
	switch {
	case h.host == "":
		return foreign
	case h.length >= 0:
		return min(v, framed)
	}
	return v
}

// position is an index, or why there is none.
type position int

const (
	notYet position = -1 // the bytes end before
	never  position = -2 // a byte that may not be there comes before
)

func (p position) verdict() verdict {
	if p == notYet {
		return incomplete
	}
	return foreign
}

// lineEnd returns the index of the CR LF that ends the line which begins at
// b[i]. Eight bytes are looked at together: the first that is below 0x20 or
// above 0x7e must be that CR.
func lineEnd(b []byte, i int) position {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// Borrows and carries spoil only bits above the lowest one that counts.
		if m := ((x-0x20*ones)&^x | (x + ones) | x) & high; m != 0 {
			return crlf(b, i+bits.TrailingZeros64(m)>>3)
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c > 0x7e {
			return crlf(b, i)
		}
	}
	return notYet
}

func crlf(b []byte, i int) position {
	switch {
	case b[i] != '\r':
		return never
	case i+1 == len(b):
		return notYet
	case b[i+1] != '\n':
		return never
	}
	return position(i)
}

// requestLine reads method, target and version.
func (h *head) requestLine(b []byte) verdict {
	const version = " HTTP/1.1"
	v := plain
	var at int
	switch {
	case len(b) > 4 && string(b[:4]) == "GET ":
		h.method, at = "GET", 4
	case len(b) > 5 && string(b[:5]) == "HEAD ":
		h.method, at = "HEAD", 5
	default:
		if h.method, at = otherMethod(b); at == 0 {
			return foreign
		}
		v = framed
	}
	end := len(b) - len(version)
	if end <= at || b[at] != '/' || string(b[end:]) != version {
		return foreign // also asterisk-form, authority-form and absolute-form
	}
	target := b[at:end]
	query := len(target)
	for i, c := range target {
		switch {
		case octets[c]&inTarget != 0:
		case c == '?':
			query = min(query, i)
		case c == ' ':
			return foreign
		default:
			v = framed // "#", or what should have been escaped
		}
	}
	h.path = text(target[:query])
	h.query = text(target[min(query+1, len(target)):])
	return v
}

// otherMethod returns a method with the usual framing, and what stands behind
// it. CONNECT is none.
func otherMethod(b []byte) (method string, at int) {
	for _, m := range [...]string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		if len(b) > len(m) && b[len(m)] == ' ' && string(b[:len(m)]) == m {
			return m, len(m) + 1
		}
	}
	return "", 0
}

// fieldLine reads one field line.
func (h *head) fieldLine(b []byte) verdict {
	colon := 0
	for colon < len(b) && octets[b[colon]]&inToken != 0 {
		colon++
	}
	if colon == 0 || colon == len(b) || b[colon] != ':' {
		return foreign // also obs-fold, and white space before the colon
	}
	name, value := text(b[:colon]), text(trim(b[colon+1:]))
	if h.n == maxFields {
		// What is past the limit is looked at for what frames the request.
		return min(framed, h.special(name, value))
	}
	v := h.special(name, value)
	if bit := kind(name); h.present&bit == 0 {
		h.present |= bit
	} else if h.index(name) >= 0 {
		v = min(v, framed)
	}
	h.names[h.n], h.values[h.n] = name, value
	h.n++
	return v
}

// special judges the fields that frame a request or speak to the connection.
func (h *head) special(name, value string) verdict {
	switch len(name) {
	case 4:
		if equalFold(name, "Host") {
			if h.host != "" || value == "" {
				return foreign
			}
			h.host = value
		}
	case 6:
		if equalFold(name, "Expect") {
			return foreign
		}
	case 7:
		if equalFold(name, "Upgrade") {
			return foreign
		}
	case 10:
		if equalFold(name, "Connection") && !equalFold(value, "keep-alive") {
			return foreign
		}
	case 14:
		if equalFold(name, "Content-Length") {
			return h.contentLength(value)
		}
	case 17:
		if equalFold(name, "Transfer-Encoding") {
			return foreign
		}
	}
	return plain
}

// contentLength takes a length in digits alone, once.
func (h *head) contentLength(value string) verdict {
	if h.length >= 0 || value == "" || len(value) > 15 {
		return foreign
	}
	h.length = 0
	for i := range len(value) {
		c := value[i]
		if c < '0' || c > '9' {
			return foreign
		}
		h.length = 10*h.length + int64(c-'0')
	}
	return framed
}

// trim takes the white space around a field value away. There are no tabs.
func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares two field names, or tokens, without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x^y != 0x20 || octets[x]&letter == 0) {
			return false
		}
	}
	return true
}

// text views b as a string, which is good until b changes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

const (
	inTarget = 1 << iota // a path or query byte of RFC 3986, "%" included, "?" not
	inToken              // RFC 9110 §5.6.2
	letter
)

var octets = func() (t [256]uint8) {
	set := func(bytes string, bits uint8) {
		for i := range len(bytes) {
			t[bytes[i]] |= bits
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	set(letters, inTarget|inToken|letter)
	set("0123456789", inTarget|inToken)
	set("-._~!$&'()*+,;=:@/%", inTarget)
	set("!#$%&'*+-.^_`|~", inToken)
	return t
}()
