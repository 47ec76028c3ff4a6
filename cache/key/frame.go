package key

import (
	"encoding/binary"
	"errors"
)

// A key is four framed strings, the target URI, and then records: a tag byte
// and a framed string. A framed string is its length (a varint) and its bytes.
// Nothing can be the prefix of another key's target URI, and every part ends
// where its length says, whatever a client puts into it.
const (
	tagMethod  = 'M'
	tagBucket  = 'B' // the origin by OriginBucket
	tagExact   = 'X' // the origin by OriginExact
	tagHeader  = 'H' // the name of a keyed request field; its lines follow as values
	tagCookie  = 'C' // the name of a keyed cookie; its values follow
	tagSelect  = 'V' // the name of a selecting field; its value follows
	tagPresent = '=' // a value of the name before it; an absent name has none
)

// Append builds the primary key of a request in dst, whose content it
// overwrites, and returns it: the target URI, the method (HEAD is keyed as GET,
// RFC 9110 §9.3.2), the origin by s.Origin, then the lines of s.Headers and the
// values of s.Cookies in f. Absent differs from empty.
//
// bucket is the origin's bucket with OriginBucket and the Origin field as it
// was sent with OriginExact; "" is a request without one. OriginShared ignores
// it. f may be nil when s has neither Headers nor Cookies.
//
// The key shares its memory with dst. Append allocates nothing when dst has
// room. Its work is bounded by the size of the request's head times the number
// of s.Cookies.
func (s *Spec) Append(dst []byte, method string, t Target, bucket string, f Fields) Key {
	dst = URIKey(dst, t)
	group := len(dst)
	if method == "HEAD" {
		method = "GET"
	}
	dst = appendRecord(dst, tagMethod, method)
	switch s.Origin {
	case OriginBucket:
		dst = appendRecord(dst, tagBucket, bucket)
	case OriginExact:
		dst = appendRecord(dst, tagExact, bucket)
	}
	for _, name := range s.Headers {
		dst = appendRecord(dst, tagHeader, name)
		for _, line := range f.Values(name) {
			dst = appendRecord(dst, tagPresent, line)
		}
	}
	if len(s.Cookies) > 0 {
		dst = appendCookies(dst, s.Cookies, f.Values("Cookie"))
	}
	return Key{Bytes: dst, Group: group}
}

// URIKey builds, in dst, whose content it overwrites, the part that all keys
// of one target URI begin with: what Key.URI returns, and what a store's
// Invalidate takes. It allocates nothing when dst has room.
func URIKey(dst []byte, t Target) []byte {
	dst = appendFramed(dst[:0], t.Scheme)
	dst = appendFramed(dst, t.Host)
	dst = appendFramed(dst, t.Path)
	return appendFramed(dst, t.Query)
}

func appendFramed(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendRecord(dst []byte, tag byte, s string) []byte {
	return appendFramed(append(dst, tag), s)
}

// Parts is a key taken apart again.
type Parts struct {
	Target    Target
	Method    string // "" when only the target URI was there (URIKey)
	Origin    OriginMode
	Bucket    string // "" is a request without Origin
	Headers   []Part
	Cookies   []Part
	Selecting []Part // when the bytes of Selecting.Append follow the key
}

// Part is one named part of a key. Without Values it was absent.
type Part struct {
	Name   string
	Values []string
}

var errNotAKey = errors.New("cannot parse key: not the bytes of a key")

// Parse takes the bytes of a key, of its target URI alone, or of a key with a
// Selecting after it apart. It copies what it returns. An error means that the
// bytes were not built by this package; it never panics on any bytes.
func Parse(b []byte) (Parts, error) {
	p := Parts{Origin: OriginShared}
	var ok bool
	for _, s := range []*string{&p.Target.Scheme, &p.Target.Host, &p.Target.Path, &p.Target.Query} {
		if *s, b, ok = cutFramed(b); !ok {
			return Parts{}, errNotAKey
		}
	}
	var open *Part // what a value belongs to
	for len(b) > 0 {
		tag := b[0]
		var s string
		if s, b, ok = cutFramed(b[1:]); !ok {
			return Parts{}, errNotAKey
		}
		if tag == tagPresent {
			if open == nil {
				return Parts{}, errNotAKey
			}
			open.Values = append(open.Values, s)
			continue
		}
		if open, ok = p.record(tag, s); !ok {
			return Parts{}, errNotAKey
		}
	}
	return p, nil
}

// record takes in one record that is not a value. It returns the part that
// values after it belong to, if there may be any.
func (p *Parts) record(tag byte, s string) (open *Part, ok bool) {
	switch tag {
	case tagMethod:
		p.Method = s
	case tagBucket:
		p.Origin, p.Bucket = OriginBucket, s
	case tagExact:
		p.Origin, p.Bucket = OriginExact, s
	case tagHeader:
		return appendPart(&p.Headers, s), true
	case tagCookie:
		return appendPart(&p.Cookies, s), true
	case tagSelect:
		return appendPart(&p.Selecting, s), true
	default:
		return nil, false
	}
	return nil, true
}

func appendPart(parts *[]Part, name string) *Part {
	*parts = append(*parts, Part{Name: name})
	return &(*parts)[len(*parts)-1]
}

// cutFramed cuts the framed string at the head of b off.
func cutFramed(b []byte) (s string, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return "", nil, false
	}
	b = b[w:]
	return string(b[:n]), b[n:], true
}
