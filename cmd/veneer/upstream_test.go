package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// application is a small upstream. Every answer says how many requests it got:
//
//	/hang     answers after "upstream release"
//	/private  is not stored
//	others    are fresh for a minute
type application struct {
	address string
	server  *http.Server // nil while it is stopped
	done    chan struct{}
	count   atomic.Int64
	free    chan struct{} // closed by release

	mu   sync.Mutex // guards came
	came map[string]chan struct{}
}

func newApplication() *application {
	return &application{address: "127.0.0.1:0", free: make(chan struct{}), came: make(map[string]chan struct{})}
}

// arrival is closed when the first request for path comes.
func (a *application) arrival(path string) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.came[path] == nil {
		a.came[path] = make(chan struct{})
	}
	return a.came[path]
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := a.count.Add(1)
	if c := a.arrival(r.URL.Path); !closed(c) {
		a.mu.Lock()
		if !closed(c) {
			close(c)
		}
		a.mu.Unlock()
	}
	w.Header()["Content-Type"] = []string{"text/plain"}
	w.Header()["Cache-Control"] = []string{"public, max-age=60"}
	switch r.URL.Path {
	case "/private":
		w.Header()["Cache-Control"] = []string{"private, no-store"}
	case "/hang":
		select {
		case <-a.free:
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprintf(w, "answer %d\n", n)
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (a *application) start() error {
	l, err := net.Listen("tcp", a.address)
	if err != nil {
		return err
	}
	a.address = l.Addr().String()
	a.server, a.done = &http.Server{Handler: a}, make(chan struct{})
	go func() { defer close(a.done); _ = a.server.Serve(l) }()
	return nil
}

func (a *application) stop() {
	if a.server == nil {
		return
	}
	_ = a.server.Close()
	<-a.done
	a.server = nil
}

func cmdUpstream(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "upstream")
	s := stateOf(ts)
	if s.app == nil {
		s.app = newApplication()
	}
	switch {
	case slices.Equal(args, []string{"start"}):
		ts.Check(s.app.start())
	case slices.Equal(args, []string{"stop"}):
		s.app.stop()
	case slices.Equal(args, []string{"reserve"}):
		ts.Check(s.app.start())
		s.app.stop()
	case slices.Equal(args, []string{"release"}):
		close(s.app.free)
	case len(args) == 2 && args[0] == "await":
		select {
		case <-s.app.arrival(args[1]):
		case <-time.After(patience):
			ts.Fatalf("no request for %s came", args[1])
		}
	default:
		ts.Fatalf("usage: upstream start|stop|reserve|release|await PATH")
	}
	ts.Setenv("UPSTREAM", "http://"+s.app.address)
	ts.Setenv("UPSTREAM_ADDRESS", s.app.address)
}

// query is one request of a script.
type query struct {
	method, url string
	fields      http.Header
	until       *regexp.Regexp // ask again until the answer matches; nil: once
}

func parseQuery(ts *testscript.TestScript, args []string) query {
	q := query{fields: http.Header{}}
	for len(args) > 2 {
		switch name, value, ok := strings.Cut(args[1], ": "); {
		case args[0] == "-until":
			re, err := regexp.Compile(args[1])
			ts.Check(err)
			q.until = re
		case args[0] == "-H" && ok:
			q.fields.Add(name, value)
		default:
			ts.Fatalf("what is %s %s?", args[0], args[1])
		}
		args = args[2:]
	}
	if len(args) != 2 {
		ts.Fatalf("usage: [-until PATTERN] [-H 'NAME: VALUE']... METHOD URL")
	}
	q.method, q.url = args[0], args[1]
	return q
}

// outcome is an answer as a script sees it: status, fields in order, content.
type outcome struct {
	text string
	err  error
}

// send sends the request over a connection of its own.
func (q query) send(ctx context.Context) outcome {
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, nil)
	if err != nil {
		return outcome{err: err}
	}
	r.Header = q.fields
	r.Close = true
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	var b strings.Builder
	fmt.Fprintln(&b, res.StatusCode)
	_ = res.Header.WriteSubset(&b, map[string]bool{"Date": true})
	b.WriteString("\n")
	_, err = io.Copy(&b, res.Body)
	return outcome{text: strings.ReplaceAll(b.String(), "\r\n", "\n"), err: err}
}

// run sends the request until its answer is as wanted.
func (q query) run() outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		o := q.send(ctx)
		if q.until == nil || o.err == nil && q.until.MatchString(o.text) {
			return o
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			if o.err == nil {
				o.err = fmt.Errorf("no answer matches %q; the last one:\n%s", q.until, o.text)
			}
			return o
		}
	}
}

func printOutcome(ts *testscript.TestScript, neg bool, o outcome) {
	switch {
	case o.err != nil && !neg:
		ts.Fatalf("%v", o.err)
	case o.err == nil && neg:
		ts.Fatalf("it was answered:\n%s", o.text)
	}
	_, err := io.WriteString(ts.Stdout(), o.text)
	ts.Check(err)
}

func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	printOutcome(ts, neg, parseQuery(ts, args).run())
}

func cmdRequest(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "request")
	if len(args) == 0 {
		ts.Fatalf("usage: request NAME ...")
	}
	q, c := parseQuery(ts, args[1:]), make(chan outcome, 1)
	stateOf(ts).requests[args[0]] = c
	go func() { c <- q.run() }()
}

func cmdResponse(ts *testscript.TestScript, neg bool, args []string) {
	s := stateOf(ts)
	if len(args) != 1 || s.requests[args[0]] == nil {
		ts.Fatalf("usage: response NAME, of a request")
	}
	o := <-s.requests[args[0]]
	delete(s.requests, args[0])
	printOutcome(ts, neg, o)
}

// TestApplication keeps the scripts' upstream honest.
func TestApplication(t *testing.T) {
	a := newApplication()
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	defer a.stop()
	o := query{method: "GET", fields: http.Header{}, url: "http://" + a.address + "/private"}.run()
	const want = "200\nCache-Control: private, no-store\nContent-Length: 9\nContent-Type: text/plain\n\nanswer 1\n"
	if o.err != nil || o.text != want {
		t.Errorf("got %q, %v; want %q", o.text, o.err, want)
	}
}
