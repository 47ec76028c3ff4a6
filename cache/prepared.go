package cache

import (
	"maps"
	"net/http"
	"strings"
	"unsafe"
)

// Encoding writes the head of a response in one protocol. It is compared by its
// address.
type Encoding struct {
	// Encode writes the status and the fields. It is called once for many
	// responses, does not keep h, and what it returns is kept.
	Encode func(status int, h http.Header) []byte
}

// prepared is the head of a hit but for what changes from hit to hit: Age, our
// line of Cache-Status, and the Origin. It is immutable once it is stored.
type prepared struct {
	preparedFor
	next *prepared // another one of the same Object

	status    int
	fixed     []byte
	reflected []string // names of fields whose value is the request's Origin
}

// preparedFor says for which hits.
type preparedFor struct {
	encoding *Encoding
	// generation and route name a Route without keeping it from the garbage
	// collector: as long as the plan of that generation is there, no other one
	// has its address.
	generation  uint64
	route       uintptr
	version     uint64 // CORS.Version
	origin      Origin // without its Bucket
	notModified bool
}

// maxPrepared bounds how many prepared heads an Object keeps. One is all that
// most have: its key has the Origin's bucket.
const maxPrepared = 4

// prepare returns the head of a hit, made by the steps that deliver takes, once,
// and kept with the Object; nil where it depends on more.
func (o *Object) prepare(h *Hit, notModified bool) *prepared {
	if h.req.Method == http.MethodHead && !o.announcesLength() && bodyAllowed(o.Status) {
		return nil // net/http says a length of zero, but to GET only
	}
	want := preparedFor{
		encoding: h.encoding, generation: h.plan.generation, route: uintptr(unsafe.Pointer(h.route)),
		version: h.route.CORS.Version(), origin: h.origin, notModified: notModified,
	}
	want.origin.Bucket = ""
	first, n := o.prepared.Load(), 0
	for p := first; p != nil; p = p.next {
		if p.preparedFor == want {
			return p
		}
		n++
	}
	if n >= maxPrepared {
		first = nil // most of them are of plans that were replaced
	}
	p := &prepared{preparedFor: want, next: first}
	p.make(o, h)
	o.prepared.Store(p) // one that another goroutine stored meanwhile is made again
	return p
}

// make writes the head in the order of deliverStored.
func (p *prepared) make(o *Object, h *Hit) {
	fields := make(http.Header)
	for _, f := range o.makeHeaderFields() {
		fields[f.name] = f.lines
	}
	unsniffed(fields)
	h.route.Response.apply(fields)
	// Both are there when the policy looks at the names.
	status := fields["Cache-Status"]
	fields["Age"], fields["Cache-Status"] = []string{""}, append(status[:len(status):len(status)], "")
	before := maps.Clone(fields)
	origin := h.origin
	origin.Bucket = strings.Clone(origin.Bucket) // the request's bytes are its reader's
	h.route.CORS.Apply(fields, nil, origin)
	p.reflected = takeReflected(fields, before, origin.Bucket)
	delete(fields, "Age")
	if fields["Cache-Status"] = status; status == nil {
		delete(fields, "Cache-Status")
	}
	p.status = o.Status
	switch {
	case p.notModified:
		p.status = http.StatusNotModified
		removeRepresentation(fields)
	case !o.announcesLength() && bodyAllowed(o.Status):
		fields["Content-Length"] = []string{"0"}
	}
	p.fixed = p.encoding.Encode(p.status, fields)
}

// takeReflected removes the fields that a policy has set to the Origin, and
// returns their names. before is what stood in h before.
func takeReflected(h, before http.Header, origin string) (names []string) {
	for name, lines := range h {
		if origin == "" || len(lines) != 1 || lines[0] != origin {
			continue
		}
		if old := before[name]; len(old) == 0 || &old[0] != &lines[0] {
			names = append(names, name)
			delete(h, name)
		}
	}
	return names
}
