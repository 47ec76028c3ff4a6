package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/bench/peers/internal/client"
	"veneer/bench/peers/internal/contest"
)

// entry makes one with a round for each cost, in microseconds.
func measured(server string, costs ...int) contest.Entry {
	e := contest.Entry{Server: server}
	for _, c := range costs {
		e.Rounds = append(e.Rounds, contest.Round{
			Result: client.Result{Requests: 1000, Took: time.Second},
			CPU:    time.Duration(c) * time.Millisecond, Clock: "schedstat", Others: 0.5,
		})
	}
	return e
}

func example() *Report {
	return &Report{
		Date:    time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC),
		Machine: Machine{Cores: 2, CPU: "a <CPU> & more", Kernel: "6.1"},
		Flags:   map[string]string{"rounds": "3", "time": "3s"},
		Outcomes: []contest.Outcome{
			{Row: "h1-1k", Title: "hit, HTTP/1.1, 1 KiB", Base: "floor", Entries: []contest.Entry{
				measured("floor", 10, 20, 10), measured("veneer", 20, 20, 30),
				{Server: "nginx", Why: "not installed"},
				{Server: "squid", Why: "round 2: 1 <failed> & more than there is room for in a chart", Rounds: []contest.Round{{}}},
			}},
			{Row: "miss-1k", Title: "not storable", Base: "reverse", Entries: []contest.Entry{
				{Server: "reverse", Why: "cannot start", Fault: true}, measured("veneer", 100),
			}},
		},
	}
}

func TestTable(t *testing.T) {
	const want = `h1-1k: hit, HTTP/1.1, 1 KiB (ratio to floor)
  server  CPU µs a request      min–max  ratio    min–max  requests/s  core  others
  floor              10.00  10.00–20.00   1.00  1.00–1.00        1000   1 %    50 %
  veneer             20.00  20.00–30.00   2.00  1.00–3.00        1000   2 %    50 %
  nginx: not installed
  squid: round 2: 1 <failed> & more than there is room for in a chart

miss-1k: not storable (ratio to reverse)
  server  CPU µs a request        min–max  ratio  min–max  requests/s  core  others
  veneer            100.00  100.00–100.00      -        -        1000  10 %    50 %
  reverse: cannot start

`
	var b strings.Builder
	if err := example().Table(&b, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestMarkdown(t *testing.T) {
	const want = `**hit, HTTP/1.1, 1 KiB**, ratio to floor

| server | CPU µs a request | min–max | ratio | min–max | requests/s | core | others |
|---|---:|---:|---:|---:|---:|---:|---:|
| floor | 10.00 | 10.00–20.00 | 1.00 | 1.00–1.00 | 1000 | 1 % | 50 % |
| veneer | 20.00 | 20.00–30.00 | 2.00 | 1.00–3.00 | 1000 | 2 % | 50 % |

- nginx: not installed
- squid: round 2: 1 <failed> & more than there is room for in a chart

**not storable**, ratio to reverse

| server | CPU µs a request | min–max | ratio | min–max | requests/s | core | others |
|---|---:|---:|---:|---:|---:|---:|---:|
| veneer | 100.00 | 100.00–100.00 | - | - | 1000 | 10 % | 50 % |

- reverse: cannot start

`
	var b strings.Builder
	if err := example().Table(&b, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSVG(t *testing.T) {
	var b strings.Builder
	if err := example().SVG(&b); err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is not well-formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
	// A bar for each server with a ratio: two, for the second row has no base.
	if count["svg"] != 1 || count["g"] != 2 || count["rect"] != 2 {
		t.Errorf("elements are %v", count)
	}
	for _, s := range []string{
		"prefers-color-scheme: dark", "currentColor", "2026-11-26 · a &lt;CPU&gt; &amp; more, 2 cores, kernel 6.1 · median of 3 rounds of 3s",
		"not installed", "round 2: 1 &lt;failed&gt; &amp; more than th…",
	} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("%q is missing", s)
		}
	}
	if err := (&Report{}).SVG(io.Discard); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

func TestCeiling(t *testing.T) {
	for most, want := range map[float64][2]float64{1: {1, 0.2}, 0.4: {0.4, 0.1}, 2.1: {2.5, 0.5}, 4.4: {5, 1}, 5: {5, 1}, 12: {15, 5}, 300: {300, 100}} {
		top, step := ceiling(most)
		if d := top - want[0]; d > 1e-9 || d < -1e-9 || step-want[1] > 1e-9 || want[1]-step > 1e-9 {
			t.Errorf("up to %v the axis goes to %v by %v, want %v", most, top, step, want)
		}
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := example().JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Date     time.Time
		Machine  Machine
		Flags    map[string]string
		Outcomes []struct {
			Row, Base string
			Entries   []struct {
				Server, Why string
				Fault       bool
				Rounds      []struct {
					Requests int64
					CPU      int64 `json:"cpu_ns"`
					Took     int64 `json:"took_ns"`
				}
				Ratio struct{ N, Min, Median, Max float64 }
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Outcomes) != 2 || len(got.Outcomes[0].Entries) != 4 || got.Machine.Cores != 2 || got.Flags["rounds"] != "3" {
		t.Fatalf("it is %s", b.String())
	}
	e := got.Outcomes[0].Entries[1]
	if e.Server != "veneer" || len(e.Rounds) != 3 || e.Rounds[2].CPU != 30e6 || e.Rounds[2].Took != 1e9 || e.Rounds[2].Requests != 1000 {
		t.Errorf("the rounds are %+v", e)
	}
	if e.Ratio.N != 3 || e.Ratio.Min != 1 || e.Ratio.Median != 2 || e.Ratio.Max != 3 {
		t.Errorf("the ratio is %+v", e.Ratio)
	}
	if e := got.Outcomes[1].Entries[0]; !e.Fault || e.Why != "cannot start" || e.Ratio.N != 0 {
		t.Errorf("what was not measured is %+v", e)
	}
}

func TestGoals(t *testing.T) {
	o := []contest.Outcome{{Row: "r", Base: "b", Entries: []contest.Entry{
		measured("b", 100, 100, 100), measured("a", 99, 105, 120), {Server: "bad", Why: "no"},
	}}}
	for _, c := range []struct {
		goal Goal
		want Verdict
		text string
	}{
		{Goal{Row: "r", Server: "a", Base: "b", Limit: 1.05}, Met, "r        a ≤ 1.05 of b: median 1.050, 0.99–1.20; others had 50 % of the core"},
		{Goal{Row: "r", Server: "a", Base: "b", Limit: 1.04}, Missed, "r        a ≤ 1.04 of b: median 1.050, 0.99–1.20; others had 50 % of the core"},
		{Goal{Row: "r", Server: "a", Base: "b", Limit: 1.02, Spread: true}, Met, "r        a ≤ 1.02 of b: lower quartile 1.020, 0.99–1.20; others had 50 % of the core"},
		{Goal{Row: "r", Server: "a", Base: "b", Limit: 1.01, Spread: true}, Missed, "r        a ≤ 1.01 of b: lower quartile 1.020, 0.99–1.20; others had 50 % of the core"},
		{Goal{Row: "r", Server: "bad", Base: "b", Limit: 1}, Open, "r        bad ≤ 1.00 of b"},
		{Goal{Row: "r", Server: "a", Base: "bad", Limit: 1}, Open, "r        a ≤ 1.00 of bad"},
		{Goal{Row: "s", Server: "a", Base: "b", Limit: 1}, Open, "s        a ≤ 1.00 of b"},
	} {
		if got, text := c.goal.Judge(o); got != c.want || text != c.text {
			t.Errorf("%+v: %v, %q, want %v, %q", c.goal, got, text, c.want, c.text)
		}
	}
}

func TestWriteGoals(t *testing.T) {
	var b strings.Builder
	if missed := example().WriteGoals(&b); missed != 1 {
		t.Errorf("%d are missed, want 1", missed)
	}
	if got := strings.Count(b.String(), "\n"); got != len(Goals) {
		t.Errorf("%d lines for %d goals", got, len(Goals))
	}
	if !strings.HasPrefix(b.String(), "MISSED       h1-1k    veneer ≤ 1.10 of floor: median 2.000, 1.00–3.00; others had 50 % of the core\n") {
		t.Errorf("they are\n%s", b.String())
	}
	b.Reset()
	if faults := example().WriteFaults(&b); faults != 1 || b.String() != "FAULT        miss-1k: reverse: cannot start\n" {
		t.Errorf("%d faults: %s", faults, b.String())
	}
}

func TestModel(t *testing.T) {
	if got := model("processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: other\n"); got != "Some CPU: fast" {
		t.Errorf("the model is %q", got)
	}
	if got := model("x"); got != "" {
		t.Errorf("the model of nothing is %q", got)
	}
	if got := ThisMachine(); got.Cores < 1 || got.System == "" {
		t.Errorf("this machine is %+v", got)
	}
}
