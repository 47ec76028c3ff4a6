package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"veneer/loadtest/internal/stamp"
)

// tenancy says whether the policy has lateOrigin. A request during which it
// changed may be answered either way.
type tenancy struct {
	epoch    int
	allowed  bool
	changing bool
}

// modes of the routes, by the first segment.
const (
	own    = "own"
	shared = "shared"
	pass   = "pass"
	off    = "off"
)

var modes = []string{own, shared, pass, off}

func mode(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// due is what the visitor is owed: one Origin decision, or either of two.
type due struct {
	mode            string
	allowed, either bool
}

func (r *run) due(a *ask, before tenancy) due {
	d := due{mode: mode(a.doc.Path), allowed: a.visitor.allowed}
	if a.visitor.late && (d.mode == own || d.mode == shared) {
		after := r.tenancy()
		d.allowed = before.allowed
		d.either = before.changing || after.changing || before.epoch != after.epoch
	}
	return d
}

// judge finds everything that is wrong with an answer.
func (r *run) judge(a *ask, got *answer, before tenancy) []wrong {
	var found []wrong
	say := func(k kind, format string, args ...any) {
		found = append(found, wrong{k, fmt.Sprintf(format, args...)})
	}
	if got.tries > 1 {
		say(resent, "it was sent %d times", got.tries)
	}
	if got.err != nil {
		if !r.excused(a, got) {
			say(failed, "no whole response")
		}
		return found
	}
	d := r.due(a, before)
	s, err := stamp.Read(got.body)
	made := err == nil // by the upstream: anything else is the proxy's own
	if a.method == http.MethodHead || got.status == http.StatusNotModified {
		made = true
	}
	for _, what := range corsFaults(a, got, d, made) {
		say(cors, "%s", what)
	}
	switch {
	case a.method == http.MethodOptions:
		judgePreflight(got, d, say)
	case got.status >= 500:
		r.judgeError(a, got, made, say)
	default:
		if !strings.HasPrefix(strings.Join(got.header["Cache-Status"], ","), "veneer;") {
			say(odd, "Cache-Status is %q", got.header["Cache-Status"])
		}
		r.judgeStatus(a, got, d, s, err, say)
	}
	return found
}

// judgePreflight looks at the answer to a preflight. Its CORS fields have been
// compared already.
func judgePreflight(got *answer, d due, say func(kind, string, ...any)) {
	want := http.StatusForbidden
	if d.allowed {
		want = http.StatusNoContent
	}
	if got.status != want && !d.either {
		say(odd, "a preflight gets %d, want %d", got.status, want)
	}
}

// judgeStatus looks at an answer that is no error. The stamp of its content was
// read with the error torn.
func (r *run) judgeStatus(a *ask, got *answer, d due, s stamp.Stamp, torn error, say func(kind, string, ...any)) {
	switch {
	case a.method == http.MethodHead && got.status == http.StatusOK:
		if len(got.body) > 0 || got.header.Get("Etag") == "" {
			say(odd, "a HEAD has %d bytes and ETag %q", len(got.body), got.header.Get("Etag"))
		}
	case got.status == http.StatusOK, got.status == http.StatusPartialContent:
		r.judgeContent(a, got, d, s, torn, say)
	case got.status == http.StatusNotModified:
		if a.tag == "" || got.header.Get("Etag") != a.tag || len(got.body) > 0 {
			say(odd, "If-None-Match was %q, ETag is %q, %d bytes", a.tag, got.header.Get("Etag"), len(got.body))
			return
		}
		r.judgeAge(a, got, a.known.stamp, say)
	default:
		say(odd, "status %d", got.status)
	}
}

// judgeContent looks at a response with content.
func (r *run) judgeContent(a *ask, got *answer, d due, s stamp.Stamp, torn error, say func(kind, string, ...any)) {
	if torn != nil {
		say(content, "%v", torn)
		return
	}
	whole := fmt.Sprintf("bytes 0-%d/%d", len(got.body)-1, len(got.body))
	if cr := got.header.Get("Content-Range"); (got.status == http.StatusPartialContent) != (cr == whole && a.whole) {
		say(odd, "Content-Range %q of %d bytes", cr, len(got.body))
	}
	if s.URL != a.target {
		say(foreign, "the content is of %s", s.URL)
		return
	}
	if tag, serial := got.header.Get("Etag"), got.header.Get("Load-Serial"); tag != s.Tag || serial != fmt.Sprint(s.Serial) {
		say(foreign, "the content is answer %d with tag %s, the fields say %s and %s", s.Serial, s.Tag, serial, tag)
	}
	if saw := d.sees(a.visitor); s.Origin != saw && (!d.either || s.Origin != "" && s.Origin != a.visitor.origin()) {
		say(leaked, "the upstream saw Origin %q, want %q", s.Origin, saw)
	}
	r.judgeAge(a, got, s, say)
	r.book.learn(a, s)
}

// sees is the Origin that the upstream must have seen for a GET of visitor v.
func (d due) sees(v visitor) string {
	if d.mode == pass || d.mode == own && d.allowed {
		return v.origin()
	}
	return ""
}

// grain is what whole seconds (Date, Age, max-age) and a request's own time may
// add to an age.
const grain = 1200 * time.Millisecond

// judgeAge checks that the document was still the upstream's at a time from
// which its lifetime reaches to the request.
func (r *run) judgeAge(a *ask, got *answer, s stamp.Stamp, say func(kind, string, ...any)) {
	if r.purged != nil {
		if at := r.purged(a, got); !s.Until.After(at) {
			say(unpurged, "the upstream had newer content %s before a purge was sent, which was acknowledged before the request", round(at.Sub(s.Until)))
		}
	}
	lifetime := time.Duration(a.doc.Age+a.doc.Revalidating) * time.Second
	if over := got.sent.Sub(s.Until) - lifetime; over > grain && (r.stale == nil || !r.stale(a, got)) {
		say(old, "the upstream has had newer content for %s, its lifetime is %s", round(got.sent.Sub(s.Until)), lifetime)
	}
}

// excused reports whether the upstream has made an error for this target.
func (r *run) excused(a *ask, got *answer) bool {
	return r.upstream.Tally(a.target).Faults > 0 || r.excuse != nil && r.excuse(a, got)
}

// judgeError looks at a server error: the upstream's, or a problem of the
// proxy's own that the upstream has caused.
func (r *run) judgeError(a *ask, got *answer, made bool, say func(kind, string, ...any)) {
	if !r.excused(a, got) {
		say(failed, "%s", short(string(got.body)))
		return
	}
	if made {
		return
	}
	var problem struct{ Type string }
	if err := json.Unmarshal(got.body, &problem); err != nil || got.header.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(problem.Type, "urn:veneer:problem:") {
		say(odd, "the error is no problem that the contract has: %s: %s", got.header.Get("Content-Type"), short(string(got.body)))
	}
}

// corsFaults compares the CORS fields with those that the visitor is due.
func corsFaults(a *ask, got *answer, d due, made bool) []string {
	var found []string
	for name := range got.trailer {
		if strings.HasPrefix(name, "Access-Control-") && d.mode != pass {
			found = append(found, "trailer "+name)
		}
	}
	allow := got.header["Access-Control-Allow-Origin"]
	want := d.allow(a, made)
	if d.either && len(allow) > 0 {
		want = a.visitor.lines
	} else if d.either {
		want = nil
	}
	if !slices.Equal(allow, want) {
		found = append(found, fmt.Sprintf("Access-Control-Allow-Origin is %q, want %q", allow, want))
	}
	var credentials []string
	if len(want) > 0 {
		credentials = []string{"true"}
	}
	if c := got.header["Access-Control-Allow-Credentials"]; !slices.Equal(c, credentials) {
		found = append(found, fmt.Sprintf("Access-Control-Allow-Credentials is %q, want %q", c, credentials))
	}
	if d.mode != own && d.mode != shared {
		return found
	}
	if !names(got.header["Vary"])["origin"] {
		found = append(found, fmt.Sprintf("Vary is %q, without Origin", got.header["Vary"]))
	}
	if e := got.header["Access-Control-Expose-Headers"]; a.method != http.MethodOptions && (len(want) > 0) != names(e)["load-serial"] || names(e)["x-application"] {
		found = append(found, fmt.Sprintf("Access-Control-Expose-Headers is %q", e))
	}
	if got.status == http.StatusNotModified && a.visitor.lines != nil && !d.allowed && !d.either {
		found = append(found, "a 304 to an origin that is refused")
	}
	return found
}

// allow returns the Access-Control-Allow-Origin lines that a visitor is due.
func (d due) allow(a *ask, made bool) []string {
	switch {
	case d.mode == pass && made:
		return a.doc.App.Allow(a.visitor.first())
	case (d.mode == own || d.mode == shared) && d.allowed:
		return a.visitor.lines
	}
	return nil
}
