package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// step is one request of the demonstration and what is promised of the answer.
type step struct {
	method, path string
	fields       [][2]string // of the request
	status       int
	cache        string // what Cache-Status begins with
	origin       string // Access-Control-Allow-Origin; "" when there is none
	content      string // what the content begins with
}

const hit = "veneer; hit"

func from(origin string) [2]string { return [2]string{"Origin", origin} }

// demoSteps are the requests, in order: what is stored by one is met by the
// next.
func demoSteps() []step {
	const get = http.MethodGet
	const miss, preflight = "veneer; fwd=uri-miss", "veneer; detail=preflight"
	fields := func(f ...[2]string) [][2]string { return f }
	return []step{
		{get, "/hello", fields(from(demoApp)), 200, miss, demoApp, "hello (answer 1"},
		{get, "/hello", fields(from(demoApp)), 200, hit, demoApp, "hello (answer 1"},
		{get, "/hello", fields(from(demoPartner)), 200, miss, demoPartner, "hello (answer 2"},
		{get, "/hello", fields(from(demoPartner)), 200, hit, demoPartner, "hello (answer 2"},
		{get, "/hello", fields(from(demoStranger)), 200, miss, "", "hello (answer 3"},
		{get, "/hello", nil, 200, miss, "", "hello (answer 4"},
		{get, "/shared/hello", fields(from(demoApp)), 200, miss, demoApp, "one answer for every origin (answer 1"},
		{get, "/shared/hello", fields(from(demoPartner)), 200, hit, demoPartner, "one answer for every origin (answer 1"},
		{get, "/shared/hello", fields(from(demoStranger)), 200, hit, "", "one answer for every origin (answer 1"},
		{http.MethodOptions, "/hello", fields(from(demoApp), [2]string{"Access-Control-Request-Method", "PUT"}), 204, preflight, demoApp, ""},
		{http.MethodOptions, "/hello", fields(from(demoStranger), [2]string{"Access-Control-Request-Method", "PUT"}), 403, preflight, "", ""},
		{get, "/double", fields(from(demoApp)), 200, miss, demoApp, "two CORS layers (answer 1"},
		{get, "/double", fields(from(demoApp)), 200, hit, demoApp, "two CORS layers (answer 1"},
		{get, "/vary", fields([2]string{"Accept-Language", "de"}), 200, miss, "", "guten Morgen (answer 1"},
		{get, "/vary", fields([2]string{"Accept-Language", "en"}), 200, "veneer; fwd=vary-miss", "", "good morning (answer 2"},
		{get, "/vary", fields([2]string{"Accept-Language", "de"}), 200, hit, "", "guten Morgen (answer 1"},
		{get, "/private", nil, 200, miss, "", "for you alone (answer 1"},
		{get, "/private", nil, 200, miss, "", "for you alone (answer 2"},
		{get, "/cookie", nil, 200, miss, "", "with a cookie of your own (answer 1"},
		{get, "/cookie", nil, 200, miss, "", "with a cookie of your own (answer 2"},
		{get, "/swr", nil, 200, miss, "", "refreshed behind your back (answer 1"},
		{get, "/swr", nil, 200, hit, "", "refreshed behind your back (answer"},
		{get, "/broken", fields(from(demoApp)), 200, miss, demoApp, "well for once (answer 1"},
		{get, "/broken", fields(from(demoApp)), 200, "veneer; fwd=stale; fwd-status=503", demoApp, "well for once (answer 1"},
		{get, "/drip", nil, 200, miss, "", "piece 1 of 5"},
		{get, "/drip", nil, 200, hit, "", "piece 1 of 5"},
	}
}

// onceTimeout bounds the whole of demo --once.
const onceTimeout = 30 * time.Second

// demoOnce runs the demonstration against itself, on free ports.
func demoOnce(ctx context.Context, s *streams) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	a, up, err := startDemo(ctx, "127.0.0.1:0", "127.0.0.1:0", paceProgram, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer up.close()
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()

	transport := &http.Transport{DisableCompression: true}
	visit := &visitor{base: "http://" + a.Addrs()[0].String(), client: http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	table := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "REQUEST\tSTATUS\tCACHE-STATUS\tACCESS-CONTROL-ALLOW-ORIGIN\t")
	faults := visit.walk(ctx, table, demoSteps())
	faults = append(faults, visit.crowd(ctx, table, up)...)
	transport.CloseIdleConnections()
	_ = table.Flush() // a reader that has gone does not change the verdict

	drainErr := a.Drain(ctx)
	if err := <-ran; err != nil && drainErr == nil {
		drainErr = err
	}
	for _, f := range faults {
		fmt.Fprintln(s.err, paint(s.err, red, f))
	}
	switch {
	case drainErr != nil:
		return drainErr
	case len(faults) > 0:
		return fmt.Errorf("%s not as promised", count(len(faults), "answer"))
	}
	_, err = fmt.Fprintln(s.out, paint(s.out, green, "all as promised"))
	return err
}

// visitor sends the requests of the demonstration.
type visitor struct {
	base   string
	client http.Client
}

// answer is what the demonstration looks at in a response.
type answer struct {
	status        int
	cache, origin string
	content       string
}

func (v *visitor) ask(ctx context.Context, st step) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, st.method, v.base+st.path, nil)
	if err != nil {
		return answer{}, err
	}
	for _, f := range st.fields {
		r.Header.Add(f[0], f[1])
	}
	res, err := v.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return answer{
		status: res.StatusCode, content: string(content),
		// All lines: a doubled field must not look like a single one.
		cache:  strings.Join(res.Header["Cache-Status"], " | "),
		origin: strings.Join(res.Header["Access-Control-Allow-Origin"], " | "),
	}, err
}

// walk sends one request after the other and returns what was not as promised.
func (v *visitor) walk(ctx context.Context, table io.Writer, steps []step) (faults []string) {
	for _, st := range steps {
		a, err := v.ask(ctx, st)
		for err == nil && strings.Contains(a.cache, "collapsed") {
			// The client before had all content a moment before the store
			// did, and this one got it from the same fetch.
			a, err = v.ask(ctx, st)
		}
		what := st.String()
		if err != nil {
			faults = append(faults, what+": "+err.Error())
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t\n", what, a.status, a.cache, a.origin)
		if why := st.differs(a); why != "" {
			faults = append(faults, what+": "+why)
		}
	}
	return faults
}

// String names a step by what tells it from the others.
func (st step) String() string {
	s := st.method + " " + st.path
	for _, f := range st.fields {
		if f[0] == "Origin" || f[0] == "Accept-Language" {
			s += " " + strings.TrimPrefix(f[1], "https://")
		}
	}
	return s
}

// differs says in what an answer is not what was promised, or "".
func (st step) differs(a answer) string {
	var why []string
	note := func(what, got, want string) { why = append(why, fmt.Sprintf("%s: got %q, want %q", what, got, want)) }
	if a.status != st.status {
		note("status", fmt.Sprint(a.status), fmt.Sprint(st.status))
	}
	if !strings.HasPrefix(a.cache, st.cache) {
		note("Cache-Status", a.cache, st.cache)
	}
	if a.origin != st.origin {
		note("Access-Control-Allow-Origin", a.origin, st.origin)
	}
	if !strings.HasPrefix(a.content, st.content) {
		note("content", a.content, st.content)
	}
	return strings.Join(why, "; ")
}

// crowdSize is how many ask for /slow at once.
const crowdSize = 8

// crowd asks for /slow many times at once: the upstream must be asked once.
func (v *visitor) crowd(ctx context.Context, table io.Writer, up *demoUpstream) (faults []string) {
	st := step{method: http.MethodGet, path: "/slow", status: 200, cache: "veneer; ", content: "slow to make (answer 1"}
	var all sync.WaitGroup
	var mu sync.Mutex // guards faults and collapsed
	collapsed := 0
	for range crowdSize {
		all.Go(func() {
			a, err := v.ask(ctx, st)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				faults = append(faults, st.String()+": "+err.Error())
			case st.differs(a) != "":
				faults = append(faults, st.String()+": "+st.differs(a))
			}
			if strings.Contains(a.cache, "collapsed") {
				collapsed++
			}
		})
	}
	all.Wait()
	fetches := up.counter(st.path).Load()
	fmt.Fprintf(table, "%s, %d at once\t200\t%d collapsed, %d fetch\t\t\n", st, crowdSize, collapsed, fetches)
	if fetches != 1 {
		faults = append(faults, fmt.Sprintf("%s: the upstream was asked %d times, want 1", st, fetches))
	}
	return faults
}
