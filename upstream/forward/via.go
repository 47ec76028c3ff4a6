package forward

import (
	"net/http"
	"strconv"
	"strings"
)

// AddVia appends this proxy to the Via field (RFC 9110 §7.6.3): the version of
// the protocol with which the message was received, and the pseudonym.
func AddVia(h http.Header, major, minor int, pseudonym string) {
	version := strconv.Itoa(major)
	if major < 2 {
		version += "." + strconv.Itoa(minor)
	}
	add(h, "Via", version+" "+pseudonym)
}

// Looped reports whether CDN-Loop says that the request has been here before
// (RFC 8586 §2): whether a member's cdn-id is id, in any case. Parameters and
// quoted strings are parsed, so that an id in somebody's parameter is no loop.
// In a line that is not well-formed any occurrence between delimiters counts: a
// client could otherwise switch the check off with one unbalanced quote.
func Looped(h http.Header, id string) bool {
	for _, line := range h["Cdn-Loop"] {
		if looped(line, id) {
			return true
		}
	}
	return false
}

func looped(line, id string) bool {
	found, valid := false, true
	closed := members(line, func(member string) {
		cdn, ok := cdnInfo(member)
		valid = valid && ok
		found = found || strings.EqualFold(cdn, id)
	})
	if closed && valid {
		return found
	}
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(",; \t\"\\=", r) }) {
		if strings.EqualFold(word, id) {
			return true
		}
	}
	return false
}

// cdnInfo reads cdn-id *( OWS ";" OWS parameter ), RFC 8586 §2, and returns the
// cdn-id. A host with a port is one.
func cdnInfo(member string) (id string, ok bool) {
	first, valid := true, true
	closed := split(member, ';', func(part string) {
		if first {
			id, first = part, false
			return
		}
		name, v, has := strings.Cut(part, "=")
		_, good := value(v)
		valid = valid && has && isToken(name) && good
	})
	host, port, hasPort := id, "", false
	if i := strings.LastIndexByte(id, ':'); i > strings.LastIndexByte(id, ']') {
		host, port, hasPort = id[:i], id[i+1:], true
	}
	if hasPort && !digits(port) {
		valid = false
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = strings.ReplaceAll(host[1:len(host)-1], ":", "")
	}
	return id, closed && valid && isToken(host)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// AddLoop appends id to CDN-Loop. A line of another sender stays as it came
// (RFC 8586 §2 forbids to change it), and ours is a line of its own, which no
// unbalanced quote before it can swallow.
func AddLoop(h http.Header, id string) { h["Cdn-Loop"] = append(h["Cdn-Loop"], id) }

// MaxForwards applies Max-Forwards (RFC 9110 §7.6.2), which counts for TRACE
// and OPTIONS only. It reports true when the request has come to its last
// recipient and the caller has to answer itself; else it takes one from the
// field. A field that is not a number is ignored.
func MaxForwards(method string, h http.Header) (last bool) {
	if method != http.MethodTrace && method != http.MethodOptions || len(h["Max-Forwards"]) != 1 {
		return false
	}
	v := trim(h["Max-Forwards"][0])
	if v == "" || !digits(v) {
		return false
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil { // more than anybody counts to
		n = 1 << 31
	}
	if n == 0 {
		return true
	}
	h["Max-Forwards"] = []string{strconv.FormatUint(n-1, 10)}
	return false
}

// add appends a member to a list field and makes it one line.
func add(h http.Header, name, member string) {
	lines := h[name]
	if len(lines) > 0 {
		member = strings.Join(lines, ", ") + ", " + member
	}
	h[name] = []string{member}
}
