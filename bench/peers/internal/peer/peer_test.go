package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veneer/bench/peers/internal/bare"
)

// The test binary is the Go servers too, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bare.Command {
		if err := bare.Run(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func place(t *testing.T) Place {
	t.Helper()
	dir := t.TempDir()
	c, err := Certify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Place{
		Dir: dir, HTTP: "127.0.0.1:18001", HTTPS: "127.0.0.1:18002", Upstream: "127.0.0.1:18003", Sink: "127.0.0.1:18004",
		Cert: c.Cert, Key: c.Key, Both: c.Both,
	}
}

func byName(t *testing.T, name string) *Server {
	t.Helper()
	for _, s := range All() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no server %s", name)
	return nil
}

// Every configuration names where it listens, whom it asks and what CORS needs,
// as far as its server can do the work at all.
func TestConfigurations(t *testing.T) {
	for _, s := range All() {
		if s.config == "" {
			continue
		}
		for _, w := range []Work{{}, {Protocol: HTTP2}, {Miss: true}} {
			if !s.Takes(w) {
				continue
			}
			p := place(t)
			args, err := s.prepare(p, w)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(args, "\n")
			files, err := os.ReadDir(p.Dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				text, err := os.ReadFile(filepath.Join(p.Dir, f.Name()))
				if err != nil {
					t.Fatal(err)
				}
				all += string(text)
			}
			for _, port := range []string{"18001", "18003"} {
				if !strings.Contains(all, port) {
					t.Errorf("%s %+v: nothing says %s", s.Name, w, port)
				}
			}
			if w.Protocol != HTTP1 && !strings.Contains(all, "18002") {
				t.Errorf("%s %+v: nothing says 18002", s.Name, w)
			}
			if strings.Contains(all, "<no value>") {
				t.Errorf("%s %+v: a value is missing:\n%s", s.Name, w, all)
			}
		}
	}
}

func TestMissIsNotCached(t *testing.T) {
	for name, words := range map[string][]string{"nginx": {"proxy_cache"}, "haproxy": {"cache-use", "cache-store", "set-query"}} {
		s := byName(t, name)
		for _, miss := range []bool{false, true} {
			files, err := fill(s.config, values{Place: place(t), Work: Work{Miss: miss}, Origins: Origins})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range words {
				if got := strings.Contains(files[s.config], w); got == miss {
					t.Errorf("%s, miss %v: it says %s: %v", name, miss, w, got)
				}
			}
		}
	}
}

func TestVariants(t *testing.T) {
	for name, want := range map[string][]string{
		"veneer": {"lane: true"}, "veneer-nolane": {"lane: false"},
		"veneer-traces": {"lane: true", `traces: { endpoint: "http://127.0.0.1:18004", sample: 0.01 }`},
	} {
		s := byName(t, name)
		files, err := fill(s.config, values{Place: place(t), Origins: Origins, Variant: s.variant})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(files["veneer.yaml"], w) {
				t.Errorf("%s has no %q:\n%s", name, w, files["veneer.yaml"])
			}
		}
		if got := strings.Contains(files["veneer.yaml"], "telemetry"); got != (s.variant.Traces != "") {
			t.Errorf("%s has telemetry: %v", name, got)
		}
	}
}

// What a program itself thinks of its configuration, where it is installed.
func TestProgramsTakeTheirConfigurations(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts other programs")
	}
	for name, check := range map[string][]string{
		"nginx": {"-t"}, "haproxy": {"-c"}, "squid": {"-k", "parse"}, "varnish": {"-C"},
	} {
		t.Run(name, func(t *testing.T) {
			s := byName(t, name)
			program, err := Programs{}.Find(s)
			if err != nil {
				t.Skip(err)
			}
			for _, w := range []Work{{}, {Miss: true}} {
				if !s.Takes(w) {
					continue
				}
				p := place(t)
				args, err := s.prepare(p, w)
				if err != nil {
					t.Fatal(err)
				}
				if name == "varnish" { // it knows few other arguments beside -C
					args = []string{"-j", "none", "-f", filepath.Join(p.Dir, s.config)}
				}
				out, err := exec.Command(program, append(check, args...)...).CombinedOutput()
				if err != nil {
					t.Errorf("%s %q: %v\n%s", name, args, err, out)
				}
			}
		})
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "server"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := find("server", nil); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a program that is nowhere: %v", err)
	}
	if got, err := find("server", []string{t.TempDir(), dir}); err != nil || got != filepath.Join(dir, "server") {
		t.Errorf("a program outside of PATH: %q, %v", got, err)
	}
	t.Setenv("PATH", dir)
	if got, err := find("server", nil); err != nil || got != filepath.Join(dir, "server") {
		t.Errorf("a program in PATH: %q, %v", got, err)
	}
	p := Programs{Self: "me", Veneer: "it"}
	if got, _ := p.Find(byName(t, "floor")); got != "me" {
		t.Errorf("the floor is %q", got)
	}
	if got, _ := p.Find(byName(t, "veneer")); got != "it" {
		t.Errorf("Veneer is %q", got)
	}
}

func TestPart(t *testing.T) {
	if _, err := fill("varnish.vcl", values{Place: Place{Upstream: "nowhere"}}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("an upstream without a port: %v", err)
	}
}
