package deploy

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd takes the unit, finds it well locked down, and the program knows the
// commands that it starts. systemd itself is not run.
func TestSystemdUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	program := veneer(t)
	unit := read(t, "systemd/veneer.service")
	path := filepath.Join(t.TempDir(), "veneer.service")
	write(t, path, strings.ReplaceAll(unit, "/usr/bin/veneer ", program+" "))
	if out, err := output(t, exec.Command(analyze, "verify", "--man=no", path)); err != nil || out != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	const most = "15" // tenths
	if out, err := output(t, exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold="+most, path)); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
	commands := 0
	for line := range strings.Lines(unit) {
		if _, command, found := strings.Cut(strings.TrimSpace(line), "=/usr/bin/veneer "); found {
			commands++
			known(t, program, command)
		}
	}
	if commands != 2 {
		t.Errorf("the unit has %d commands of the program: want check and serve", commands)
	}
}

// What systemd's watchdog ends is not taken for a wrong command line, which
// would keep it from being started again.
func TestSystemdWatchdog(t *testing.T) {
	var environment []string
	watched := false
	for line := range strings.Lines(read(t, "systemd/veneer.service")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "Environment":
			environment = append(environment, value)
		case "WatchdogSec":
			watched = true
		}
	}
	if !watched {
		t.Error("the unit has no WatchdogSec")
	}
	admin := freeAddress(t)
	cmd := exec.Command(veneer(t), "serve", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", admin)
	cmd.Dir = t.TempDir() // of a core, where there is one
	cmd.Env = append(cmd.Environ(), environment...)
	p := start(t, "veneer", cmd)
	p.await(t, func() bool { return ready(t, admin) })
	if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("it outlives SIGABRT")
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGABRT {
		t.Errorf("it ends with %v, want by the signal: exit status 2 is not started again", cmd.ProcessState)
	}
	if said := p.said.String(); !strings.Contains(said, "goroutine ") {
		t.Errorf("it does not say where it hangs: %s", said)
	}
}

// The configurations that are no samples are good, too, with a token where
// they expect one. Those of Kubernetes are checked in the module checks.
func TestConfigurations(t *testing.T) {
	program := veneer(t)
	dir := t.TempDir()
	token := filepath.Join(dir, "admin_token")
	write(t, token, strings.Repeat("0123456789abcdef", 4))
	for _, path := range []string{"compose/veneer.yaml", "systemd/veneer.yaml"} {
		cmd := exec.Command(program, "check", path)
		cmd.Env = append(cmd.Environ(), "VENEER_TOKEN_FILE="+token, "CREDENTIALS_DIRECTORY="+dir)
		if out, err := output(t, cmd); err != nil || out != path+": good\n" {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// HAProxy takes the balancers' files. hash-key came with 3.0; an older one
// reads the file without it.
func TestBalancers(t *testing.T) {
	haproxy := tool(t, "haproxy", "haproxy")
	version, err := output(t, exec.Command(haproxy, "-v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"compose/haproxy.cfg", "kubernetes/components/balancer/haproxy.cfg"} {
		text := read(t, path)
		if strings.HasPrefix(version, "HAProxy version 2.") {
			text = strings.ReplaceAll(text, " hash-key addr", "")
		}
		old := filepath.Join(t.TempDir(), "haproxy.cfg")
		write(t, old, text)
		cmd := exec.Command(haproxy, "-c", "-f", old)
		cmd.Env = append(cmd.Environ(), "POD_NAMESPACE=veneer")
		if out, err := output(t, cmd); err != nil || strings.Contains(out, "WARNING") {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
