package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const wrkGood = `Running 1s test @ http://127.0.0.1:7811/page
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   278.45us    0.86ms  12.67ms   94.96%
    Req/Sec    49.46k     8.96k   61.38k    70.00%
  49158 requests in 1.00s, 56.63MB read
Requests/sec:  49005.30
Transfer/sec:     56.46MB
`

const wrkBad = `Running 1s test @ http://127.0.0.1:7822/page
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    38.63ms   17.41ms  72.14ms   78.52%
    Req/Sec   149.30     18.01   181.00     60.00%
  149 requests in 300.05ms, 18.80KB read
  Socket errors: connect 0, read 25, write 0, timeout 0
  Non-2xx or 3xx responses: 100
Requests/sec:    148.71
Transfer/sec:     18.77KB
`

func TestParseWrk(t *testing.T) {
	for _, c := range []struct {
		name, out string
		want      Result
		err       string
	}{
		{name: "good", out: wrkGood, want: Result{Requests: 49158, Took: time.Second}},
		{name: "bad", out: wrkBad, want: Result{
			Requests: 149, Took: 300050 * time.Microsecond,
			Problem: "Socket errors: connect 0, read 25, write 0, timeout 0; Non-2xx or 3xx responses: 100",
		}},
		{name: "minutes", out: "  7 requests in 1.50m, 1.00KB read\n", want: Result{Requests: 7, Took: 90 * time.Second}},
		{name: "none", out: "  0 requests in 1.00s, 0.00B read\n", want: Result{Took: time.Second, Problem: "no request was answered"}},
		{name: "refused", out: "unable to connect to 127.0.0.1:1 Connection refused\n", err: "Connection refused"},
		{name: "number", out: "  99999999999999999999 requests in 1.00s, 0.00B read\n", err: "out of range"},
		{name: "unit", out: "  1 requests in 1.00x, 0.00B read\n", err: "1.00x"},
		{name: "empty", err: "no line says"},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, parseWrk, c.out, c.want, c.err) })
	}
}

const h2Good = `starting benchmark...
Main benchmark duration is over for thread #0. Stopping all clients.
Stopped all clients for thread #0

finished in 302.59ms, 17516.67 req/s, 17.57MB/s
requests: 5255 total, 5263 started, 5255 done, 5255 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 5255 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 5.27MB (5528600) total, 51.53KB (52768) headers (space savings 95.00%), 5.13MB (5381120) data
`

func TestParseH2load(t *testing.T) {
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(h2Good) }
	for _, c := range []struct {
		name, out string
		want      Result
		err       string
	}{
		{name: "good", out: h2Good, want: Result{Requests: 5255}},
		{
			name: "failed", out: swap("5255 succeeded, 0 failed", "5250 succeeded, 5 failed"),
			want: Result{Requests: 5255, Problem: "5 failed, 0 errored, 0 timeout of 5255"},
		},
		{
			name: "errored", out: swap("0 errored", "3 errored"),
			want: Result{Requests: 5255, Problem: "0 failed, 3 errored, 0 timeout of 5255"},
		},
		{
			name: "late", out: swap("0 timeout", "1 timeout"),
			want: Result{Requests: 5255, Problem: "0 failed, 0 errored, 1 timeout of 5255"},
		},
		{
			name: "redirected", out: swap("5255 2xx, 0 3xx", "5254 2xx, 1 3xx"),
			want: Result{Requests: 5255, Problem: "1 of 5255 answers have no 2xx status"},
		},
		{name: "none", out: swap("5255", "0"), want: Result{Problem: "no request was answered"}},
		{name: "no statuses", out: swap("status codes:", "codes:"), err: "a line is missing"},
		{name: "number", out: swap("5255 done", "99999999999999999999 done"), err: "out of range"},
		{name: "empty", err: "a line is missing"},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, parseH2load, c.out, c.want, c.err) })
	}
}

func check(t *testing.T, parse func(string) (Result, error), out string, want Result, wrong string) {
	t.Helper()
	got, err := parse(out)
	if wrong != "" {
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Fatalf("error is %v, want one with %q", err, wrong)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestArguments(t *testing.T) {
	l := Load{URL: "http://127.0.0.1:1/page", Fields: []string{"Origin: https://a.example"}, Connections: 32, Time: 300 * time.Millisecond}
	if got, want := l.wrk(), []string{"wrk", "-t", "1", "-c", "32", "-d", "1s", "--timeout", "30s", "-H", "Origin: https://a.example", "http://127.0.0.1:1/page"}; !slices.Equal(got, want) {
		t.Errorf("wrk gets %q, want %q", got, want)
	}
	l.Connections, l.Streams, l.Time = 8, 16, 3*time.Second
	want := []string{"h2load", "-t", "1", "-c", "8", "-m", "16", "-D", "3000ms", "-H", "Origin: https://a.example", "http://127.0.0.1:1/page"}
	if got := l.h2load(); !slices.Equal(got, want) {
		t.Errorf("h2load gets %q, want %q", got, want)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, streams := range []int{0, 1} {
		l := Load{Streams: streams, Time: time.Second}
		if _, err := l.Run(context.Background()); !errors.Is(err, ErrMissing) {
			t.Errorf("without %s the error is %v", l.Program(), err)
		}
	}
}

func TestRate(t *testing.T) {
	if got := (Result{Requests: 30, Took: 1500 * time.Millisecond}).Rate(); got != 20 {
		t.Errorf("rate is %v, want 20", got)
	}
	if got := (Result{}).Rate(); got != 0 {
		t.Errorf("rate of nothing is %v", got)
	}
}
