// Package origin knows what a browser's web origin looks like and which
// origins a list of rules lets in. It decides nothing about CORS: it parses
// (Origin, Pattern) and matches (Set).
//
// Browsers send one serialised form only (HTML, "serialisation of an origin";
// RFC 6454 §6.2). So origins are compared byte for byte, and nothing is folded
// or normalised: whatever a browser would not send is Bad.
package origin

import "strings"

// Limits in bytes. MaxLen is the longest serialised origin:
// scheme "://" host ":" port.
const (
	MaxLen    = maxScheme + len("://") + maxHost + len(":65535")
	maxScheme = 64
	maxHost   = 253
	maxLabel  = 63
)

// Class says what the Origin field of a request is.
type Class uint8

const (
	// None: the request has no Origin field.
	None Class = iota
	// Bad: not one line with one serialised origin. It is never reflected.
	Bad
	// Null: the opaque origin, which many unrelated documents share.
	Null
	// Valid: one serialised tuple origin.
	Valid
)

var classNames = [...]string{"none", "bad", "null", "valid"}

// String returns the class in one lower-case word.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// Origin is a tuple origin. Its strings are parts of the text that it was
// parsed from, so that parsing allocates nothing.
type Origin struct {
	Text   string // as it was sent
	Scheme string
	Host   string // an IPv6 address keeps its brackets
	Port   uint16 // 0 stands for the scheme's default port
}

// Classify looks at the lines of a request's Origin field. The Origin is set
// for Valid; for Null only its Text is ("null"); otherwise it is zero, so that
// the bytes of a Bad one cannot travel on. It allocates nothing.
func Classify(lines []string) (Origin, Class) {
	switch {
	case len(lines) == 0:
		return Origin{}, None
	case len(lines) > 1:
		return Origin{}, Bad
	case lines[0] == "null":
		return Origin{Text: "null"}, Null
	}
	if o, ok := Parse(lines[0]); ok {
		return o, Valid
	}
	return Origin{}, Bad
}

// Parse reads a serialised tuple origin: lower-case scheme, "://", host, and a
// port unless it is the scheme's default one. "null" is not a tuple origin. It
// allocates nothing, and looks at no more than MaxLen bytes.
func Parse(s string) (Origin, bool) {
	if len(s) > MaxLen {
		return Origin{}, false
	}
	colon := strings.IndexByte(s, ':')
	if colon < 0 || !strings.HasPrefix(s[colon:], "://") || !validScheme(s[:colon]) {
		return Origin{}, false
	}
	scheme := s[:colon]
	host, digits, hasPort := splitPort(s[colon+len("://"):])
	if !validHost(host) {
		return Origin{}, false
	}
	o := Origin{Text: s, Scheme: scheme, Host: host}
	if hasPort {
		var ok bool
		if o.Port, ok = parsePort(digits); !ok || o.Port == defaultPort(scheme) {
			return Origin{}, false
		}
	}
	return o, true
}

// String returns the origin as it was sent.
func (o Origin) String() string { return o.Text }

// authority returns scheme, "://" and host: the origin without its port.
func (o Origin) authority() string {
	return o.Text[:len(o.Scheme)+len("://")+len(o.Host)]
}

// Loopback reports whether the host can only be the machine that the browser
// runs on (Secure Contexts, "potentially trustworthy origin").
func (o Origin) Loopback() bool { return loopback(o.Host) }

// splitPort divides what follows "://" at the colon that begins a port.
func splitPort(rest string) (host, port string, hasPort bool) {
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 || end+1 == len(rest) || rest[end+1] != ':' {
			return rest, "", false
		}
		return rest[:end+1], rest[end+2:], true
	}
	return strings.Cut(rest, ":")
}

// validScheme: RFC 3986 §3.1, in lower case.
func validScheme(s string) bool {
	if s == "https" || s == "http" {
		return true
	}
	if s == "" || len(s) > maxScheme || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !lowerAlnum(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// parsePort reads 1 to 65535 without a leading zero.
func parsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), n <= 65535
}

// defaultPort returns the port that a serialised origin leaves out (URL,
// "special scheme"), or 0.
func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	case "ftp":
		return 21
	}
	return 0
}

func lowerAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
