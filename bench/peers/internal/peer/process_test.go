package peer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veneer/bench/peers/internal/usage"
)

// first is a core that this process may use.
func first(t *testing.T) int {
	t.Helper()
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("servers are put on their core by taskset, which is not installed")
	}
	cores, err := usage.System.Allowed()
	if err != nil {
		t.Skip(err)
	}
	return cores[0]
}

func TestStartAndStop(t *testing.T) {
	core := first(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := place(t)
	p.Core, p.HTTP, p.HTTPS = core, free(t), ""
	programs := Programs{Self: self}
	process, err := Start(context.Background(), programs, byName(t, "floor"), p, Work{Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	checker := Checker{Work: Work{Size: 10}}
	if err := checker.Check(context.Background(), process); err != nil {
		t.Error(err)
	}
	if _, err := usage.System.Read(process.PID()); err != nil {
		t.Error(err)
	}
	if err := process.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := usage.System.Read(process.PID()); err == nil {
		t.Error("it runs after it was stopped")
	}
}

func TestStartErrors(t *testing.T) {
	core := first(t)
	p := place(t)
	p.Core, p.HTTP = core, free(t)
	script := func(text string) string {
		file := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	none := func(values) []string { return nil }
	for want, s := range map[string]*Server{
		"not installed":                   {Name: "a", program: "no-such-program", args: none},
		"has ended: exit status 7: a b c": {Name: "b", program: script("echo a; echo '  b c' >&2; exit 7\n"), args: none},
		"has ended: exit status 0":        {Name: "c", program: script("exit 0\n"), args: none},
		"not built yet in this release":   {Name: "d", program: veneer, args: none},
	} {
		programs := Programs{Veneer: script("echo 'telemetry.traces: is not built yet in this release; fix: x'; exit 1\n")}
		if _, err := Start(context.Background(), programs, s, p, Work{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", s.Name, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := &Server{Name: "e", program: script("exec sleep 60\n"), args: none}
	if _, err := Start(ctx, Programs{}, s, p, Work{}); err == nil || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("a server that does not listen: %v", err)
	}
}

func TestTail(t *testing.T) {
	var l tail
	for range 1000 {
		_, _ = l.Write([]byte("0123 56\n"))
	}
	if got := l.String(); len(got) > tailSize || !strings.HasSuffix(got, "56 0123 56") {
		t.Errorf("%d bytes end in %q", len(got), got[len(got)-20:])
	}
}
