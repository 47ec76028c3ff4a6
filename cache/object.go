package cache

import (
	"iter"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// Object is a stored response: bare, without anything that belongs to one
// client. It is immutable once made, but for Purge, and safe for concurrent use;
// stores, tiers and readers share the pointer.
//
// Fields and content of a new Object are one allocation (the blob), because a
// million header maps cost the garbage collector several times as much.
type Object struct {
	key       string
	group     uint32
	purged    atomic.Uint32 // when it was purged, in seconds of Unix time; 0: it was not
	Status    int
	Selecting key.Selecting
	Meta      rfc9111.Meta
	Tags      []string

	block string // "Name: value\r\n" lines, sorted by name
	body  []byte

	contentEncoding, contentLanguage string // of block, for selection by content

	header  atomic.Pointer[[]headerField] // the block as net/http wants it, made at the first hit
	dynamic atomic.Pointer[dynamicFields] // Age and Cache-Status of the current second

	prepared atomic.Pointer[prepared] // heads of hits as a lane writes them
}

// headerField is one field of a stored response with all its lines.
type headerField struct {
	name  string
	lines []string
}

// dynamicFields are the fields of a hit that change once a second.
type dynamicFields struct {
	second      int64
	age, status []string
}

// ObjectSpec is what an Object is made of. The Object copies what it keeps of
// Header and Body, and keeps Selecting and Tags.
type ObjectSpec struct {
	Key       key.Key
	Selecting key.Selecting
	Status    int
	Meta      rfc9111.Meta
	Tags      []string
	Header    http.Header // the fields to store; nothing is left out here
	Body      [][]byte    // the content, in pieces
}

// NewObject makes an Object.
func NewObject(s ObjectSpec) *Object {
	names := make([]string, 0, len(s.Header))
	size := 0
	for name, lines := range s.Header {
		names = append(names, name)
		for _, v := range lines {
			size += len(name) + len(v) + 4
		}
	}
	sort.Strings(names)
	head := size
	for _, p := range s.Body {
		size += len(p)
	}
	blob := make([]byte, 0, size)
	for _, name := range names {
		for _, v := range s.Header[name] {
			blob = append(blob, name...)
			blob = append(blob, ": "...)
			blob = append(blob, v...)
			blob = append(blob, '\r', '\n')
		}
	}
	for _, p := range s.Body {
		blob = append(blob, p...)
	}
	o := &Object{
		key: string(s.Key.Bytes), group: uint32(s.Key.Group),
		Status: s.Status, Selecting: s.Selecting, Meta: s.Meta, Tags: s.Tags,
		block: unsafeString(blob[:head]), body: blob[head:len(blob):len(blob)],
	}
	if len(s.Selecting.Names) > 0 {
		o.contentEncoding, o.contentLanguage = o.Get("Content-Encoding"), o.Get("Content-Language")
	}
	return o
}

// servesAs reports whether the upstream would choose this response again for a
// request with other selecting values (RFC 9110 §12.5).
func (o *Object) servesAs(f key.Fields) bool {
	return o.Selecting.MatchesContent(f, o.contentEncoding, o.contentLanguage)
}

// Freshened returns an Object with the same key, selecting fields, tags and
// content, and with other fields and times (RFC 9111 §4.3.4). It shares the
// content with o.
func (o *Object) Freshened(h http.Header, m rfc9111.Meta) *Object {
	n := NewObject(ObjectSpec{Selecting: o.Selecting, Status: o.Status, Meta: m, Tags: o.Tags, Header: h})
	n.key, n.group, n.body = o.key, o.group, o.body
	return n
}

// Key returns the primary key.
func (o *Object) Key() string { return o.key }

// URI returns the part of the key that names the target URI (key.Key.URI).
func (o *Object) URI() string { return o.key[:o.group] }

// Body returns the content. Nobody changes it.
func (o *Object) Body() []byte { return o.body }

// Block returns the fields as "Name: value\r\n" lines, sorted by name, as an
// HTTP/1.1 response carries them.
func (o *Object) Block() string { return o.block }

// Fields iterates over the stored field lines.
func (o *Object) Fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for rest := o.block; rest != ""; {
			line, after, _ := strings.Cut(rest, "\r\n")
			name, value, _ := strings.Cut(line, ": ")
			if !yield(name, value) {
				return
			}
			rest = after
		}
	}
}

// Get returns the first line of the named field (in canonical form), or "".
func (o *Object) Get(name string) string {
	for n, v := range o.Fields() {
		if n == name {
			return v
		}
	}
	return ""
}

// Header returns the stored fields as a map of the caller's own.
func (o *Object) Header() http.Header {
	h := make(http.Header)
	for n, v := range o.Fields() {
		h[n] = append(h[n], v)
	}
	return h
}

// overhead is what an Object costs beside its bytes: the Object itself, the
// index entry, the policy's entry, and what surrounds the head that a hit
// prepares. What is hit through net/http too costs some 300 bytes more, and what
// was never hit less (bench/growth measures all three).
const overhead = 800

// Cost is the memory that the Object takes, in bytes, its index entry
// included. It never changes.
func (o *Object) Cost() int64 {
	n := overhead + len(o.key) + 2*len(o.block) + len(o.body) // the fields once more as a lane writes them
	for i, name := range o.Selecting.Names {
		n += len(name) + len(o.Selecting.Values[i]) + 32
	}
	for _, t := range o.Tags {
		n += len(t) + 64
	}
	return int64(n)
}

// hitFields returns Age and Cache-Status of a plain hit at now. They change
// once a second, so a busy object makes them once a second.
func (o *Object) hitFields(now time.Time) *dynamicFields {
	second := now.Unix()
	if p := o.dynamic.Load(); p != nil && p.second == second {
		return p
	}
	status := cachestatus.Status{Hit: true, HasTTL: true, TTL: o.TTL(now)}
	p := &dynamicFields{second: second, age: ageLine(o.Age(now)), status: []string{status.String()}}
	o.dynamic.Store(p)
	return p
}

// TTL is the freshness that is left: in whole seconds while it is fresh, so that
// it and Age add up to the lifetime, and never 0 once it is stale.
func (o *Object) TTL(now time.Time) time.Duration {
	left := o.Meta.TTL(now)
	if at, purged := o.PurgedAt(); purged {
		left = min(left, at.Sub(now), -1)
	}
	if left < 0 {
		return left
	}
	return o.Meta.Lifetime.Truncate(time.Second) - o.Age(now).Truncate(time.Second)
}

// ageLine is the Age field in whole seconds, clamped to 2^31 (RFC 9111 §1.2.2).
func ageLine(age time.Duration) []string {
	return []string{strconv.FormatInt(ageSeconds(age), 10)}
}

func ageSeconds(age time.Duration) int64 { return min(int64(age/time.Second), 1<<31) }

// Age returns the current age (RFC 9111 §4.2.3).
func (o *Object) Age(now time.Time) time.Duration { return o.Meta.Age(now) }

// headerFields returns the stored fields grouped by name, ready to be put into
// a header map. The slices are shared by all requests: their capacity is their
// length, so that an append copies.
func (o *Object) headerFields() []headerField {
	if p := o.header.Load(); p != nil {
		return *p
	}
	fields := o.makeHeaderFields()
	o.header.Store(&fields)
	return fields
}

func (o *Object) makeHeaderFields() []headerField {
	count := strings.Count(o.block, "\r\n") + 1
	fields, lines := make([]headerField, 0, count), make([]string, 0, count)
	for n, v := range o.Fields() {
		lines = append(lines, v) // of one name they stand side by side
		if k := len(fields) - 1; k >= 0 && fields[k].name == n {
			first := len(lines) - 1 - len(fields[k].lines)
			fields[k].lines = lines[first:len(lines):len(lines)]
			continue
		}
		fields = append(fields, headerField{n, lines[len(lines)-1 : len(lines) : len(lines)]})
	}
	if o.announcesLength() {
		lines = append(lines, strconv.Itoa(len(o.body)))
		fields = append(fields, headerField{"Content-Length", lines[len(lines)-1 : len(lines) : len(lines)]})
	}
	return fields
}

// announcesLength reports whether the response has a Content-Length of our own.
func (o *Object) announcesLength() bool { return len(o.body) > 0 || o.Status == http.StatusOK }
