package key

import (
	"strconv"
	"strings"
)

// maxDescription bounds what Describe returns, in bytes.
const maxDescription = 1024

// Describe returns a key, or a part of one that Parse takes, for people to
// read: in Cache-Status (RFC 9211 §2.7), in explain and in a log.
//
//	GET https://example.com/a?b=1 origin=https://app.example header:X-Tenant="blue" cookie:sid=<22 bytes>
//
// Values of cookies and of credentials are given by their length only. The
// text is printable ASCII and cut after 1024 bytes. Bytes that are not a key
// are shown quoted: Describe never fails.
func Describe(b []byte) string {
	p, err := Parse(b)
	if err != nil {
		return clip(strconv.AppendQuoteToASCII([]byte("not a key: "), string(b[:min(len(b), maxDescription)])))
	}
	var out []byte
	if p.Method != "" {
		out = appendPrintable(out, p.Method)
		out = append(out, ' ')
	}
	out = appendPrintable(out, p.Target.String())
	if p.Method != "" {
		out = append(out, " origin="...)
		switch {
		case p.Origin == OriginShared:
			out = append(out, "shared"...)
		case p.Bucket == "":
			out = append(out, "none"...)
		default:
			out = appendPrintable(out, p.Bucket)
		}
	}
	out = describeParts(out, " header:", p.Headers)
	out = describeParts(out, " cookie:", p.Cookies)
	out = describeParts(out, " vary:", p.Selecting)
	return clip(out)
}

func describeParts(dst []byte, prefix string, parts []Part) []byte {
	for _, p := range parts {
		dst = append(dst, prefix...)
		dst = appendPrintable(dst, p.Name)
		if len(p.Values) == 0 {
			dst = append(dst, " absent"...)
		}
		secret := prefix == " cookie:" || Secret(p.Name)
		for i, v := range p.Values {
			if i == 0 {
				dst = append(dst, '=')
			} else {
				dst = append(dst, ',')
			}
			if secret {
				dst = append(dst, '<')
				dst = strconv.AppendInt(dst, int64(len(v)), 10)
				dst = append(dst, " bytes>"...)
			} else {
				dst = strconv.AppendQuoteToASCII(dst, v)
			}
		}
	}
	return dst
}

// Secret reports whether a field, cookie or parameter of that name, in any
// case, may hold a credential. It rather says so too often: what it is asked
// for is whether a value may be shown.
func Secret(name string) bool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "access-control-") || name == "surrogate-key" {
		return false
	}
	for _, word := range [...]string{
		"auth", "cookie", "token", "secret", "password", "passwd", "key", "session", "credential", "jwt", "signature", "csrf", "xsrf",
	} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// appendPrintable writes s with every byte outside printable ASCII escaped.
func appendPrintable(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e {
			dst = append(dst, `\x`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

func clip(text []byte) string {
	if len(text) > maxDescription {
		return string(text[:maxDescription-3]) + "..."
	}
	return string(text)
}
