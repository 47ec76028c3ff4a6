package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// On a socket the lane reads and writes by itself, so the conversations take
// place on real ones too. What is said there is compared with what is said in
// memory, but for times.
func TestLaneSocket(t *testing.T) {
	limits := Limits{HeaderTimeout: time.Second, IdleTimeout: time.Second, BodyStall: time.Second}
	var all sync.WaitGroup
	for _, c := range conversations {
		want, handled := converse(t, [][]byte{[]byte(c.text)}, true)
		s := newLastingSite(t, c.text)
		conn := dial(t, start(t, Config{Handler: s, Lane: s.engine, Limits: limits}))
		all.Go(func() {
			var writing sync.WaitGroup
			writing.Go(func() { _, _ = io.WriteString(conn, c.text) }) // it fails where the server has heard enough
			stream, _ := io.ReadAll(conn)                              // as does this with a reset
			_ = conn.Close()
			writing.Wait()
			if diff := cmp.Diff(timeless(want.Answers), timeless(answers(stream))); diff != "" {
				t.Errorf("%s: in memory and on a socket (-want +got):\n%s", c.name, diff)
			}
			if s.count() != handled {
				t.Errorf("%s: %d requests came to the handler, and %d in memory", c.name, s.count(), handled)
			}
		})
	}
	all.Wait()
}

var times = regexp.MustCompile(`(Age: |Date: |ttl=)[^\n;]*`)

func timeless(answers []string) []string {
	out := make([]string, len(answers))
	for i, a := range answers {
		out[i] = times.ReplaceAllString(a, "$1")
	}
	return out
}

// A client that ends its side behind its last request gets the answer and then
// the end, at once: also when both came before the lane had read anything.
func TestLaneHalfClose(t *testing.T) {
	s := newLastingSite(t, "/own/page")
	srv := start(t, Config{Handler: s, Lane: s.engine})
	for range 20 {
		c := dial(t, srv).(*net.TCPConn)
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprint(c, fetch("/own/page", gzip)+fetch("/own/page", gzip))
		_ = c.CloseWrite()
		stream, err := io.ReadAll(c)
		if got := answers(stream); err != nil || len(got) != 2 {
			t.Fatalf("%d answers, %v", len(got), err)
		}
	}
	if s.count() > 0 {
		t.Errorf("%d requests came to the handler", s.count())
	}
}

// A client gets all of hits that are larger than what a socket takes at once.
func TestLanePartialWrites(t *testing.T) {
	s := newLastingSite(t, "/own/huge")
	srv := start(t, Config{Handler: s, Lane: s.engine})
	c := dial(t, srv)
	const n = 4
	fmt.Fprint(c, strings.Repeat(fetch("/own/huge"), n))
	r := bufio.NewReaderSize(c, 512)
	for range n {
		_, content := readResponse(t, r)
		if len(content) != documents["huge"].size || !bytes.Equal(bytes.Trim([]byte(content), "x"), []byte("[/own/huge  gzip]")) {
			t.Errorf("%d bytes, %.100q", len(content), content)
		}
	}
	if s.count() > 0 {
		t.Errorf("%d requests came to the handler", s.count())
	}
}
