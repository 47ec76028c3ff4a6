package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/scenario"
)

// TestShortLoad is the short form of all scenarios against the program, as
// built from this tree. It takes about a minute.
func TestShortLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("puts the program under load for a minute")
	}
	out := filepath.Join(t.TempDir(), "report.html")
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"-short", "-out", out}, &stdout, &stderr)
	t.Logf("%s%s", stdout.String(), stderr.String())
	if code != exitGood {
		t.Errorf("exit %d, want %d", code, exitGood)
	}
	page, err := os.ReadFile(out)
	if good := strings.Contains(string(page), "Every promise was kept."); err != nil || good != (code == exitGood) {
		t.Errorf("the report has %d bytes, %v, says that all is good: %t; the exit code was %d", len(page), err, good, code)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"-help"}, exitGood, "-scenario"},
		{[]string{"-list"}, exitGood, ""},
		{[]string{"-colour"}, exitUsage, "colour"},
		{[]string{"steady"}, exitUsage, `["steady"] are no flags`},
		{[]string{"-rate", "-1"}, exitUsage, "negative"},
		{[]string{"-scenario", "steady,rush"}, exitUsage, `"rush": there is none of this name; there are steady`},
		{[]string{"-scenario", "steady", "-binary", "/nowhere/at/all"}, exitCannot, "cannot start"},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.say) {
			t.Errorf("%q: exit %d, %s; want %d and %q", c.args, code, stderr.String(), c.code, c.say)
		}
	}
}

func TestListNamesAll(t *testing.T) {
	var stdout, stderr strings.Builder
	run(t.Context(), []string{"-list"}, &stdout, &stderr)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenario.All() {
		if !strings.Contains(stdout.String(), s.Name+" ") {
			t.Errorf("-list does not have %s", s.Name)
		}
		if !strings.Contains(string(readme), "| `"+s.Name+"` |") {
			t.Errorf("README.md does not have %s", s.Name)
		}
	}
}

func TestOptions(t *testing.T) {
	steady := scenario.All()[0]
	for _, c := range []struct {
		args string
		want scenario.Options
	}{
		{"", scenario.Options{Rate: 500, Duration: time.Minute, Seed: 1}},
		{"-short", scenario.Options{Rate: steady.Short.Rate, Duration: steady.Short.Duration, Seed: 1}},
		{"-short -rate 9 -seed 3", scenario.Options{Rate: 9, Duration: steady.Short.Duration, Seed: 3}},
		{"-duration 2m -h2", scenario.Options{Rate: 500, Duration: 2 * time.Minute, Seed: 1, Secure: true}},
	} {
		parsed, err := parse(strings.Fields(c.args), &strings.Builder{})
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.options(steady); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.args, got, c.want)
		}
	}
}

// The short form must stay one: CI runs it.
func TestShortIsShort(t *testing.T) {
	var sum time.Duration
	for _, s := range scenario.All() {
		sum += s.Short.Duration
	}
	if sum > 45*time.Second {
		t.Errorf("the loads of the short form take %s together, want 45s at most", sum)
	}
}

func TestVerdict(t *testing.T) {
	kept, lost := scenario.Promise{Kept: true}, scenario.Promise{}
	var out strings.Builder
	if code := verdict(&out, []*scenario.Result{{Promises: []scenario.Promise{kept}}}); code != exitGood {
		t.Errorf("all kept: exit %d", code)
	}
	if code := verdict(&out, []*scenario.Result{{Promises: []scenario.Promise{kept}}, {Promises: []scenario.Promise{kept, lost}}}); code != exitBroken {
		t.Errorf("one broken: exit %d", code)
	}
	if got := out.String(); !strings.HasSuffix(got, "2 scenarios, 3 promises, 1 broken\n") {
		t.Errorf("said %q", got)
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	if code := run(ctx, []string{"-short", "-scenario", "steady"}, &stdout, &stderr); code != exitCannot {
		t.Errorf("exit %d, want %d", code, exitCannot)
	}
}

func TestDecide(t *testing.T) {
	load, err := openloop.Run(t.Context(), openloop.Config{Schedule: openloop.Constant(1, 0), Workers: 1}, func(context.Context, int) openloop.Outcome { return openloop.Outcome{} })
	if err != nil {
		t.Fatal(err)
	}
	broken := &scenario.Result{Scenario: scenario.All()[0], Load: load, Promises: []scenario.Promise{{Text: "fast"}}}
	tries := 0
	var out strings.Builder
	r, err := decide(&out, func() (*scenario.Result, error) { tries++; return broken, nil })
	if err != nil || r != broken || tries != 1 || !strings.Contains(out.String(), "BROKEN: fast") {
		t.Errorf("a machine that is not busy: %d tries, %v, %s; want one", tries, err, out.String())
	}
	cannot := errors.New("no port")
	if _, err := decide(&out, func() (*scenario.Result, error) { return nil, cannot }); !errors.Is(err, cannot) {
		t.Errorf("%v, want %v", err, cannot)
	}
}
