package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"veneer/cache/cachestatus"
	"veneer/cache/rfc9111"
)

// ranges answers a range request from a complete stored 200 (RFC 9110 §14,
// RFC 9111 §3.4): 206, multipart for several ranges, or 416. It reports false
// when the whole is to be sent.
func (x *exchange) ranges(h http.Header, o *Object) bool {
	lines := x.r.Header["Range"]
	if lines == nil || x.r.Method != http.MethodGet || o.Status != http.StatusOK {
		return false
	}
	if x.revalidatesParts() || !rfc9111.IfRange(x.r.Header, &o.Meta) {
		return false
	}
	size := int64(len(o.body))
	rs, err := rfc9111.ParseRange(lines, size)
	switch {
	case errors.Is(err, rfc9111.ErrRangeIgnored):
		return false
	case err != nil:
		h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
		h["Content-Length"] = []string{"0"}
		for _, name := range [...]string{"Content-Type", "Content-Encoding", "Content-Language", "Etag", "Last-Modified"} {
			delete(h, name)
		}
		x.start(http.StatusRequestedRangeNotSatisfiable)
		return true
	case len(rs) == 0:
		return false
	case len(rs) == 1:
		x.onePart(h, o, rs[0])
	default:
		x.multipart(h, o, rs)
	}
	return true
}

// revalidatesParts reports whether a client that a 304 must not serve asks with
// If-Range: it has parts of the representation, and a 206 would let it go on
// using them as a 304 would (RFC 9111 §3.4).
func (x *exchange) revalidatesParts() bool {
	return x.origin.Full && x.r.Header["If-Range"] != nil
}

func contentRange(r rfc9111.Range, size int) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.Start, r.Start+r.Length-1, size)
}

func (x *exchange) onePart(h http.Header, o *Object, r rfc9111.Range) {
	h["Content-Range"] = []string{contentRange(r, len(o.body))}
	h["Content-Length"] = []string{strconv.FormatInt(r.Length, 10)}
	x.start(http.StatusPartialContent)
	x.write(o.body[r.Start : r.Start+r.Length])
}

// multipart sends several ranges as multipart/byteranges (RFC 9110 §14.6). The
// boundary is random, so that no content can hold it by design.
func (x *exchange) multipart(h http.Header, o *Object, rs []rfc9111.Range) {
	boundary := rand.Text()
	heads := make([]string, len(rs))
	tail := "\r\n--" + boundary + "--\r\n"
	length := int64(len(tail))
	for i, r := range rs {
		head := "\r\n--" + boundary + "\r\n"
		if t := h["Content-Type"]; len(t) > 0 {
			head += "Content-Type: " + t[0] + "\r\n"
		}
		heads[i] = head + "Content-Range: " + contentRange(r, len(o.body)) + "\r\n\r\n"
		length += int64(len(heads[i])) + r.Length
	}
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	x.start(http.StatusPartialContent)
	for i, r := range rs {
		if !x.write([]byte(heads[i])) || !x.write(o.body[r.Start:r.Start+r.Length]) {
			return
		}
	}
	x.write([]byte(tail))
}

// refuseRanges answers 416 to a Range field that would make the upstream send
// the same bytes over and over (RFC 9110 §14.2). The size is not known yet;
// what is too much is so for any size.
func (x *exchange) refuseRanges() (answered bool) {
	lines := x.r.Header["Range"]
	if lines == nil || x.r.Method != http.MethodGet {
		return false
	}
	if _, err := rfc9111.ParseRange(lines, math.MaxInt64/2); errors.Is(err, rfc9111.ErrRangeRefused) {
		return x.fail(http.StatusRequestedRangeNotSatisfiable, cachestatus.RequestRange, "Range asks for too many or for overlapping parts.")
	}
	return false
}
