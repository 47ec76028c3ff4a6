package process

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// journal takes what the program says, line by line. It is safe for concurrent
// use.
type journal struct {
	mu      sync.Mutex // guards what follows
	partial []byte
	last    []string       // the newest lines
	counts  map[string]int // lines that hold one of the words below
	first   map[string]string
	addrs   []string      // of the listeners: admin, then server.http, then server.https
	changed chan struct{} // closed and replaced with each line
}

const linesKept = 200

// words are what is looked for. A panic or a data race is a promise broken.
var words = []string{wordReloaded, wordKept, "panic", "fatal error", "DATA RACE", "BUG:"}

const (
	wordReloaded = "msg=reloaded"
	wordKept     = "the old configuration stays"
)

var bound = regexp.MustCompile(`msg=(?:"admin listening"|listening) address=(\S+)`)

func newJournal() *journal {
	return &journal{counts: map[string]int{}, first: map[string]string{}, changed: make(chan struct{})}
}

// Write takes any part of what is said; it never fails.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, p...)
	for {
		line, rest, ok := bytes.Cut(j.partial, []byte("\n"))
		if !ok {
			break
		}
		j.lineLocked(string(line))
		j.partial = append(j.partial[:0], rest...)
	}
	close(j.changed)
	j.changed = make(chan struct{})
	return len(p), nil
}

func (j *journal) lineLocked(line string) {
	if j.last = append(j.last, line); len(j.last) > 2*linesKept {
		j.last = append(j.last[:0], j.last[linesKept:]...)
	}
	for _, w := range words {
		if strings.Contains(line, w) {
			j.counts[w]++
			if j.first[w] == "" {
				j.first[w] = line
			}
		}
	}
	if m := bound.FindStringSubmatch(line); m != nil {
		j.addrs = append(j.addrs, m[1])
	}
}

// count returns how many lines had the word, and a channel that is closed when
// there is more to read.
func (j *journal) count(word string) (int, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[word], j.changed
}

func (j *journal) addresses() ([]string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.addrs...), j.changed
}

// alarm returns the first line that no program should say, or "".
func (j *journal) alarm() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range words {
		if w != wordReloaded && w != wordKept && j.first[w] != "" {
			return j.first[w]
		}
	}
	return ""
}

// tail is the newest of it.
func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.last[max(0, len(j.last)-20):], "\n")
}
