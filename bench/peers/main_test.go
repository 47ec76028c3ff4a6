package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"veneer/bench/peers/internal/bare"
	"veneer/bench/peers/internal/contest"
	"veneer/bench/peers/internal/peer"
	"veneer/bench/peers/internal/usage"
)

// The test binary is the servers that the command starts, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bare.Command {
		os.Exit(dispatch(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "not defined"},
		{[]string{"more"}, "are no flags"},
		{[]string{"-rounds", "0"}, "at least 1 round"},
		{[]string{"-time", "1ms"}, "100ms"},
		{[]string{"-connections", "-1"}, "1 connection"},
		{[]string{"-cores", "0"}, "on the cores"},
		{[]string{"-cores", "a,b"}, "on the cores"},
		{[]string{"-rows", "h3-1k"}, "there are h1-1k,"},
		{[]string{"-servers", "apache"}, "there are floor,"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), c.args, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%q ends with %d: %s", c.args, code, stderr.String())
		}
	}
	if code := run(context.Background(), []string{"-h"}, io.Discard, io.Discard); code != exitGood {
		t.Errorf("-h ends with %d", code)
	}
}

func TestList(t *testing.T) {
	var stdout bytes.Buffer
	if code := run(context.Background(), []string{"-list"}, &stdout, io.Discard); code != exitGood {
		t.Fatalf("it ends with %d", code)
	}
	for _, r := range contest.Rows() {
		if !strings.Contains(stdout.String(), r.Name) {
			t.Errorf("row %s is missing", r.Name)
		}
	}
	for _, s := range peer.All() {
		if !strings.Contains(stdout.String(), s.Name) {
			t.Errorf("server %s is missing", s.Name)
		}
	}
}

func TestCannotRun(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var stderr bytes.Buffer
	for want, args := range map[string][]string{
		"cannot build":              nil,
		"cannot send load with wrk": {"-binary", "veneer"},
		"with h2load":               {"-binary", "veneer", "-rows", "h2-1k"},
	} {
		stderr.Reset()
		if code := run(context.Background(), args, io.Discard, &stderr); code != exitCannot || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q without the programs that it needs ends with %d: %s", args, code, stderr.String())
		}
	}
	if code := dispatch(context.Background(), []string{bare.Command, "nobody"}); code != exitCannot {
		t.Errorf("a server that there is not ends with %d", code)
	}
}

// arguments are those of a short run, with cores that this machine has.
func arguments(t *testing.T, more ...string) []string {
	t.Helper()
	for _, program := range []string{"wrk", "taskset"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI has to run this", program)
		}
		t.Skipf("%s is not installed", program)
	}
	cores := firstTwo()
	if all, err := usage.System.Allowed(); err == nil && len(all) == 1 {
		one, _, _ := strings.Cut(cores, ",")
		cores = one + "," + one
	}
	return append([]string{"-rounds", "1", "-time", "300ms", "-cores", cores}, more...)
}

func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds Veneer and measures")
	}
	dir := t.TempDir()
	jsonFile, svgFile := filepath.Join(dir, "all.json"), filepath.Join(dir, "chart.svg")
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), arguments(t, "-rows", "h1-1k,miss-1k", "-servers", "floor,nethttp,reverse,veneer,veneer-nolane",
		"-v", "-json", jsonFile, "-svg", svgFile), &stdout, &stderr)
	t.Log("\n" + stdout.String() + stderr.String())
	if code != exitGood {
		t.Fatalf("it ends with %d", code)
	}
	text, err := os.ReadFile(jsonFile)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Outcomes []contest.Outcome }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var measured []string
	for _, o := range got.Outcomes {
		for i := range o.Entries {
			e := &o.Entries[i]
			if !e.Measured() || e.Cost().Median <= 0 {
				t.Errorf("%s: %s has no figures: %s", o.Row, e.Server, e.Why)
			}
			measured = append(measured, o.Row+" "+e.Server)
		}
	}
	want := []string{"h1-1k floor", "h1-1k nethttp", "h1-1k veneer", "h1-1k veneer-nolane", "miss-1k reverse", "miss-1k veneer", "miss-1k veneer-nolane"}
	if !slices.Equal(measured, want) {
		t.Errorf("measured are %q, want %q", measured, want)
	}
	svg, err := os.ReadFile(svgFile)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the chart is not well-formed: %v", err)
		}
	}
}

// A Veneer that is none is a finding, and no figure.
func TestFinding(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers")
	}
	program := filepath.Join(t.TempDir(), "veneer")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho broken; exit 4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), arguments(t, "-rows", "h1-1k", "-servers", "veneer", "-binary", program, "-goals"), &stdout, &stderr)
	if code != exitFinding {
		t.Errorf("it ends with %d: %s", code, stderr.String())
	}
	for _, want := range []string{"veneer: cannot start veneer: it has ended: exit status 4: broken\n", "FAULT        h1-1k: veneer: ", "not measured h1-1k    veneer ≤ 1.10 of floor\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not said:\n%s", want, stdout.String())
		}
	}
}
