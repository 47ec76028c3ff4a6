package faulty

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Fault is what the upstream does wrong.
type Fault string

// The faults, and no fault.
const (
	NoFault  Fault = ""
	Error500 Fault = "500"      // an application that fails
	Error503 Fault = "503"      // one that has too much to do
	Reset    Fault = "reset"    // the connection is reset in place of a head
	Close    Fault = "close"    // it is closed in place of a head
	Garbage  Fault = "garbage"  // a head that is none
	Truncate Fault = "truncate" // half of the Content-Length, then closed
	Cut      Fault = "cut"      // half of a chunked content, then closed
	Stall    Fault = "stall"    // no head until the client gives up
)

// Faults are all of them.
var Faults = []Fault{Error500, Error503, Reset, Close, Garbage, Truncate, Cut, Stall}

// Doc is a document of the upstream: its URL says how it behaves.
type Doc struct {
	Path         string // absolute, no query
	Size         int    // bytes, about
	Age          int    // seconds it is fresh; 0 and NoStore unset: no Cache-Control at all
	Revalidating int    // seconds of stale-while-revalidate
	NoStore      bool
	Change       time.Duration // how often its content and tag change; 0: never
	Wait         time.Duration // until the head
	Drip         time.Duration // from head to end
	Fault        Fault
	First        int    // only the first so many fetches are faulty; 0: all
	App          App    // what it says about CORS
	Tag          string // its Surrogate-Key
	Once         bool   // it is fetched once and not entered in the book
}

// Target is the path and query that asks for it.
func (d Doc) Target() string {
	q := url.Values{}
	num := func(name string, n int64) {
		if n != 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	num("size", int64(d.Size))
	num("age", int64(d.Age))
	num("swr", int64(d.Revalidating))
	num("change", d.Change.Milliseconds())
	num("wait", d.Wait.Milliseconds())
	num("drip", d.Drip.Milliseconds())
	num("first", int64(d.First))
	for name, is := range map[string]bool{"nostore": d.NoStore, "once": d.Once} {
		if is {
			q.Set(name, "1")
		}
	}
	for name, text := range map[string]string{"fault": string(d.Fault), "app": string(d.App), "tag": d.Tag} {
		if text != "" {
			q.Set(name, text)
		}
	}
	if len(q) == 0 {
		return d.Path
	}
	return d.Path + "?" + q.Encode()
}

// parse is the reverse of Target.
func parse(u *url.URL) (Doc, error) {
	d := Doc{Path: u.Path}
	for name, values := range u.Query() {
		n, err := strconv.Atoi(values[0])
		ms := time.Duration(n) * time.Millisecond
		switch name {
		case "fault":
			d.Fault, err = Fault(values[0]), nil
		case "app":
			d.App, err = App(values[0]), nil
		case "tag":
			d.Tag, err = values[0], nil
		case "size":
			d.Size = n
		case "age":
			d.Age = n
		case "swr":
			d.Revalidating = n
		case "first":
			d.First = n
		case "change":
			d.Change = ms
		case "wait":
			d.Wait = ms
		case "drip":
			d.Drip = ms
		case "nostore":
			d.NoStore = n != 0
		case "once":
			d.Once = n != 0
		default:
			return d, fmt.Errorf("cannot read document %q: unknown parameter %q", u, name)
		}
		if err != nil || n < 0 || n > 1<<24 {
			return d, fmt.Errorf("cannot read document %q: parameter %s=%q", u, name, values[0])
		}
	}
	return d, nil
}

// cacheControl is its Cache-Control, or "".
func (d Doc) cacheControl() string {
	switch {
	case d.NoStore:
		return "no-store"
	case d.Age == 0:
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "max-age=%d", d.Age)
	if d.Revalidating > 0 {
		fmt.Fprintf(&b, ", stale-while-revalidate=%d", d.Revalidating)
	}
	return b.String()
}
