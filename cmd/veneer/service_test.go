package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// A service is an upstream whose answers a script's file says:
//
//	GET /api/users
//	200
//	Cache-Control: public, max-age=60
//
//	answer {n}
//	%%
//	* /api/
//	403
//
//	no such user
//
// The first answer that fits is given: * is any method, a path that ends in /
// is a prefix. {n} is how many requests the service has had; {origin} is the
// request's Origin, and a field line with it is left out where there is none.
// Instead of a status "silent" never answers and "broken" cuts the connection.
type service struct {
	server *http.Server // nil while it is stopped
	done   chan struct{}
	url    string

	mu      sync.Mutex // guards what follows
	answers []answer
	count   int
	seen    []*http.Request // since the script asked last
}

// answer is one answer of a service.
type answer struct {
	method, path string
	status       string
	fields       [][2]string
	content      string
}

func parseAnswers(text string) ([]answer, error) {
	var list []answer
	for block := range strings.SplitSeq(text, "%%\n") {
		head, content, _ := strings.Cut(block, "\n\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		if len(lines) < 2 {
			return nil, fmt.Errorf("cannot read the answer %q: it begins with METHOD PATH and a status", block)
		}
		a := answer{status: lines[1], content: content}
		var found bool
		if a.method, a.path, found = strings.Cut(lines[0], " "); !found {
			return nil, fmt.Errorf("cannot read %q: not METHOD PATH", lines[0])
		}
		code, err := strconv.Atoi(a.status)
		if a.status != "silent" && a.status != "broken" && (err != nil || code < 200 || code > 599) {
			return nil, fmt.Errorf("cannot read %q: not a status, silent or broken", a.status)
		}
		for _, line := range lines[2:] {
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				return nil, fmt.Errorf("cannot read %q: not NAME: VALUE", line)
			}
			a.fields = append(a.fields, [2]string{name, value})
		}
		list = append(list, a)
	}
	return list, nil
}

func (a *answer) fits(r *http.Request) bool {
	path := r.URL.Path == a.path || strings.HasSuffix(a.path, "/") && strings.HasPrefix(r.URL.Path, a.path)
	return path && (a.method == "*" || a.method == r.Method)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.count++
	s.seen = append(s.seen, r)
	n, at := s.count, slices.IndexFunc(s.answers, func(a answer) bool { return a.fits(r) })
	a := answer{status: "500", content: "the script has no answer to this\n"}
	if at >= 0 {
		a = s.answers[at]
	}
	s.mu.Unlock()
	switch a.status {
	case "silent":
		<-r.Context().Done()
		return
	case "broken":
		panic(http.ErrAbortHandler)
	}
	from := r.Header.Get("Origin")
	for _, f := range a.fields {
		if from == "" && strings.Contains(f[1], "{origin}") {
			continue
		}
		w.Header().Add(f[0], strings.ReplaceAll(f[1], "{origin}", from))
	}
	code, _ := strconv.Atoi(a.status) // parseAnswers has checked it
	w.WriteHeader(code)
	if _, err := io.WriteString(w, strings.ReplaceAll(a.content, "{n}", strconv.Itoa(n))); err != nil {
		return // the client has left
	}
}

// start listens, at the same address when it was stopped before.
func (s *service) start() error {
	l, err := net.Listen("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return fmt.Errorf("cannot start the service: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.server, s.done = &http.Server{Handler: s}, make(chan struct{})
	go func() { defer close(s.done); _ = s.server.Serve(l) }()
	return nil
}

func (s *service) stop() {
	if s.server == nil {
		return
	}
	_ = s.server.Close()
	<-s.done
	s.server = nil
}

// report says what requests came since it was asked last, with the named
// fields of each.
func (s *service) report(w io.Writer, fields []string) error {
	s.mu.Lock()
	came := s.seen
	s.seen = nil
	s.mu.Unlock()
	for _, r := range came {
		line := r.Method + " " + r.URL.RequestURI()
		if slices.Contains(fields, "Host") {
			line += " | Host: " + r.Host
		}
		for _, name := range fields {
			for _, value := range r.Header.Values(name) {
				line += " | " + name + ": " + value
			}
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// cmdService is the script command.
func cmdService(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "service")
	if len(args) < 2 {
		ts.Fatalf("usage: service NAME FILE|stop|seen [FIELD]...")
	}
	st := stateOf(ts)
	s := st.services[args[0]]
	if s == nil {
		s = &service{url: "http://127.0.0.1:0"}
		st.services[args[0]] = s
	}
	switch args[1] {
	case "stop":
		s.stop()
	case "seen":
		ts.Check(s.report(ts.Stdout(), args[2:]))
	default:
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		ts.Check(err)
		answers, err := parseAnswers(string(text))
		ts.Check(err)
		s.mu.Lock()
		s.answers = answers
		s.mu.Unlock()
		if s.server == nil {
			ts.Check(s.start())
		}
	}
	ts.Setenv(strings.ToUpper(args[0]), s.url)
}

// TestService keeps the scripts' services honest.
func TestService(t *testing.T) {
	const text = "GET /a\n403\nX-Who: {origin}\nX-Two: 1\nX-Two: 2\n\nno {n}\n%%\n* /b/\n204\n"
	answers, err := parseAnswers(text)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{url: "http://127.0.0.1:0", answers: answers}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, c := range []struct{ method, path, origin, want string }{
		{"GET", "/a", "https://x.example", "403\nContent-Length: 5\nContent-Type: text/plain; charset=utf-8\nX-Two: 1\nX-Two: 2\nX-Who: https://x.example\n\nno 1\n"},
		{"GET", "/a", "", "403\nContent-Length: 5\nContent-Type: text/plain; charset=utf-8\nX-Two: 1\nX-Two: 2\n\nno 2\n"},
		{"PUT", "/b/c", "", "204\n\n"},
		{"PUT", "/a", "", "500\nContent-Length: 33\nContent-Type: text/plain; charset=utf-8\n\nthe script has no answer to this\n"},
	} {
		q := query{method: c.method, url: s.url + c.path, fields: http.Header{}}
		if c.origin != "" {
			q.fields.Set("Origin", c.origin)
		}
		if o := q.run(); o.err != nil || o.text != c.want {
			t.Errorf("%s %s: got %q, %v; want %q", c.method, c.path, o.text, o.err, c.want)
		}
	}
	var seen strings.Builder
	if err := s.report(&seen, []string{"Origin"}); err != nil {
		t.Fatal(err)
	}
	if want := "GET /a | Origin: https://x.example\nGET /a\nPUT /b/c\nPUT /a\n"; seen.String() != want {
		t.Errorf("seen: got %q, want %q", seen.String(), want)
	}
	for _, bad := range []string{"", "GET /\n", "GET /\n99\n", "GET\n200\n", "GET /\n200\nX\n"} {
		if list, err := parseAnswers(bad); err == nil {
			t.Errorf("parseAnswers(%q) = %v, want an error", bad, list)
		}
	}
}
