package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"veneer/loadtest/internal/stamp"
)

// kind is a way in which an answer is wrong.
type kind int

const (
	failed kind = iota
	content
	foreign
	cors
	leaked
	old
	odd
	resent
	unpurged // looked for in one scenario
)

var kinds = []kind{failed, content, foreign, cors, leaked, old, odd, resent}

// promised says it for all scenarios.
var promised = map[kind]string{
	failed:  "no error that the upstream did not make",
	content: "no content that is cut or changed and looks whole",
	foreign: "no content of another target, no fields of another answer",
	cors:    "each answer has exactly the CORS fields that its own Origin is due",
	leaked:  "no content that was made for another Origin",
	old:     "nothing is older than its lifetime allows",
	odd:     "statuses and fields are such as the contract has",
	resent:  "no request had to be sent twice",

	unpurged: "nothing older than a purge is the answer to who asks after it was acknowledged",
}

// wrong is one finding.
type wrong struct {
	kind kind
	what string
}

// known is what the client has of a target.
type known struct{ stamp stamp.Stamp }

// book is what became of the requests. It is safe for concurrent use.
type book struct {
	mu       sync.Mutex // guards what follows
	answers  int
	wrongs   map[kind]int
	first    map[kind]string
	statuses map[string]int
	known    map[string]known
}

func newBook() *book {
	return &book{wrongs: map[kind]int{}, first: map[kind]string{}, statuses: map[string]int{}, known: map[string]known{}}
}

// enter notes an answer and what is wrong with it.
func (b *book) enter(a *ask, got *answer, found []wrong) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	status := fmt.Sprint(got.status)
	if got.err != nil {
		status = "no answer"
	}
	b.statuses[a.class+" "+status]++
	for _, w := range found {
		b.wrongs[w.kind]++
		if b.first[w.kind] == "" {
			method := a.method
			if method == "" {
				method = http.MethodGet
			}
			b.first[w.kind] = fmt.Sprintf("%s %s, Origin %s (%s), after %s: %s: %s", method, a.target, short(fmt.Sprintf("%q", a.visitor.lines)),
				a.visitor.name, got.done.Sub(got.sent).Round(time.Millisecond), got, w.what)
		}
	}
}

func short(s string) string {
	if len(s) > 120 {
		return s[:120] + "..."
	}
	return s
}

func (b *book) wrong(k kind) (count int, first string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrongs[k], b.first[k]
}

func (b *book) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers
}

// learn keeps what a client would keep in its own cache.
func (b *book) learn(a *ask, s stamp.Stamp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !a.doc.Once {
		b.known[a.target+"\n"+a.visitor.origin()] = known{s}
	}
}

// recall returns what this visitor has of this target.
func (b *book) recall(a *ask) (known, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.known[a.target+"\n"+a.visitor.origin()]
	return k, ok
}

// names joins the lines of a list field into a set, in lower case.
func names(lines []string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		set[strings.ToLower(strings.TrimSpace(name))] = true
	}
	return set
}
